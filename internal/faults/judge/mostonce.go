package judge

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/statemesh/statemesh/internal/faults/actor"
	"github.com/statemesh/statemesh/internal/faults/ledger"
	"github.com/statemesh/statemesh/network"
)

// atMostOnce: what the ordinary charts of other processes have sent to a process that
// lived to the end has come, once and in order, or is in a count:
//
//   - of the receiver, as missed, or as sent before the first one that came;
//   - of the sender, as dropped, if it is beyond the last one that came;
//   - or its sender was killed with it.
//
// And the receiver counts no more than is missing. Charts of one process always hear
// each other, but for what a full queue rejects.
func (r *Run) atMostOnce() Promise {
	p := Promise{Name: "at most once: delivered or counted, in order, none twice", Held: true}
	var sum tally
	for _, receiver := range r.Lives {
		r.inOrder(&p, receiver)
	}
	for _, receiver := range r.whole() {
		var rejected int
		for _, sender := range r.Lives {
			if sender == receiver {
				t, missing := r.within(receiver)
				rejected += missing
				sum.add(t)
				continue
			}
			t, uneven := r.between(sender, receiver)
			rejected += uneven
			sum.add(t.owed())
			if why := t.fault(sender); why != "" {
				p.brokeBy("%s -> %s: %s: %+v; the sender dropped %d: %s", sender.Name, receiver.Name, why, t, drops(sender), problems(receiver))
			}
		}
		if rejected > int(receiver.end.Stats.Rejected) {
			p.brokeBy("%s: its charts did not get %d events that had come to it, and it says that %d were rejected", receiver.Name, rejected, receiver.end.Stats.Rejected)
		}
	}
	p.Figures = fmt.Sprintf("%d owed, %d delivered, %d missed and counted, %d before the sender was known, %d dropped by senders, %d gone with their killed sender",
		sum.sent, sum.delivered, sum.missed, sum.earlier, sum.dropped, sum.died)
	return p
}

// tally is what became of what one process sent to another.
type tally struct {
	sent, delivered int
	missing         int // before the last one that came
	after           int // missing after that
	missed, earlier int // as the receiver counts
	before          int // of missing: sent before the receiver began
	dropped, died   int // of after: drops of a sender that lived, or gone with one that was killed
}

func (t *tally) add(o tally) {
	t.sent += o.sent
	t.delivered += o.delivered
	t.missed += o.missed
	t.earlier += o.earlier
	t.dropped += o.dropped
	t.died += o.died
}

// owed leaves out what was sent before there was a receiver, which counts it too.
func (t tally) owed() tally {
	before := min(t.before, t.earlier)
	t.sent, t.earlier = t.sent-before, t.earlier-before
	return t
}

// fault says what is wrong with the sums, or nothing.
func (t tally) fault(sender *Life) string {
	switch {
	case t.delivered == 0 && t.dropped > drops(sender):
		return "they have never met"
	case t.missing > t.missed+t.earlier:
		return "missing, and not counted"
	case t.missing < t.missed+t.earlier:
		return "counted as missing, and not"
	case t.dropped > drops(sender):
		return "the last ones are missing, and no drop was counted"
	}
	return ""
}

// drops is how many messages the process has given up, for all brokers together.
func drops(l *Life) int {
	if l.end == nil {
		return 0
	}
	return int(l.end.Stats.Peers.Events.Dropped())
}

// atOnce is the time that a process may take to hand an event to all its charts.
const atOnce = 500 * time.Millisecond

