package activeobject

import (
	"context"
	"fmt"

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
	o.phase, o.failure, o.done, o.eventful = running, nil, nil, false
	o.mu.Unlock()
	started := make(chan error, 1)
	o.first, o.extra = s, &extra{started: started}
	go o.run(true)
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
	o.advance(how)
	return o.finished()
}

// advance brings the life of an object that runs to that phase, if it is not
// further on. The caller holds mu.
func (o *ActiveObject) advance(to phase) {
	if to > o.phase {
		o.phase = to
		o.endTimers()
		o.urgent.Store(true)
		o.rouse()
		o.wake.Signal() // it may wait for a restart
	}
}

// Done returns a channel that is closed when the object has stopped for good, nil
// before the first start. Each Start is the beginning of a new one; a restart by
// Supervision is not.
func (o *ActiveObject) Done() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.phase == fresh {
		return nil
	}
	return o.finished()
}

// finished makes what Done returns, for those who ask. The caller holds mu.
func (o *ActiveObject) finished() <-chan struct{} {
	if o.done == nil && o.phase == stopped {
		return over
	}
	if o.done == nil {
		o.done = make(chan struct{})
	}
	return o.done
}

// over is the channel of those that had stopped before anybody asked.
var over = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

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

// finish ends the object and tells who wants to know why.
func (o *ActiveObject) finish(failure *Failure) {
	started := o.starter() // after end, another start may be on its way
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

// starter is what Start waits on, nil if it was told.
func (o *ActiveObject) starter() chan<- error {
	if o.extra == nil {
		return nil
	}
	return o.extra.started
}

// end leaves the object stopped.
func (o *ActiveObject) end(failure *Failure) {
	o.mu.Lock()
	o.advance(stopping) // from here on it takes no events and no subscriptions
	o.mu.Unlock()
	o.fabric.forget(o)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.phase, o.failure, o.resting = stopped, failure, false
	o.stats.Discarded += uint64(o.waiting() + o.Deferred())
	o.queue, o.front, o.taken, o.extra = hsm.Deque[item]{}, hsm.Deque[item]{}, hsm.Deque[item]{}, nil
	o.releaseTimers()
	o.dead, o.prioritized, o.current = 0, 0, stimulus{}
	o.batch = 0
	if o.spying {
		o.record.late = nil
	}
	o.left.Store(0)
	o.urgent.Store(false)
	if o.done != nil {
		close(o.done)
	}
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
