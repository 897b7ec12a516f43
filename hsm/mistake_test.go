package hsm_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/hsm"
)

func TestHandlerMistakes(t *testing.T) {
	for _, tt := range []struct {
		name    string
		start   hsm.State
		answers map[string]hsm.Status
		atStart bool // the mistake is made by Start, not by Dispatch
		kind    error
		state   string
		signal  hsm.Signal
		status  hsm.Status
		leaf    hsm.State
		calls   []string // of the step with the mistake
	}{
		{
			name: "init to itself", start: mP, atStart: true,
			answers: map[string]hsm.Status{"INIT_SIGNAL:p": hsm.Tran(mP)},
			kind:    hsm.ErrInitLeaves, state: "p", signal: hsm.Init, status: hsm.Tran(mP), leaf: mP,
			calls: []string{"ENTRY_SIGNAL:p", "INIT_SIGNAL:p"},
		},
		{
			name: "init to a sibling", start: mB, atStart: true,
			answers: map[string]hsm.Status{"INIT_SIGNAL:b": hsm.Tran(mA)},
			kind:    hsm.ErrInitLeaves, state: "b", signal: hsm.Init, status: hsm.Tran(mA), leaf: mB,
			calls: []string{"ENTRY_SIGNAL:p", "ENTRY_SIGNAL:b", "INIT_SIGNAL:b"},
		},
		{
			name: "init to its parent", start: mB, atStart: true,
			answers: map[string]hsm.Status{"INIT_SIGNAL:b": hsm.Tran(mP)},
			kind:    hsm.ErrInitLeaves, state: "b", signal: hsm.Init, status: hsm.Tran(mP), leaf: mB,
			calls: []string{"ENTRY_SIGNAL:p", "ENTRY_SIGNAL:b", "INIT_SIGNAL:b"},
		},
		{
			name: "init to an unknown state", start: mB, atStart: true,
			answers: map[string]hsm.Status{"INIT_SIGNAL:b": hsm.Tran(mNone)},
			kind:    hsm.ErrInitLeaves, state: "b", signal: hsm.Init, status: hsm.Tran(mNone), leaf: mB,
			calls: []string{"ENTRY_SIGNAL:p", "ENTRY_SIGNAL:b", "INIT_SIGNAL:b"},
		},
		{
			name: "init to Top", start: mB, atStart: true,
			answers: map[string]hsm.Status{"INIT_SIGNAL:b": hsm.Tran(hsm.Top)},
			kind:    hsm.ErrInitLeaves, state: "b", signal: hsm.Init, status: hsm.Tran(hsm.Top), leaf: mB,
			calls: []string{"ENTRY_SIGNAL:p", "ENTRY_SIGNAL:b", "INIT_SIGNAL:b"},
		},
		{
			name: "init elsewhere than declared", start: mA, atStart: true,
			answers: map[string]hsm.Status{"INIT_SIGNAL:a": hsm.Tran(mC)},
			kind:    hsm.ErrInitLeaves, state: "a", signal: hsm.Init, status: hsm.Tran(mC), leaf: mD,
			calls: []string{"ENTRY_SIGNAL:p", "ENTRY_SIGNAL:a", "INIT_SIGNAL:a", "ENTRY_SIGNAL:c", "ENTRY_SIGNAL:d", "INIT_SIGNAL:d"},
		},
		{
			name: "init without an answer, where one is declared", start: mA, atStart: true,
			answers: map[string]hsm.Status{"INIT_SIGNAL:a": 0},
			kind:    hsm.ErrStatus, state: "a", signal: hsm.Init, status: 0, leaf: mD,
			calls: []string{"ENTRY_SIGNAL:p", "ENTRY_SIGNAL:a", "INIT_SIGNAL:a", "ENTRY_SIGNAL:c", "ENTRY_SIGNAL:d", "INIT_SIGNAL:d"},
		},
		{
			name: "init leaves after an event", start: mQ,
			answers: map[string]hsm.Status{"GO:q": hsm.Tran(mB), "INIT_SIGNAL:b": hsm.Tran(mQ)},
			kind:    hsm.ErrInitLeaves, state: "b", signal: hsm.Init, status: hsm.Tran(mQ), leaf: mB,
			calls: []string{"GO:q", "EXIT_SIGNAL:q", "ENTRY_SIGNAL:p", "ENTRY_SIGNAL:b", "INIT_SIGNAL:b"},
		},
		{
			name: "an event without an answer", start: mB,
			answers: map[string]hsm.Status{"GO:b": 0},
			kind:    hsm.ErrStatus, state: "b", signal: mGo, status: 0, leaf: mB,
			calls: []string{"GO:b"},
		},
		{
			name: "an event with a negative answer, above the leaf", start: mB,
			answers: map[string]hsm.Status{"GO:p": -3},
			kind:    hsm.ErrStatus, state: "p", signal: mGo, status: -3, leaf: mB,
			calls: []string{"GO:b", "GO:p"},
		},
		{
			name: "transition to Top", start: mB,
			answers: map[string]hsm.Status{"GO:b": hsm.Tran(hsm.Top)},
			kind:    hsm.ErrTarget, state: "b", signal: mGo, status: hsm.Tran(hsm.Top), leaf: mB,
			calls: []string{"GO:b"},
		},
		{
			name: "transition to an unknown state", start: mB,
			answers: map[string]hsm.Status{"GO:b": hsm.Tran(mNone)},
			kind:    hsm.ErrTarget, state: "b", signal: mGo, status: hsm.Tran(mNone), leaf: mB,
			calls: []string{"GO:b"},
		},
		{
			name: "entry without an answer", start: mB, atStart: true,
			answers: map[string]hsm.Status{"ENTRY_SIGNAL:p": 0},
			kind:    hsm.ErrStatus, state: "p", signal: hsm.Entry, status: 0, leaf: mB,
			calls: []string{"ENTRY_SIGNAL:p", "ENTRY_SIGNAL:b", "INIT_SIGNAL:b"},
		},
		{
			name: "transition from entry", start: mB, atStart: true,
			answers: map[string]hsm.Status{"ENTRY_SIGNAL:p": hsm.Tran(mQ)},
			kind:    hsm.ErrTranInside, state: "p", signal: hsm.Entry, status: hsm.Tran(mQ), leaf: mB,
			calls: []string{"ENTRY_SIGNAL:p", "ENTRY_SIGNAL:b", "INIT_SIGNAL:b"},
		},
		{
			name: "transition from exit", start: mB,
			answers: map[string]hsm.Status{"GO:b": hsm.Tran(mQ), "EXIT_SIGNAL:b": hsm.Tran(mA)},
			kind:    hsm.ErrTranInside, state: "b", signal: hsm.Exit, status: hsm.Tran(mA), leaf: mQ,
			calls: []string{"GO:b", "EXIT_SIGNAL:b", "EXIT_SIGNAL:p", "ENTRY_SIGNAL:q", "INIT_SIGNAL:q"},
		},
		{
			name: "exit without an answer", start: mB,
			answers: map[string]hsm.Status{"GO:b": hsm.Tran(mQ), "EXIT_SIGNAL:b": 0},
			kind:    hsm.ErrStatus, state: "b", signal: hsm.Exit, status: 0, leaf: mQ,
			calls: []string{"GO:b", "EXIT_SIGNAL:b", "EXIT_SIGNAL:p", "ENTRY_SIGNAL:q", "INIT_SIGNAL:q"},
		},
		{
			name: "the first of several mistakes", start: mB,
			answers: map[string]hsm.Status{"GO:b": hsm.Tran(mQ), "EXIT_SIGNAL:b": 0, "EXIT_SIGNAL:p": hsm.Tran(mQ), "INIT_SIGNAL:q": hsm.Tran(mQ)},
			kind:    hsm.ErrStatus, state: "b", signal: hsm.Exit, status: 0, leaf: mQ,
			calls: []string{"GO:b", "EXIT_SIGNAL:b", "EXIT_SIGNAL:p", "ENTRY_SIGNAL:q", "INIT_SIGNAL:q"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachLog(t, func(t *testing.T, log func() *hsm.Log) {
				s := answer(tt.answers)
				m := scriptMachine(s, log())
				leaf := "top"
				err := m.Start(tt.start)
				if !tt.atStart {
					leaf = m.Tree().Name(m.State())
					if err != nil {
						t.Fatal(err)
					}
					s.calls = nil
					err = m.Dispatch(hsm.Event{Signal: mGo})
				}
				var fault *hsm.HandlerError
				if !errors.As(err, &fault) || !errors.Is(err, tt.kind) {
					t.Fatalf("error is %v, want a HandlerError with %v", err, tt.kind)
				}
				want := &hsm.HandlerError{State: tt.state, Leaf: leaf, Signal: tt.signal, Status: tt.status, Err: fault.Err}
				if *fault != *want {
					t.Errorf("error is %+v, want %+v", fault, want)
				}
				if diff := cmp.Diff(tt.calls, s.calls); diff != "" {
					t.Errorf("calls (-want +got):\n%s", diff)
				}
				if m.State() != tt.leaf {
					t.Errorf("in %q, want %q", m.Tree().Name(m.State()), m.Tree().Name(tt.leaf))
				}
				// The mistake is told once, and the machine goes on.
				if err := m.Dispatch(hsm.Event{Signal: mElse}); err != nil {
					t.Errorf("the next step: %v", err)
				}
			})
		})
	}
}

