package activeobject

import (
	"runtime"
	"time"

	"github.com/statemesh/statemesh/hsm"
)

// place is where the goroutine of an object that runs is.
type place uint8

const (
	atWork    place = iota // it looks into the queue before it waits; so also while an object does not run
	parked                 // it waits for wake
	dismissed              // it was woken to leave
	away                   // there is none
)

// linger is how long a goroutine waits at least before it leaves.
const linger = time.Second

// rouse sees to it that the goroutine looks into the queue. The caller holds mu.
func (o *ActiveObject) rouse() {
	if at := o.place; at != atWork {
		o.place = atWork
		o.fetch(at)
	}
}

// fetch brings the goroutine from a place that is not atWork any more.
func (o *ActiveObject) fetch(from place) {
	if from == away {
		go o.run(false)
		return
	}
	o.wake.Signal()
}

// await waits until something is to be looked at, and reports whether the goroutine
// stays for it. The caller holds mu, which is free meanwhile.
//
// A parked goroutine takes four times the memory of all the rest of an object. So
// it leaves when the object has had no event for a while and no timer will bring one, or
// there was none at all since its start, and the next event makes another one. A goroutine for each event, without
// that while, would have to grow its stack again and again.
func (o *ActiveObject) await() bool {
	if !o.eventful {
		o.leave()
		return false
	}
	if o.patience.tries() {
		o.mu.Unlock()
		runtime.Gosched()
		o.mu.Lock()
		paid := o.queue.Len() > 0 || o.front.Len() > 0 || o.phase != running
		o.patience.learn(paid)
		if paid {
			return true
		}
	}
	if o.stirred = true; !o.lingering && !o.expects() {
		o.watchIdle()
	}
	o.place = parked
	o.wake.Wait()
	if o.place == dismissed {
		o.leave()
		return false
	}
	return true
}

// expects reports whether a timer will bring an event. Leaving would not pay then, and a
// clock for it would be one more for each timer. The caller holds mu.
func (o *ActiveObject) expects() bool { return o.timers != nil && len(o.heap) > 0 }

// leave gives up the goroutine, and the memory of the queue, which is empty. The
// caller holds mu.
func (o *ActiveObject) leave() {
	o.place = away
	o.queue, o.front, o.taken = hsm.Deque[item]{}, hsm.Deque[item]{}, hsm.Deque[item]{}
}

// watchIdle sets the clock for leaving. The caller holds mu.
func (o *ActiveObject) watchIdle() {
	o.lingering, o.stirred = true, false
	time.AfterFunc(linger, o.dismiss)
}

// dismiss asks the goroutine to leave if it has waited since the clock was set.
// It runs on a goroutine of the runtime.
func (o *ActiveObject) dismiss() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lingering = false
	switch {
	case o.place != parked: // when it waits again, it sets the clock
	case o.stirred:
		o.watchIdle()
	default:
		o.place = dismissed
		o.wake.Signal()
	}
}

// patience decides whether a goroutine that finds nothing lets the others run
// once before it parks. If what it waits for comes meanwhile, as an answer does from an
// object on the same processor, neither has to park and to be woken, which
// costs more than all the rest of a post. When that was in vain, it is not tried
// again for a while, twice as long each time: an object that waits long does not pay.
type patience struct {
	pause uint8 // how often not to try
	last  uint8 // what pause began with
}

// tries reports whether to let the others run.
func (p *patience) tries() bool {
	if p.pause > 0 {
		p.pause--
		return false
	}
	return true
}

// learn takes note whether it paid.
func (p *patience) learn(paid bool) {
	p.last = p.last<<1 | 1
	if paid {
		p.last = 0
	}
	p.pause = p.last
}
