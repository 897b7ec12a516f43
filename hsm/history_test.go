package hsm_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/statemesh/statemesh/hsm"
)

// TestHistoryTargets asks a history for its targets after it was told of leaves,
// in the chart p{ a{ c{d} }, b }, q.
func TestHistoryTargets(t *testing.T) {
	for _, tt := range []struct {
		name          string
		composite     hsm.State
		saved         []hsm.State
		otherwise     hsm.State
		deep, shallow hsm.State
	}{
		{"nothing saved", mP, nil, mB, mB, mB},
		{"nothing saved, a deep default", mP, nil, mD, mD, mD},
		{"nothing saved, itself as default", mP, nil, mP, mP, mP},
		{"nothing saved, Top as default", mP, nil, hsm.Top, mP, mP},
		{"nothing saved, a default outside", mP, nil, mQ, mP, mP},
		{"nothing saved, a default above", mC, nil, mA, mC, mC},
		{"nothing saved, no such default", mP, nil, mNone, mP, mP},
		{"nothing saved, negative default", mP, nil, -1, mP, mP},
		{"a leaf far inside", mP, []hsm.State{mD}, mB, mD, mA},
		{"a leaf directly inside", mP, []hsm.State{mB}, mA, mB, mB},
		{"a leaf halfway", mP, []hsm.State{mC}, mB, mC, mA},
		{"the inner of two composites", mC, []hsm.State{mD}, mC, mD, mD},
		{"itself was the leaf", mP, []hsm.State{mP}, mB, mP, mP},
		{"the newest leaf counts", mP, []hsm.State{mD, mB}, mA, mB, mB},
		{"a leaf outside", mP, []hsm.State{mQ}, mB, mB, mB},
		{"a leaf outside, later", mP, []hsm.State{mD, mQ}, mB, mD, mA},
		{"a leaf above", mC, []hsm.State{mA}, mD, mD, mD},
		{"no such leaf", mP, []hsm.State{mNone, -1, hsm.Top}, mB, mB, mB},
		{"the whole chart", hsm.Top, []hsm.State{mD}, mQ, mD, mP},
		{"the whole chart, nothing saved", hsm.Top, nil, mQ, mQ, mQ},
		{"no such composite", mNone, []hsm.State{mD}, mB, mNone, mNone},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := hsm.NewHistory(scriptChart, tt.composite)
			for _, leaf := range tt.saved {
				h.Save(leaf)
			}
			if deep, shallow := h.Deep(tt.otherwise), h.Shallow(tt.otherwise); deep != tt.deep || shallow != tt.shallow {
				t.Errorf("deep %d, shallow %d; want %d, %d", deep, shallow, tt.deep, tt.shallow)
			}
			before := hsm.NewHistory(scriptChart, tt.composite)
			h.Forget()
			if h != before {
				t.Error("not empty after Forget")
			}
		})
	}
}

// TestZeroHistory: a history that was not made by NewHistory does not panic; the
// machine says that something is wrong.
func TestZeroHistory(t *testing.T) {
	var h hsm.History
	h.Save(mD)
	if deep, shallow := h.Deep(mB), h.Shallow(mB); deep != hsm.Top || shallow != hsm.Top {
		t.Errorf("leads to %d and %d, want Top", deep, shallow)
	}
	m := scriptMachine(answer(map[string]hsm.Status{"GO:q": hsm.Tran(h.Deep(mB))}), nil)
	if err := m.Start(mQ); err != nil {
		t.Fatal(err)
	}
	if err := m.Dispatch(hsm.Event{Signal: mGo}); !errors.Is(err, hsm.ErrTarget) || m.State() != mQ {
		t.Errorf("in %d with error %v, want %v", m.State(), err, hsm.ErrTarget)
	}
}

// historyMachine is a machine of scriptChart in which p saves its history on
// exit, and everybody answers ELSE with a transition to it. GO goes from there
// to what goes says.
func historyMachine(h *hsm.History, goes map[string]hsm.State) *hsm.Machine[*script] {
	s := answer(nil)
	for call, target := range goes {
		s.do[call] = func() hsm.Status { return hsm.Tran(target) }
	}
	m := scriptMachine(s, nil)
	s.do["EXIT_SIGNAL:p"] = func() hsm.Status {
		h.Save(m.State())
		return hsm.Handled
	}
	back := func() hsm.Status { return hsm.Tran(h.Deep(mB)) }
	s.do["ELSE:q"], s.do["ELSE:p"] = back, back
	return m
}

