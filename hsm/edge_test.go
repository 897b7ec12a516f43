package hsm_test

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

// TestTranToNegativeState: Tran of a number that is no state is a mistake that
// is told, not one of the other answers.
func TestTranToNegativeState(t *testing.T) {
	for _, target := range []hsm.State{-1, -2, -3, -4, -5, math.MinInt32} {
		status := hsm.Tran(target)
		if got, ok := status.Target(); !ok || got != target {
			t.Errorf("Tran(%d) is %v with the target %d, %v", target, status, got, ok)
		}
		if want := fmt.Sprintf("Tran(%d)", target); status.String() != want {
			t.Errorf("Tran(%d) prints as %v", target, status)
		}
		m := scriptMachine(answer(map[string]hsm.Status{"GO:b": status}), nil)
		if err := m.Start(mB); err != nil {
			t.Fatal(err)
		}
		if err := m.Dispatch(hsm.Event{Signal: mGo}); !errors.Is(err, hsm.ErrTarget) || m.State() != mB {
			t.Errorf("Tran(%d): in %d with error %v, want %d and %v", target, m.State(), err, mB, hsm.ErrTarget)
		}
	}
}

// TestSetLogInsideHandler: a log begins, and ends, between two steps.
func TestSetLogInsideHandler(t *testing.T) {
	defer func() {
		if r := recover(); r != nil {
			t.Errorf("panic: %v", r)
		}
	}()
	s := answer(map[string]hsm.Status{"ELSE:q": hsm.Handled})
	m := scriptMachine(s, nil)
	log := hsm.NewLog(hsm.LogConfig{Spy: 100, Trace: 100})
	s.do["GO:b"] = func() hsm.Status { m.SetLog(log); return hsm.Tran(mQ) }
	s.do["GO:q"] = func() hsm.Status { m.SetLog(nil); return hsm.Tran(mB) }
	if err := m.Start(mB); err != nil {
		t.Fatal(err)
	}
	source := instrument.Source{Tree: m.Tree(), NoSearch: true}
	for _, step := range []struct {
		signal hsm.Signal
		spy    []string
	}{
		{mGo, []string{}},
		{mElse, []string{"ELSE:q", "ELSE:q:HOOK", "<- Queued:(0) Deferred:(0)"}},
		{mGo, []string{"GO:q", "EXIT_SIGNAL:q", "ENTRY_SIGNAL:p", "ENTRY_SIGNAL:b", "INIT_SIGNAL:b", "<- Queued:(0) Deferred:(0)"}},
		{mElse, []string{}},
	} {
		log.ClearRecords()
		if err := m.Dispatch(hsm.Event{Signal: step.signal}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(step.spy, source.Spy(log.Records(100))); diff != "" {
			t.Errorf("%v: spy (-want +got):\n%s", step.signal, diff)
		}
	}
	if list := log.Transitions(100); len(list) != 1 || list[0].From != mQ || list[0].Unix == 0 {
		t.Errorf("transitions are %+v, want the one from q", list)
	}
}

// TestNegativeSizes: a size below zero is no size.
func TestNegativeSizes(t *testing.T) {
	defer func() {
		if r := recover(); r != nil {
			t.Errorf("panic: %v", r)
		}
	}()
	log := hsm.NewLog(hsm.LogConfig{Spy: -1000, Trace: math.MinInt})
	if log.Spying() || log.Tracing() {
		t.Error("a log of a negative size records")
	}
	m := scriptMachine(answer(nil), hsm.NewLog(hsm.LogConfig{Spy: 1, Trace: 1}))
	if err := m.Start(mB); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, -1} {
		if r, tr := m.Log().Records(n), m.Log().Transitions(n); len(r) != 0 || len(tr) != 0 {
			t.Errorf("asked for %d a log gives %d records and %d transitions", n, len(r), len(tr))
		}
	}
}

// TestTopDeclaredInPart: what is said of Top is refused, not ignored.
func TestTopDeclaredInPart(t *testing.T) {
	for name, top := range map[string]hsm.Spec[nobody]{
		"init":   {Init: 1},
		"parent": {Parent: 1},
	} {
		if _, err := hsm.Compile([]hsm.Spec[nobody]{top, spec("a", hsm.Top)}); !errors.Is(err, hsm.ErrTopDeclared) {
			t.Errorf("Top with %s: error is %v, want %v", name, err, hsm.ErrTopDeclared)
		}
	}
}

// TestSetLogAfterPanic: a log that is set while the machine waits for Reset is
// the one that the next start is written to.
func TestSetLogAfterPanic(t *testing.T) {
	s := answer(nil)
	m := scriptMachine(s, nil)
	s.do["GO:b"] = func() hsm.Status { panic("boom") }
	if err := m.Start(mB); err != nil {
		t.Fatal(err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = m.Dispatch(hsm.Event{Signal: mGo})
	}()
	log := hsm.NewLog(hsm.LogConfig{Spy: 10, Trace: 10})
	m.SetLog(log)
	m.Reset()
	if err := m.Start(mQ); err != nil {
		t.Fatal(err)
	}
	source := instrument.Source{Tree: m.Tree(), NoSearch: true}
	want := []string{"START", "ENTRY_SIGNAL:q", "INIT_SIGNAL:q", "<- Queued:(0) Deferred:(0)"}
	if diff := cmp.Diff(want, source.Spy(log.Records(10))); diff != "" || m.Log() != log || len(log.Transitions(10)) != 1 {
		t.Errorf("%d transitions; spy (-want +got):\n%s", len(log.Transitions(10)), diff)
	}
}

// TestPanicInSpy: what the machine did in a step that a panic cut short stands
// in the spy, before the start that follows it.
func TestPanicInSpy(t *testing.T) {
	s := answer(nil)
	log := hsm.NewLog(hsm.LogConfig{Spy: 100})
	m := scriptMachine(s, log)
	if err := m.Start(mB); err != nil {
		t.Fatal(err)
	}
	log.ClearRecords()
	s.do["GO:p"] = func() hsm.Status { panic("boom") }
	func() {
		defer func() { _ = recover() }()
		_ = m.Dispatch(hsm.Event{Signal: mGo})
	}()
	if n := len(log.Records(100)); n != 0 {
		t.Errorf("%d records of a step that has not ended", n)
	}
	m.Reset()
	if err := m.Start(mQ); err != nil {
		t.Fatal(err)
	}
	source := instrument.Source{Tree: m.Tree(), NoSearch: true}
	want := []string{"GO:b", "GO:p", "START", "ENTRY_SIGNAL:q", "INIT_SIGNAL:q", "<- Queued:(0) Deferred:(0)"}
	if diff := cmp.Diff(want, source.Spy(log.Records(100))); diff != "" {
		t.Errorf("spy (-want +got):\n%s", diff)
	}
}
