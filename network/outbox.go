package network

import (
	"sync"
	"time"

	"github.com/statemesh/statemesh/hsm"
)

// outMessage is a sealed message on its way to one broker.
type outMessage struct {
	exchange string
	key      string
	body     []byte
	at       time.Time // when it was put here
	sent     time.Time // when it was given to the link
	own      bool      // is between nodes, and does not count
}

// outbox holds what one broker is to get: messages that wait for a connection,
// and those that the broker has not confirmed yet. Messages of a connection that
// dies wait again, in their order; a receiver that had one already drops it as
// seen before. It is bounded, so a dead peer costs memory for size messages and
// no more.
type outbox struct {
	size int
	ttl  time.Duration

	mu       sync.Mutex // guards what follows
	changed  sync.Cond
	waiting  hsm.Deque[outMessage]
	inFlight hsm.Deque[outMessage] // oldest first; done ones have no body
	done     int                   // of those in flight
	owns     int                   // of those that wait or are not confirmed, which do not count
	first    uint64                // number of the oldest in flight
	pause    bool                  // the broker takes nothing at the moment
	link     Link                  // that next serves, nil for none
	ended    bool                  // end was called
	stats    outboxStats
}

// outboxStats counts what became of an outbox's messages.
type outboxStats struct {
	Sent    uint64 // confirmed by the broker
	Full    uint64 // not taken: the outbox was full
	Expired uint64 // waited longer than ttl
	Refused uint64 // the broker said no
	Lost    uint64 // still here when the node was closed or forgot the broker

	RoundTrip time.Duration // from next to confirm, smoothed
}

func newOutbox(size int, ttl time.Duration) *outbox {
	o := &outbox{size: size, ttl: ttl, first: 1}
	o.changed.L = &o.mu
	return o
}

// put takes a message, or reports that the outbox is full. What is too old makes
// room for it.
func (o *outbox) put(m outMessage) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		if !m.own {
			o.stats.Lost++
		}
		return true
	}
	if o.held() >= o.size {
		for o.waiting.Len() > 0 && m.at.Sub(o.waiting.Front().at) > o.ttl {
			o.count(o.waiting.PopFront(), &o.stats.Expired)
		}
	}
	if o.held() >= o.size {
		if !m.own {
			o.stats.Full++
		}
		return false
	}
	if m.own {
		o.owns++
	}
	o.waiting.PushBack(m)
	o.changed.Broadcast()
	return true
}

// barge takes a message that goes before all others, of which there are never many.
// It does not count.
func (o *outbox) barge(m outMessage) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		return
	}
	m.own = true
	if o.waiting.Len() > 0 && o.waiting.Front().own {
		*o.waiting.At(0) = m // the older one has nothing to add
		return
	}
	o.owns++
	o.waiting.PushFront(m)
	o.changed.Broadcast()
}

// open makes the outbox serve a new link.
func (o *outbox) open(l Link) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.link, o.pause, o.first = l, false, 1
}

// close ends the service of a link: what it did not confirm waits again.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.link, o.done = nil, 0
	for o.inFlight.Len() > 0 {
		if m := o.inFlight.PopBack(); m.body != nil {
			o.waiting.PushFront(m)
		}
	}
	o.changed.Broadcast()
}

// next returns the next message for the link, and notes it as in flight. It
// blocks until there is one; ok is false when the link is no longer served.
func (o *outbox) next(l Link) (m outMessage, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		if o.link != l {
			return outMessage{}, false
		}
		if o.waiting.Len() == 0 || o.pause {
			o.changed.Wait()
			continue
		}
		m = o.waiting.PopFront()
		m.sent = time.Now()
		if m.sent.Sub(m.at) > o.ttl {
			o.count(m, &o.stats.Expired)
			o.changed.Broadcast()
			continue
		}
		o.inFlight.PushBack(m)
		return m, true
	}
}

// setPause stops next while a broker is blocked.
func (o *outbox) setPause(pause bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.pause = pause
	o.changed.Broadcast()
}

// confirm takes note of what the broker said of the messages of link l.
func (o *outbox) confirm(l Link, c Confirm) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.link != l || c.Number < o.first || c.Number >= o.first+uint64(o.inFlight.Len()) {
		return
	}
	at := int(c.Number - o.first)
	from := at
	if c.Several {
		from = 0
	}
	var sent time.Time // of the newest
	for i := from; i <= at; i++ {
		m := o.inFlight.At(i)
		if m.body == nil {
			continue
		}
		o.done++
		if c.Refused {
			o.count(*m, &o.stats.Refused)
		} else {
			o.count(*m, &o.stats.Sent)
		}
		sent = m.sent
		*m = outMessage{}
	}
	if !sent.IsZero() {
		o.measure(time.Since(sent))
	}
	for o.inFlight.Len() > 0 && o.inFlight.At(0).body == nil {
		o.inFlight.PopFront()
		o.first++
		o.done--
	}
	o.changed.Broadcast()
}

// count adds the message to a counter. The caller holds mu.
func (o *outbox) count(m outMessage, counter *uint64) {
	if m.own {
		o.owns--
		return
	}
	*counter++
}

// measure takes a round trip into the average, as TCP does (RFC 6298). The caller holds
// mu.
func (o *outbox) measure(d time.Duration) {
	if o.stats.RoundTrip == 0 {
		o.stats.RoundTrip = d
	}
	o.stats.RoundTrip += (d - o.stats.RoundTrip) / 8
}

// drained waits until everything is confirmed, or until one of the channels is
// closed.
func (o *outbox) drained(stop, leave <-chan struct{}) bool {
	unwatch := make(chan struct{})
	defer close(unwatch)
	stopped := false // guarded by mu
	go func() {      // ended by one of the channels, or by unwatch
		select {
		case <-stop:
		case <-leave:
		case <-unwatch:
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		stopped = true
		o.changed.Broadcast()
	}()
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.here() > 0 && !stopped {
		o.changed.Wait()
	}
	return o.here() == 0
}

// end gives up what is here, and whatever comes.
func (o *outbox) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.waiting.Len() > 0 {
		o.count(o.waiting.PopFront(), &o.stats.Lost)
	}
	for o.inFlight.Len() > 0 {
		if m := o.inFlight.PopFront(); m.body != nil {
			o.count(m, &o.stats.Lost)
		}
	}
	o.waiting, o.inFlight, o.done, o.ended = hsm.Deque[outMessage]{}, hsm.Deque[outMessage]{}, 0, true
}

// held is how many messages take up room. The caller holds mu.
func (o *outbox) held() int { return o.waiting.Len() + o.inFlight.Len() }

// here is how many messages wait or are not confirmed. The caller holds mu.
func (o *outbox) here() int { return o.held() - o.done }

// counts returns how many messages are here, and what became of the others.
func (o *outbox) counts() (queued int, stats outboxStats) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.here() - o.owns, o.stats
}
