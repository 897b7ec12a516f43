package hsm_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/hsm"
)

// The chart of these tests: p{ a{ c{d} }, b }, q.
const (
	mP hsm.State = iota + 1
	mA
	mC
	mD
	mB
	mQ
	mNone // not in the chart
)

var (
	mGo   = hsm.NewSignal("GO")
	mElse = hsm.NewSignal("ELSE")
)

// script is the data of a machine whose handlers do what a test says: they
// note the call, and answer Super unless the call, such as "GO:a", is in do.
type script struct {
	calls []string
	do    map[string]func() hsm.Status
}

// answer makes a script of plain answers.
func answer(answers map[string]hsm.Status) *script {
	s := &script{do: make(map[string]func() hsm.Status)}
	for call, status := range answers {
		s.do[call] = func() hsm.Status { return status }
	}
	return s
}

func scripted(name string, parent, init hsm.State) hsm.Spec[*script] {
	return hsm.Spec[*script]{Name: name, Parent: parent, Init: init, Handle: func(s *script, e hsm.Event) hsm.Status {
		call := e.Signal.String() + ":" + name
		s.calls = append(s.calls, call)
		if do := s.do[call]; do != nil {
			return do()
		}
		return hsm.Super
	}}
}

var scriptChart = hsm.MustCompile([]hsm.Spec[*script]{
	mP: scripted("p", hsm.Top, hsm.Top),
	mA: scripted("a", mP, mD), // has a declared initial transition
	mC: scripted("c", mA, hsm.Top),
	mD: scripted("d", mC, hsm.Top),
	mB: scripted("b", mP, hsm.Top),
	mQ: scripted("q", hsm.Top, hsm.Top),
})

// eachLog runs a test on machines without a log and with one: the engine has
// two ways to call a handler.
func eachLog(t *testing.T, test func(t *testing.T, log func() *hsm.Log)) {
	t.Run("bare", func(t *testing.T) { test(t, func() *hsm.Log { return nil }) })
	t.Run("trace", func(t *testing.T) { test(t, func() *hsm.Log { return hsm.NewLog(hsm.LogConfig{Trace: 10}) }) })
	t.Run("spy", func(t *testing.T) { test(t, func() *hsm.Log { return hsm.NewLog(hsm.LogConfig{Spy: 10, Trace: 10}) }) })
}

func scriptMachine(s *script, log *hsm.Log) *hsm.Machine[*script] {
	m := hsm.NewMachine(scriptChart, s)
	m.SetLog(log)
	return m
}

// TestHandlerMistakes: whatever a handler answers, the step ends, the error
// names state, signal and answer, and the machine is in a legal state and goes
// on.
// TestExitUnhandled: an exit is an exit, whatever its handler says of it.
// TestInitUnhandled: a declared initial transition is taken even if the
// handler of Init says that it is not its own.
// TestRefused: what a machine is asked at the wrong time, or wrongly, is an
// error, calls no handler and changes nothing.
// TestInsideHandler: from inside a step a machine neither dispatches nor
// starts, whatever the handler was called with, and the step is not disturbed.
func TestInsideHandler(t *testing.T) {
	for _, call := range []string{"GO:b", "EXIT_SIGNAL:b", "ENTRY_SIGNAL:q", "INIT_SIGNAL:q"} {
		t.Run(call, func(t *testing.T) {
			eachLog(t, func(t *testing.T, log func() *hsm.Log) {
				s := answer(map[string]hsm.Status{"GO:b": hsm.Tran(mQ)})
				m := scriptMachine(s, log())
				if err := m.Start(mB); err != nil {
					t.Fatal(err)
				}
				old, asked := s.do[call], false
				s.do[call] = func() hsm.Status {
					asked = true
					if err := m.Dispatch(hsm.Event{Signal: mElse}); !errors.Is(err, hsm.ErrBusy) {
						t.Errorf("Dispatch: %v, want %v", err, hsm.ErrBusy)
					}
					if err := m.Start(mA); !errors.Is(err, hsm.ErrBusy) {
						t.Errorf("Start: %v, want %v", err, hsm.ErrBusy)
					}
					if m.State() != mB || !m.In(mP) || m.In(mQ) {
						t.Errorf("in state %d within the step, want the one it began with", m.State())
					}
					if old != nil {
						return old()
					}
					return hsm.Handled
				}
				if err := m.Dispatch(hsm.Event{Signal: mGo}); err != nil || m.State() != mQ || !asked {
					t.Errorf("in %d with error %v, want %d", m.State(), err, mQ)
				}
				if slices.Contains(s.calls, "ELSE:b") {
					t.Error("the event was dispatched inside the step")
				}
			})
		})
	}
}

