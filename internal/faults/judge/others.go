package judge

import (
	"fmt"
	"time"

	"github.com/statemesh/statemesh/internal/faults/actor"
	"github.com/statemesh/statemesh/internal/faults/ledger"
)

// nothingLeft: a process that has closed its node has no more goroutines and open files
// than before there was one. While it works it has, in the end, no more of them than the
// first lives had when these had settled, before the faults: the most of those that hosted
// the broker, or not, as it does. And it has no more memory than the first life of its
// node, but for what charts remember to have handled.
func (r *Run) nothingLeft() Promise {
	p := Promise{Name: "nothing left: goroutines, files, memory", Held: true}
	lives, compared, heap, allowed := 0, 0, 0, 0
	for _, l := range r.whole() {
		lives++
		before, after := l.end.Before, l.end.After
		if after.Goroutines > before.Goroutines || after.Files > before.Files {
			p.brokeBy("%s: %d goroutines and %d files before there was a node, %d and %d after it was closed", l.Name,
				before.Goroutines, before.Files, after.Goroutines, after.Files)
		}
		first := r.firstBase(l.Node)
		if first == nil {
			continue
		}
		base, now := first.Now, l.end.Now
		more := now.Heap - base.Heap
		bound := r.Heap + r.remembered(l)
		heap, allowed = max(heap, more), max(allowed, bound)
		if more > bound {
			p.brokeBy("%s: %d KiB of heap in the beginning, %d in the end", l.Name, base.Heap>>10, now.Heap>>10)
		}
		most, ok := r.settled(l.end.Hosting, len(l.end.Peers))
		if !ok {
			continue // there was none like it
		}
		compared++
		// A connection is an active object, which has a goroutine only when it has had an event lately.
		most.Goroutines += len(l.end.Peers)
		if now.Goroutines > most.Goroutines || now.Files > most.Files {
			p.brokeBy("%s: at most %d goroutines and %d files in the beginning, %d and %d in the end", l.Name,
				most.Goroutines, most.Files, now.Goroutines, now.Files)
		}
	}
	p.Figures = fmt.Sprintf("%d processes as before their nodes, %d of them as in the beginning while they worked, heap at most %+d KiB (bound %d)",
		lives, compared, heap>>10, allowed>>10)
	return p
}

// remembered is how many bytes the charts of a process may take to remember what they
// have handled: 65536 events of at most 208 bytes each, see network.AtLeastOnce.
func (r *Run) remembered(l *Life) (bytes int) {
	const most, each = 1 << 16, 208
	for _, by := range l.Charts {
		events := 0
		for _, other := range r.Lives {
			if !actor.AtLeastOnce(by) || other.Node != l.Node {
				continue
			}
			for way, arrivals := range other.got {
				if way.by == by {
					events += len(arrivals)
				}
			}
		}
		bytes += each * min(events, most)
	}
	return bytes
}

// settled returns the most that the first lives had when they had settled, of those that
// hosted the broker, or did not, and were connected to so many.
func (r *Run) settled(hosting bool, peers int) (most ledger.Usage, ok bool) {
	for _, l := range r.nodes() {
		if b := l.base; b != nil && b.Hosting == hosting && up(b) == peers {
			most.Goroutines, most.Files = max(most.Goroutines, b.Now.Goroutines), max(most.Files, b.Now.Files)
			ok = true
		}
	}
	return most, ok
}

// firstBase returns what the first life of a node told when it had settled.
func (r *Run) firstBase(node string) *ledger.Report {
	for _, l := range r.nodes() {
		if l.Node == node {
			return l.base
		}
	}
	return nil
}

// up is how many brokers the process was connected to.
func up(r *ledger.Report) (n int) {
	for _, p := range r.Peers {
		if p.State == "up" {
			n++
		}
	}
	return n
}

// notBlocked: no call of Transmit took longer than the bound, but while the process was
// stopped.
func (r *Run) notBlocked() Promise {
	p := Promise{Name: "no chart blocked", Held: true}
	var longest time.Duration
	calls, failed := 0, 0
	for _, l := range r.Lives {
		for chart, events := range l.sent {
			for i, s := range events {
				if s.kind != ledger.Sent && s.kind != ledger.Failed {
					continue
				}
				calls++
				if s.failed() {
					failed++
				}
				if r.stopped(l.Node, s.tried, s.returned) {
					continue
				}
				longest = max(longest, s.took)
				if s.took > r.Blocked {
					p.brokeBy("%s of %s: Transmit of event %d took %v, at %s", chart, l.Name, i+1, s.took, s.tried.Format("15:04:05.000"))
				}
			}
		}
	}
	p.Figures = fmt.Sprintf("%d calls of Transmit, the longest took %v (bound %v), %d returned an error", calls, longest.Round(time.Microsecond), r.Blocked, failed)
	return p
}

// allHearAll: soon after the last fault every process has heard the charts of every other
// one.
func (r *Run) allHearAll() Promise {
	p := Promise{Name: "all hear all again", Held: true}
	var last time.Duration
	pairs := 0
	for _, receiver := range r.whole() {
		for _, sender := range r.whole() {
			if receiver == sender {
				continue
			}
			pairs++
			first := r.heardAgain(receiver, sender)
			switch {
			case first.IsZero():
				p.brokeBy("%s has not heard %s", receiver.Name, sender.Name)
				continue
			case first.Sub(r.Healed) > r.Again:
				p.brokeBy("%s has heard %s after %v", receiver.Name, sender.Name, first.Sub(r.Healed).Round(time.Millisecond))
			}
			last = max(last, first.Sub(r.Healed))
		}
	}
	p.Figures = fmt.Sprintf("%d pairs of processes, the last one after %v (bound %v)", pairs, last.Round(time.Millisecond), r.Again)
	return p
}

// heardAgain returns when the receiver had got something of each at-most-once chart that was
// sent when all was well, the zero time for never.
func (r *Run) heardAgain(receiver, sender *Life) (last time.Time) {
	for _, chart := range sender.Charts {
		sent := sender.sent[chart]
		if actor.AtLeastOnce(chart) || len(sent) == 0 || sent[len(sent)-1].tried.Before(r.Healed) {
			continue
		}
		first := time.Time{}
		for _, by := range receiver.Charts {
			for _, a := range receiver.got[route{sender.Name, chart, by}] {
				if a.number > uint64(len(sent)) || sent[a.number-1].tried.Before(r.Healed) {
					continue
				}
				if first.IsZero() || a.at.Before(first) {
					first = a.at
				}
				break
			}
		}
		if first.IsZero() {
			return first
		}
		if first.After(last) {
			last = first
		}
	}
	return last
}
