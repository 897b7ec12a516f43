package activeobject

import (
	"slices"
	"time"

	"github.com/statemesh/statemesh/hsm"
)

// Timing makes a post wait, and perhaps repeat. Make one with Once, Times or
// Every.
type Timing struct {
	period time.Duration
	times  int // 0 is for ever
	atOnce bool
	set    bool
}

// Once posts one time, after d. A post with a timing of which a period or a number
// is not above zero fails with ErrTiming, as it does with the zero Timing.
func Once(d time.Duration) Timing { return Timing{period: d, times: 1, set: d > 0} }

// Times posts n times, one every period, first after one period.
func Times(n int, period time.Duration) Timing {
	return Timing{period: period, times: n, set: n > 0 && period > 0}
}

// Every posts every period until it is cancelled, first after one period.
func Every(period time.Duration) Timing { return Timing{period: period, set: period > 0} }

// AtOnce makes the first post at once instead of after one period.
func (t Timing) AtOnce() Timing {
	t.atOnce = true
	return t
}

// PostFIFO puts the event behind all that wait, at once or as the timing says.
// With a timing it returns the id to cancel the posts by. A full queue that
// rejects gives hsm.ErrQueueFull, and a signal that nobody may post what
// hsm.CheckPost says; when a timer finds the queue full, the post is
// counted and written to the spy. An object that was stopped gives ErrStopped;
// before the first start events wait, and timers run.
//
// The posts of a periodic timer stay in step with the moment it was armed. One
// that is late by more than a period is made once, and the rest are counted as
// missed. A post that a full queue refused counts among the times of Times, a
// missed one does not. Posts due at the same moment are made in the order in
// which their timers were armed.
func (o *ActiveObject) PostFIFO(e hsm.Event, when ...Timing) (TimerID, error) {
	return o.post(e, false, when)
}

// PostLIFO puts the event in front of all that wait, else as PostFIFO.
func (o *ActiveObject) PostLIFO(e hsm.Event, when ...Timing) (TimerID, error) {
	return o.post(e, true, when)
}

// Deliver is PostFIFO for an event that came from elsewhere, such as the
// network, with the origin that it has there.
func (o *ActiveObject) Deliver(e hsm.Event, origin hsm.Origin) error {
	if err := hsm.CheckPost(e); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.put(&item{event: e, origin: origin}, false, false)
}

