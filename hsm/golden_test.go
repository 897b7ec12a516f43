package hsm_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

// The golden format: charts as data, and what stock miros (corrected where it
// is known to be wrong) did with them.
type (
	goldenFile struct {
		Format string
		Charts []goldenChart
	}
	goldenChart struct {
		ID        string
		QueueSize int `json:"queue_size"`
		Start     string
		States    []goldenState
		Events    [][][2]string
		IsInProbe []string `json:"is_in_probe"`
		Expected  struct {
			Start  goldenStep
			Events []struct {
				Steps    []goldenStep
				State    string
				IsIn     []bool `json:"is_in"`
				Deferred []string
			}
			SpyTable []string `json:"spy_table"`
		}
	}
	goldenState struct {
		Name      string
		Parent    *string
		Entry     goldenInner
		Exit      goldenInner
		Init      goldenInner
		Reactions map[string]*goldenReaction
	}
	goldenInner struct {
		Handled bool
		Target  string
		Actions []*goldenAction
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
		Signal string
		Spy    []int
		Trace  []*string
		State  string
		Steps  []goldenStep // of the start only
	}
)

// goldenData is the data of a machine that plays a golden chart.
type goldenData struct {
	*hsm.Queue
	states   map[string]hsm.State
	unlisted []string // calls with what Catches does not list
}

func (g *goldenData) act(actions []*goldenAction) {
	for _, a := range actions {
		if a.Limit <= 0 {
			continue
		}
		a.Limit--
		e := hsm.Event{Signal: hsm.NewSignal(a.Signal)}
		switch a.Op {
		case "post_fifo":
			g.PostFIFO(e)
		case "post_lifo":
			g.PostLIFO(e)
		case "defer":
			g.Defer(e)
		case "recall":
			g.Recall()
		default:
			panic("unknown op " + a.Op)
		}
	}
}

func (g *goldenData) inner(in goldenInner) hsm.Status {
	if !in.Handled {
		return hsm.Super
	}
	g.act(in.Actions)
	if in.Target != "" {
		return hsm.Tran(g.states[in.Target])
	}
	return hsm.Handled
}

func (g *goldenData) react(r *goldenReaction) hsm.Status {
	if r == nil {
		return hsm.Super
	}
	if r.Kind == "unhandled" {
		return hsm.Unhandled
	}
	if r.Guard > 0 {
		r.asked++
		if (r.asked-1)%r.Guard != 0 {
			return hsm.Unhandled
		}
	}
	g.act(r.Actions)
	if r.Kind == "tran" {
		return hsm.Tran(g.states[r.Target])
	}
	return hsm.Handled
}

// catches lists what a state has something to do on.
func (s *goldenState) catches() []hsm.Signal {
	list := []hsm.Signal{}
	for signal, in := range map[hsm.Signal]goldenInner{hsm.Entry: s.Entry, hsm.Exit: s.Exit, hsm.Init: s.Init} {
		if in.Handled {
			list = append(list, signal)
		}
	}
	for signal := range s.Reactions {
		list = append(list, hsm.NewSignal(signal))
	}
	return list
}

// compile makes the chart, with Catches declared or without.
func (c *goldenChart) compile(states map[string]hsm.State, declared bool) (*hsm.Chart[*goldenData], error) {
	for i, s := range c.States {
		states[s.Name] = hsm.State(i + 1)
	}
	specs := make([]hsm.Spec[*goldenData], len(c.States)+1)
	for i, s := range c.States {
		spec := hsm.Spec[*goldenData]{Name: s.Name}
		if declared {
			spec.Catches = s.catches()
		}
		if s.Parent != nil {
			spec.Parent = states[*s.Parent]
		}
		spec.Handle = func(g *goldenData, e hsm.Event) hsm.Status {
			if declared && !slices.Contains(spec.Catches, e.Signal) {
				g.unlisted = append(g.unlisted, e.Signal.String()+":"+s.Name)
			}
			switch e.Signal {
			case hsm.Entry:
				return g.inner(s.Entry)
			case hsm.Exit:
				return g.inner(s.Exit)
			case hsm.Init:
				return g.inner(s.Init)
			}
			return g.react(s.Reactions[e.Signal.String()])
		}
		specs[i+1] = spec
	}
	return hsm.Compile(specs)
}

// goldenRun plays one chart and counts what it compared.
type goldenRun struct {
	chart    *goldenChart
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
func (g *goldenRun) compare(where string, want goldenStep) {
	g.steps++
	g.lines += len(want.Spy)
	for i := range max(len(want.Spy), len(g.spy)) {
		w, h := "(no more lines)", "(no more lines)"
		if i < len(want.Spy) {
			w = g.chart.Expected.SpyTable[want.Spy[i]]
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
	if want.Trace != nil {
		signal := "start_at"
		if want.Trace[0] != nil {
			signal = *want.Trace[0]
		}
		w = fmt.Sprint([3]string{signal, *want.Trace[1], *want.Trace[2]})
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
func (g *goldenRun) drain(where string, want []goldenStep) {
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
	states := make(map[string]hsm.State)
	chart, err := c.compile(states, g.declared)
	if err != nil {
		return err
	}
	g.source = instrument.Source{Tree: &chart.Tree}
	queue := hsm.NewQueue(c.QueueSize, hsm.Drop)
	g.runner = hsm.NewRunner(hsm.NewMachine(chart, &goldenData{Queue: queue, states: states}), queue, hsm.LogConfig{
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
		for _, post := range stimulus {
			e := hsm.Event{Signal: hsm.NewSignal(post[1])}
			switch post[0] {
			case "fifo":
				queue.PostFIFO(e)
			case "lifo":
				queue.PostLIFO(e)
			default:
				return fmt.Errorf("unknown way to post %q", post[0])
			}
		}
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

// goldenFiles returns the files to read: those of STATEMESH_GOLDEN, parted as a
// search path is, else the copies in testdata.
func goldenFiles(t *testing.T) []string {
	if list := os.Getenv("STATEMESH_GOLDEN"); list != "" {
		files := filepath.SplitList(list)
		for i, file := range files {
			// The test runs in its package's folder; a relative name is meant from
			// the folder of the module, where the command is given.
			if _, err := os.Stat(file); err != nil && !filepath.IsAbs(file) {
				files[i] = filepath.Join("..", file)
			}
		}
		return files
	}
	files, err := filepath.Glob("testdata/golden/golden_*.json.gz")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files in testdata: %v", err)
	}
	return files
}

func readGolden(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil || !bytes.HasPrefix(b, []byte{0x1f, 0x8b}) {
		return b, err
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
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
		for _, path := range goldenFiles(t) {
			b, err := readGolden(path)
			if err != nil {
				t.Fatal(err)
			}
			var file goldenFile
			if err := json.Unmarshal(b, &file); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			if file.Format != "miros-oracle/1" || len(file.Charts) == 0 {
				t.Fatalf("%s: format %q with %d charts; want miros-oracle/1 and at least one", path, file.Format, len(file.Charts))
			}
			for i := range file.Charts {
				g := goldenRun{chart: &file.Charts[i], declared: way.declared}
				if err := g.play(); err != nil {
					t.Errorf("%s: %s: chart %s: %v", way.name, path, g.chart.ID, err)
					differ++
				}
				charts++
				steps += g.steps
				lines += g.lines
				differ += len(g.diffs)
				for _, d := range g.diffs[:min(3, len(g.diffs))] {
					t.Errorf("%s: %s: %s", way.name, path, d)
				}
			}
		}
		fmt.Printf("%s: %d charts, %d steps, %d spy lines, %d differ\n", way.name, charts, steps, lines, differ)
	}
}
