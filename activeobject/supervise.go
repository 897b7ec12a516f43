package activeobject

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Policy says what becomes of an object after a failure.
type Policy uint8

const (
	// Stop ends the object, as Failure and Config.OnFailure say.
	Stop Policy = iota
	// Restart starts the object again in the state that Start was given.
	Restart
	// Escalate asks Supervision.Decide which of the two it is to be.
	Escalate
)

// Supervision says what becomes of an object after a failure, of whatever kind
// and in whichever step, the first start included. The zero value stops it.
//
// What a restart does:
//
//  1. The event that failed is not handled again, unless its handler had deferred
//     or posted it by then; Failure.Event has it.
//  2. The timers are cancelled, whoever set them and as CancelEvent does it: the
//     exit actions that would have done so never ran, and the entry actions set
//     them anew. Those of their events that waited are counted as discarded.
//     KeepTimers leaves timers and events alone.
//  3. Events that wait, deferred events and subscriptions are kept, and the queue
//     takes posts as ever, within its bound. Timers set from here on run.
//  4. Policy and limits are asked. If there is to be no restart, or Stop is called
//     before it, the object stops: what it kept is discarded and counted, Done is
//     closed, Err has the failure, OnFailure is told.
//  5. It waits: Backoff, twice as long after each further restart, MaxBackoff at
//     most, until the object has gone for Within without a failure; in truth a
//     random time from the upper half of that, so that objects which failed
//     together do not come back in step.
//  6. The machine is reset, OnRestart called, and the state entered in which the
//     object was started. That is one step, in which a failure is one as in any
//     other. The chart's own data is what the failed step left: OnRestart and the
//     entry actions have to make it good.
//
// The spy has a line such as press:off:FAILURE for the step that failed, in front
// of the START of the restart; what a failed step had written by then stands
// before that, without an end. The trace has a start like any other; with
// Config.Causes, its cause is the event that failed. Each failure is told once:
// to OnRestart if a start follows, else to OnFailure.
type Supervision struct {
	// Policy is what to do.
	Policy Policy
	// Decide is asked by the policy Escalate, at once after the failure and before
	// any limit. It runs on the object's goroutine, which waits for it while the
	// queue takes posts; it must not call the machine, Defer or Recall. An answer
	// other than Restart, no Decide and a panic in it stop the object.
	Decide func(*ActiveObject, *Failure) Policy
	// MaxRestarts is how many restarts there may be for the failures of any time
	// as long as Within; with one failure more the object gives up and stops. 0
	// means 5, and less than 0 that there is no limit. Erlang calls these two the
	// intensity and its period. A Start counts anew.
	MaxRestarts int
	// Within is the time that MaxRestarts is for; 0 means a minute.
	Within time.Duration
	// Backoff is the bound of the wait before the first restart; 0 means 100 ms,
	// and less than 0 that there is no wait at all.
	Backoff time.Duration
	// MaxBackoff is the most that the bound grows to; 0 means 10 s, or Backoff if
	// that is more.
	MaxBackoff time.Duration
	// KeepTimers lets the timers of a failed run go on: for an object whose timers
	// are set by others, and not by its entry actions, which would set them twice.
	KeepTimers bool
	// OnRestart, if set, is called before each restart, on the object's goroutine,
	// as the beginning of the start's step: here the chart can make its data good.
	// It may do what an entry action may, but the machine is in no state.
	OnRestart func(*ActiveObject, *Failure)
}

// restarts is what an object remembers of its restarts since Start.
type restarts struct {
	times []time.Time // of the failures that were followed by one, within the last Within
	row   int         // how many there were since the object last went well for Within
	last  time.Time   // when the last wait ended
}

// next notes a failure at that time and returns how long to wait before the
// restart; ok is false if there may be none.
func (r *restarts) next(s *Supervision, now time.Time) (wait time.Duration, ok bool) {
	most, within := s.MaxRestarts, s.Within
	if most == 0 {
		most = 5
	}
	if within <= 0 {
		within = time.Minute
	}
	if most > 0 {
		r.times = slices.DeleteFunc(r.times, func(t time.Time) bool { return now.Sub(t) >= within })
		if len(r.times) >= most {
			return 0, false
		}
		r.times = append(r.times, now)
	}
	if now.Sub(r.last) >= within {
		r.row = 0
	}
	wait = s.wait(r.row)
	r.row++
	r.last = now.Add(wait)
	return wait, true
}

// wait returns a random time to wait after that many restarts in a row.
func (s *Supervision) wait(row int) time.Duration {
	bound, most := s.Backoff, s.MaxBackoff
	if bound < 0 {
		return 0
	}
	if bound == 0 {
		bound = 100 * time.Millisecond
	}
	if most <= 0 {
		most = max(10*time.Second, bound)
	}
	for ; row > 0 && bound < most; row-- {
		bound += min(bound, most-bound)
	}
	bound = min(bound, most)
	return bound/2 + rand.N(bound-bound/2+1)
}

// supervise is the object's goroutine after a failure.
func (o *ActiveObject) supervise(f *Failure) {
	end := f
	defer func() { // also if Decide ends the goroutine
		if end != nil {
			o.finish(end)
		}
	}()
	if end = o.outlive(f); end == nil {
		o.more().failed = f
		o.run(true)
	}
}

// outlive does what comes between a failure and the restart after it. It returns
// the failure that ends the object, nil if it is to be started again.
func (o *ActiveObject) outlive(f *Failure) *Failure {
	o.mu.Lock()
	if !o.config.Supervise.KeepTimers {
		o.stats.Discarded += uint64(o.cancelAll())
	}
	ended := o.phase == stopping
	o.resting = true
	o.mu.Unlock()
	if ended {
		return f
	}
	now := time.Now()
	policy, f := o.decide(f)
	if policy != Restart {
		return f
	}
	wait, ok := o.more().restarts.next(&o.config.Supervise, now)
	if !ok {
		gaveUp := *f
		gaveUp.GaveUp = true
		return &gaveUp
	}
	if !o.rest(wait) {
		return f
	}
	return nil
}

// decide asks the policy. A panic in Decide becomes part of the failure.
func (o *ActiveObject) decide(f *Failure) (p Policy, told *Failure) {
	s := &o.config.Supervise
	if s.Policy != Escalate {
		return s.Policy, f
	}
	if s.Decide == nil {
		return Stop, f
	}
	defer func() {
		if value := recover(); value != nil {
			both := *f
			both.Err = fmt.Errorf("%w, and Decide panicked with %v", f.Err, value)
			p, told = Stop, &both
		}
	}()
	return s.Decide(o, f), f
}

// rest waits so long, or until Stop, and reports whether it has waited to the
// end.
func (o *ActiveObject) rest(d time.Duration) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	over := d <= 0
	if !over {
		clock := time.AfterFunc(d, func() {
			o.mu.Lock()
			defer o.mu.Unlock()
			over = true
			o.wake.Signal()
		})
		defer clock.Stop()
	}
	for !over && o.phase < stopping {
		o.wake.Wait()
	}
	o.resting = false
	return o.phase < stopping
}
