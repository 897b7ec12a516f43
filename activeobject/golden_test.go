package activeobject_test

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

// The golden charts of package hsm, with what the originals did with them.
type (
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
		Name, Parent      string
		Entry, Exit, Init goldenInner
		Reactions         map[string]*goldenReaction
	}
	goldenInner struct {
		Handled bool
		Target  string
		Actions []*goldenAction
	}
	goldenReaction struct {
		Kind, Target string
		Guard, asked int
		Actions      []*goldenAction
	}
	goldenAction struct {
		Op, Signal string
		Limit      int
	}
	goldenStep struct {
		Spy   []int
		Trace []*string
		Steps []goldenStep // of the start only
	}
)

// goldenPlayer is the data of an object that plays a golden chart.
type goldenPlayer struct {
	*activeobject.ActiveObject
	states map[string]hsm.State
}

func (g *goldenPlayer) act(actions []*goldenAction) {
	for _, a := range actions {
		if a.Limit--; a.Limit < 0 {
			continue
		}
		switch e := (hsm.Event{Signal: hsm.NewSignal(a.Signal)}); a.Op {
		case "post_fifo":
			g.PostFIFO(e)
		case "post_lifo":
			g.PostLIFO(e)
		case "defer":
			g.Defer(e)
		case "recall":
			g.Recall()
		}
	}
}

func (g *goldenPlayer) inner(in goldenInner) hsm.Status {
	if !in.Handled {
		return hsm.Super
	}
	g.act(in.Actions)
	if in.Target != "" {
		return hsm.Tran(g.states[in.Target])
	}
	return hsm.Handled
}

func (g *goldenPlayer) react(r *goldenReaction) hsm.Status {
	if r == nil {
		return hsm.Super
	}
	if r.Kind == "unhandled" {
		return hsm.Unhandled
	}
	if r.asked++; r.Guard > 0 && (r.asked-1)%r.Guard != 0 {
		return hsm.Unhandled
	}
	g.act(r.Actions)
	if r.Kind == "tran" {
		return hsm.Tran(g.states[r.Target])
	}
	return hsm.Handled
}

// gated is a machine that runs a function that comes as a payload, without a
// step: what a test does there, it does on the object's goroutine, unseen.
type gated struct {
	*hsm.Machine[*goldenPlayer]
}

func (g gated) DispatchFrom(e hsm.Event, o hsm.Origin) error {
	if f, ok := e.Payload.(func()); ok {
		f()
		return nil
	}
	return g.Machine.DispatchFrom(e, o)
}

func (c *goldenChart) object(t *testing.T) *goldenPlayer {
	player := &goldenPlayer{states: make(map[string]hsm.State)}
	for i, s := range c.States {
		player.states[s.Name] = hsm.State(i + 1)
	}
	specs := make([]hsm.Spec[*goldenPlayer], len(c.States)+1)
	for i, s := range c.States {
		specs[i+1] = hsm.Spec[*goldenPlayer]{Name: s.Name, Parent: player.states[s.Parent], Handle: func(g *goldenPlayer, e hsm.Event) hsm.Status {
			switch e.Signal {
			case hsm.Entry:
				return g.inner(s.Entry)
			case hsm.Exit:
				return g.inner(s.Exit)
			case hsm.Init:
				return g.inner(s.Init)
			}
			return g.react(s.Reactions[e.Signal.String()])
		}}
	}
	chart, err := hsm.Compile(specs)
	if err != nil {
		t.Fatal(err)
	}
	player.ActiveObject = activeobject.New(c.ID, gated{hsm.NewMachine(chart, player)}, activeobject.Config{
		QueueSize: c.QueueSize, Overflow: hsm.Drop, Instrument: instrument.Config{Spy: true, Trace: true, Size: 1 << 14},
	})
	return player
}

// compare holds what was recorded since the last call against these steps.
func (c *goldenChart) compare(t *testing.T, where string, g *goldenPlayer, steps []goldenStep) {
	var spy, trace, gotTrace []string
	for _, step := range steps {
		for _, line := range step.Spy {
			spy = append(spy, c.Expected.SpyTable[line])
		}
		if step.Trace != nil {
			signal := "start_at"
			if step.Trace[0] != nil {
				signal = *step.Trace[0]
			}
			trace = append(trace, fmt.Sprint(signal, " ", *step.Trace[1], " ", *step.Trace[2]))
		}
	}
	if diff := cmp.Diff(spy, append([]string(nil), g.Recorder().Spy()...)); diff != "" {
		t.Errorf("chart %s, %s: spy (-want +got):\n%s", c.ID, where, diff)
	}
	for _, line := range g.Recorder().Trace() {
		gotTrace = append(gotTrace, fmt.Sprint(line.Signal, " ", line.From, " ", line.To))
	}
	if diff := cmp.Diff(trace, gotTrace); diff != "" {
		t.Errorf("chart %s, %s: trace (-want +got):\n%s", c.ID, where, diff)
	}
	g.Recorder().ClearSpy()
	g.Recorder().ClearTrace()
}

func (c *goldenChart) play(t *testing.T) {
	g := c.object(t)
	if err := g.Start(t.Context(), g.states[c.Start]); err != nil {
		t.Fatal(err)
	}
	defer g.Stop(background)
	synctest.Wait()
	c.compare(t, "start", g, append([]goldenStep{c.Expected.Start}, c.Expected.Start.Steps...))
	inside := func(f func()) {
		if _, err := g.PostFIFO(hsm.Event{Signal: run, Payload: f}); err != nil {
			t.Fatal(err)
		}
	}
	for i, stimulus := range c.Events {
		want, where := c.Expected.Events[i], fmt.Sprint("event ", i+1)
		entered, release := make(chan struct{}), make(chan struct{})
		inside(func() { close(entered); <-release })
		<-entered
		for _, post := range stimulus {
			e := hsm.Event{Signal: hsm.NewSignal(post[1])}
			if post[0] == "lifo" {
				g.PostLIFO(e)
			} else {
				g.PostFIFO(e)
			}
		}
		close(release)
		synctest.Wait()
		c.compare(t, where, g, want.Steps)
		inside(func() {
			if h := g.Tree().Name(g.State()); h != want.State {
				t.Errorf("chart %s, %s: state is %q, want %q", c.ID, where, h, want.State)
			}
			for j, name := range c.IsInProbe {
				if h := g.In(g.states[name]); h != want.IsIn[j] {
					t.Errorf("chart %s, %s: in %q is %v, want %v", c.ID, where, name, h, want.IsIn[j])
				}
			}
			if h := g.Deferred(); h != len(want.Deferred) {
				t.Errorf("chart %s, %s: %d are deferred, want %d", c.ID, where, h, len(want.Deferred))
			}
		})
		synctest.Wait()
		if t.Failed() {
			return
		}
	}
}

// TestGolden lets active objects play the golden charts: on their own goroutine,
// with their own queues, they do what the machine does alone.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("../hsm/testdata/golden/golden_*.json.gz")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		var file struct{ Charts []goldenChart }
		if err := json.NewDecoder(z).Decode(&file); err != nil || len(file.Charts) == 0 {
			t.Fatalf("%s: %d charts, %v", path, len(file.Charts), err)
		}
		f.Close()
		synctest.Test(t, func(t *testing.T) {
			for i := range file.Charts {
				if file.Charts[i].play(t); t.Failed() {
					return
				}
			}
		})
	}
}
