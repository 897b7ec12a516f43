package network

import (
	"sort"
	"sync"
	"time"

	"github.com/statemesh/statemesh/hsm"
)

// outbox holds what one broker is to get: messages that wait for a connection,
// and those that the broker has not confirmed yet. Messages of a connection that
// dies wait again, in their order; a receiver that had one already drops it as
// seen before.
//
// It is bounded, in messages and in bytes, so a dead peer costs no more. Events go
// before trace and spy, and push them out when there is no room.
//
// Nothing waits while the broker has not enough to do. When it has, what may get company
// waits for it, and travels in bundles: see window.
type outbox struct {
	size int
	ttl  time.Duration
	full FullOutbox

	mu       sync.Mutex               // guards what follows
	changed  sync.Cond                // told of room
	ready    sync.Cond                // told of something to send
	waiting  [2]hsm.Deque[outMessage] // by lane; control is in front of events
	inFlight hsm.Deque[outMessage]    // oldest first; done ones have no body
	done     int                      // of those in flight
	own      int                      // control messages that wait or are not confirmed
	bytes    int                      // of all that are here
	pause    bool                     // the broker takes nothing at the moment
	link     Link                     // that next serves, nil for none
	lent     Link                     // that somebody else publishes to, nil for none
	idle     bool                     // next waits
	opened   time.Time                // when the link came
	last     uint64                   // number of the newest message that the link got
	busy     int                      // messages and bundles in flight, of events, trace and spy
	least    time.Duration            // shortest round trip of the link, negative if there was none
	batch    []outMessage             // what next returned
	previous outMessage               // where the last of those busy counts went; has no body
	late     func(lane)               // told of what comes when the counts were taken, if set
	ended    bool                     // end was called
	stats    [2]Traffic               // by lane, without Queued
	kept     keptBox
	trip     time.Duration // from next to confirm, smoothed
}

// outboxBytes bounds what the messages of one outbox may take.
const outboxBytes = 64 << 20

func newOutbox(size int, ttl time.Duration, full FullOutbox) *outbox {
	o := &outbox{size: size, ttl: ttl, full: full}
	o.changed.L, o.ready.L = &o.mu, &o.mu
	return o
}

// put takes a message, or reports that the outbox is full, if the policy is to wait,
// after waiting until then.
func (o *outbox) put(m outMessage, until time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	taken := o.add(m, until)
	o.wake()
	return taken
}

// add is put, without waking anybody. The caller holds mu.
func (o *outbox) add(m outMessage, until time.Time) bool {
	if !o.makeRoom(&m) && m.lane.counted() == events && o.full == WaitForRoom {
		o.await(&m, until)
	}
	switch {
	case o.ended:
		if o.late != nil && m.lane != control {
			o.late(m.lane.counted())
		} else {
			o.count(m, func(t *Traffic) { t.Lost++ })
		}
		m.ticket.settle(o, false)
		return true
	case !o.fits(&m):
		o.count(m, func(t *Traffic) { t.Full++ })
		m.ticket.settle(o, false)
		return false
	case m.lane == kept:
		o.kept.add(m)
		return true
	}
	lane := m.lane
	if lane == control {
		o.own++
		lane = events
	}
	o.bytes += m.size()
	o.waiting[lane].PushBack(m)
	return true
}

// barge takes a control message that goes before all others, of which there are never
// many.
func (o *outbox) barge(m outMessage) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		return
	}
	m.lane = control
	if w := &o.waiting[events]; w.Len() > 0 && w.At(0).lane == control && w.Front().key == m.key {
		o.drop(w.PopFront(), nil) // the older one has nothing to add
	}
	o.own++
	o.bytes += m.size()
	o.waiting[events].PushFront(m)
	o.wake()
}

// fits says whether there is room. The caller holds mu.
func (o *outbox) fits(m *outMessage) bool {
	if m.lane == kept {
		return o.kept.fits(m, o.size)
	}
	held := o.held() - o.own // what nodes say to each other takes nobody's place
	return held < o.size && (o.bytes+m.size() <= outboxBytes || held == 0)
}

// makeRoom gives up what may be given up for the message, and reports whether there is
// room then. The caller holds mu.
func (o *outbox) makeRoom(m *outMessage) bool {
	if m.lane == kept {
		return o.fits(m)
	}
	give := func(from lane, may func(outMessage) bool, counter func(*Traffic)) {
		for w := &o.waiting[from]; !o.fits(m) && w.Len() > 0 && may(w.Front()); {
			o.drop(w.PopFront(), counter)
		}
	}
	tooOld := func(other outMessage) bool { return m.at.Sub(other.at) > o.ttl }
	anyone := func(outMessage) bool { return true }
	expired, displaced := func(t *Traffic) { t.Expired++ }, func(t *Traffic) { t.Displaced++ }
	give(talk, tooOld, expired)
	give(events, tooOld, expired)
	if m.lane != talk {
		give(talk, anyone, displaced)
	}
	if m.lane == events && o.full == DropOldest {
		give(events, anyone, displaced)
	}
	return o.fits(m)
}

