package hsm_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

// QHsmTst is the chart with which Samek checks an event processor: every
// topology a transition can have, two guards on one variable, and initial
// transitions two levels deep.
const (
	qS hsm.State = iota + 1
	qS1
	qS11
	qS2
	qS21
	qS211
)

var (
	qA = hsm.NewSignal("A")
	qB = hsm.NewSignal("B")
	qC = hsm.NewSignal("C")
	qD = hsm.NewSignal("D")
	qE = hsm.NewSignal("E")
	qF = hsm.NewSignal("F")
	qG = hsm.NewSignal("G")
	qH = hsm.NewSignal("H")
	qI = hsm.NewSignal("I")
)

type qhsmtst struct {
	foo int
	log strings.Builder // what the original prints
}

// print logs that a state acted, in the published form.
func (q *qhsmtst) print(state, what string) {
	q.log.WriteString(state + "-" + what + ";")
}

// handled is an action and no transition.
func (q *qhsmtst) handled(state, what string) hsm.Status {
	q.print(state, what)
	return hsm.Handled
}

func (q *qhsmtst) tran(state, what string, target hsm.State) hsm.Status {
	q.print(state, what)
	return hsm.Tran(target)
}

func (q *qhsmtst) s(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		return q.handled("s", "ENTRY")
	case hsm.Exit:
		return q.handled("s", "EXIT")
	case hsm.Init:
		return q.tran("s", "INIT", qS11)
	case qE:
		return q.tran("s", "E", qS11)
	case qI:
		if q.foo == 0 {
			return hsm.Unhandled
		}
		q.foo = 0
		return q.handled("s", "I")
	}
	return hsm.Super
}

func (q *qhsmtst) s1(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		return q.handled("s1", "ENTRY")
	case hsm.Exit:
		return q.handled("s1", "EXIT")
	case hsm.Init:
		return q.tran("s1", "INIT", qS11)
	case qA:
		return q.tran("s1", "A", qS1)
	case qB:
		return q.tran("s1", "B", qS11)
	case qC:
		return q.tran("s1", "C", qS2)
	case qD:
		if q.foo != 0 {
			return hsm.Unhandled
		}
		q.foo = 1
		return q.tran("s1", "D", qS)
	case qF:
		return q.tran("s1", "F", qS211)
	case qI:
		return q.handled("s1", "I")
	}
	return hsm.Super
}

func (q *qhsmtst) s11(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		return q.handled("s11", "ENTRY")
	case hsm.Exit:
		return q.handled("s11", "EXIT")
	case qD:
		if q.foo == 0 {
			return hsm.Unhandled
		}
		q.foo = 0
		return q.tran("s11", "D", qS1)
	case qG:
		return q.tran("s11", "G", qS211)
	case qH:
		return q.tran("s11", "H", qS)
	}
	return hsm.Super
}

func (q *qhsmtst) s2(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		return q.handled("s2", "ENTRY")
	case hsm.Exit:
		return q.handled("s2", "EXIT")
	case hsm.Init:
		return q.tran("s2", "INIT", qS211)
	case qC:
		return q.tran("s2", "C", qS1)
	case qF:
		return q.tran("s2", "F", qS11)
	case qI:
		if q.foo != 0 {
			return hsm.Unhandled
		}
		q.foo = 1
		return q.handled("s2", "I")
	}
	return hsm.Super
}

func (q *qhsmtst) s21(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		return q.handled("s21", "ENTRY")
	case hsm.Exit:
		return q.handled("s21", "EXIT")
	case hsm.Init:
		return q.tran("s21", "INIT", qS211)
	case qA:
		return q.tran("s21", "A", qS21)
	case qB:
		return q.tran("s21", "B", qS211)
	case qG:
		return q.tran("s21", "G", qS1)
	}
	return hsm.Super
}

func (q *qhsmtst) s211(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		return q.handled("s211", "ENTRY")
	case hsm.Exit:
		return q.handled("s211", "EXIT")
	case qD:
		return q.tran("s211", "D", qS21)
	case qH:
		return q.tran("s211", "H", qS)
	}
	return hsm.Super
}

