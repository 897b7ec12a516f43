package activeobject

import (
	"errors"
	"fmt"

	"github.com/statemesh/statemesh/hsm"
)

// Errors of an object's methods.
var (
	// ErrRunning: Start, SetInstrument and the like on an object that runs, or whose
	// handler has not returned after Stop.
	ErrRunning = errors.New("activeobject: the object is running")
	// ErrStopped: a post, publication or subscription of an object that drains or was
	// stopped.
	ErrStopped = errors.New("activeobject: the object is stopped")
	// ErrTiming: a post with a timing that means nothing, or with two.
	ErrTiming = errors.New("activeobject: a timing needs a period and a number of times above zero, and a post takes one timing")
	// ErrPriority: Publish with a priority that is none.
	ErrPriority = errors.New("activeobject: a priority is a number above zero; 1 is the most urgent")
	// ErrExited and ErrPanic are the Err of a Failure; ErrGaveUp is in one besides when
	// Supervision has restarted the object too often.
	ErrExited = errors.New("activeobject: a handler ended its goroutine")
	ErrPanic  = errors.New("activeobject: a handler panicked")
	ErrGaveUp = errors.New("activeobject: too many restarts")
)

// Failure says why a step failed, and with it the object: a handler panicked,
// ended its goroutine, or made one of the mistakes that package hsm names. It is
// not changed once it was told.
type Failure struct {
	Object string
	State  string    // the leaf that the step began in
	Event  hsm.Event // the event of the step, zero for a start
	Value  any       // of a panic, else nil
	Stack  string    // of the handler, "" for a mistake
	Err    error     // ErrPanic, ErrExited or a *hsm.HandlerError
	GaveUp bool      // the object was to be restarted, but had been too often
}

// Error is one line: object, state, signal and what happened. The payload and
// the stack are left to the fields.
func (f *Failure) Error() string {
	text := fmt.Sprintf("%v: %s in state %s on %s", f.Err, f.Object, f.State, signalName(f.Event))
	if f.Value != nil {
		text += fmt.Sprintf(": %v", f.Value)
	}
	if f.GaveUp {
		text += " (given up after too many restarts)"
	}
	return text
}

// Unwrap gives Err, the value of a panic if that was an error, and ErrGaveUp if
// that is so.
func (f *Failure) Unwrap() []error {
	all := []error{f.Err}
	if err, ok := f.Value.(error); ok {
		all = append(all, err)
	}
	if f.GaveUp {
		all = append(all, ErrGaveUp)
	}
	return all
}

// signalName is the name of an event's signal as the trace has it.
func signalName(e hsm.Event) string {
	if e.Signal == (hsm.Signal{}) {
		return "start_at"
	}
	return e.Signal.String()
}
