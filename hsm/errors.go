package hsm

import (
	"errors"
	"fmt"
)

// Mistakes in a chart, found by Compile. Each comes with the names of the
// states in question; Compile joins all that it finds.
var (
	ErrNoStates      = errors.New("hsm: a chart needs at least one state")
	ErrTopDeclared   = errors.New("hsm: state 0 is Top and cannot be declared; begin the constants at iota + 1")
	ErrNoName        = errors.New("hsm: a state has no name")
	ErrDuplicateName = errors.New("hsm: two states have the same name")
	ErrUnknownParent = errors.New("hsm: a parent is not in the chart")
	ErrParentCycle   = errors.New("hsm: parents form a cycle")
	ErrNoHandler     = errors.New("hsm: a state has no handler")
	ErrInitTarget    = errors.New("hsm: an init target is not inside its state")
)

// Mistakes at run time. Those that a handler makes come in a *HandlerError.
var (
	ErrNotStarted  = errors.New("hsm: the machine has not been started")
	ErrBusy        = errors.New("hsm: the machine is in a step: a handler may post, not dispatch, and one whose handler panicked must be reset")
	ErrUnknown     = errors.New("hsm: no such state in the chart")
	ErrNoSignal    = errors.New("hsm: the event has no signal")
	ErrInnerSignal = errors.New("hsm: only a machine sends this signal")
	ErrBound       = errors.New("hsm: the signal is bound to another payload type")
	ErrStatus      = errors.New("hsm: a handler returned an impossible status")
	ErrTarget      = errors.New("hsm: a transition to a state that is not in the chart")
	ErrInitLeaves  = errors.New("hsm: an initial transition leaves its state")
	ErrTranInside  = errors.New("hsm: entry and exit cannot make a transition")
	ErrQueueFull   = errors.New("hsm: the queue is full")
)

// A StateError is a mistake in a chart's table.
type StateError struct {
	State  State
	Name   string // "" if the state has none
	Detail string // what exactly is wrong
	Err    error  // one of the variables above
}

func (e *StateError) Error() string {
	return fmt.Sprintf("%v: state %d %q: %s", e.Err, e.State, e.Name, e.Detail)
}

func (e *StateError) Unwrap() error { return e.Err }

// A HandlerError is a mistake that a handler made while the machine ran. The
// machine did not follow it and is in a legal state: an impossible answer to
// an event leaves it where it was, one to Entry, Exit or Init is taken as
// Handled and the step goes on.
type HandlerError struct {
	State  string // the state whose handler it was
	Leaf   string // the leaf that the step began in
	Signal Signal // what the handler was called with
	Status Status // what it answered
	Err    error  // one of the variables above
}

func (e *HandlerError) Error() string {
	return fmt.Sprintf("%v: state %q answered %v to %v", e.Err, e.State, e.Status, e.Signal)
}

func (e *HandlerError) Unwrap() error { return e.Err }

// A SignalError says which signal an error is about.
type SignalError struct {
	Signal Signal
	Err    error
}

func (e *SignalError) Error() string { return fmt.Sprintf("%v: %v", e.Err, e.Signal) }

func (e *SignalError) Unwrap() error { return e.Err }