// TestPanic: a panic goes through; then only Reset leads on.
func TestPanic(t *testing.T) {
	eachLog(t, func(t *testing.T, log func() *hsm.Log) {
		s := answer(map[string]hsm.Status{"GO:b": hsm.Tran(mQ)})
		s.do["EXIT_SIGNAL:p"] = func() hsm.Status { panic("boom") }
		m := scriptMachine(s, log())
		if err := m.Start(mB); err != nil {
			t.Fatal(err)
		}
		func() {
			defer func() {
				if r := recover(); r != "boom" {
					t.Errorf("recovered %v, want boom", r)
				}
			}()
			_ = m.Dispatch(hsm.Event{Signal: mGo})
		}()
		s.calls = nil
		if err := m.Dispatch(hsm.Event{Signal: mElse}); !errors.Is(err, hsm.ErrBusy) {
			t.Errorf("Dispatch after a panic: %v, want %v", err, hsm.ErrBusy)
		}
		if err := m.Start(mB); !errors.Is(err, hsm.ErrBusy) {
			t.Errorf("Start after a panic: %v, want %v", err, hsm.ErrBusy)
		}
		m.Reset()
		if m.State() != hsm.Top || len(s.calls) > 0 {
			t.Errorf("after Reset in %d with calls %v, want Top and none", m.State(), s.calls)
		}
		if err := m.Dispatch(hsm.Event{Signal: mElse}); !errors.Is(err, hsm.ErrNotStarted) {
			t.Errorf("Dispatch after Reset: %v, want %v", err, hsm.ErrNotStarted)
		}
		if err := m.Start(mB); err != nil || m.State() != mB {
			t.Errorf("Start after Reset: in %d with error %v", m.State(), err)
		}
		if err := m.Dispatch(hsm.Event{Signal: mElse}); err != nil {
			t.Errorf("Dispatch after Start: %v", err)
		}
	})
}

// TestResetForgetsMistakes: the error of a step that a panic cut short does not
// turn up in a later one.
func TestResetForgetsMistakes(t *testing.T) {
	s := answer(map[string]hsm.Status{"ENTRY_SIGNAL:p": 0})
	s.do["ENTRY_SIGNAL:b"] = func() hsm.Status { panic("boom") }
	m := scriptMachine(s, nil)
	func() {
		defer func() { _ = recover() }()
		_ = m.Start(mB)
	}()
	clear(s.do)
	m.Reset()
	if err := m.Start(mB); err != nil {
		t.Errorf("Start: %v", err)
	}
}

// TestStart starts in every state, on a new machine and on one that runs.
func TestStart(t *testing.T) {
	entry := func(names ...string) (calls []string) {
		for _, name := range names {
			calls = append(calls, "ENTRY_SIGNAL:"+name)
		}
		return append(calls, "INIT_SIGNAL:"+names[len(names)-1])
	}
	for _, tt := range []struct {
		start, leaf hsm.State
		calls       []string
	}{
		{mP, mP, entry("p")},
		{mA, mD, append(entry("p", "a"), entry("c", "d")...)},
		{mC, mC, entry("p", "a", "c")},
		{mD, mD, entry("p", "a", "c", "d")},
		{mB, mB, entry("p", "b")},
		{mQ, mQ, entry("q")},
	} {
		t.Run(scriptChart.Name(tt.start), func(t *testing.T) {
			eachLog(t, func(t *testing.T, log func() *hsm.Log) {
				s := answer(nil)
				m := scriptMachine(s, log())
				for _, when := range []string{"first", "again"} {
					s.calls = nil
					if err := m.Start(tt.start); err != nil {
						t.Fatal(err)
					}
					if m.State() != tt.leaf {
						t.Errorf("%s: in %d, want %d", when, m.State(), tt.leaf)
					}
					if diff := cmp.Diff(tt.calls, s.calls); diff != "" {
						t.Errorf("%s: calls (-want +got):\n%s", when, diff)
					}
				}
			})
		})
	}
}

