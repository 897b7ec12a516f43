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

// plan is a random chart as data: who is inside whom, and what each state
// answers to each signal, in turn. An answer may be an impossible one.
type plan struct {
	parent  []hsm.State // by state
	init    []hsm.State // declared initial transitions, Top for none
	answers map[planCall][]hsm.Status
	events  []hsm.Signal
	start   hsm.State
}

type planCall struct {
	signal hsm.Signal
	state  hsm.State
}

func (c planCall) String() string { return fmt.Sprintf("%v:%d", c.signal, c.state) }

// actor plays the handlers of a plan: it notes every call and answers in turn.
type actor struct {
	plan     *plan
	asked    map[planCall]int
	calls    []string
	made     []planCall   // the same calls
	statuses []hsm.Status // the answers to calls
}

func newActor(p *plan) *actor { return &actor{plan: p, asked: make(map[planCall]int)} }

func (a *actor) answer(signal hsm.Signal, s hsm.State) hsm.Status {
	call, status := planCall{signal, s}, hsm.Super
	if answers := a.plan.answers[call]; len(answers) > 0 {
		status = answers[a.asked[call]%len(answers)]
		a.asked[call]++
	}
	a.calls = append(a.calls, call.String())
	a.made = append(a.made, call)
	a.statuses = append(a.statuses, status)
	return status
}

// compile makes the chart, whose states catch what catches has by State; nil for
// none that says so.
func (p *plan) compile(t *rapid.T, catches [][]hsm.Signal) *hsm.Chart[*actor] {
	specs := make([]hsm.Spec[*actor], len(p.parent))
	for i := 1; i < len(specs); i++ {
		s := hsm.State(i)
		specs[i] = hsm.Spec[*actor]{
			Name: fmt.Sprint("s", s), Parent: p.parent[s], Init: p.init[s],
			Handle: func(a *actor, e hsm.Event) hsm.Status { return a.answer(e.Signal, s) },
		}
		if catches != nil {
			specs[i].Catches = catches[i]
		}
	}
	chart, err := hsm.Compile(specs)
	if err != nil {
		t.Fatal(err)
	}
	return chart
}

// reference is what a machine does, said in the plainest way: sets of active
// states, no caches, nothing of the engine.
type reference struct {
	*actor
	active []hsm.State // from the outermost to the leaf
	err    error       // the first mistake of the step
}

// path is all states from the outermost one down to s.
func (p *plan) path(s hsm.State) []hsm.State {
	if s == hsm.Top {
		return nil
	}
	return append(p.path(p.parent[s]), s)
}

func (p *plan) inside(inner, outer hsm.State) bool {
	return inner != outer && inner > 0 && int(inner) < len(p.parent) && slices.Contains(p.path(inner), outer)
}

func (r *reference) mistake(err error) {
	if r.err == nil {
		r.err = err
	}
}

// leave exits what is active below the first keep states.
func (r *reference) leave(keep int) {
	for len(r.active) > keep {
		last := len(r.active) - 1
		r.inner(hsm.Exit, r.active[last])
		r.active = r.active[:last]
	}
}

// enter enters what is missing on the way to s.
func (r *reference) enter(s hsm.State) {
	for _, next := range r.plan.path(s)[len(r.active):] {
		r.inner(hsm.Entry, next)
		r.active = append(r.active, next)
	}
}

func (r *reference) inner(signal hsm.Signal, s hsm.State) {
	status := r.answer(signal, s)
	if _, tran := status.Target(); tran {
		r.mistake(hsm.ErrTranInside)
	} else if !plain(status) {
		r.mistake(hsm.ErrStatus)
	}
}

// plain reports whether a status is an answer, and no transition.
func plain(s hsm.Status) bool { return s == hsm.Super || s == hsm.Handled || s == hsm.Unhandled }

func (r *reference) drill() {
	for {
		s := r.active[len(r.active)-1]
		declared := r.plan.init[s]
		status := r.answer(hsm.Init, s)
		target, tran := status.Target()
		switch {
		case !tran && !plain(status):
			r.mistake(hsm.ErrStatus)
			target = declared
		case !tran:
			target = declared
		case !r.plan.inside(target, s) || declared != hsm.Top && declared != target:
			r.mistake(hsm.ErrInitLeaves)
			target = declared
		}
		if target == hsm.Top {
			return
		}
		r.enter(target)
	}
}