// NewOrigin returns an origin for an event that the object sends by ways of its
// own, such as the network: a new id, and as cause the event whose step calls
// this, if that is recorded.
func (o *ActiveObject) NewOrigin() hsm.Origin {
	var origin hsm.Origin
	if o.own() {
		origin.Cause = o.current.origin.ID
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ids++
	origin.ID = o.ids
	return origin
}

func (o *ActiveObject) post(e hsm.Event, lifo bool, when []Timing) (TimerID, error) {
	if err := hsm.CheckPost(e); err != nil {
		return 0, err
	}
	own := o.own()
	var cause uint64
	if own {
		cause = o.current.origin.ID
	}
	if len(when) == 0 {
		o.mu.Lock()
		o.ids++
		err := o.enqueue(&item{event: e, origin: hsm.Origin{ID: o.ids, Cause: cause}}, lifo, own)
		at := o.place
		o.place = atWork
		o.mu.Unlock()
		if at != atWork {
			o.fetch(at)
		}
		if own && err == nil {
			o.recordPost(lifo, e)
		}
		return 0, err
	}
	if len(when) > 1 || !when[0].set {
		return 0, ErrTiming
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.arm(e, cause, lifo, own, when[0])
}

// recordPost writes a post of the step that runs into the spy.
func (o *ActiveObject) recordPost(lifo bool, e hsm.Event) {
	kind := hsm.KindPostFIFO
	if lifo {
		kind = hsm.KindPostLIFO
	}
	o.add(hsm.Record{Kind: kind, Signal: e.Signal})
}

// put queues an item and wakes the goroutine; own says that the step that runs
// does it. The caller holds mu.
func (o *ActiveObject) put(it *item, lifo, own bool) error {
	err := o.enqueue(it, lifo, own)
	o.rouse()
	return err
}

// enqueue is put for a caller that wakes the goroutine itself.
func (o *ActiveObject) enqueue(it *item, lifo, own bool) error {
	if o.phase >= draining {
		return ErrStopped
	}
	if o.full() {
		if !o.drops {
			return o.reject(it.event, own)
		}
		o.makeRoom(lifo)
	}
	switch {
	case lifo:
		o.front.PushFront(*it)
		o.urgent.Store(true)
	case it.priority > 0:
		o.prioritized++
		o.putInOrder(*it)
	default:
		*o.queue.Extend() = *it
	}
	return nil
}

// putInOrder puts a published event before those of lesser urgency at the end
// of the queue.
func (o *ActiveObject) putInOrder(it item) {
	var behind []item
	for o.queue.Len() > 0 {
		back := o.queue.Back()
		if o.isDead(back) {
			o.queue.PopBack()
			o.dead--
			continue
		}
		if back.priority <= it.priority {
			break
		}
		behind = append(behind, o.queue.PopBack())
	}
	o.queue.PushBack(it)
	for _, b := range slices.Backward(behind) {
		o.queue.PushBack(b)
	}
}

// makeRoom drops what a full queue of the Drop kind gives up: a fifo post the
// front event, a lifo post the back one. Such an object takes its events one at
// a time, so that all of them stand here.
func (o *ActiveObject) makeRoom(lifo bool) {
	o.stats.Dropped++
	for dropped := false; !dropped; {
		from := &o.queue
		if o.queue.Len() == 0 || !lifo && o.front.Len() > 0 {
			from = &o.front
		}
		it := from.Front()
		if lifo {
			it = from.PopBack()
		} else {
			from.PopFront()
		}
		if from == &o.queue && it.priority > 0 {
			o.prioritized--
		}
		dropped = o.met(it) // the dead make no room
	}
}

// reject counts an event that a full queue refuses, and writes it into the spy:
// of the step that runs if that did it, else of the next one. The caller holds mu.
func (o *ActiveObject) reject(e hsm.Event, own bool) error {
	o.stats.Rejected++
	r := hsm.Record{Kind: hsm.KindRejected, Signal: e.Signal}
	switch {
	case own:
		o.add(r)
	case o.spying && len(o.record.late) < maxLate:
		o.record.late = append(o.record.late, r)
		o.urgent.Store(true)
	}
	return &hsm.SignalError{Signal: e.Signal, Err: hsm.ErrQueueFull}
}

// maxLate bounds the spy lines that wait for the goroutine to write them.
const maxLate = 64

// Defer puts the event aside until Recall. Only the object's handlers may call
// it. A full queue does with it what Overflow says.
func (o *ActiveObject) Defer(e hsm.Event) error {
	if err := hsm.CheckPost(e); err != nil {
		return err
	}
	it := item{event: e, origin: o.current.origin}
	if e.Signal != o.current.event.Signal {
		o.mu.Lock()
		o.ids++
		it.origin = hsm.Origin{ID: o.ids, Cause: it.origin.ID}
		o.mu.Unlock()
	}
	deferred := &o.more().deferred
	if deferred.Len() >= o.size {
		o.mu.Lock()
		defer o.mu.Unlock()
		if !o.drops {
			return o.reject(e, true)
		}
		o.stats.Dropped++
		deferred.DropFront()
	}
	deferred.PushBack(it)
	o.putAside = o.putAside || it.origin == o.current.origin
	o.add(hsm.Record{Kind: hsm.KindDefer, Signal: e.Signal})
	return nil
}

// Recall moves the oldest deferred event behind all that wait, and reports
// whether there was one. Only the object's handlers may call it. If the queue is
// full and rejects, the event stays deferred and the error is hsm.ErrQueueFull;
// likewise ErrStopped while the object drains.
func (o *ActiveObject) Recall() (bool, error) {
	if o.Deferred() == 0 {
		return false, nil
	}
	deferred := &o.extra.deferred
	it := deferred.Front()
	o.mu.Lock()
	err := o.put(&it, false, true)
	o.mu.Unlock()
	if err != nil {
		return true, err
	}
	deferred.DropFront()
	o.add(hsm.Record{Kind: hsm.KindRecall, Signal: it.event.Signal})
	o.add(hsm.Record{Kind: hsm.KindPostFIFO, Signal: it.event.Signal})
	return true, nil
}

// Deferred returns how many events are deferred. Only the object's handlers may
// call it.
func (o *ActiveObject) Deferred() int {
	if o.extra == nil {
		return 0
	}
	return o.extra.deferred.Len()
}

// more returns what few objects need. Only the object's goroutine may call it.
func (o *ActiveObject) more() *extra {
	if o.extra == nil {
		o.extra = new(extra)
	}
	return o.extra
}

// add writes a record of the step that runs.
func (o *ActiveObject) add(r hsm.Record) {
	if o.spying {
		o.record.Log().Add(r)
	}
}
