package hsm_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/statemesh/statemesh/hsm"
)

// drawCatches draws for each state a list that is complete: all signals that it
// answers otherwise than with Super, and perhaps others. Some states have none.
func (p *plan) drawCatches(t *rapid.T) [][]hsm.Signal {
	catches := make([][]hsm.Signal, len(p.parent))
	for s := 1; s < len(catches); s++ {
		if rapid.IntRange(0, 4).Draw(t, "no list") == 4 {
			continue
		}
		catches[s] = []hsm.Signal{}
		for _, signal := range append(planSignals[:len(planSignals):len(planSignals)], hsm.Entry, hsm.Exit, hsm.Init) {
			super := func(status hsm.Status) bool { return status == hsm.Super }
			needed := slices.ContainsFunc(p.answers[planCall{signal, hsm.State(s)}], func(status hsm.Status) bool { return !super(status) })
			if needed || rapid.IntRange(0, 3).Draw(t, "more") == 3 {
				catches[s] = append(catches[s], signal)
			}
		}
	}
	return catches
}

// TestCatchesChangeNothing: on random charts a machine whose states say what they
// catch does the same as one whose states do not, records included, and makes
// the same calls but for those that are not listed.
func TestCatchesChangeNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlan(t)
		catches := p.drawCatches(t)
		silent, listed := p.compile(t, nil), p.compile(t, catches)

		type seen struct {
			records    []hsm.Record
			transition hsm.Transition
		}
		var got [2]seen
		log := func(i int) *hsm.Log {
			return hsm.NewLog(hsm.LogConfig{Spy: 500, Trace: 1, Live: func(records []hsm.Record, tr *hsm.Transition) {
				got[i] = seen{records: slices.Clone(records)}
				if tr != nil {
					got[i].transition = *tr
					got[i].transition.Unix = 0 // the time it takes is not the same
				}
			}})
		}
		reference, bare, logged := hsm.NewMachine(silent, newActor(p)), hsm.NewMachine(listed, newActor(p)), hsm.NewMachine(listed, newActor(p))
		traced := hsm.NewMachine(listed, newActor(p))
		reference.SetLog(log(0))
		logged.SetLog(log(1))
		traced.SetLog(hsm.NewLog(hsm.LogConfig{Trace: 1}))

		step := func(what string, step func(*hsm.Machine[*actor]) error) {
			wantErr := fmt.Sprint(step(reference))
			var want []string
			for _, call := range reference.Data().made {
				if list := catches[call.state]; list == nil || slices.Contains(list, call.signal) {
					want = append(want, call.String())
				}
			}
			for name, m := range map[string]*hsm.Machine[*actor]{"bare": bare, "traced": traced, "logged": logged} {
				if err := fmt.Sprint(step(m)); err != wantErr {
					t.Fatalf("%s, %s: error is %v, want %v", what, name, err, wantErr)
				}
				if diff := cmp.Diff(want, m.Data().calls); diff != "" {
					t.Fatalf("%s, %s: calls (-want +got):\n%s", what, name, diff)
				}
				if m.State() != reference.State() {
					t.Fatalf("%s, %s: in %d, want %d", what, name, m.State(), reference.State())
				}
				m.Data().calls, m.Data().made = nil, nil
			}
			reference.Data().calls, reference.Data().made = nil, nil
			if !slices.Equal(got[0].records, got[1].records) {
				t.Fatalf("%s: records are %v, want %v", what, got[1].records, got[0].records)
			}
			if got[0].transition != got[1].transition {
				t.Fatalf("%s: the transition is %v, want %v", what, got[1].transition, got[0].transition)
			}
		}
		step("start", func(m *hsm.Machine[*actor]) error { return m.Start(p.start) })
		for i, signal := range p.events {
			step(fmt.Sprintf("event %d (%v)", i+1, signal), func(m *hsm.Machine[*actor]) error { return m.Dispatch(hsm.Event{Signal: signal}) })
		}
	})
}

