package activeobject

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/statemesh/statemesh/hsm"
)

// Start enters the state and follows its initial transitions on the object's
// goroutine, which then handles events until Stop, Drain or a failure. Start
// blocks until that first step is done; ctx bounds this wait and nothing else.
// It returns ErrRunning if the object runs, hsm.ErrUnknown if the chart has no
// such state, and a *Failure if a handler failed. An object that has stopped
// may be started again, and begins anew.
func (o *ActiveObject) Start(ctx context.Context, s hsm.State) error {
	if !o.machine.Tree().Has(s) {
		return &hsm.StateError{State: s, Detail: "cannot start in it", Err: hsm.ErrUnknown}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	o.mu.Lock()
	if o.phase != fresh && o.phase != stopped {
		o.mu.Unlock()
		return ErrRunning
	}
	o.phase, o.failure, o.done = running, nil, make(chan struct{})
	o.mu.Unlock()
	started := make(chan error, 1)
	o.first, o.started, o.failed, o.restarts = s, started, nil, restarts{}
	go o.run()
	select {
	case err := <-started:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Stop ends the object after the step that runs: its timers post no more, what
// waits or is deferred is discarded and counted, its subscriptions end, and
// posts give ErrStopped from then on. It blocks until the goroutine has ended,
// or returns ctx.Err() when ctx ends first, even if the handler never returns. As
// soon as it does return, the object ends all the same: without another step,
// without a restart, and with what that step came to: a failure is told, a good
// end is none. Until then its events are kept, and Start gives ErrRunning. Called
// from a handler, of this or of another object, Stop does not wait. A wait for a
// restart ends at once, and its failure is then what ended the object. On an
// object that does not run Stop does nothing: timers of one that was never started
// go on until they are cancelled.
func (o *ActiveObject) Stop(ctx context.Context) error { return o.stop(ctx, stopping) }

// Drain is Stop, but for the events that wait, those included that timers have
// posted: they are handled first, and what is deferred is discarded. What
// their handlers post is refused with ErrStopped, so that this ends; when ctx
// ends first, Drain becomes Stop. From a handler it does not wait, and ctx has
// no effect then. A failure meanwhile is supervised as ever: after a restart, and
// the wait before it, the rest is handled.
func (o *ActiveObject) Drain(ctx context.Context) error {
	err := o.stop(ctx, draining)
	if err != nil {
		o.ask(stopping)
	}
	return err
}

func (o *ActiveObject) stop(ctx context.Context, how phase) error {
	done := o.ask(how)
	if done == nil || insideHandler() {
		return nil
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ask tells the goroutine to end, and returns what it closes then, nil if it
// does not run.
func (o *ActiveObject) ask(how phase) <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.phase == fresh || o.phase == stopped {
		return nil
	}
	if how > o.phase {
		o.phase = how
		o.endTimers()
		o.urgent.Store(true)
		o.wake.Signal()
	}
	return o.done
}

// Done returns a channel that is closed when the object has stopped for good, nil
// before the first start. Each Start makes a new one; a restart by Supervision
// does not.
func (o *ActiveObject) Done() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.done
}

// Err returns the *Failure that stopped the object, nil if it runs, waits for a
// restart, was stopped from outside or never started.
func (o *ActiveObject) Err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.failure == nil {
		return nil
	}
	return o.failure
}

// run is the object's goroutine from a start to the next failure, or to the end
// by Stop or Drain. After a failure another goroutine goes on, since a handler may
// have ended this one.
func (o *ActiveObject) run() {
	returned := false
	var failure *Failure
	defer func() {
		if !returned {
			failure = o.caught(recover())
		}
		if failure != nil && o.config.AfterStep != nil {
			o.afterStep(failure)
		}
		if failure != nil && o.config.Supervise.Policy != Stop {
			go o.supervise(failure)
			return
		}
		o.finish(failure)
	}()
	if o.careful {
		o.goroutine = goroutineID()
	}
	o.machine.Reset()
	o.prepare()
	for ok := true; ok; ok = o.next() {
		if err := o.step(); err != nil {
			failure = o.judge(err)
			break
		}
		if o.config.AfterStep != nil {
			o.afterStep(nil)
		}
		if o.starting {
			o.starting, o.failed = false, nil
			if o.started != nil {
				o.started <- nil
				o.started = nil
			}
		}
	}
	returned = true
}

// prepare makes a start the current step.
func (o *ActiveObject) prepare() {
	o.starting = true
	var cause uint64
	if o.failed != nil {
		if o.watching {
			cause = o.current.origin.ID
		}
		o.add(hsm.Record{Kind: hsm.KindScribble, Signal: hsm.Intern(signalName(o.failed.Event) + ":" + o.failed.State + ":FAILURE")})
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ids++
	o.current = item{origin: hsm.Origin{ID: o.ids, Cause: cause}}
	if o.failed != nil {
		o.stats.Restarts++
	}
}

// step runs the current item to completion.
func (o *ActiveObject) step() error {
	if o.careful {
		o.beginStep()
		defer o.endStep()
	}
	if o.starting {
		return o.enter()
	}
	return o.machine.DispatchFrom(o.current.event, o.current.origin)
}

// enter is the step of a start.
func (o *ActiveObject) enter() error {
	if o.failed != nil && o.config.Supervise.OnRestart != nil {
		o.config.Supervise.OnRestart(o, o.failed)
	}
	return o.machine.StartFrom(o.first, o.current.origin)
}

// beginStep tells those who want to know that a step runs on this goroutine.
func (o *ActiveObject) beginStep() {
	if o.watching {
		o.inStep.Store(o.goroutine)
	}
	if o.watchdog != nil {
		o.watchdog.begin(o.machine.State())
	}
}

func (o *ActiveObject) endStep() {
	if o.watchdog != nil {
		o.watchdog.end()
	}
	if o.watching {
		o.inStep.Store(0)
	}
}

// judge makes a failure of what a step returned.
func (o *ActiveObject) judge(err error) *Failure {
	// After a panic the machine is still in the leaf that the step began in.
	f := &Failure{Object: o.name, State: o.machine.Tree().Name(o.machine.State()), Event: o.current.event, Err: err}
	var mistake *hsm.HandlerError
	if errors.As(err, &mistake) {
		f.State = mistake.Leaf
	}
	return f
}

// caught makes a failure of a panic, or of the end of the goroutine if there
// was none.
func (o *ActiveObject) caught(value any) *Failure {
	f := o.judge(ErrExited)
	f.Value, f.Stack = value, string(debug.Stack())
	if value != nil {
		f.Err = ErrPanic
	}
	return f
}

// next makes the item to handle the current one, and waits for it. It returns
// false when the object is to end.
func (o *ActiveObject) next() bool {
	if o.taken.Len() > 0 && !o.urgent.Load() {
		if front := o.taken.At(0); front.timer == 0 {
			o.current = *front
			o.taken.DropFront()
			o.left.Store(int64(o.taken.Len()))
			return true
		}
	}
	return o.nextLocked()
}

func (o *ActiveObject) nextLocked() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		if o.phase == stopping {
			return false
		}
		from := o.source()
		if from == nil {
			if o.phase == draining {
				return false
			}
			o.parked = true
			o.wake.Wait()
			o.parked = false
			continue
		}
		o.current = from.PopFront()
		o.batch = o.taken.Len()
		o.left.Store(int64(o.batch))
		if from == &o.queue && o.current.priority > 0 {
			o.prioritized--
		}
		if o.met(o.current) {
			for _, r := range o.late {
				o.add(r)
			}
			o.late = o.late[:0]
			o.urgent.Store(o.front.Len() > 0 || o.phase == draining)
			return true
		}
	}
}

// source returns where the next item stands, nil if none waits. The caller
// holds mu.
func (o *ActiveObject) source() *hsm.Deque[item] {
	switch {
	case o.front.Len() > 0:
		return &o.front
	case o.taken.Len() > 0:
		return &o.taken
	case o.queue.Len() == 0:
		return nil
	case o.config.Overflow == hsm.Drop || o.prioritized > 0:
		return &o.queue // others still put things in order there
	}
	o.taken, o.queue = o.queue, o.taken
	return &o.taken
}

// finish ends the object and tells who wants to know why.
func (o *ActiveObject) finish(failure *Failure) {
	started := o.started // after end, another start may be on its way
	o.end(failure)
	if failure == nil {
		return
	}
	if started != nil {
		started <- failure
	}
	if o.config.OnFailure != nil {
		o.config.OnFailure(o, failure)
	}
}

// end leaves the object stopped.
func (o *ActiveObject) end(failure *Failure) {
	o.ask(stopping) // from here on it takes no events and no subscriptions
	o.fabric.forget(o)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.phase, o.failure, o.resting = stopped, failure, false
	waiting := o.waiting() + o.deferred.Len()
	o.stats.Discarded += uint64(waiting)
	for _, d := range []*hsm.Deque[item]{&o.queue, &o.front, &o.taken, &o.deferred} {
		*d = hsm.Deque[item]{}
	}
	o.releaseTimers()
	o.dead, o.prioritized, o.late, o.current = 0, 0, nil, item{}
	o.batch = 0
	o.left.Store(0)
	o.urgent.Store(false)
	close(o.done)
}

// String names the object and its chart's state of life, for logs.
func (o *ActiveObject) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	life := [...]string{"fresh", "running", "draining", "stopping", "stopped"}[o.phase]
	if o.resting && o.phase == running {
		life = "restarting"
	}
	return fmt.Sprintf("%s (%s)", o.name, life)
}
