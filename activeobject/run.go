package activeobject

import (
	"errors"
	"runtime/debug"

	"github.com/statemesh/statemesh/hsm"
)

// run is the object's goroutine, from a start on or from where the last one has
// left, to the next failure, to the end by Stop or Drain, or until it leaves. After
// a failure another goroutine goes on, since a handler may have ended this one.
func (o *ActiveObject) run(start bool) {
	returned := false
	found := more
	var failure *Failure
	defer func() {
		if found == gone {
			return // the object is somebody else's by now
		}
		if !returned {
			failure = o.caught(recover())
		}
		if failure != nil && o.tells {
			o.afterStep(failure)
		}
		if failure != nil && o.config.Supervise.Policy != Stop {
			go o.supervise(failure)
			return
		}
		o.finish(failure)
	}()
	if o.careful {
		o.more().goroutine = goroutineID()
	}
	if start {
		o.machine.Reset()
		failure = o.begin()
	}
	for failure == nil {
		if found = o.next(); found != more {
			break
		}
		if err := o.step(); err != nil {
			failure = o.judge(err)
		} else if o.tells {
			o.afterStep(nil)
		}
	}
	returned = true
}

// begin makes the start, and tells who waits for it.
func (o *ActiveObject) begin() *Failure {
	o.prepare()
	if err := o.enter(); err != nil {
		return o.judge(err)
	}
	if o.tells {
		o.afterStep(nil)
	}
	x := o.extra
	if x.failed = nil; x.started != nil {
		x.started <- nil
		x.started = nil
		if !o.careful && x.deferred.Len() == 0 {
			o.extra = nil
		}
	}
	return nil
}

// prepare makes a start the current step.
func (o *ActiveObject) prepare() {
	var cause uint64
	failed := o.failed()
	if failed != nil {
		if o.watching.Load() {
			cause = o.current.origin.ID
		}
		o.add(hsm.Record{Kind: hsm.KindScribble, Signal: hsm.Intern(signalName(failed.Event) + ":" + failed.State + ":FAILURE")})
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ids++
	o.current = stimulus{origin: hsm.Origin{ID: o.ids, Cause: cause}}
	if failed != nil {
		o.config.restarts++
	}
}

// failed is what a start comes after, nil if it is the first.
func (o *ActiveObject) failed() *Failure {
	if o.extra == nil {
		return nil
	}
	return o.extra.failed
}

// enter is the step of a start.
func (o *ActiveObject) enter() error {
	if o.careful {
		o.beginStep()
		defer o.endStep()
	}
	if failed := o.failed(); failed != nil && o.config.Supervise.OnRestart != nil {
		o.config.Supervise.OnRestart(o, failed)
	}
	return o.machine.StartFrom(o.first, o.current.origin)
}

// step runs the current event to completion.
func (o *ActiveObject) step() error {
	if o.careful {
		return o.carefulStep()
	}
	return o.machine.DispatchFrom(o.current.event, o.current.origin)
}

func (o *ActiveObject) carefulStep() error {
	o.beginStep()
	defer o.endStep()
	return o.machine.DispatchFrom(o.current.event, o.current.origin)
}

// beginStep tells those who want to know that a step runs on this goroutine.
func (o *ActiveObject) beginStep() {
	if o.watching.Load() {
		o.inStep.Store(o.extra.goroutine)
	}
	if o.config.watchdog != nil {
		o.config.watchdog.begin(o.machine.State())
	}
}

func (o *ActiveObject) endStep() {
	if o.config.watchdog != nil {
		o.config.watchdog.end()
	}
	if o.watching.Load() {
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

// found says what became of the search for the next event.
type found uint8

const (
	more found = iota // there is one
	last              // the object is to end
	gone              // the goroutine has left: it must not touch the object any more
)

// next makes the event to handle the current one, and waits for it.
func (o *ActiveObject) next() found {
	if o.taken.Len() > 0 && !o.urgent.Load() {
		if front := o.taken.At(0); front.timer == 0 {
			o.current.event, o.current.origin = front.event, front.origin
			o.taken.DropFront()
			o.left.Store(int32(o.taken.Len()))
			return more
		}
	}
	o.mu.Lock()
	f := o.nextLocked()
	o.mu.Unlock()
	return f
}

// nextLocked is next for a caller that holds mu.
func (o *ActiveObject) nextLocked() found {
	for {
		if o.phase == stopping {
			return last
		}
		from := o.source()
		if from == nil {
			if o.phase == draining {
				return last
			}
			if !o.await() {
				return gone
			}
			continue
		}
		front := from.At(0)
		o.current.event, o.current.origin = front.event, front.origin
		if from == &o.queue && front.priority > 0 {
			o.prioritized--
		}
		alive := front.timer == 0 || o.met(*front)
		from.DropFront()
		o.batch = int32(o.taken.Len())
		if o.batch != o.left.Load() {
			o.left.Store(o.batch)
		}
		if alive {
			o.eventful = true
			o.looked()
			return more
		}
	}
}

// looked is the end of a look under the lock: it writes what others had to tell,
// and says whether the next step needs such a look. The caller holds mu.
func (o *ActiveObject) looked() {
	if o.spying {
		for _, r := range o.record.late {
			o.add(r)
		}
		o.record.late = o.record.late[:0]
	}
	if again := o.front.Len() > 0 || o.phase == draining; again != o.urgent.Load() {
		o.urgent.Store(again)
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
	case o.queue.Len() == 1 || o.drops || o.prioritized > 0:
		// One needs no batch; and in the other cases others still put things in order
		// there.
		return &o.queue
	}
	o.taken, o.queue = o.queue, o.taken
	return &o.taken
}
