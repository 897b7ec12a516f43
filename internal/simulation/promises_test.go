package simulation

import (
	"strings"

	"github.com/statemesh/statemesh/network"
)

// matches says whether an AMQP topic pattern matches a routing key.
func matches(pattern, key string) bool {
	return matchWords(strings.Split(pattern, "."), strings.Split(key, "."))
}

func matchWords(pattern, key []string) bool {
	switch {
	case len(pattern) == 0:
		return len(key) == 0
	case pattern[0] == "#":
		return matchWords(pattern[1:], key) || len(key) > 0 && matchWords(pattern, key[1:])
	}
	return len(key) > 0 && (pattern[0] == "*" || pattern[0] == key[0]) && matchWords(pattern[1:], key[1:])
}

// check checks every promise, when everything has been whole for long enough.
func (w *world) check() {
	for _, l := range w.lives {
		for _, e := range l.ears {
			w.checkHeard(e)
		}
	}
	if w.plan.kept {
		w.checkKept()
	}
	for _, receiver := range w.current {
		stats := receiver.node.Stats()
		w.checkHanded(receiver, stats, receiver.node.Peers())
		if queued := stats.Peers.Events.Queued; queued != 0 {
			w.broken("%s: %d events still wait", receiver.name, queued)
		}
		for _, sender := range w.current {
			w.checkLast(sender, receiver)
			if sender != receiver && !w.plan.kept {
				w.checkGaps(sender, receiver, stats)
			}
		}
		w.checkObjects(receiver, stats)
	}
}

// checkHeard: nothing twice, in the order in which it was sent, nothing that was not sent
// or not for the object.
func (w *world) checkHeard(e *ear) {
	newest := map[[2]int]int{} // by object and life
	for _, h := range e.got {
		from := w.plan.objects[h.Object]
		at := [2]int{h.Object, h.Life}
		switch sender := w.sender(h.mark); {
		case sender == nil || h.Number < 1 || h.Number > sender.sent:
			w.broken("%s in %s heard %+v, which was not sent", e.Name(), e.life.name, h)
		case sender == e:
			w.broken("%s in %s heard itself: %+v", e.Name(), e.life.name, h)
		case !matches(e.plan.pattern, from.key):
			w.broken("%s in %s hears %q, and heard %+v with %q", e.Name(), e.life.name, e.plan.pattern, h, from.key)
		case h.Number <= newest[at] && !w.plan.kept:
			w.broken("%s in %s heard %+v after number %d", e.Name(), e.life.name, h, newest[at])
		}
		newest[at] = max(newest[at], h.Number)
	}
}

// sender returns the object that sent the event, nil if there was none.
func (w *world) sender(m mark) *ear {
	for _, l := range w.lives {
		if l.number == m.Life {
			if e := l.of(m.Object); e != nil {
				return e
			}
		}
	}
	return nil
}

// checkHanded: whatever was handed in is in exactly one count, and Full is what Transmit
// said.
func (w *world) checkHanded(l *life, stats network.NodeStats, peers []network.PeerStatus) {
	var sent uint64
	var handed, full int
	for _, e := range l.ears {
		sent += uint64(e.sent)
		for _, n := range e.handed {
			handed += n
		}
		for _, n := range e.full {
			full += n
		}
	}
	if stats.Transmitted != sent {
		w.broken("%s: transmitted %d, says %d", l.name, sent, stats.Transmitted)
	}
	if t := stats.Peers.Events; inOne(t) != handed || int(t.Full) != full || t.Refused != 0 {
		w.broken("%s: handed in %d, of which Transmit refused %d: %+v", l.name, handed, full, t)
	}
	if w.plan.lan {
		return // peers may have been forgotten
	}
	for _, p := range peers {
		handed, full = 0, 0
		for _, e := range l.ears {
			handed += e.handed[p.Address]
			full += e.full[p.Address]
		}
		if inOne(p.Events) != handed || int(p.Events.Full) != full {
			w.broken("%s: handed in for %s %d, of which Transmit refused %d: %+v", l.name, p.Address, handed, full, p.Events)
		}
	}
}

// inOne is what the counts of which an event has one sum up to.
func inOne(t network.Traffic) int {
	return t.Queued + int(t.Sent+t.Full+t.Displaced+t.Expired+t.Refused+t.Lost)
}

