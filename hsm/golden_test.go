package hsm_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
	"github.com/statemesh/statemesh/internal/goldentest"
)

// goldenData is the data of a machine that plays a golden chart.
type goldenData struct {
	goldentest.Queue
	unlisted []string // calls with what Catches does not list
}

// goldenRun plays one chart and counts what it compared.
type goldenRun struct {
	chart    *goldentest.Chart
	declared bool // with Catches
	source   instrument.Source
	runner   *hsm.Runner[*goldenData]

	spy   []string    // of the step that ran last
	trace [][3]string // of the steps since the last comparison
	steps int
	lines int
	diffs []string
}

func (g *goldenRun) differ(where, format string, args ...any) {
	g.diffs = append(g.diffs, fmt.Sprintf("chart %s, %s: ", g.chart.ID, where)+fmt.Sprintf(format, args...))
}

// compare holds the step that just ran against the expectation.
func (g *goldenRun) compare(where string, want goldentest.Step) {
	g.steps++
	lines := g.chart.Spy(want)
	g.lines += len(lines)
	for i := range max(len(lines), len(g.spy)) {
		w, h := "(no more lines)", "(no more lines)"
		if i < len(lines) {
			w = lines[i]
		}
		if i < len(g.spy) {
			h = g.spy[i]
		}
		if w != h {
			g.differ(where, "spy line %d is %q, want %q", i+1, h, w)
			break
		}
	}
	w := ""
	if line, traced := want.Transition(); traced {
		w = fmt.Sprint(line)
	}
	h := ""
	for _, t := range g.trace {
		h += fmt.Sprint(t)
	}
	g.trace = nil
	if h != w {
		g.differ(where, "trace is %q, want %q", h, w)
	}
	if h := g.source.Tree.Name(g.runner.State()); h != want.State {
		g.differ(where, "state is %q, want %q", h, want.State)
	}
}

// drain runs the steps that wait, which must be those that are wanted.
func (g *goldenRun) drain(where string, want []goldentest.Step) {
	for i := 0; ; i++ {
		more, err := g.runner.Next()
		if err != nil {
			g.differ(where, "step %d: %v", i+1, err)
		}
		if !more {
			if i != len(want) {
				g.differ(where, "%d steps, want %d", i, len(want))
			}
			return
		}
		if i < len(want) {
			g.compare(fmt.Sprintf("%s, step %d (%s)", where, i+1, want[i].Signal), want[i])
		}
	}
}

func (g *goldenRun) play() error {
	c := g.chart
	states := c.Numbers()
	chart, err := hsm.Compile(goldentest.Specs(c, g.declared, func(d *goldenData, s *goldentest.State, signal hsm.Signal) {
		if g.declared && s.On(signal) == nil {
			d.unlisted = append(d.unlisted, signal.String()+":"+s.Name)
		}
	}))
	if err != nil {
		return err
	}
	g.source = instrument.Source{Tree: &chart.Tree}
	queue := hsm.NewQueue(c.QueueSize, hsm.Drop)
	g.runner = hsm.NewRunner(hsm.NewMachine(chart, &goldenData{Queue: goldentest.Queue{Queue: queue}}), queue, hsm.LogConfig{
		Spy: 1 << 14, Trace: 1,
		Live: func(records []hsm.Record, t *hsm.Transition) {
			g.spy = g.source.Spy(records)
			if t != nil {
				line := g.source.Trace(*t)
				g.trace = append(g.trace, [3]string{line.Signal, line.From, line.To})
			}
		},
	})
	if err := g.runner.Start(states[c.Start]); err != nil {
		return err
	}
	g.compare("start", c.Expected.Start)
	g.steps-- // counted are the steps after start
	g.drain("start", c.Expected.Start.Steps)
	for i, stimulus := range c.Events {
		where := fmt.Sprintf("event %d", i+1)
		stimulus.Post(goldentest.Queue{Queue: queue})
		want := c.Expected.Events[i]
		g.drain(where, want.Steps)
		if h := g.source.Tree.Name(g.runner.State()); h != want.State {
			g.differ(where, "state is %q, want %q", h, want.State)
		}
		for j, name := range c.IsInProbe {
			if h := g.runner.In(states[name]); h != want.IsIn[j] {
				g.differ(where, "in %q is %v, want %v", name, h, want.IsIn[j])
			}
		}
		var deferred []string
		for _, e := range queue.Deferred() {
			deferred = append(deferred, e.Signal.String())
		}
		if h, w := strings.Join(deferred, " "), strings.Join(want.Deferred, " "); h != w {
			g.differ(where, "deferred are [%s], want [%s]", h, w)
		}
	}
	if unlisted := g.runner.Data().unlisted; unlisted != nil {
		g.differ("all", "handlers are called with what they do not catch: %q", unlisted)
	}
	return nil
}

// TestGolden holds the engine against what the originals were recorded doing:
// every spy line, trace, state, is_in and deferred queue. A chart whose states
// say what they catch does the same, with fewer calls.
func TestGolden(t *testing.T) {
	for _, way := range []struct {
		name     string
		declared bool
	}{{"golden", false}, {"golden, with catches", true}} {
		var charts, steps, lines, differ int
		for _, file := range goldentest.Files(t) {
			for i := range file.Charts {
				g := goldenRun{chart: &file.Charts[i], declared: way.declared}
				if err := g.play(); err != nil {
					t.Errorf("%s: %s: chart %s: %v", way.name, file.Path, g.chart.ID, err)
					differ++
				}
				charts++
				steps += g.steps
				lines += g.lines
				differ += len(g.diffs)
				for _, d := range g.diffs[:min(3, len(g.diffs))] {
					t.Errorf("%s: %s: %s", way.name, file.Path, d)
				}
			}
		}
		fmt.Printf("%s: %d charts, %d steps, %d spy lines, %d differ\n", way.name, charts, steps, lines, differ)
	}
}