// TestCatchesBind: a handler is called with what its state catches only, so what
// it would do on other signals does not happen.
func TestCatchesBind(t *testing.T) {
	const outer, inner, other = 1, 2, 3
	in, out, ini := hsm.Entry, hsm.Exit, hsm.Init
	for _, tt := range []struct {
		name         string
		outer, inner []hsm.Signal
		init         hsm.State // declared
		want         []string  // calls from start in outer, then GO
		state        hsm.State
	}{
		{"not declared", nil, nil, hsm.Top,
			[]string{"ENTRY_SIGNAL:outer", "INIT_SIGNAL:outer", "ENTRY_SIGNAL:inner", "INIT_SIGNAL:inner", "GO:inner", "EXIT_SIGNAL:inner", "EXIT_SIGNAL:outer", "ENTRY_SIGNAL:other", "INIT_SIGNAL:other"}, other},
		{"all", []hsm.Signal{ini, out, in, mGo}, []hsm.Signal{mGo, in, ini, out, mGo}, hsm.Top,
			[]string{"ENTRY_SIGNAL:outer", "INIT_SIGNAL:outer", "ENTRY_SIGNAL:inner", "INIT_SIGNAL:inner", "GO:inner", "EXIT_SIGNAL:inner", "EXIT_SIGNAL:outer", "ENTRY_SIGNAL:other", "INIT_SIGNAL:other"}, other},
		{"only events", []hsm.Signal{mGo}, []hsm.Signal{mGo}, inner,
			[]string{"GO:inner", "ENTRY_SIGNAL:other", "INIT_SIGNAL:other"}, other},
		{"no init, so no initial transition", []hsm.Signal{in}, nil, hsm.Top,
			[]string{"ENTRY_SIGNAL:outer"}, outer},
		{"a declared init needs no call", []hsm.Signal{in}, []hsm.Signal{in, mElse}, inner,
			[]string{"ENTRY_SIGNAL:outer", "ENTRY_SIGNAL:inner"}, inner},
		{"the superstate catches what the leaf does not", []hsm.Signal{mGo}, []hsm.Signal{out}, inner,
			[]string{"GO:outer", "EXIT_SIGNAL:inner", "ENTRY_SIGNAL:other", "INIT_SIGNAL:other"}, other},
		{"nothing", []hsm.Signal{}, []hsm.Signal{}, inner, nil, inner},
	} {
		for _, spied := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, spied %v", tt.name, spied), func(t *testing.T) {
				var calls []string
				handle := func(name string) func(nobody, hsm.Event) hsm.Status {
					return func(_ nobody, e hsm.Event) hsm.Status {
						calls = append(calls, e.Signal.String()+":"+name)
						switch {
						case e.Signal == mGo:
							return hsm.Tran(other)
						case e.Signal == hsm.Init && name == "outer":
							return hsm.Tran(inner)
						}
						return hsm.Handled
					}
				}
				m := hsm.NewMachine(hsm.MustCompile([]hsm.Spec[nobody]{
					outer: {Name: "outer", Init: tt.init, Handle: handle("outer"), Catches: tt.outer},
					inner: {Name: "inner", Parent: outer, Handle: handle("inner"), Catches: tt.inner},
					other: {Name: "other", Handle: handle("other")},
				}), nobody{})
				if spied {
					m.SetLog(hsm.NewLog(hsm.LogConfig{Spy: 100, Trace: 100}))
				}
				if err := m.Start(outer); err != nil {
					t.Fatal(err)
				}
				if err := m.Dispatch(hsm.Event{Signal: mGo}); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tt.want, calls); diff != "" {
					t.Errorf("calls (-want +got):\n%s", diff)
				}
				if m.State() != tt.state {
					t.Errorf("in %d, want %d", m.State(), tt.state)
				}
			})
		}
	}
}

// TestManyCatches: a state is called with each signal of a long list, and with
// no other, also where signals share their places in its table.
func TestManyCatches(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 63, 64, 65, 1000} {
		signals := make([]hsm.Signal, 2*n+2000)
		for i := range signals {
			signals[i] = hsm.Intern(fmt.Sprint("many ", i))
		}
		var called []hsm.Signal
		m := hsm.NewMachine(hsm.MustCompile([]hsm.Spec[nobody]{1: {
			Name: "only", Catches: append([]hsm.Signal{}, signals[:n]...),
			Handle: func(_ nobody, e hsm.Event) hsm.Status { called = append(called, e.Signal); return hsm.Handled },
		}}), nobody{})
		if err := m.Start(1); err != nil {
			t.Fatal(err)
		}
		for _, s := range signals {
			if err := m.Dispatch(hsm.Event{Signal: s}); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(called, signals[:n]) {
			t.Errorf("%d are caught: called %d times, want once with each", n, len(called))
		}
	}
}