// checkLast: when everything is whole, everybody hears everybody.
func (w *world) checkLast(sender, receiver *life) {
	for _, s := range sender.ears {
		for _, r := range receiver.ears {
			if s == r || s.plan.monitor() || !matches(r.plan.pattern, s.plan.key) {
				continue
			}
			last := mark{s.index, sender.number, s.sent}
			heard := false
			for _, h := range r.got {
				heard = heard || h.mark == last
			}
			if !heard {
				w.broken("%s in %s has not heard the last of %s in %s, number %d", r.Name(), receiver.name, s.Name(), sender.name, s.sent)
			}
		}
	}
}

// checkGaps: what one node sent, another received or counts as not received, exactly; and
// if nothing could go wrong at the receiver, the sender counts the same.
func (w *world) checkGaps(sender, receiver *life, stats network.NodeStats) {
	var sent int
	for _, s := range sender.ears {
		for _, r := range receiver.ears {
			if !s.plan.monitor() && matches(r.plan.pattern, s.plan.key) {
				sent += s.sent
				break
			}
		}
	}
	var counts network.SenderStats
	for _, s := range stats.Senders {
		if s.Node == sender.name {
			counts = s
		}
	}
	if got := int(counts.Received + counts.Missed + counts.Earlier); got != sent {
		w.broken("%s -> %s: sent %d, received, missed and earlier are %d: %+v", sender.name, receiver.name, sent, got, counts)
	}
	monitor := receiver.monitor()
	if monitor == nil {
		return
	}
	received := 0
	for _, h := range monitor.got {
		if w.sender(h.mark).life == sender {
			received++
		}
	}
	if received != int(counts.Received) {
		w.broken("%s -> %s: %d came, and %d were received: %+v", sender.name, receiver.name, received, counts.Received, counts)
	}
	w.checkWay(sender, receiver, received, stats)
}

// checkWay compares what came with what the sender counts for that broker.
func (w *world) checkWay(sender, receiver *life, received int, stats network.NodeStats) {
	if w.plan.lan {
		return
	}
	for _, p := range sender.node.Peers() {
		if !strings.Contains(p.Address, address(receiver.host)+":") {
			continue
		}
		t := p.Events
		most := int(t.Sent)
		if t.Retried > 0 { // it may have come, though its confirm did not
			most += int(t.Displaced + t.Expired + t.Lost)
		}
		if received > most {
			w.broken("%s -> %s: %d came of %+v", sender.name, receiver.name, received, t)
		}
		if received < int(t.Sent) && w.undisturbed(receiver) {
			w.broken("%s -> %s: %d came of %+v, though nothing went wrong there: %v", sender.name, receiver.name, received, t, stats.Problems)
		}
		return
	}
	w.broken("%s does not know the broker of h%d", sender.name, receiver.host)
}

// undisturbed says whether a node has lived all the time, and its queue at the broker too.
func (w *world) undisturbed(l *life) bool {
	for _, m := range w.plan.moves {
		lost := m.kind == downs || m.kind == hangs || m.kind == cuts && m.other == l.host || m.kind == crashes || m.kind == leaves
		if m.host == l.host && lost {
			return false
		}
	}
	_, differ := w.plan.wrongClocks()
	return differ == 0 && !w.plan.careless()
}

// monitor returns the object that hears everything, nil if there is none.
func (l *life) monitor() *ear {
	for _, e := range l.ears {
		if e.plan.monitor() {
			return e
		}
	}
	return nil
}

// checkObjects: each object gets what its node got, or the node or the object counts why
// not. What was sent in the node came in any case.
func (w *world) checkObjects(l *life, stats network.NodeStats) {
	monitor := l.monitor()
	if monitor == nil {
		return
	}
	for _, s := range l.ears {
		came := 0
		for _, h := range monitor.got {
			if h.Object == s.index && h.Life == l.number {
				came++
			}
		}
		if came != s.sent {
			w.broken("%s: of %d that %s sent, %d came in the own node", l.name, s.sent, s.Name(), came)
		}
	}
	var due, delivered int
	for _, r := range l.ears {
		want := 0
		for _, h := range monitor.got {
			if w.sender(h.mark) != r && matches(r.plan.pattern, w.plan.objects[h.Object].key) {
				want++
			}
		}
		s := r.Stats()
		taken := len(r.got) + int(s.Dropped+s.Discarded)
		if !r.stopped && taken+int(s.Rejected) != want {
			w.broken("%s: %s should have got %d, and got %d: %+v", l.name, r.Name(), want, len(r.got), s)
		}
		due += want
		delivered += taken
	}
	if int(stats.Delivered) != delivered || int(stats.Delivered+stats.Rejected) != due {
		w.broken("%s: %d due, %d delivered; says delivered %d, rejected %d", l.name, due, delivered, stats.Delivered, stats.Rejected)
	}
}
