package activeobject

import (
	"math"
	"sync"
	"time"
)

// DefaultResolution is that of a wheel of which nothing else is asked.
const DefaultResolution = time.Millisecond

// Wheel times the posts of many objects with one timer of the runtime: a timing
// wheel. Its ticks are one resolution apart, and a post is made at the first tick that
// is not before it is due: never early, and up to a resolution later than an object
// without a wheel would make it. Periodic posts do not drift, since the next one is due
// a period after the last one was due, and posts of one object keep their order.
//
// It pays where thousands of timers run at once. Each firing of the runtime's timers
// may wake a sleeping processor, which costs more than the post; on a wheel all that
// is due between two ticks shares that. For a few timers a wheel gains nothing.
//
// Give it to objects as Config.Wheel. It has no goroutine and need not be closed: its
// timer is set while an object has a timed post to come, or had one that was
// cancelled, and is stopped when the last such object stops. Any goroutine may use it.
// In a testing/synctest bubble, objects need a wheel that was made in that bubble.
type Wheel struct {
	resolution int64
	base       time.Time // what ticks are counted from, and the objects' due times

	mu     sync.Mutex // guards what follows; taken after any object's
	ticks  map[int64]*tick
	order  []*tick // a heap, the earliest first, of what is in ticks
	latest *tick   // the last that was entered, nil if it is not in ticks
	spare  []*tick // to be used again
	alarm  *time.Timer
	set    int64 // the tick that alarm is set for, none if it is not
	firing bool
}

// tick is a moment that objects wait for. Its fields are guarded by the wheel's mu,
// but for waiting once it is at none, while its objects are told.
type tick struct {
	number  int64 // so many resolutions after the wheel's base
	at      int   // index in order, none if it has been taken out
	waiting []*ActiveObject
}

const none = -1

// NewWheel returns a wheel whose ticks are so far apart; 0, or less, means
// DefaultResolution.
func NewWheel(resolution time.Duration) *Wheel {
	if resolution <= 0 {
		resolution = DefaultResolution
	}
	return &Wheel{resolution: int64(resolution), base: time.Now(), ticks: make(map[int64]*tick), set: none}
}

// Resolution returns how far the ticks are apart.
func (w *Wheel) Resolution() time.Duration { return time.Duration(w.resolution) }

// enter makes the object wait for the first tick that is not before due, unless it
// waits for an earlier one already. The caller holds the object's mu.
func (w *Wheel) enter(o *ActiveObject, due int64) {
	number := due / w.resolution
	if due%w.resolution > 0 {
		number++
	}
	if o.tick != nil {
		if o.tick.number <= number {
			return
		}
		w.leave(o)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.tick(number)
	o.tick, o.seat = t, len(t.waiting)
	t.waiting = append(t.waiting, o)
	if !w.firing && (w.set == none || w.set > number) {
		w.ring()
	}
}

// leave makes the object wait for no tick. The caller holds the object's mu.
func (w *Wheel) leave(o *ActiveObject) {
	t := o.tick
	if t == nil {
		return
	}
	o.tick = nil
	w.mu.Lock()
	defer w.mu.Unlock()
	if t.at == none {
		return // its objects are being told, and this one will know that it has left
	}
	last := len(t.waiting) - 1
	t.waiting[o.seat] = t.waiting[last]
	t.waiting[o.seat].seat = o.seat
	t.waiting[last] = nil
	if t.waiting = t.waiting[:last]; last > 0 {
		return
	}
	w.takeOut(t)
	w.giveBack(t)
	if len(w.order) == 0 && w.alarm != nil {
		w.alarm.Stop()
		w.set = none
	}
}

// fire runs when the alarm says so, on a goroutine of the runtime.
func (w *Wheel) fire() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.firing {
		return // the other one goes on until nothing is due
	}
	w.firing = true
	for len(w.order) > 0 {
		now := int64(time.Since(w.base))
		t := w.order[0]
		if t.number > now/w.resolution {
			break
		}
		w.takeOut(t)
		w.mu.Unlock()
		for _, o := range t.waiting {
			o.fireOn(t, now)
		}
		w.mu.Lock()
		w.giveBack(t)
	}
	w.firing = false
	w.ring()
}

// ring sets the alarm for the earliest tick. The caller holds mu.
func (w *Wheel) ring() {
	w.set = none
	if len(w.order) == 0 {
		return
	}
	w.set = w.order[0].number
	wait := time.Duration(math.MaxInt64)
	if w.set <= math.MaxInt64/w.resolution {
		wait = time.Duration(w.set*w.resolution) - time.Since(w.base)
	}
	if w.alarm == nil {
		w.alarm = time.AfterFunc(wait, w.fire)
	} else {
		w.alarm.Reset(wait)
	}
}

// tick returns the one of that number. The caller holds mu.
func (w *Wheel) tick(number int64) *tick {
	// What waited for one tick often waits for one and the same next.
	if w.latest != nil && w.latest.number == number {
		return w.latest
	}
	t := w.ticks[number]
	if t == nil {
		if n := len(w.spare); n > 0 {
			t = w.spare[n-1]
			w.spare = w.spare[:n-1]
		} else {
			t = &tick{}
		}
		t.number = number
		w.ticks[number] = t
		w.order = append(w.order, t)
		w.up(len(w.order)-1, t)
	}
	w.latest = t
	return t
}

// takeOut makes t no tick of the wheel's. The caller holds mu.
func (w *Wheel) takeOut(t *tick) {
	if w.latest == t {
		w.latest = nil
	}
	delete(w.ticks, t.number)
	last := len(w.order) - 1
	end := w.order[last]
	w.order[last] = nil
	w.order = w.order[:last]
	if t.at < last {
		w.down(t.at, end)
		w.up(end.at, end)
	}
	t.at = none
}

// maxSpare bounds the ticks that are kept to be used again, and maxSeats the room that
// each of them keeps.
const maxSpare, maxSeats = 1024, 1024

// giveBack keeps a tick that was taken out, to be used again. The caller holds mu.
func (w *Wheel) giveBack(t *tick) {
	if len(w.spare) >= maxSpare || cap(t.waiting) > maxSeats {
		return
	}
	clear(t.waiting)
	t.waiting = t.waiting[:0]
	w.spare = append(w.spare, t)
}

// up places t in order at i, or as much earlier as it belongs.
func (w *Wheel) up(i int, t *tick) {
	for i > 0 && t.number < w.order[(i-1)/2].number {
		w.place(i, w.order[(i-1)/2])
		i = (i - 1) / 2
	}
	w.place(i, t)
}

// down places t in order at i, or as much later as it belongs.
func (w *Wheel) down(i int, t *tick) {
	for {
		child := 2*i + 1
		if child >= len(w.order) {
			break
		}
		if child+1 < len(w.order) && w.order[child+1].number < w.order[child].number {
			child++
		}
		if t.number <= w.order[child].number {
			break
		}
		w.place(i, w.order[child])
		i = child
	}
	w.place(i, t)
}

func (w *Wheel) place(i int, t *tick) {
	w.order[i] = t
	t.at = i
}
