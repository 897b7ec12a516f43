package works

import (
	"context"
	"errors"

	"github.com/looplab/fsm"
	"github.com/qmuntal/stateless"

	"github.com/statemesh/statemesh/bench/measure"
)

// stateless is qmuntal/stateless. It has hierarchy and initial transitions. It
// fires immediately, which is faster than its default, a queue, and the same here.
func (d dispatch) stateless(ctx context.Context) (*measure.Session, error) {
	actions := 0
	act := func(context.Context, ...any) error { actions++; return nil }
	start := "s11"
	if d.start == stateS211 {
		start = "s211"
	}
	m := stateless.NewStateMachineWithMode(start, stateless.FiringImmediate)
	m.Configure("s").OnEntry(act).OnExit(act).InternalTransition("W1", act)
	m.Configure("s1").SubstateOf("s").OnEntry(act).OnExit(act).InitialTransition("s11").Permit("W4", "s2")
	m.Configure("s11").SubstateOf("s1").OnEntry(act).OnExit(act).Permit("W2", "s12").Permit("W3", "s211")
	m.Configure("s12").SubstateOf("s1").OnEntry(act).OnExit(act).Permit("W2", "s11")
	m.Configure("s2").SubstateOf("s").OnEntry(act).OnExit(act).InitialTransition("s21").Permit("W4", "s1")
	m.Configure("s21").SubstateOf("s2").OnEntry(act).OnExit(act).InitialTransition("s211")
	m.Configure("s211").SubstateOf("s21").OnEntry(act).OnExit(act).Permit("W3", "s11")
	var trigger stateless.Trigger = d.name // boxed once
	return &measure.Session{Do: func(n int) (measure.Sample, error) {
		actions = 0
		for range n {
			if err := m.FireCtx(ctx, trigger); err != nil {
				return nil, err
			}
		}
		return nil, counted("actions", actions, n*d.actions)
	}}, nil
}

// looplab is looplab/fsm. It knows no hierarchy: the callbacks of the leaves do what
// entering and leaving their superstates would, and there is no W4.
func (d dispatch) looplab(ctx context.Context) (*measure.Session, error) {
	actions := 0
	times := func(n int) fsm.Callback {
		return func(context.Context, *fsm.Event) {
			for range n {
				actions++
			}
		}
	}
	// Leaving or entering a branch from another one is more than from a sibling.
	across := func(inside, outside int) fsm.Callback {
		return func(_ context.Context, e *fsm.Event) {
			n := inside
			if e.Src == "s211" || e.Dst == "s211" {
				n = outside
			}
			for range n {
				actions++
			}
		}
	}
	start := "s11"
	if d.start == stateS211 {
		start = "s211"
	}
	m := fsm.NewFSM(start, fsm.Events{
		{Name: "W1", Src: []string{"s211"}, Dst: "s211"},
		{Name: "W2", Src: []string{"s11"}, Dst: "s12"},
		{Name: "W2", Src: []string{"s12"}, Dst: "s11"},
		{Name: "W3", Src: []string{"s11"}, Dst: "s211"},
		{Name: "W3", Src: []string{"s211"}, Dst: "s11"},
	}, fsm.Callbacks{
		"after_W1":   times(1),
		"leave_s11":  across(1, 2),
		"enter_s11":  across(1, 2),
		"leave_s12":  times(1),
		"enter_s12":  times(1),
		"leave_s211": times(3),
		"enter_s211": times(3),
	})
	return &measure.Session{Do: func(n int) (measure.Sample, error) {
		actions = 0
		for range n {
			err := m.Event(ctx, d.name)
			var same fsm.NoTransitionError // what it says to an event that stays where it is
			if err != nil && !errors.As(err, &same) {
				return nil, err
			}
		}
		return nil, counted("actions", actions, n*d.actions)
	}}, nil
}
