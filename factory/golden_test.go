package factory_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/factory"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
	"github.com/statemesh/statemesh/internal/goldentest"
)

// buildGolden makes the chart of callbacks. The states are created in their order, and
// nested before or after, which must not matter.
func buildGolden(t *testing.T, c *goldentest.Chart) *hsm.Chart[goldentest.Queue] {
	states := c.Numbers()
	f := factory.New[goldentest.Queue]()
	for i := range c.States {
		s := &c.States[i]
		if s.Parent != "" {
			f.Nest(states[s.Name], states[s.Parent])
		}
		state := f.Create(hsm.State(i+1), s.Name)
		catch := func(signal hsm.Signal) {
			if r := s.On(signal); r != nil {
				state.Catch(signal, func(q goldentest.Queue, _ hsm.Event) hsm.Status { return r.Answer(q, states) })
			}
		}
		catch(hsm.Entry)
		for _, signal := range slices.Sorted(maps.Keys(s.Reactions)) {
			catch(hsm.NewSignal(signal))
		}
		catch(hsm.Init)
		catch(hsm.Exit)
	}
	chart, err := f.Compile()
	if err != nil {
		t.Fatalf("chart %s: %v", c.ID, err)
	}
	return chart
}

// TestGolden: charts built from callbacks do what the recorded ones did, spy
// line for spy line, but for the EMPTY_SIGNAL lines of guards that said no.
func TestGolden(t *testing.T) {
	var steps, empty int
	for _, file := range goldentest.Files(t) {
		for i := range file.Charts {
			s, e := playGolden(t, &file.Charts[i])
			steps, empty = steps+s, empty+e
		}
	}
	if steps == 0 || empty == 0 {
		t.Errorf("%d steps with %d EMPTY_SIGNAL lines left out; want some", steps, empty)
	}
}

// playGolden runs a chart, and returns how many steps it compared and how many lines
// it left out of what it compared them with.
func playGolden(t *testing.T, c *goldentest.Chart) (steps, empty int) {
	chart, states := buildGolden(t, c), c.Numbers()
	source := instrument.Source{Tree: &chart.Tree}
	var want, got [][]string // of each step, the leaf last
	expect := func(step goldentest.Step) {
		var lines []string
		for _, line := range c.Spy(step) {
			if strings.HasPrefix(line, "EMPTY_SIGNAL:") {
				empty++
			} else {
				lines = append(lines, line)
			}
		}
		want = append(want, append(lines, step.State))
	}
	queue := hsm.NewQueue(c.QueueSize, hsm.Drop)
	r := hsm.NewRunner(hsm.NewMachine(chart, goldentest.Queue{Queue: queue}), queue, hsm.LogConfig{Spy: 1 << 12})
	step := func() {
		got = append(got, append(source.Spy(r.Log().Records(1<<12)), chart.Name(r.State())))
		r.Log().ClearRecords()
	}
	drain := func(expected []goldentest.Step) {
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
	expect(c.Expected.Start)
	step()
	drain(c.Expected.Start.Steps)
	for i, stimulus := range c.Events {
		stimulus.Post(goldentest.Queue{Queue: queue})
		drain(c.Expected.Events[i].Steps)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("chart %s: steps (-want +got):\n%s", c.ID, diff)
	}
	return len(got) - 1, empty
}
