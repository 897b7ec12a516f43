package judge

import (
	"fmt"
	"time"

	"github.com/statemesh/statemesh/internal/faults/actor"
	"github.com/statemesh/statemesh/internal/faults/ledger"
	"github.com/statemesh/statemesh/internal/faults/schedule"
)

// atLeastOnce: an event that was confirmed, or whose sender lived to the end and had no
// error, has come to each other chart that is at-least-once, in whichever life of that,
// if the sender knew the broker of its host; and to none twice. What network.AtLeastOnce
// does not promise is counted, and no more:
//
//   - The event in whose step a process was killed may come once more.
//   - A broker in the memory of a process that is killed loses what it holds.
//
// Nothing is put aside: nothing fails to be handled here, and clocks are not wrong by
// network.Config.KeepFor.
func (r *Run) atLeastOnce() Promise {
	p := Promise{Name: "at least once: all delivered, none twice", Held: true}
	heard, twice, repeated := r.heard(&p)
	var owed, delivered, volatile, unpromised int
	for _, sender := range r.Lives {
		for chart, events := range sender.sent {
			if !actor.AtLeastOnce(chart) {
				continue
			}
			for i, s := range events {
				if s.tried.Before(r.Ready) {
					continue
				}
				if s.kind != ledger.Confirmed && (s.kind != ledger.Sent || sender.end == nil) {
					unpromised++
					continue
				}
				e := ledger.Event{Life: sender.Name, Chart: chart, Number: uint64(i + 1)}
				for _, node := range r.nodes() {
					if !r.Shared && node.Host != sender.Host && !sender.knew(node.At, s.tried) {
						continue
					}
					for _, by := range node.Charts {
						if by == chart || !actor.AtLeastOnce(by) {
							continue
						}
						owed++
						switch {
						case heard[by][e]:
							delivered++
						case r.mayBeLost(s, sender, node):
							volatile++
						default:
							p.brokeBy("%s of %s has not got event %d of %s of %s, %s at %s", by, node.Node, e.Number, e.Chart, e.Life, s.kind, s.returned.Format("15:04:05.000"))
						}
					}
				}
			}
		}
	}
	for _, l := range r.whole() {
		for by, n := range l.end.Aside {
			if n > 0 {
				p.brokeBy("%d events are put aside for %s of %s", n, by, l.Node)
			}
		}
	}
	p.Figures = fmt.Sprintf("%d owed, %d delivered, %d twice, and %d again whose step was killed", owed, delivered, twice, repeated)
	if r.Volatile {
		p.Figures += fmt.Sprintf(", %d lost with a killed process that hosted a broker", volatile)
	}
	p.Figures += fmt.Sprintf("; %d events without a promise, as their sender was killed or had an error", unpromised)
	return p
}

// heard returns what each chart has got in all its lives, how much of it more than once,
// and how much of that was the last it did in a life that was killed.
func (r *Run) heard(p *Promise) (all map[string]map[ledger.Event]bool, twice, repeated int) {
	all = make(map[string]map[ledger.Event]bool)
	killedIn := make(map[string]ledger.Event) // the event of a chart's last step, by chart
	for _, l := range r.Lives {               // of a node in their order
		last := make(map[string]ledger.Event)
		lastAt := make(map[string]time.Time)
		for way, arrivals := range l.got {
			if !actor.AtLeastOnce(way.by) {
				continue
			}
			if all[way.by] == nil {
				all[way.by] = make(map[ledger.Event]bool)
			}
			for _, a := range arrivals {
				e := ledger.Event{Life: way.life, Chart: way.chart, Number: a.number}
				switch {
				case all[way.by][e] && killedIn[way.by] == e:
					repeated++
				case all[way.by][e]:
					twice++
					p.brokeBy("%s got event %d of %s of %s twice, the last time in %s at %s", way.by, e.Number, e.Chart, e.Life, l.Name, a.at.Format("15:04:05.000"))
				}
				all[way.by][e] = true
				if !a.at.Before(lastAt[way.by]) {
					last[way.by], lastAt[way.by] = e, a.at
				}
			}
		}
		if !l.Killed.IsZero() {
			for by, e := range last {
				killedIn[by] = e
			}
		}
	}
	return all, twice, repeated
}

// nodes returns one life of each node.
func (r *Run) nodes() []*Life {
	var nodes []*Life
	known := make(map[string]bool)
	for _, l := range r.Lives {
		if !known[l.Node] {
			known[l.Node] = true
			nodes = append(nodes, l)
		}
	}
	return nodes
}

// What a killed broker in memory may lose: what it had taken a moment before, and what
// came before its queues were there again; longer, if there was something on the way that
// kept the event from going on.
const (
	heldFor   = 3 * time.Second
	heldUp    = 30 * time.Second
	backAfter = 5 * time.Second
)

// mayBeLost says whether a broker that was killed may have held the event.
func (r *Run) mayBeLost(s sent, sender, receiver *Life) bool {
	for _, f := range r.Faults {
		if !f.Hosted || f.host() != receiver.Host {
			continue
		}
		from, to := f.Began.Add(-heldFor), f.Began
		if f.Node == receiver.Node {
			to = f.Ended
		}
		for _, other := range r.Faults {
			if other.Began.After(to) || other.Ended.Before(f.Began.Add(-heldUp)) || !other.holdsUp(sender, receiver) {
				continue
			}
			if other.Began.Before(from) {
				from = other.Began
			}
			if other.Ended.After(to) {
				to = other.Ended
			}
		}
		if s.tried.After(from) && s.tried.Before(to.Add(backAfter)) {
			return true
		}
	}
	return false
}

// holdsUp says whether an event of the sender may have to wait because of the fault.
func (h Happened) holdsUp(sender, receiver *Life) bool {
	switch h.Kind {
	case schedule.CutLink, schedule.BadLink:
		return h.host() == sender.Host || h.host() == receiver.Host
	case schedule.StopNode:
		return true // it may have been the one that hosts
	case schedule.KillNode, schedule.KillBroker:
		return h.Node == receiver.Node
	}
	return false
}

func (h Happened) host() string { return fmt.Sprintf("h%d", h.Host+1) }
