package activeobject

import (
	"iter"
	"math"
	"time"

	"github.com/statemesh/statemesh/hsm"
)

// TimerID identifies the posts of one call with a Timing. Zero is none.
type TimerID uint64

// timers are an object's timed posts: slots that are used again, ordered by due
// time in a heap, and one wake-up that is set for the earliest. A slot's id has the
// number of times the slot was used, so an id of the past means nothing, and nothing
// is allocated once the slots are there. An object gets them with its first timer;
// nil are no timers.
type timers struct {
	slots []timer
	free  []uint32 // slots not in use
	heap  []entry  // of the slots with a post to come, the earliest first
	armed uint64   // how many timers there have been

	// The wake-up may be too early: what it was set for may be cancelled.
	alarm *time.Timer // of an object that has none
	rings int64       // when alarm fires, 0 if it will not
	tick  *tick       // of the wheel, that the object waits for; nil if it waits for none
	seat  int         // index in tick.waiting; guarded by the wheel's mu

	// Most objects that have timers have one at a time.
	firstSlot  [1]timer
	firstFree  [1]uint32
	firstEntry [1]entry
}

// timer is what a slot holds.
type timer struct {
	event   hsm.Event
	cause   uint64
	number  uint64 // of the arming: of two due together, the first armed comes first
	period  int64
	left    int // posts to come, -1 for ever
	use     uint32
	waiting int32 // posts made and not yet handled
	at      int32 // index in heap, -1 if not there
	lifo    bool
}

func newTimers() *timers {
	t := new(timers)
	t.slots, t.free, t.heap = t.firstSlot[:0], t.firstFree[:0], t.firstEntry[:0]
	return t
}

func (t *timers) id(slot uint32) TimerID {
	return TimerID(t.slots[slot].use)<<32 | TimerID(slot) + 1
}

// find returns the slot that an id names, if it still does.
func (t *timers) find(id TimerID) (uint32, bool) {
	slot := uint32(id) - 1
	if t == nil || int64(slot) >= int64(len(t.slots)) || t.slots[slot].use != uint32(id>>32) || !t.slots[slot].inUse() {
		return 0, false
	}
	return slot, true
}

// used returns the slots that are in use.
func (t *timers) used() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		if t == nil {
			return
		}
		for slot := range t.slots {
			if t.slots[slot].inUse() && !yield(uint32(slot)) {
				return
			}
		}
	}
}

// inUse reports whether a post of the timer is to come, or to be handled.
func (t *timer) inUse() bool { return t.at >= 0 || t.waiting > 0 }

// later is n periods after due. What lies beyond the end of time stays there.
func later(due, period, n int64) int64 {
	if period > (math.MaxInt64-due)/n {
		return math.MaxInt64
	}
	return due + n*period
}

// CancelEvent cancels the posts of that id, and reports whether any was still
// to come or to be handled. After it returned, no event of the timer begins to
// be handled, also none that waited already. One that the object has taken from
// its queue by then counts as begun; a handler of the object itself never meets
// that. A post that a handler deferred is the handler's, and stays.
func (o *ActiveObject) CancelEvent(id TimerID) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	slot, ok := o.find(id)
	if ok {
		o.cancel(slot)
	}
	return ok
}

// CancelEvents cancels all timed posts with that signal, as CancelEvent does,
// and returns how many there were.
func (o *ActiveObject) CancelEvents(signal hsm.Signal) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for slot := range o.used() {
		if o.slots[slot].event.Signal == signal {
			o.cancel(slot)
			n++
		}
	}
	return n
}

// arm sets a timer. The caller holds mu.
func (o *ActiveObject) arm(e hsm.Event, cause uint64, lifo, own bool, when Timing) (TimerID, error) {
	if o.phase >= draining {
		return 0, ErrStopped
	}
	if o.timers == nil {
		o.timers = newTimers()
	}
	now := int64(time.Since(o.base))
	slot := o.slot()
	t := &o.slots[slot]
	o.armed++
	*t = timer{event: e, cause: cause, number: o.armed, period: int64(when.period), left: when.times, use: t.use, at: -1, lifo: lifo}
	if when.times == 0 {
		t.left = -1
	}
	id := o.id(slot)
	if when.atOnce {
		if err := o.expire(slot, own); err != nil {
			o.release(slot)
			return 0, err
		}
	}
	if t.left != 0 {
		o.push(entry{later(now, t.period, 1), slot})
		o.ring(now)
	}
	return id, nil
}

// slot returns a slot that is not in use.
func (t *timers) slot() uint32 {
	if n := len(t.free); n > 0 {
		slot := t.free[n-1]
		t.free = t.free[:n-1]
		return slot
	}
	t.slots = append(t.slots, timer{use: 1, at: -1})
	return uint32(len(t.slots) - 1)
}

