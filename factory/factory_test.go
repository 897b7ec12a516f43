package factory_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/factory"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

// notes is the data of charts that only note what is called.
type notes struct{ list []string }

func note(text string, status hsm.Status) func(*notes, hsm.Event) hsm.Status {
	return func(n *notes, e hsm.Event) hsm.Status {
		n.list = append(n.list, text+" on "+e.Signal.String())
		return status
	}
}

// play starts a chart, dispatches signals and returns the spy.
func play(t *testing.T, chart *hsm.Chart[*notes], start hsm.State, signals ...hsm.Signal) (spy, list []string) {
	t.Helper()
	n := &notes{}
	m := hsm.NewMachine(chart, n)
	m.SetLog(hsm.NewLog(hsm.LogConfig{Spy: 1000}))
	if err := m.Start(start); err != nil {
		t.Fatal(err)
	}
	for _, signal := range signals {
		if err := m.Dispatch(hsm.Event{Signal: signal}); err != nil {
			t.Fatal(err)
		}
	}
	source := instrument.Source{Tree: m.Tree(), NoSearch: true}
	return source.Spy(m.Log().Records(1000)), n.list
}

// TestNotCaught: what a state does not catch goes to its superstate, Entry, Exit
// and Init included, and so does what its handler answers Unhandled to, without
// an EMPTY_SIGNAL line.
func TestNotCaught(t *testing.T) {
	f := factory.New[*notes]()
	f.Create(outer, "outer").Catch(knock, note("outer", hsm.Tran(outer))).Catch(toInner, note("outer", hsm.Tran(inner)))
	f.Create(inner, "inner").Catch(knock, note("inner", hsm.Unhandled)).
		Catch(hsm.Entry, note("inner", hsm.Unhandled)).Catch(hsm.Exit, note("inner", hsm.Unhandled)).Catch(hsm.Init, note("inner", hsm.Unhandled))
	spy, list := play(t, f.Nest(inner, outer).MustCompile(), outer, toInner, knock)
	if diff := cmp.Diff([]string{
		"START", "ENTRY_SIGNAL:outer", "INIT_SIGNAL:outer", "<- Queued:(0) Deferred:(0)",
		"to_inner:outer", "ENTRY_SIGNAL:inner", "INIT_SIGNAL:inner", "<- Queued:(0) Deferred:(0)",
		"knock:inner", "knock:outer", "EXIT_SIGNAL:inner", "EXIT_SIGNAL:outer", "ENTRY_SIGNAL:outer", "INIT_SIGNAL:outer", "<- Queued:(0) Deferred:(0)",
	}, spy); diff != "" {
		t.Errorf("spy (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{
		"outer on to_inner", "inner on ENTRY_SIGNAL", "inner on INIT_SIGNAL", "inner on knock", "outer on knock", "inner on EXIT_SIGNAL",
	}, list); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// TestCatchAgain: the last handler of a signal counts, in charts that are
// compiled from then on.
func TestCatchAgain(t *testing.T) {
	f := factory.New[*notes]()
	state := f.Create(1, "a").Catch(knock, note("first", hsm.Handled)).Catch(knock, note("second", hsm.Handled))
	before := f.MustCompile()
	state.Catch(knock, note("third", hsm.Handled))
	f.State(1).Catch(toInner, note("new", hsm.Handled))
	after := f.MustCompile()
	for _, tt := range []struct {
		chart *hsm.Chart[*notes]
		want  []string
	}{
		{before, []string{"second on knock"}},
		{after, []string{"third on knock", "new on to_inner"}},
	} {
		if _, list := play(t, tt.chart, 1, knock, toInner); !slices.Equal(list, tt.want) {
			t.Errorf("calls are %v, want %v", list, tt.want)
		}
	}
}

// TestNestAgain: the last parent counts, and a chart that exists does not change.
func TestNestAgain(t *testing.T) {
	f := factory.New[*notes]()
	for s, name := range []string{1: "a", 2: "b", 3: "c"} {
		if name != "" {
			f.Create(hsm.State(s), name)
		}
	}
	var charts []*hsm.Chart[*notes]
	parents := []hsm.State{hsm.Top, 1, 2, hsm.Top}
	for _, parent := range parents[1:] {
		charts = append(charts, f.Nest(3, parent).MustCompile())
	}
	charts = slices.Insert(charts, 0, f.MustCompile())
	for i, chart := range charts {
		if got := chart.Parent(3); got != parents[i] {
			t.Errorf("chart %d: inside %d, want %d", i, got, parents[i])
		}
	}
}

// turnstile brings its own data to its handler.
type turnstile struct{ turns int }

func (s *turnstile) turn(hsm.Event) hsm.Status {
	s.turns++
	return hsm.Handled
}

func refuse(hsm.Event) hsm.Status { return hsm.Unhandled }

// TestCatchBound: a method value and a function that need only the event.
func TestCatchBound(t *testing.T) {
	var gate turnstile
	f := factory.New[*notes]()
	f.Create(1, "a").CatchBound(knock, gate.turn).Catch(toInner, note("a", hsm.Handled))
	f.Create(2, "b").CatchBound(toInner, refuse)
	spy, list := play(t, f.Nest(2, 1).MustCompile(), 2, knock, toInner)
	if diff := cmp.Diff([]string{
		"START", "ENTRY_SIGNAL:a", "ENTRY_SIGNAL:b", "INIT_SIGNAL:b", "<- Queued:(0) Deferred:(0)",
		"knock:b", "knock:a", "knock:a:HOOK", "<- Queued:(0) Deferred:(0)",
		"to_inner:b", "to_inner:a", "to_inner:a:HOOK", "<- Queued:(0) Deferred:(0)",
	}, spy); diff != "" || gate.turns != 1 || len(list) != 1 {
		t.Errorf("%d turns, calls %v; spy (-want +got):\n%s", gate.turns, list, diff)
	}
}

// TestManyCatches: a state finds each of its handlers, however many it has, and
// only those.
func TestManyCatches(t *testing.T) {
	for n := range 40 {
		f := factory.New[*notes]()
		state := f.Create(1, "a")
		var signals []hsm.Signal
		for i := range n {
			signals = append(signals, hsm.NewSignal(fmt.Sprint("many_", i)))
			status := hsm.Handled
			if i%3 == 0 {
				status = hsm.Unhandled
			}
			state.Catch(signals[i], note("a", status))
		}
		var spy, calls []string
		for i, signal := range signals {
			calls = append(calls, "a on "+signal.String())
			spy = append(spy, signal.String()+":a")
			if i%3 != 0 {
				spy = append(spy, signal.String()+":a:HOOK")
			}
		}
		gotSpy, got := play(t, f.MustCompile(), 1, append(signals, hsm.NewSignal("many_none"))...)
		gotSpy = slices.DeleteFunc(gotSpy[4:], func(line string) bool { return line == "<- Queued:(0) Deferred:(0)" })
		if diff := cmp.Diff(calls, got); diff != "" {
			t.Errorf("%d signals caught: calls (-want +got):\n%s", n, diff)
		}
		if diff := cmp.Diff(append(spy, "many_none:a"), gotSpy); diff != "" {
			t.Errorf("%d signals caught: spy (-want +got):\n%s", n, diff)
		}
	}
}
