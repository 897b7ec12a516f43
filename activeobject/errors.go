package activeobject

import (
	"errors"
	"fmt"

	"github.com/statemesh/statemesh/hsm"
)

// Errors of an object's methods.
var (
	ErrRunning  = errors.New("activeobject: the object is running")
	ErrStopped  = errors.New("activeobject: the object is stopped")
	ErrTiming   = errors.New("activeobject: a timing needs a period and a number of times above zero, and a post takes one timing")
	ErrPriority = errors.New("activeobject: a priority is a number above zero; 1 is the most urgent")
	ErrExited   = errors.New("activeobject: a handler ended its goroutine")
	ErrPanic    = errors.New("activeobject: a handler panicked")
)

// Failure says why an object stopped by itself: a handler panicked, ended its
// goroutine, or made one of the mistakes that package hsm names.
type Failure struct {
	Object string
	State  string    // the leaf that the step began in
	Event  hsm.Event // the event of the step, zero for a start
	Value  any       // of a panic, else nil
	Stack  string    // of the handler, "" for a mistake
	Err    error     // ErrPanic, ErrExited or a *hsm.HandlerError
}

// Error is one line: object, state, signal and what happened. The payload and
// the stack are left to the fields.
func (f *Failure) Error() string {
	signal := f.Event.Signal.String()
	if signal == "" {
		signal = "start_at"
	}
	if f.Value != nil {
		return fmt.Sprintf("%v: %s in state %s on %s: %v", f.Err, f.Object, f.State, signal, f.Value)
	}
	return fmt.Sprintf("%v: %s in state %s on %s", f.Err, f.Object, f.State, signal)
}

// Unwrap gives Err, and the value of a panic if that was an error.
func (f *Failure) Unwrap() []error {
	if err, ok := f.Value.(error); ok {
		return []error{f.Err, err}
	}
	return []error{f.Err}
}
