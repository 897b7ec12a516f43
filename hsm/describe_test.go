package hsm_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/statemesh/statemesh/hsm"
)

var update = flag.Bool("update", false, "write the golden files")

// What a chart is can be printed; what its handlers do on a signal is known as
// far as it was seen.
func ExampleTree_Describe() {
	chart := hsm.MustCompile([]hsm.Spec[*light]{
		lamp: {Name: "lamp", Handle: (*light).lamp, Init: off, Catches: []hsm.Signal{powerCut}},
		off:  {Name: "off", Parent: lamp, Handle: (*light).off, Catches: []hsm.Signal{press}},
		on:   {Name: "on", Parent: lamp, Handle: (*light).on, Catches: []hsm.Signal{press, hsm.Entry, hsm.Exit}},
	})
	d := chart.Describe()
	for _, line := range [][3]string{{"start_at", "top", "off"}, {"press", "off", "on"}, {"press", "on", "off"}, {"press", "off", "on"}} {
		if err := d.Add(line[0], line[1], line[2]); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Print(d)
	// Output:
	// lamp: init off; catches power_cut
	//   off: catches press
	//   on: catches ENTRY_SIGNAL, press, EXIT_SIGNAL
	// seen
	//   start_at: top -> off
	//   press: off -> on, 2 times
	//   press: on -> off
}

// TestDescribeQHsmTst describes Samek's test chart with what it did on the
// events of the published log.
func TestDescribeQHsmTst(t *testing.T) {
	specs := []hsm.Spec[*qhsmtst]{
		qS:    {Name: "s", Handle: (*qhsmtst).s, Init: qS11, Catches: []hsm.Signal{hsm.Entry, hsm.Exit, hsm.Init, qE, qI}},
		qS1:   {Name: "s1", Parent: qS, Handle: (*qhsmtst).s1, Init: qS11, Catches: []hsm.Signal{hsm.Entry, hsm.Exit, hsm.Init, qA, qB, qC, qD, qF, qI}},
		qS11:  {Name: "s11", Parent: qS1, Handle: (*qhsmtst).s11, Catches: []hsm.Signal{hsm.Entry, hsm.Exit, qD, qG, qH}},
		qS2:   {Name: "s2", Parent: qS, Handle: (*qhsmtst).s2, Init: qS211, Catches: []hsm.Signal{hsm.Entry, hsm.Exit, hsm.Init, qC, qF, qI}},
		qS21:  {Name: "s21", Parent: qS2, Handle: (*qhsmtst).s21, Init: qS211, Catches: []hsm.Signal{hsm.Entry, hsm.Exit, hsm.Init, qA, qB, qG}},
		qS211: {Name: "s211", Parent: qS21, Handle: (*qhsmtst).s211, Catches: []hsm.Signal{hsm.Entry, hsm.Exit, qD, qH}},
	}
	chart := hsm.MustCompile(specs)
	specs[qS].Catches[0] = qA // the chart has a copy

	m := hsm.NewMachine(chart, &qhsmtst{})
	m.SetLog(hsm.NewLog(hsm.LogConfig{Trace: 100}))
	if err := m.Start(qS2); err != nil {
		t.Fatal(err)
	}
	for _, event := range strings.Fields("G I A D D C C E E G I I") {
		if err := m.Dispatch(hsm.Event{Signal: hsm.NewSignal(event)}); err != nil {
			t.Fatal(err)
		}
	}
	d := m.Tree().Describe()
	for _, tr := range m.Log().Transitions(100) {
		signal := tr.Signal.String()
		if tr.From == hsm.Top {
			signal = "start_at"
		}
		if err := d.Add(signal, m.Tree().Name(tr.From), m.Tree().Name(tr.To)); err != nil {
			t.Fatal(err)
		}
	}
	const file = "testdata/golden/qhsmtst_description.txt"
	if *update {
		if err := os.WriteFile(file, []byte(d.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), d.String()); diff != "" {
		t.Errorf("description (-want +got):\n%s", diff)
	}
}

// TestDescribeFields: the fields say what was declared, and no more.
func TestDescribeFields(t *testing.T) {
	chart := hsm.MustCompile([]hsm.Spec[nobody]{
		1: {Name: "b", Parent: 2, Handle: pass},
		2: {Name: "a", Handle: pass, Init: 1, Catches: []hsm.Signal{hsm.Exit, press, hsm.Init, powerCut, press, hsm.Entry}},
	})
	want := []hsm.DescribedState{
		{State: 1, Name: "b", Parent: 2},
		{State: 2, Name: "a", Init: 1, Catches: []hsm.Signal{hsm.Entry, hsm.Init, press, powerCut, hsm.Exit}},
	}
	d := chart.Describe()
	if diff := cmp.Diff(want, d.States, cmp.Comparer(func(a, b hsm.Signal) bool { return a == b })); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	names := []string{d.Name(-1), d.Name(hsm.Top), d.Name(1), d.Name(2), d.Name(3)}
	if diff := cmp.Diff([]string{"", "top", "b", "a", ""}, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if got := chart.Describe(); d.Add("x", "a", "b") != nil || len(got.Seen) != 0 {
		t.Error("two descriptions share what they saw")
	}
}

func TestDescriptionAdd(t *testing.T) {
	for _, tt := range []struct {
		name             string
		signal, from, to string
		want             error
		state            string    // that the error names
		seen             hsm.State // where the transition comes from
	}{
		{name: "a transition", signal: "press", from: "off", to: "on", seen: off},
		{name: "a start", signal: "start_at", from: "top", to: "off"},
		{name: "a signal named as a start is", signal: "start_at", from: "on", to: "off", seen: on},
		{name: "no signal", from: "off", to: "on", want: hsm.ErrNoSignal},
		{name: "unknown source", signal: "press", from: "of", to: "on", want: hsm.ErrUnknown, state: "of"},
		{name: "unknown target", signal: "press", from: "off", to: "", want: hsm.ErrUnknown},
		{name: "from top", signal: "press", from: "top", to: "on", want: hsm.ErrUnknown, state: "top"},
		{name: "to top", signal: "start_at", from: "top", to: "top", want: hsm.ErrUnknown, state: "top"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := lightChart.Describe()
			err := d.Add(tt.signal, tt.from, tt.to)
			if !errors.Is(err, tt.want) {
				t.Fatalf("Add gives %v, want %v", err, tt.want)
			}
			var state *hsm.StateError
			if errors.As(err, &state) && state.Name != tt.state {
				t.Errorf("the error is about %q, want %q", state.Name, tt.state)
			}
			if noted := len(d.Seen) == 1; noted != (tt.want == nil) {
				t.Fatalf("seen is %v", d.Seen)
			}
			if err == nil && d.Seen[0].From != tt.seen {
				t.Errorf("it comes from %v, want %v", d.Seen[0].From, tt.seen)
			}
		})
	}
	if err := new(hsm.Description).Add("a", "b", "c"); !errors.Is(err, hsm.ErrUnknown) {
		t.Errorf("a description of nothing gives %v, want ErrUnknown", err)
	}
}

// TestDescriptionAddOrder: whatever the order, transitions are merged, counted
// and sorted.
func TestDescriptionAddOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := lightChart.Describe()
		count := make(map[hsm.SeenTransition]int)
		for range rapid.IntRange(0, 40).Draw(t, "n") {
			seen := hsm.SeenTransition{
				Signal: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "signal"),
				From:   hsm.State(rapid.IntRange(1, 3).Draw(t, "from")),
				To:     hsm.State(rapid.IntRange(1, 3).Draw(t, "to")),
			}
			count[seen]++
			if err := d.Add(seen.Signal, lightChart.Name(seen.From), lightChart.Name(seen.To)); err != nil {
				t.Fatal(err)
			}
		}
		key := func(s hsm.SeenTransition) string { return fmt.Sprint(s.From, s.To, s.Signal) }
		var want []hsm.SeenTransition
		for seen, n := range count {
			seen.Count = n
			want = append(want, seen)
		}
		slices.SortFunc(want, func(a, b hsm.SeenTransition) int { return strings.Compare(key(a), key(b)) })
		if diff := cmp.Diff(want, d.Seen); diff != "" {
			t.Fatalf("seen (-want +got):\n%s", diff)
		}
	})
}