// between compares what one process sent with what another one got. uneven is how many
// events some of the receiver's charts got and others did not.
func (r *Run) between(sender, receiver *Life) (t tally, uneven int) {
	for _, chart := range sender.Charts {
		if actor.AtLeastOnce(chart) {
			continue
		}
		all := make(map[uint64]time.Time) // when the last of the charts got it
		for _, by := range receiver.Charts {
			for _, a := range receiver.got[route{sender.Name, chart, by}] {
				if a.at.After(all[a.number]) {
					all[a.number] = a.at
				}
			}
		}
		for _, by := range receiver.Charts {
			if actor.AtLeastOnce(by) {
				continue
			}
			has := make(map[uint64]bool)
			for _, a := range receiver.got[route{sender.Name, chart, by}] {
				has[a.number] = true
			}
			for n, when := range all {
				if !has[n] && when.After(receiver.made[by].Add(atOnce)) {
					uneven++
				}
			}
		}
		sent, last := len(sender.sent[chart]), 0
		for n := range all {
			last = max(last, int(n))
		}
		if last == 0 {
			// Nothing of the chart came, so the receiver cannot count. What was sent before it
			// began was not for it.
			sent -= sender.sentBefore(chart, receiver.Began)
			t.sent += sent
			t.after += sent
			continue
		}
		t.sent += sent
		t.delivered += len(all)
		t.missing += last - len(all)
		for n := range min(last, sender.sentBefore(chart, receiver.Began)) {
			if _, came := all[uint64(n+1)]; !came {
				t.before++
			}
		}
		t.after += sent - last
	}
	if stats, ok := r.senderStats(receiver, sender.Name, t.delivered); ok {
		t.missed, t.earlier = int(stats.Missed), int(stats.Earlier)
	}
	if sender.end != nil {
		t.dropped = t.after
	} else {
		t.died = t.after
	}
	return t, uneven
}

// senderStats returns what the receiver counts of a sender. One that has not said its
// name yet is known by how much of it has come.
func (r *Run) senderStats(receiver *Life, name string, delivered int) (network.SenderStats, bool) {
	all := receiver.end.Stats.Senders
	i := slices.IndexFunc(all, func(s network.SenderStats) bool { return s.Node == name })
	if i < 0 {
		i = slices.IndexFunc(all, func(s network.SenderStats) bool {
			return r.life(s.Node) == nil && int(s.Received) == delivered
		})
	}
	if i < 0 {
		return network.SenderStats{}, false
	}
	return all[i], true
}

// within looks at what the charts of one process sent each other.
func (r *Run) within(l *Life) (t tally, missing int) {
	for _, chart := range l.Charts {
		for _, by := range l.Charts {
			if by == chart || actor.AtLeastOnce(chart) || actor.AtLeastOnce(by) {
				continue
			}
			has := make(map[uint64]bool)
			for _, a := range l.got[route{l.Name, chart, by}] {
				has[a.number] = true
			}
			for i := l.sentBefore(chart, l.made[by].Add(atOnce)); i < len(l.sent[chart]); i++ {
				t.sent++
				if has[uint64(i+1)] {
					t.delivered++
				} else {
					missing++
				}
			}
		}
	}
	return t, missing
}

// inOrder looks at the order of what came, and for what was never sent.
func (r *Run) inOrder(p *Promise, receiver *Life) {
	for way, arrivals := range receiver.got {
		if actor.AtLeastOnce(way.chart) {
			continue
		}
		sender := r.life(way.life)
		last := uint64(0)
		for _, a := range arrivals {
			switch {
			case sender == nil || a.number < 1 || a.number > uint64(len(sender.sent[way.chart])):
				p.brokeBy("%s of %s got event %d of %s of %s, which was never sent", way.by, receiver.Name, a.number, way.chart, way.life)
			case a.number == last:
				p.brokeBy("%s of %s got event %d of %s of %s twice", way.by, receiver.Name, a.number, way.chart, way.life)
			case a.number < last:
				p.brokeBy("%s of %s got event %d of %s of %s after %d, at %s", way.by, receiver.Name, a.number, way.chart, way.life, last, a.at.Format("15:04:05.000"))
			}
			last = max(last, a.number)
		}
	}
}

// sentBefore is how many events of the chart were sent before a time.
func (l *Life) sentBefore(chart string, at time.Time) int {
	n, _ := slices.BinarySearchFunc(l.sent[chart], at, func(s sent, at time.Time) int { return s.tried.Compare(at) })
	return n
}

// problems lists what a process says of messages that it did not take.
func problems(l *Life) string {
	var parts []string
	for why, n := range l.end.Stats.Problems {
		parts = append(parts, fmt.Sprintf("%s %d", why, n))
	}
	slices.Sort(parts)
	return "problems of the receiver: " + strings.Join(parts, ", ")
}

// failed says whether the call returned an error.
func (s sent) failed() bool { return s.kind == ledger.Failed }