// TestStartTrace: a start leads from Top, also on a machine that runs.
func TestStartTrace(t *testing.T) {
	log := hsm.NewLog(hsm.LogConfig{Trace: 10})
	m := scriptMachine(answer(nil), log)
	origin := hsm.Origin{ID: 7, Cause: 6}
	if err := m.Start(mB); err != nil {
		t.Fatal(err)
	}
	if err := m.StartFrom(mA, origin); err != nil {
		t.Fatal(err)
	}
	got := log.Transitions(10)
	for i := range got {
		got[i].Unix = 0
	}
	want := []hsm.Transition{{From: hsm.Top, To: mB}, {From: hsm.Top, To: mD, Origin: origin}}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b hsm.Signal) bool { return a == b })); diff != "" {
		t.Errorf("transitions (-want +got):\n%s", diff)
	}
}

// TestInAndChild asks a machine in every leaf about every state.
func TestInAndChild(t *testing.T) {
	m := scriptMachine(answer(nil), nil)
	if m.State() != hsm.Top || !m.In(hsm.Top) || m.In(mP) {
		t.Error("before start a machine is in Top alone")
	}
	if child, ok := m.Child(hsm.Top); child != hsm.Top || !ok {
		t.Errorf("Child(Top) before start is %d, %v", child, ok)
	}
	for _, tt := range []struct {
		leaf  hsm.State
		child map[hsm.State]hsm.State // of the states the machine is in
	}{
		{mP, map[hsm.State]hsm.State{hsm.Top: mP, mP: mP}},
		{mC, map[hsm.State]hsm.State{hsm.Top: mP, mP: mA, mA: mC, mC: mC}},
		{mD, map[hsm.State]hsm.State{hsm.Top: mP, mP: mA, mA: mC, mC: mD, mD: mD}},
		{mB, map[hsm.State]hsm.State{hsm.Top: mP, mP: mB, mB: mB}},
		{mQ, map[hsm.State]hsm.State{hsm.Top: mQ, mQ: mQ}},
	} {
		if err := m.Start(tt.leaf); err != nil {
			t.Fatal(err)
		}
		for s := hsm.State(-1); s <= mNone; s++ {
			want, in := tt.child[s]
			if got := m.In(s); got != in {
				t.Errorf("leaf %d: In(%d) is %v", tt.leaf, s, got)
			}
			if got, ok := m.Child(s); got != want || ok != in {
				t.Errorf("leaf %d: Child(%d) is %d, %v; want %d, %v", tt.leaf, s, got, ok, want, in)
			}
		}
	}
}

// TestSharedChart: machines of one chart know nothing of each other.
func TestSharedChart(t *testing.T) {
	one, two := answer(map[string]hsm.Status{"GO:b": hsm.Tran(mQ)}), answer(nil)
	m1, m2 := scriptMachine(one, nil), scriptMachine(two, nil)
	if m1.Data() != one || m2.Data() != two || m1.Tree() != m2.Tree() {
		t.Error("data or tree are mixed up")
	}
	for _, m := range []*hsm.Machine[*script]{m1, m2} {
		if err := m.Start(mB); err != nil {
			t.Fatal(err)
		}
		if err := m.Dispatch(hsm.Event{Signal: mGo}); err != nil {
			t.Fatal(err)
		}
	}
	if m1.State() != mQ || m2.State() != mB {
		t.Errorf("in %d and %d, want %d and %d", m1.State(), m2.State(), mQ, mB)
	}
}

// TestNobodyHandles: an event that nobody handles is offered all the way up and
// ignored.
func TestNobodyHandles(t *testing.T) {
	s := answer(map[string]hsm.Status{"GO:c": hsm.Unhandled})
	m := scriptMachine(s, nil)
	if err := m.Start(mD); err != nil {
		t.Fatal(err)
	}
	s.calls = nil
	if err := m.Dispatch(hsm.Event{Signal: mGo}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"GO:d", "GO:c", "GO:a", "GO:p"}, s.calls); diff != "" || m.State() != mD {
		t.Errorf("in %d; calls (-want +got):\n%s", m.State(), diff)
	}
}
