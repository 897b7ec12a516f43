package simulation

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// checkKept: each object has handled everything that was kept for its host's broker, in
// one of its lives, and nothing twice, but for the event in whose step it was killed. What
// is missing was in a broker that lost it, or is in a count: Lost, of an outbox that was
// given up, or Aside, of what did not open.
func (w *world) checkKept() {
	handled := w.handlings()
	w.checkRepeats(handled)
	var missing []gone
	for _, sender := range w.lives {
		for _, s := range sender.ears {
			for i, brokers := range s.to {
				missing = append(missing, w.missing(s, i+1, brokers, handled)...)
			}
		}
	}
	// First where most miss it: if everybody at a host does, it may have been lost on the way.
	slices.SortStableFunc(missing, func(a, b gone) int { return cmp.Compare(len(b.by), len(a.by)) })
	if lost, aside := w.lostAndAside(); w.plan.retiresKey() {
		w.checkAside(missing, lost, aside)
	} else {
		w.checkLost(missing, lost)
	}
}

// checkLost: what is missing was lost in an outbox, and its node counts that.
func (w *world) checkLost(missing []gone, lost map[*life]int) {
	for _, g := range missing {
		if lost[g.sender]--; !g.all || lost[g.sender] < 0 {
			w.broken("%v at h%d have not handled %+v of %s, which was kept for them", g.by, g.host, g.mark, g.sender.name)
		}
	}
}

// checkAside: at each host as much was put aside as is missing, but for what was lost in
// outboxes, in all as much as the nodes count.
func (w *world) checkAside(missing []gone, lost map[*life]int, aside []int) {
	inAll := 0
	for _, n := range lost {
		inAll += n
	}
	for host, short := range aside {
		short = -short
		for _, g := range missing {
			if g.host == host {
				short += len(g.by)
			}
		}
		for _, g := range missing {
			if g.host == host && g.all && lost[g.sender] > 0 && short > 0 {
				short -= len(g.by)
				inAll--
			}
		}
		if short > 0 || inAll < 0 {
			w.broken("at h%d %d events were put aside, and %d more are missing: %+v", host, aside[host], short, missing)
		}
	}
}

// gone is an event that objects of a host have not handled.
type gone struct {
	mark
	sender *life
	host   int
	by     []string // objects
	all    bool     // these are all that hear it there
}

// handlings says how often which object handled what, in all its lives.
func (w *world) handlings() map[int]map[mark]int {
	handled := map[int]map[mark]int{} // by object
	for _, l := range w.lives {
		for _, e := range l.ears {
			if handled[e.index] == nil {
				handled[e.index] = map[mark]int{}
			}
			for _, h := range e.got {
				handled[e.index][h.mark]++
			}
		}
	}
	return handled
}

func (w *world) checkRepeats(handled map[int]map[mark]int) {
	killed := map[int]int{} // by host
	for _, m := range w.plan.moves {
		if m.kind == crashes {
			killed[m.host]++
		}
	}
	for index, events := range handled {
		again := 0
		for m, times := range events {
			if again += times - 1; times > 1 && again > killed[w.plan.objects[index].host] {
				w.broken("%s handled %+v %d times", w.plan.objects[index].name, m, times)
			}
		}
	}
}

// missing finds out who should have handled an event and has not.
func (w *world) missing(s *ear, number int, brokers []string, handled map[int]map[mark]int) (all []gone) {
	m := mark{s.index, s.life.number, number}
	for host := range w.plan.hosts {
		there := func(broker string) bool { return strings.Contains(broker, address(host)+":") }
		if !slices.ContainsFunc(brokers, there) || s.at[number-1] < w.plan.forgetful(host) {
			continue
		}
		g := gone{mark: m, sender: s.life, host: host}
		hearers := 0
		for index, r := range w.plan.objects {
			if r.host != host || index == s.index || !matches(r.pattern, s.plan.key) {
				continue
			}
			if hearers++; handled[index][m] == 0 {
				g.by = append(g.by, r.name)
			}
		}
		if g.all = len(g.by) == hearers; len(g.by) > 0 {
			all = append(all, g)
		}
	}
	return all
}

// lostAndAside returns what the nodes count as lost, by sender, and put aside, by host.
func (w *world) lostAndAside() (lost map[*life]int, aside []int) {
	lost, aside = map[*life]int{}, make([]int, w.plan.hosts)
	for _, l := range w.lives {
		stats := l.stats
		if w.current[l.host] == l {
			stats = l.node.Stats()
		}
		lost[l] = int(stats.Peers.Events.Lost)
		aside[l.host] += int(stats.Kept.Aside)
		if stats.Kept.Aside > 0 && !w.plan.retiresKey() {
			w.broken("%s has put %d events aside for no reason", l.name, stats.Kept.Aside)
		}
	}
	return lost, aside
}

// retiresKey says whether there is a reason to put an event aside.
func (p *plan) retiresKey() bool {
	return slices.ContainsFunc(p.moves, func(m move) bool { return m.kind == retireKey })
}

// forgetful returns until when a broker may lose what it has taken, 0 for never: one that
// keeps in memory, until it has come back for the last time and so has the node that makes
// the queues there.
func (p *plan) forgetful(host int) (until time.Duration) {
	if !p.memory {
		return 0
	}
	const back = 3 * time.Second // the longest wait of the node, and the ways
	for again := true; again; {
		again = false
		for _, m := range p.moves {
			keepsAway := until >= m.at && (m.kind == refuses || m.kind == hangs || m.kind == crashes || m.kind == leaves || m.kind == cuts && m.other == host)
			if end := m.at + m.long + back; m.host == host && (m.kind == downs || keepsAway) && end > until {
				until, again = end, true
			}
		}
	}
	return until
}