func TestDescriptionQuotes(t *testing.T) {
	chart := hsm.MustCompile([]hsm.Spec[nobody]{
		1: {Name: "two words", Handle: pass, Init: 2},
		2: {Name: "a\nb", Parent: 1, Handle: pass, Catches: []hsm.Signal{hsm.NewSignal("c:d"), hsm.NewSignal("é")}},
		3: {Name: `"`, Handle: pass},
		4: {Name: "\xff", Handle: pass},
	})
	want := `"two words": init "a\nb"
  "a\nb": catches "c:d", é
"\""
"\xff"
`
	if diff := cmp.Diff(want, chart.Describe().String()); diff != "" {
		t.Errorf("description (-want +got):\n%s", diff)
	}
}

func TestCatchesMistakes(t *testing.T) {
	for _, tt := range []struct {
		name  string
		specs []hsm.Spec[nobody]
		want  error
		text  string
	}{
		{"the zero signal", []hsm.Spec[nobody]{1: {Name: "a", Handle: pass, Catches: []hsm.Signal{press, {}}}}, hsm.ErrCatches, `state 1 "a": catches ""`},
		{"of the spy", []hsm.Spec[nobody]{1: {Name: "a", Handle: pass, Catches: []hsm.Signal{hsm.Empty}}}, hsm.ErrCatches, `catches "EMPTY_SIGNAL"`},
		{"of the search", []hsm.Spec[nobody]{1: {Name: "a", Handle: pass, Catches: []hsm.Signal{hsm.SearchForSuper}}}, hsm.ErrCatches, "SEARCH"},
		{"of top", []hsm.Spec[nobody]{0: {Catches: []hsm.Signal{press}}, 1: {Name: "a", Handle: pass}}, hsm.ErrTopDeclared, "top"},
		{"none", []hsm.Spec[nobody]{1: {Name: "a", Handle: pass, Catches: []hsm.Signal{hsm.Entry, hsm.Exit, hsm.Init}}}, nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := hsm.Compile(tt.specs)
			if !errors.Is(err, tt.want) || err != nil && !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(tt.text)) {
				t.Errorf("Compile gives %v, want %v with %q", err, tt.want, tt.text)
			}
		})
	}
}