func (r *reference) start(s hsm.State) error {
	r.active, r.err = nil, nil
	r.enter(s)
	r.drill()
	return r.err
}

func (r *reference) dispatch(signal hsm.Signal) error {
	r.err = nil
	for depth := len(r.active); depth > 0; depth-- {
		source := r.active[depth-1]
		status := r.answer(signal, source)
		target, tran := status.Target()
		switch {
		case status == hsm.Super || status == hsm.Unhandled:
			continue
		case status == hsm.Handled:
			return nil
		case !tran:
			return hsm.ErrStatus
		case target <= hsm.Top || int(target) >= len(r.plan.parent):
			return hsm.ErrTarget
		}
		// How many states of the way down the source and the target share. A
		// state that is its own target shares all but itself.
		from, to := r.plan.path(source), r.plan.path(target)
		shared := 0
		for shared < min(len(from), len(to)) && from[shared] == to[shared] {
			shared++
		}
		if source == target {
			shared--
		}
		r.leave(shared)
		r.enter(target)
		r.drill()
		return r.err
	}
	return nil
}

var planSignals = []hsm.Signal{hsm.NewSignal("A"), hsm.NewSignal("B"), hsm.NewSignal("C"), hsm.NewSignal("Z")}

// drawPlan draws a chart of up to 40 states, up to 8 deep. Signal Z has no
// reactions.
func drawPlan(t *rapid.T) *plan {
	n := rapid.IntRange(1, 40).Draw(t, "states")
	p := &plan{
		parent: make([]hsm.State, n+1), init: make([]hsm.State, n+1),
		answers: make(map[planCall][]hsm.Status),
	}
	// Half of the charts rather grow in depth than in breadth.
	deep := rapid.Bool().Draw(t, "deep")
	for s := 1; s <= n; s++ {
		lowest := 0
		if deep {
			lowest = max(0, s-3)
		}
		parent := hsm.State(rapid.IntRange(lowest, s-1).Draw(t, "parent"))
		for len(p.path(parent)) >= 8 {
			parent = p.parent[parent]
		}
		p.parent[s] = parent
	}
	inside := make([][]hsm.State, n+1)
	for outer := range inside {
		for s := 1; s <= n; s++ {
			if p.inside(hsm.State(s), hsm.State(outer)) {
				inside[outer] = append(inside[outer], hsm.State(s))
			}
		}
	}
	states := rapid.IntRange(1, n)
	wild := rapid.IntRange(0, 3).Draw(t, "wild") == 0 // handlers make mistakes
	for s := 1; s <= n; s++ {
		// Numbers that shrink to 0 make the plainest chart.
		pick := func(label string, of int) int { return rapid.IntRange(0, of-1).Draw(t, label) }
		for _, signal := range []hsm.Signal{hsm.Entry, hsm.Exit, hsm.Init} {
			p.answers[planCall{signal, hsm.State(s)}] = []hsm.Status{[]hsm.Status{hsm.Super, hsm.Handled, hsm.Unhandled}[pick("inner", 3)]}
		}
		if below := inside[s]; len(below) > 0 {
			target := below[pick("init target", len(below))]
			how := pick("init", 4)
			if how == 1 || how == 3 {
				p.init[s] = target
			}
			if how == 2 || how == 3 {
				p.answers[planCall{hsm.Init, hsm.State(s)}] = []hsm.Status{hsm.Tran(target)}
			}
		}
		for _, signal := range planSignals[:3] {
			call := planCall{signal, hsm.State(s)}
			for range pick("answers", 3) {
				status := []hsm.Status{hsm.Super, hsm.Handled, hsm.Unhandled, hsm.Tran(1), hsm.Tran(1)}[pick("reaction", 5)]
				if status == hsm.Tran(1) {
					status = hsm.Tran(hsm.State(states.Draw(t, "target")))
				}
				p.answers[call] = append(p.answers[call], status)
			}
		}
		if wild && pick("mistake", 4) == 0 {
			signal := append(planSignals[:3:3], hsm.Entry, hsm.Exit, hsm.Init)[pick("mistaken signal", 6)]
			call := planCall{signal, hsm.State(s)}
			status := []hsm.Status{0, -1, hsm.Handled + hsm.Unhandled, hsm.Super, hsm.Handled, hsm.Unhandled}[pick("any status", 6)]
			if pick("any target", 2) == 0 {
				status = hsm.Tran(hsm.State(rapid.IntRange(-2, n+2).Draw(t, "wild target")))
			}
			p.answers[call] = append(p.answers[call], status)
		}
	}
	p.start = hsm.State(states.Draw(t, "start"))
	p.events = rapid.SliceOfN(rapid.SampledFrom(planSignals), 0, 30).Draw(t, "events")
	return p
}