// release gives a slot back; its ids mean nothing from then on.
func (t *timers) release(slot uint32) {
	use := t.slots[slot].use + 1
	t.slots[slot] = timer{use: max(use, 1), at: -1}
	t.free = append(t.free, slot)
}

// cancel ends a timer. Its events that wait are dead: they stay where they are,
// no longer counted, until they are met.
func (o *ActiveObject) cancel(slot uint32) {
	t := &o.slots[slot]
	if t.at >= 0 {
		o.remove(int(t.at))
	}
	o.dead += int(t.waiting)
	o.release(slot)
	if o.dead > o.size {
		o.bury(&o.queue)
		o.bury(&o.front)
	}
}

// cancelAll ends all timers, and returns how many of their events waited. The
// caller holds mu.
func (o *ActiveObject) cancelAll() int {
	n := 0
	for slot := range o.used() {
		n += int(o.slots[slot].waiting)
		o.cancel(slot)
	}
	return n
}

// bury removes the dead from a queue.
func (o *ActiveObject) bury(d *hsm.Deque[item]) {
	for range d.Len() {
		it := d.PopFront()
		if o.isDead(it) {
			o.dead-- // published events have no timer, so prioritized stays
			continue
		}
		d.PushBack(it)
	}
}

// isDead reports whether an item is of a timer that was cancelled.
func (o *ActiveObject) isDead(it item) bool {
	if it.timer == 0 {
		return false
	}
	_, ok := o.find(it.timer)
	return !ok
}

// expire makes a timer's post. The caller holds mu.
func (o *ActiveObject) expire(slot uint32, own bool) error {
	t := &o.slots[slot]
	o.ids++
	err := o.put(&item{event: t.event, origin: hsm.Origin{ID: o.ids, Cause: t.cause}, timer: o.id(slot)}, t.lifo, own)
	if err == nil {
		t.waiting++
	}
	if t.left > 0 {
		t.left--
	}
	return err
}

// met takes note that an item leaves its queue, and reports whether it is alive.
// The caller holds mu.
func (o *ActiveObject) met(it item) bool {
	if it.timer == 0 {
		return true
	}
	slot, ok := o.find(it.timer)
	if !ok {
		o.dead--
		return false
	}
	t := &o.slots[slot]
	t.waiting--
	if t.left == 0 && t.waiting == 0 {
		o.release(slot)
	}
	return true
}

// fire runs when the object's own alarm says so, on a goroutine of the runtime.
func (o *ActiveObject) fire() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rings = 0
	o.expireDue(int64(time.Since(o.base)))
}

// fireOn is called when a tick of the wheel has come that the object waited for, and
// it is now.
func (o *ActiveObject) fireOn(t *tick, now int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.tick != t {
		return // it has left meanwhile
	}
	o.tick = nil
	o.expireDue(now)
}

// expireDue makes the posts that are due, and sets the wake-up for the next. The
// caller holds mu.
func (o *ActiveObject) expireDue(now int64) {
	if o.phase >= draining {
		return
	}
	for len(o.heap) > 0 && o.heap[0].due <= now {
		slot := o.heap[0].slot
		// A queue that is full has counted the post; the timer goes on.
		_ = o.expire(slot, false)
		t := &o.slots[slot]
		if t.left == 0 {
			o.remove(0)
			if t.waiting == 0 {
				o.release(slot)
			}
			continue
		}
		due := later(o.heap[0].due, t.period, 1)
		if due <= now {
			missed := (now-due)/t.period + 1
			o.stats.Missed += uint64(missed)
			due = later(due, t.period, missed)
		}
		o.postpone(due)
	}
	o.ring(now)
}

// ring sets the wake-up for the earliest timer, if it would come too late. The
// caller holds mu.
func (o *ActiveObject) ring(now int64) {
	if len(o.heap) == 0 {
		return
	}
	due := o.heap[0].due
	if o.wheel != nil {
		o.wheel.enter(o, due)
		return
	}
	if o.rings != 0 && o.rings <= due {
		return
	}
	o.rings = due
	wait := time.Duration(due - now)
	if o.alarm == nil {
		o.alarm = time.AfterFunc(wait, o.fire)
	} else {
		o.alarm.Reset(wait)
	}
}

// endTimers makes the timers post no more. What they have posted waits on, and
// can still be cancelled. The caller holds mu.
func (o *ActiveObject) endTimers() {
	if o.timers == nil {
		return
	}
	if o.alarm != nil {
		o.alarm.Stop()
	}
	o.rings = 0
	if o.wheel != nil {
		o.wheel.leave(o)
	}
	for n := len(o.heap); n > 0; n-- {
		slot := o.heap[n-1].slot
		o.remove(n - 1)
		if o.slots[slot].left = 0; o.slots[slot].waiting == 0 {
			o.release(slot)
		}
	}
}

// releaseTimers gives back the slots of timers whose events waited, and are gone
// now. The caller holds mu.
func (o *ActiveObject) releaseTimers() {
	for slot := range o.used() {
		o.release(slot)
	}
}