// await waits for room until then. The caller holds mu.
func (o *outbox) await(m *outMessage, until time.Time) {
	patience := time.Until(until)
	if patience <= 0 {
		return
	}
	late := false // guarded by mu
	timer := time.AfterFunc(patience, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		late = true
		o.changed.Broadcast()
	})
	defer timer.Stop()
	for !late && !o.ended && !o.makeRoom(m) {
		o.changed.Wait()
	}
}

// drop forgets a message that has been taken out. The caller holds mu.
func (o *outbox) drop(m outMessage, counter func(*Traffic)) {
	if m.lane == kept {
		o.kept.drop(m)
	} else {
		o.bytes -= m.size()
	}
	if m.lane == control {
		o.own--
		return
	}
	if counter != nil {
		counter(&o.stats[m.lane.counted()])
	}
}

// count counts a message that was never here. The caller holds mu.
func (o *outbox) count(m outMessage, counter func(*Traffic)) {
	if m.lane != control {
		counter(&o.stats[m.lane.counted()])
	}
}

// open makes the outbox serve a new link.
func (o *outbox) open(l Link) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.link, o.pause, o.opened = l, false, time.Now()
	o.last, o.busy, o.least = 0, 0, -1
}

// close ends the service of a link: what it did not confirm waits again.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.link, o.done = nil, 0
	for o.inFlight.Len() > 0 {
		m := o.inFlight.PopBack()
		if m.body == nil {
			continue
		}
		o.count(m, func(t *Traffic) { t.Retried++ })
		m.again = true
		switch m.lane {
		case talk:
			o.waiting[talk].PushFront(m)
		case kept:
			o.kept.waiting.PushFront(m)
		default:
			o.waiting[events].PushFront(m)
		}
	}
	o.changed.Broadcast()
	o.ready.Broadcast()
}

// setPause stops next while a broker is blocked.
func (o *outbox) setPause(pause bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.pause = pause
	o.wake()
}

// confirm takes note of what the broker said of the messages of link l.
func (o *outbox) confirm(l Link, c Confirm) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.link != l || c.Number > o.last {
		return
	}
	counter := func(t *Traffic) { t.Sent++ }
	if c.Refused {
		counter = func(t *Traffic) { t.Refused++ }
	}
	from := 0
	if !c.Several {
		from = sort.Search(o.inFlight.Len(), func(i int) bool { return o.inFlight.At(i).number >= c.Number })
	}
	settled := uint64(0)
	var sent time.Time // of the newest
	for i := from; i < o.inFlight.Len(); i++ {
		m := o.inFlight.At(i)
		if m.number > c.Number {
			break
		}
		if m.body == nil {
			continue
		}
		if m.number != settled && m.lane.bundled() {
			o.busy--
		}
		settled, sent = m.number, m.sent
		o.done++
		if m.lane == kept && c.Refused {
			o.refused(*m)
		} else {
			o.drop(*m, counter)
			m.ticket.settle(o, true)
		}
		*m = outMessage{number: m.number}
	}
	if settled != 0 {
		o.measure(time.Since(sent))
	}
	for o.inFlight.Len() > 0 && o.inFlight.At(0).body == nil {
		o.inFlight.PopFront()
		o.done--
	}
	o.changed.Broadcast()
	o.wake()
}

// measure takes a round trip into the average, as TCP does (RFC 6298). The caller holds
// mu.
func (o *outbox) measure(d time.Duration) {
	if o.trip == 0 {
		o.trip = d
	}
	o.trip += (d - o.trip) / 8
	if o.least < 0 || d < o.least {
		o.least = d
	}
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
	if lost := o.giveUp(); lost > 0 && o.kept.lost != nil {
		o.kept.lost(lost)
	}
}

// giveUp is end, and returns how many kept events are lost.
func (o *outbox) giveUp() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	keptLost := o.kept.held
	lost := func(t *Traffic) { t.Lost++ }
	for i := range o.waiting {
		for o.waiting[i].Len() > 0 {
			o.drop(o.waiting[i].PopFront(), lost)
		}
	}
	for o.inFlight.Len() > 0 {
		if m := o.inFlight.PopFront(); m.body != nil {
			o.drop(m, lost)
			m.ticket.settle(o, false)
		}
	}
	o.endKept()
	o.done, o.ended = 0, true
	o.changed.Broadcast()
	o.ready.Broadcast()
	return keptLost
}

// held is how many messages take up room, but for kept ones. The caller holds mu.
func (o *outbox) held() int {
	return o.waiting[events].Len() + o.waiting[talk].Len() + o.inFlight.Len() - o.kept.inFlight()
}

// here is how many messages wait or are not confirmed. The caller holds mu.
func (o *outbox) here() int { return o.held() - o.done + o.kept.held }

// traffic returns what became of the messages of each lane.
func (o *outbox) traffic() (traffic [2]Traffic, roundTrip time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	traffic = o.stats
	for i := range o.waiting {
		traffic[i].Queued = o.waiting[i].Len()
	}
	for i := range o.inFlight.Len() {
		if m := o.inFlight.At(i); m.body != nil && m.lane != control {
			traffic[m.lane.counted()].Queued++
		} else if m.body != nil {
			traffic[events].Queued++ // taken off again below
		}
	}
	traffic[events].Queued += o.kept.waiting.Len() - o.own
	return traffic, o.trip
}

// settle has late told of what comes from now on, instead of counting it.
func (o *outbox) settle(late func(lane)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.late = late
}