// TestHistoryInMachine follows a machine that leaves p and comes back.
func TestHistoryInMachine(t *testing.T) {
	for _, tt := range []struct {
		name  string
		goes  map[string]hsm.State
		start hsm.State
		do    []hsm.Signal
		want  []hsm.State // after each signal
	}{
		{"out and back", map[string]hsm.State{"GO:p": mQ}, mD, []hsm.Signal{mGo, mElse}, []hsm.State{mQ, mD}},
		{"the default first", nil, mQ, []hsm.Signal{mElse}, []hsm.State{mB}},
		{"inward is local, so nothing is noted", map[string]hsm.State{"GO:p": mB}, mD, []hsm.Signal{mGo, mElse}, []hsm.State{mB, mB}},
		{"outward is local, so nothing is noted", map[string]hsm.State{"GO:c": mP}, mC, []hsm.Signal{mGo, mElse}, []hsm.State{mP, mB}},
		{"a self transition leaves", map[string]hsm.State{"GO:p": mP}, mC, []hsm.Signal{mGo, mElse}, []hsm.State{mP, mC}},
		{"from inside, back to before it was left", map[string]hsm.State{"GO:c": mQ, "GO:q": mB}, mC,
			[]hsm.Signal{mGo, mGo, mElse}, []hsm.State{mQ, mB, mC}},
		{"itself was the leaf", map[string]hsm.State{"GO:p": mQ}, mP, []hsm.Signal{mGo, mElse}, []hsm.State{mQ, mP}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := hsm.NewHistory(scriptChart, mP)
			m := historyMachine(&h, tt.goes)
			if err := m.Start(tt.start); err != nil {
				t.Fatal(err)
			}
			var got []hsm.State
			for _, signal := range tt.do {
				if err := m.Dispatch(hsm.Event{Signal: signal}); err != nil {
					t.Fatal(err)
				}
				got = append(got, m.State())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("states (-want +got):\n%s", diff)
			}
		})
	}
}

// TestHistoryRestart: neither a panic, nor Reset, nor another start changes a
// history; only leaving and Forget do.
func TestHistoryRestart(t *testing.T) {
	h := hsm.NewHistory(scriptChart, mP)
	m := historyMachine(&h, map[string]hsm.State{"GO:p": mQ})
	do := func(signal hsm.Signal, want hsm.State) {
		t.Helper()
		if err := m.Dispatch(hsm.Event{Signal: signal}); err != nil || m.State() != want {
			t.Fatalf("on %v in %d with error %v, want %d", signal, m.State(), err, want)
		}
	}
	start := func(s hsm.State) {
		t.Helper()
		if err := m.Start(s); err != nil {
			t.Fatal(err)
		}
	}
	start(mC)
	do(mGo, mQ)
	start(mB) // begins anew: q is not left, p not either when it starts again
	start(mQ)
	do(mElse, mC)
	m.Data().do["ENTRY_SIGNAL:q"] = func() hsm.Status { panic("boom") }
	start(mD)
	func() {
		defer func() { _ = recover() }()
		_ = m.Dispatch(hsm.Event{Signal: mGo}) // p is left from d, and q never entered
	}()
	delete(m.Data().do, "ENTRY_SIGNAL:q")
	m.Reset()
	start(mQ)
	do(mElse, mD)
	h.Forget()
	start(mQ)
	do(mElse, mB)
}

// TestHistoryFromInit: the initial transition of a state may lead to its own
// history.
func TestHistoryFromInit(t *testing.T) {
	h := hsm.NewHistory(scriptChart, mP)
	m := historyMachine(&h, map[string]hsm.State{"GO:p": mQ, "GO:q": mP})
	m.Data().do["INIT_SIGNAL:p"] = func() hsm.Status { return hsm.Tran(h.Shallow(mB)) }
	if err := m.Start(mP); err != nil || m.State() != mB {
		t.Fatalf("starts in %d with error %v, want %d", m.State(), err, mB)
	}
	m.Data().do["GO:b"] = func() hsm.Status { return hsm.Tran(mC) }
	for _, want := range []hsm.State{mC, mQ, mD} { // d is where a begins
		if err := m.Dispatch(hsm.Event{Signal: mGo}); err != nil || m.State() != want {
			t.Fatalf("in %d with error %v, want %d", m.State(), err, want)
		}
	}
}

