package hsm

import (
	"fmt"
	"math"
	"reflect"
	"sync"
)

// Event is a signal and what comes with it. The payload belongs to whoever
// handles the event: a poster must not change it afterwards.
type Event struct {
	Signal  Signal
	Payload any
}

// String prints the event as SIGNAL or SIGNAL(payload).
func (e Event) String() string {
	if e.Payload == nil {
		return e.Signal.String()
	}
	return fmt.Sprintf("%s(%v)", e.Signal, e.Payload)
}

// Payload returns the event's payload as a T, and whether it is one.
func Payload[T any](e Event) (T, bool) {
	t, ok := e.Payload.(T)
	return t, ok
}

// bound maps a signal to the reflect.Type of its payload.
var bound sync.Map

// Bind says, once for the whole program, that events with this signal carry a
// T. The network then decodes what it receives under this signal to a T, and
// refuses what does not fit. Binding the same type again changes nothing;
// another type is ErrBound.
func Bind[T any](s Signal) error {
	if err := s.check(); err != nil {
		return err
	}
	t := reflect.TypeFor[T]()
	if old, loaded := bound.LoadOrStore(s, t); loaded && old != t {
		return &SignalError{Signal: s, Err: fmt.Errorf("%w: it carries %v, not %v", ErrBound, old, t)}
	}
	return nil
}

// MustBind is Bind for package variables: it returns s, and panics when Bind
// gives an error.
func MustBind[T any](s Signal) Signal {
	if err := Bind[T](s); err != nil {
		panic(err)
	}
	return s
}

// PayloadType returns the type bound to s, and whether one is.
func PayloadType(s Signal) (reflect.Type, bool) {
	t, ok := bound.Load(s)
	if !ok {
		return nil, false
	}
	return t.(reflect.Type), true
}

// Origin says where an event comes from, so that a picture of the trace can
// draw the line from one transition to the next. Zero means unknown.
type Origin struct {
	ID    uint64 // of this event, unique over the mesh with all but certainty
	Cause uint64 // the ID of the event whose handling sent this one
}

// Status is a handler's answer to an event. The zero Status is not an answer:
// a handler that returns it gets ErrStatus.
type Status int64

const (
	// Super: not mine, ask my superstate.
	Super Status = iota + 1
	// Handled: done, and no transition. For an event this is a hook.
	Handled
	// Unhandled: mine, but a guard said no; my superstate is asked.
	Unhandled
)

// tran is the status of Tran(0). It is far from the others, so that a target
// that is no state is not taken for one of them.
const tran Status = 1 << 40

// Tran is the answer for a transition to that state. From a handler of Init
// the target must be a proper descendant of the handler's state.
func Tran(target State) Status { return tran + Status(target) }

// Target returns the target of a transition, and whether s is one.
func (s Status) Target() (State, bool) {
	return State(s - tran), s >= tran+math.MinInt32 && s <= tran+math.MaxInt32
}

// stays reports whether s is an answer, and no transition.
func (s Status) stays() bool { return uint64(s-Super) <= uint64(Unhandled-Super) }

// String names the answer, a transition with the number of its target.
func (s Status) String() string {
	switch s {
	case Super:
		return "Super"
	case Handled:
		return "Handled"
	case Unhandled:
		return "Unhandled"
	}
	if target, ok := s.Target(); ok {
		return fmt.Sprintf("Tran(%d)", target)
	}
	return fmt.Sprintf("Status(%d)", int64(s))
}

// CheckPost reports why an event cannot be posted: it has no signal
// (ErrNoSignal), or one that only a machine sends (ErrInnerSignal).
func CheckPost(e Event) error {
	if e.Signal == (Signal{}) || e.Signal.IsInner() {
		return e.Signal.check()
	}
	return nil
}
