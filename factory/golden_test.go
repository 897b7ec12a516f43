package factory_test

import (
	"compress/gzip"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/factory"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

// The golden charts of package hsm, as far as they matter here.
type (
	goldenChart struct {
		ID        string
		QueueSize int `json:"queue_size"`
		Start     string
		States    []goldenState
		Events    [][][2]string
		Expected  struct {
			Start struct {
				goldenStep
				Steps []goldenStep
			}
			Events   []struct{ Steps []goldenStep }
			SpyTable []string `json:"spy_table"`
		}
	}
	goldenState struct {
		Name              string
		Parent            *string
		Entry, Exit, Init struct {
			Handled bool
			goldenReaction
		}
		Reactions map[string]*goldenReaction
	}
	goldenReaction struct {
		Kind    string
		Target  string
		Guard   int
		Actions []*goldenAction
		asked   int
	}
	goldenAction struct {
		Op     string
		Signal string
		Limit  int
	}
	goldenStep struct {
		Spy   []int
		State string
	}
)

func (a *goldenAction) run(q *hsm.Queue) {
	if a.Limit--; a.Limit < 0 {
		return
	}
	e := hsm.Event{Signal: hsm.NewSignal(a.Signal)}
	switch a.Op {
	case "post_fifo":
		q.PostFIFO(e)
	case "post_lifo":
		q.PostLIFO(e)
	case "defer":
		q.Defer(e)
	case "recall":
		q.Recall()
	}
}

// handler makes a callback of a reaction. A golden chart's data is its queue.
func (r *goldenReaction) handler(states map[string]hsm.State) func(*hsm.Queue, hsm.Event) hsm.Status {
	return func(q *hsm.Queue, _ hsm.Event) hsm.Status {
		if r.asked++; r.Kind == "unhandled" || r.Guard > 0 && (r.asked-1)%r.Guard != 0 {
			return hsm.Unhandled
		}
		for _, a := range r.Actions {
			a.run(q)
		}
		if r.Target != "" {
			return hsm.Tran(states[r.Target])
		}
		return hsm.Handled
	}
}

// build makes the chart of callbacks. The states are created in their order,
// and nested before or after, which must not matter.
func (c *goldenChart) build(t *testing.T) (*hsm.Chart[*hsm.Queue], map[string]hsm.State) {
	states := make(map[string]hsm.State)
	for i, s := range c.States {
		states[s.Name] = hsm.State(i + 1)
	}
	f := factory.New[*hsm.Queue]()
	for i, s := range c.States {
		if s.Parent != nil {
			f.Nest(states[s.Name], states[*s.Parent])
		}
		state := f.Create(hsm.State(i+1), s.Name)
		if s.Entry.Handled {
			state.Catch(hsm.Entry, s.Entry.handler(states))
		}
		for _, signal := range slices.Sorted(maps.Keys(s.Reactions)) {
			state.Catch(hsm.NewSignal(signal), s.Reactions[signal].handler(states))
		}
		if s.Init.Handled {
			state.Catch(hsm.Init, s.Init.handler(states))
		}
		if s.Exit.Handled {
			state.Catch(hsm.Exit, s.Exit.handler(states))
		}
	}
	chart, err := f.Compile()
	if err != nil {
		t.Fatalf("chart %s: %v", c.ID, err)
	}
	return chart, states
}

// TestGolden: charts built from callbacks do what the recorded ones did, spy
// line for spy line, but for the EMPTY_SIGNAL lines of guards that said no.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("../hsm/testdata/golden/golden_*.json.gz")
	if err != nil || len(files) != 2 {
		t.Fatalf("golden files are %v, %v; want two", files, err)
	}
	var steps, empty int
	for _, name := range files {
		file, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		z, err := gzip.NewReader(file)
		if err != nil {
			t.Fatal(err)
		}
		var golden struct{ Charts []goldenChart }
		if err := json.NewDecoder(z).Decode(&golden); err != nil {
			t.Fatal(err)
		}
		for i := range golden.Charts {
			s, e := golden.Charts[i].play(t)
			steps, empty = steps+s, empty+e
		}
	}
	if steps < 15336 || empty == 0 {
		t.Errorf("%d steps with %d EMPTY_SIGNAL lines left out; want at least 15336 and some", steps, empty)
	}
}

// play runs a chart, and returns how many steps it compared and how many lines
// it left out of what it compared them with.
func (c *goldenChart) play(t *testing.T) (steps, empty int) {
	chart, states := c.build(t)
	source := instrument.Source{Tree: &chart.Tree}
	var want, got [][]string // of each step, the leaf last
	expect := func(step goldenStep) {
		var lines []string
		for _, i := range step.Spy {
			if line := c.Expected.SpyTable[i]; strings.HasPrefix(line, "EMPTY_SIGNAL:") {
				empty++
			} else {
				lines = append(lines, line)
			}
		}
		want = append(want, append(lines, step.State))
	}
	queue := hsm.NewQueue(c.QueueSize, hsm.Drop)
	r := hsm.NewRunner(hsm.NewMachine(chart, queue), queue, hsm.LogConfig{Spy: 1 << 12})
	step := func() {
		got = append(got, append(source.Spy(r.Log().Records(1<<12)), chart.Name(r.State())))
		r.Log().ClearRecords()
	}
	drain := func(expected []goldenStep) {
		for _, s := range expected {
			expect(s)
		}
		for {
			more, err := r.Next()
			if err != nil {
				t.Errorf("chart %s: %v", c.ID, err)
			}
			if !more {
				return
			}
			step()
		}
	}
	if err := r.Start(states[c.Start]); err != nil {
		t.Errorf("chart %s: %v", c.ID, err)
	}
	expect(c.Expected.Start.goldenStep)
	step()
	drain(c.Expected.Start.Steps)
	for i, stimulus := range c.Events {
		for _, post := range stimulus {
			e := hsm.Event{Signal: hsm.NewSignal(post[1])}
			if post[0] == "lifo" {
				queue.PostLIFO(e)
			} else {
				queue.PostFIFO(e)
			}
		}
		drain(c.Expected.Events[i].Steps)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("chart %s: steps (-want +got):\n%s", c.ID, diff)
	}
	return len(got) - 1, empty
}