func TestHistoryAllocates(t *testing.T) {
	h := hsm.NewHistory(scriptChart, mP)
	if n := testing.AllocsPerRun(100, func() {
		h.Forget()
		h.Save(mD)
		_, _ = h.Deep(mB), h.Shallow(mB)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// historian is an actor whose states have histories, and which goes back to one
// of them on the signal back.
type historian struct {
	*actor
	machine   *hsm.Machine[*historian]
	histories []hsm.History // by state
	source    hsm.State     // whose handler answers back
	target    hsm.State     // of that transition
}

var back = hsm.NewSignal("BACK")

func (p *plan) historian(t *rapid.T) *historian {
	specs := make([]hsm.Spec[*historian], len(p.parent))
	for i := 1; i < len(specs); i++ {
		s := hsm.State(i)
		specs[i] = hsm.Spec[*historian]{
			Name: fmt.Sprint("s", s), Parent: p.parent[s], Init: p.init[s],
			Handle: func(h *historian, e hsm.Event) hsm.Status {
				status := h.answer(e.Signal, s)
				switch {
				case e.Signal == hsm.Exit:
					h.histories[s].Save(h.machine.State())
				case e.Signal == back && s == h.source:
					return hsm.Tran(h.target)
				}
				return status
			},
		}
	}
	chart, err := hsm.Compile(specs)
	if err != nil {
		t.Fatal(err)
	}
	h := &historian{actor: newActor(p)}
	h.machine = hsm.NewMachine(chart, h)
	for s := range hsm.State(len(specs)) {
		h.histories = append(h.histories, hsm.NewHistory(chart, s))
	}
	return h
}

// TestHistoryReference: on random charts every state has a history, and
// transitions to it lead where a reference says that knows nothing but the
// states that were active when the state was exited.
func TestHistoryReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlan(t)
		h := p.historian(t)
		want := &reference{actor: newActor(p)}
		saved := make(map[hsm.State][]hsm.State) // what was active when the state was left

		step := func(what string, wantErr, err error, before []hsm.State) {
			if !errors.Is(err, wantErr) || (err == nil) != (wantErr == nil) {
				t.Fatalf("%s: error is %v, want %v", what, err, wantErr)
			}
			if diff := cmp.Diff(want.calls, h.calls); diff != "" {
				t.Fatalf("%s: calls (-want +got):\n%s", what, diff)
			}
			if leaf := want.active[len(want.active)-1]; h.machine.State() != leaf {
				t.Fatalf("%s: in %d, want %d", what, h.machine.State(), leaf)
			}
			for s := range hsm.State(len(p.parent)) {
				if slices.Contains(want.calls, planCall{hsm.Exit, s}.String()) {
					saved[s] = before
				}
			}
			want.calls, h.calls = nil, nil
		}
		start := func(s hsm.State) { step("start", want.start(s), h.machine.Start(s), nil) }
		dispatch := func(signal hsm.Signal) {
			before := slices.Clone(want.active)
			step(signal.String(), want.dispatch(signal), h.machine.Dispatch(hsm.Event{Signal: signal}), before)
		}
		state := rapid.IntRange(1, len(p.parent)-1)
		draw := func(label string) hsm.State { return hsm.State(state.Draw(t, label)) }

		start(p.start)
		for range rapid.IntRange(0, 30).Draw(t, "steps") {
			switch rapid.IntRange(0, 19).Draw(t, "what") {
			case 0:
				start(draw("start again"))
			case 1:
				h.machine.Reset()
				start(draw("start after reset"))
			case 2:
				s := draw("forget")
				h.histories[s].Forget()
				delete(saved, s)
			case 3, 4, 5, 6, 7, 8, 9:
				dispatch(rapid.SampledFrom(planSignals).Draw(t, "signal"))
			default:
				composite := draw("composite")
				otherwise := hsm.State(rapid.IntRange(-1, len(p.parent)).Draw(t, "otherwise"))
				deep := rapid.Bool().Draw(t, "deep")
				target := historyTarget(p, saved[composite], composite, otherwise, deep)
				h.source = rapid.SampledFrom(want.active).Draw(t, "source")
				if h.target = h.histories[composite].Shallow(otherwise); deep {
					h.target = h.histories[composite].Deep(otherwise)
				}
				if h.target != composite && !p.inside(h.target, composite) {
					t.Fatalf("the history of %d leads to %d, which is outside", composite, h.target)
				}
				clear(want.asked)
				clear(h.asked)
				p.answers[planCall{back, h.source}] = []hsm.Status{hsm.Tran(target)}
				dispatch(back)
				delete(p.answers, planCall{back, h.source})
			}
		}
	})
}

// historyTarget is where a history leads, said in the plainest way.
func historyTarget(p *plan, saved []hsm.State, composite, otherwise hsm.State, deep bool) hsm.State {
	switch at := slices.Index(saved, composite); {
	case saved == nil && (otherwise == composite || p.inside(otherwise, composite)):
		return otherwise
	case saved == nil:
		return composite
	case deep:
		return saved[len(saved)-1]
	default:
		return saved[min(at+1, len(saved)-1)]
	}
}
