package network

import (
	"time"

	"github.com/statemesh/statemesh/hsm"
)

// next returns what goes next to the link, as one message, and notes it as in flight. It
// blocks until there is something; ok is false when the link is no longer served. The
// batch is good until next is called again, which only one goroutine may do for a link.
func (o *outbox) next(l Link) (batch []outMessage, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.link == l {
		w := o.sendable()
		if w == nil {
			o.idle = true
			o.ready.Wait()
			o.idle = false
		} else if o.take(w) {
			return o.batch, true
		}
	}
	return nil, false
}

// wake has next look again, if it would find something. The caller holds mu.
func (o *outbox) wake() {
	if o.sendable() != nil {
		o.ready.Broadcast()
	}
}

// sendable returns whose turn it is, nil if there is nothing to send now. The caller holds
// mu.
func (o *outbox) sendable() *hsm.Deque[outMessage] {
	w := &o.waiting[events]
	switch {
	case o.link == nil, o.pause, o.lent == o.link:
		return nil
	case o.kept.ready() && (w.Len() == 0 || w.At(0).lane != control):
		return &o.kept.waiting
	case w.Len() == 0:
		w = &o.waiting[talk]
	}
	if w.Len() == 0 || o.busy >= o.window() && o.mayGrow(w) {
		return nil
	}
	return w
}

// mayGrow says whether what comes may well join what goes next from w: not if that is a
// whole bundle, or if there is another message behind it already, as far as a look at both
// ends of w tells, or there was another one before it, which means that they take turns. The
// caller holds mu.
func (o *outbox) mayGrow(w *hsm.Deque[outMessage]) bool {
	first, n := w.At(0), w.Len()
	return n < bundleParts && len(first.body) <= bundleBytes/2 &&
		first.joins(&o.previous) && first.joins(w.At(min(1, n-1))) && first.joins(w.At(n-1))
}

// joins says whether the message may travel with another one in a bundle. What is kept is
// acknowledged one by one, and what nodes say to each other is rare.
func (m *outMessage) joins(other *outMessage) bool {
	return m.lane.bundled() && m.lane == other.lane && m.key == other.key && m.exchange == other.exchange
}

// take moves what may travel together from w to those in flight and into the batch, and
// reports whether that is anything. The caller holds mu.
func (o *outbox) take(w *hsm.Deque[outMessage]) bool {
	clear(o.batch)
	o.batch = o.batch[:0]
	now, bytes := time.Now(), bundleHead
	for w.Len() > 0 {
		m := w.Front()
		if m.lane != kept && now.Sub(m.at) > o.ttl {
			o.drop(m, func(t *Traffic) { t.Expired++ })
			o.changed.Broadcast()
			w.PopFront()
			continue
		}
		bytes += partHead + len(m.body)
		if n := len(o.batch); n > 0 && (n == bundleParts || bytes > bundleBytes || !m.joins(&o.batch[0])) {
			break
		}
		w.PopFront()
		m.sent, m.number = now, o.last+1
		m.stale = m.plain != nil && (m.again || m.at.Before(o.opened))
		o.inFlight.PushBack(m)
		o.batch = append(o.batch, m)
	}
	if len(o.batch) == 0 {
		return false
	}
	o.last++
	if m := &o.batch[0]; m.lane.bundled() {
		o.busy++
		o.previous = outMessage{exchange: m.exchange, key: m.key, lane: m.lane}
	}
	return true
}

// How many messages may be in flight until those that may still get company wait for it:
// more for a longer way, so that a message a moment never waits for the confirmation of
// another one, but not more than a broker takes in that time.
const (
	fewestInFlight = 4
	busyBroker     = 20_000 // messages a second
)

func (o *outbox) window() int { return fewestInFlight + int(busyBroker*max(o.least, 0)/time.Second) }

// bundled says whether such messages travel in bundles, and count for the window.
func (l lane) bundled() bool { return l == events || l == talk }

// putOrLend is put, and returns the link if the caller is to publish the message itself, as
// next would have it, and then to call giveBack: which saves waking somebody else. That is so
// if the link has nothing to do. The broker has then confirmed all that was published, so
// that no buffer on the way is full, and publishing does not wait.
func (o *outbox) putOrLend(m outMessage, until time.Time) (taken bool, link Link) {
	o.mu.Lock()
	defer o.mu.Unlock()
	alone := o.idle && o.here() == 0
	taken = o.add(m, until)
	if w := &o.waiting[events]; alone && m.lane == events && w.Len() == 1 && o.sendable() == w && o.take(w) {
		o.lent = o.link
		return taken, o.link
	}
	o.wake()
	return taken, nil
}

// giveBack ends what putOrLend began.
func (o *outbox) giveBack(l Link) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.lent == l {
		o.lent = nil
	}
	o.wake()
}