// TestReference: on random charts a machine calls the same states with the same
// signals in the same order as the reference, ends in the same leaf and makes
// the same errors, and a log changes none of it.
func TestReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlan(t)
		chart := p.compile(t, nil)
		want := &reference{actor: newActor(p)}
		log := hsm.NewLog(hsm.LogConfig{Spy: 500, Trace: 1, Live: func(records []hsm.Record, tr *hsm.Transition) {
			checkRecords(t, want, records, tr)
		}})
		bare, logged := hsm.NewMachine(chart, newActor(p)), hsm.NewMachine(chart, newActor(p))
		logged.SetLog(log)

		step := func(what string, wantErr error, step func(*hsm.Machine[*actor]) error) {
			for _, m := range []*hsm.Machine[*actor]{bare, logged} {
				err := step(m)
				if !errors.Is(err, wantErr) || (err == nil) != (wantErr == nil) {
					t.Fatalf("%s: error is %v, want %v", what, err, wantErr)
				}
				if diff := cmp.Diff(want.calls, m.Data().calls); diff != "" {
					t.Fatalf("%s: calls (-want +got):\n%s", what, diff)
				}
				checkActive(t, what, want.active, m)
				m.Data().calls = nil
			}
			want.calls, want.statuses = nil, nil
		}
		step("start", want.start(p.start), func(m *hsm.Machine[*actor]) error { return m.Start(p.start) })
		for i, signal := range p.events {
			what := fmt.Sprintf("event %d (%v)", i+1, signal)
			step(what, want.dispatch(signal), func(m *hsm.Machine[*actor]) error { return m.Dispatch(hsm.Event{Signal: signal}) })
		}
	})
}

// checkActive compares State, In and Child with the states that are active.
func checkActive(t *rapid.T, what string, active []hsm.State, m *hsm.Machine[*actor]) {
	leaf := active[len(active)-1]
	if m.State() != leaf {
		t.Fatalf("%s: in %d, want %d", what, m.State(), leaf)
	}
	if child, ok := m.Child(hsm.Top); !ok || child != active[0] {
		t.Fatalf("%s: Child(Top) is %d, %v; want %d", what, child, ok, active[0])
	}
	for s := range m.Tree().States() {
		at := slices.Index(active, s)
		if m.In(s) != (at >= 0) {
			t.Fatalf("%s: In(%d) is %v with %v active", what, s, m.In(s), active)
		}
		child, ok := m.Child(s)
		if ok != (at >= 0) || ok && child != active[min(at+1, len(active)-1)] {
			t.Fatalf("%s: Child(%d) is %d, %v with %v active", what, s, child, ok, active)
		}
	}
}

// checkRecords compares the records of a step with the reference, which has
// made the step already.
func checkRecords(t *rapid.T, want *reference, records []hsm.Record, tr *hsm.Transition) {
	var calls []string
	for _, r := range records {
		if r.Kind != hsm.KindCall || r.Signal == hsm.Empty {
			continue
		}
		if i := len(calls); i < len(want.statuses) {
			status := want.statuses[i]
			if handled := status != hsm.Super && status != hsm.Unhandled; r.Handled != handled {
				t.Fatalf("call %d, %v:%d: the log says handled %v of the answer %v", i+1, r.Signal, r.State, r.Handled, status)
			}
		}
		calls = append(calls, planCall{r.Signal, r.State}.String())
	}
	if diff := cmp.Diff(want.calls, calls); diff != "" {
		t.Fatalf("calls in the log (-want +got):\n%s", diff)
	}
	if last := records[len(records)-1]; last.Kind != hsm.KindEnd {
		t.Fatalf("the last record of a step is of kind %d", last.Kind)
	}
	if leaf := want.active[len(want.active)-1]; tr != nil && tr.To != leaf {
		t.Fatalf("the transition leads to %d, want %d", tr.To, leaf)
	}
}