var qhsmtstChart = hsm.MustCompile([]hsm.Spec[*qhsmtst]{
	qS:    {Name: "s", Handle: (*qhsmtst).s},
	qS1:   {Name: "s1", Parent: qS, Handle: (*qhsmtst).s1},
	qS11:  {Name: "s11", Parent: qS1, Handle: (*qhsmtst).s11},
	qS2:   {Name: "s2", Parent: qS, Handle: (*qhsmtst).s2},
	qS21:  {Name: "s21", Parent: qS2, Handle: (*qhsmtst).s21},
	qS211: {Name: "s211", Parent: qS21, Handle: (*qhsmtst).s211},
})

// qhsmtstRun is one published log, with what miros did on the same events.
type qhsmtstRun struct {
	Name   string
	Events []string
	Log    []string
	Miros  struct {
		PerStep []struct {
			Spy   []string
			State string
			Foo   int
		} `json:"per_step"`
		Trace [][3]*string
	}
}

// TestQHsmTst holds the chart against the published logs line by line, and
// against the spy, the trace and the variable of miros where they are recorded.
func TestQHsmTst(t *testing.T) {
	b, err := os.ReadFile("testdata/golden/qhsmtst.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Runs []qhsmtstRun }
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Runs) != 2 {
		t.Fatalf("%d published logs, want 2", len(file.Runs))
	}
	for _, run := range file.Runs {
		t.Run(run.Name, func(t *testing.T) {
			if len(run.Log) != len(run.Events)+1 {
				t.Fatalf("%d lines for %d events", len(run.Log), len(run.Events))
			}
			playQHsmTst(t, run)
		})
	}
}

func playQHsmTst(t *testing.T, run qhsmtstRun) {
	q := &qhsmtst{}
	queue := hsm.NewQueue(0, hsm.Reject)
	r := hsm.NewRunner(hsm.NewMachine(qhsmtstChart, q), queue, hsm.LogConfig{Spy: 100, Trace: 100})
	source := instrument.Source{Tree: r.Tree()}

	q.print("top", "INIT")
	if err := r.Start(qS2); err != nil {
		t.Fatal(err)
	}
	for i := range run.Log {
		if i > 0 {
			q.log.WriteString(run.Events[i-1] + ":")
			if err := r.PostFIFO(hsm.Event{Signal: hsm.NewSignal(run.Events[i-1])}); err != nil {
				t.Fatal(err)
			}
			if more, err := r.Next(); !more || err != nil {
				t.Fatalf("line %d: Next is %v, %v", i, more, err)
			}
		}
		if got := q.log.String(); got != run.Log[i] {
			t.Errorf("line %d is\n%s want\n%s", i, got, run.Log[i])
		}
		q.log.Reset()
		if i < len(run.Miros.PerStep) {
			want := run.Miros.PerStep[i]
			if diff := cmp.Diff(want.Spy, source.Spy(r.Log().Records(1000))); diff != "" {
				t.Errorf("line %d, spy (-want +got):\n%s", i, diff)
			}
			if got := r.Tree().Name(r.State()); got != want.State || q.foo != want.Foo {
				t.Errorf("line %d: in %s with foo %d, want %s with %d", i, got, q.foo, want.State, want.Foo)
			}
		}
		r.Log().ClearRecords()
	}

	var trace [][3]string
	for _, tr := range r.Log().Transitions(100) {
		trace = append(trace, [3]string{tr.Signal.String(), r.Tree().Name(tr.From), r.Tree().Name(tr.To)})
	}
	var want [][3]string
	for _, w := range run.Miros.Trace {
		line := [3]string{"", *w[1], *w[2]}
		if w[0] != nil {
			line[0] = *w[0]
		}
		want = append(want, line)
	}
	if diff := cmp.Diff(want, trace); diff != "" {
		t.Errorf("trace (-want +got):\n%s", diff)
	}
}