func TestExitUnhandled(t *testing.T) {
	eachLog(t, func(t *testing.T, log func() *hsm.Log) {
		s := answer(map[string]hsm.Status{
			"GO:d": hsm.Tran(mQ), "EXIT_SIGNAL:d": hsm.Unhandled, "EXIT_SIGNAL:c": hsm.Super, "EXIT_SIGNAL:a": hsm.Handled,
			"ENTRY_SIGNAL:q": hsm.Unhandled, "INIT_SIGNAL:q": hsm.Unhandled,
		})
		m := scriptMachine(s, log())
		if err := m.Start(mD); err != nil {
			t.Fatal(err)
		}
		s.calls = nil
		if err := m.Dispatch(hsm.Event{Signal: mGo}); err != nil {
			t.Fatal(err)
		}
		want := []string{"GO:d", "EXIT_SIGNAL:d", "EXIT_SIGNAL:c", "EXIT_SIGNAL:a", "EXIT_SIGNAL:p", "ENTRY_SIGNAL:q", "INIT_SIGNAL:q"}
		if diff := cmp.Diff(want, s.calls); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	})
}

func TestInitUnhandled(t *testing.T) {
	for _, status := range []hsm.Status{hsm.Super, hsm.Handled, hsm.Unhandled, hsm.Tran(mD)} {
		t.Run(status.String(), func(t *testing.T) {
			m := scriptMachine(answer(map[string]hsm.Status{"INIT_SIGNAL:a": status}), nil)
			if err := m.Start(mA); err != nil || m.State() != mD {
				t.Errorf("in %d with error %v, want %d", m.State(), err, mD)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	dispatch := func(signal hsm.Signal) func(*hsm.Machine[*script]) error {
		return func(m *hsm.Machine[*script]) error { return m.Dispatch(hsm.Event{Signal: signal}) }
	}
	for _, tt := range []struct {
		name  string
		start hsm.State // Top: not started
		act   func(*hsm.Machine[*script]) error
		want  error
	}{
		{"dispatch before start", hsm.Top, dispatch(mGo), hsm.ErrNotStarted},
		{"an event without a signal", mB, dispatch(hsm.Signal{}), hsm.ErrNoSignal},
		{"Entry", mB, dispatch(hsm.Entry), hsm.ErrInnerSignal},
		{"Exit", mB, dispatch(hsm.Exit), hsm.ErrInnerSignal},
		{"Init", mB, dispatch(hsm.Init), hsm.ErrInnerSignal},
		{"Empty", mB, dispatch(hsm.Empty), hsm.ErrInnerSignal},
		{"SearchForSuper", mB, dispatch(hsm.Intern("SEARCH_FOR_SUPER_SIGNAL")), hsm.ErrInnerSignal},
		{"start in Top", hsm.Top, func(m *hsm.Machine[*script]) error { return m.Start(hsm.Top) }, hsm.ErrUnknown},
		{"start in an unknown state", hsm.Top, func(m *hsm.Machine[*script]) error { return m.Start(mNone) }, hsm.ErrUnknown},
		{"start in a negative state", mB, func(m *hsm.Machine[*script]) error { return m.Start(-1) }, hsm.ErrUnknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachLog(t, func(t *testing.T, log func() *hsm.Log) {
				s := answer(nil)
				m := scriptMachine(s, log())
				if tt.start != hsm.Top {
					if err := m.Start(tt.start); err != nil {
						t.Fatal(err)
					}
				}
				s.calls = nil
				if err := tt.act(m); !errors.Is(err, tt.want) {
					t.Errorf("error is %v, want %v", err, tt.want)
				}
				if len(s.calls) > 0 || m.State() != tt.start {
					t.Errorf("called %v and is in %d, want no call and %d", s.calls, m.State(), tt.start)
				}
				if tt.start != hsm.Top {
					if err := m.Dispatch(hsm.Event{Signal: mGo}); err != nil {
						t.Errorf("the next step: %v", err)
					}
				}
			})
		})
	}
}

func TestErrorTexts(t *testing.T) {
	m := scriptMachine(answer(map[string]hsm.Status{"GO:b": hsm.Tran(mNone), "ELSE:b": 0}), nil)
	unknown := m.Start(mNone)
	if err := m.Start(mB); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		err  error
		want string
	}{
		{unknown, `hsm: no such state in the chart: state 7 "": cannot start in it`},
		{m.Dispatch(hsm.Event{Signal: mGo}), `hsm: a transition to a state that is not in the chart: state "b" answered Tran(7) to GO`},
		{m.Dispatch(hsm.Event{Signal: mElse}), `hsm: a handler returned an impossible status: state "b" answered Status(0) to ELSE`},
		{m.Dispatch(hsm.Event{Signal: hsm.Exit}), `hsm: only a machine sends this signal: EXIT_SIGNAL`},
		{m.Dispatch(hsm.Event{}), `hsm: the event has no signal`},
	} {
		if tt.err == nil || tt.err.Error() != tt.want {
			t.Errorf("error is\n%v, want\n%s", tt.err, tt.want)
		}
	}
}

func TestStatus(t *testing.T) {
	for _, tt := range []struct {
		status hsm.Status
		text   string
		target hsm.State
		tran   bool
	}{
		{0, "Status(0)", 0, false},
		{-1, "Status(-1)", 0, false},
		{hsm.Super, "Super", 0, false},
		{hsm.Handled, "Handled", 0, false},
		{hsm.Unhandled, "Unhandled", 0, false},
		{hsm.Tran(hsm.Top), "Tran(0)", hsm.Top, true},
		{hsm.Tran(1), "Tran(1)", 1, true},
		{hsm.Tran(1 << 20), "Tran(1048576)", 1 << 20, true},
	} {
		if got := tt.status.String(); got != tt.text {
			t.Errorf("%d prints as %s, want %s", int(tt.status), got, tt.text)
		}
		target, ok := tt.status.Target()
		if ok != tt.tran || ok && target != tt.target {
			t.Errorf("%v: Target is %d, %v", tt.status, target, ok)
		}
	}
}
