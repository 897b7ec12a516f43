package activeobject_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
	"github.com/statemesh/statemesh/internal/goldentest"
)

// goldenPlayer is the data of an object that plays a golden chart.
type goldenPlayer struct{ *activeobject.ActiveObject }

func (g *goldenPlayer) Post(e hsm.Event, lifo bool) {
	if lifo {
		g.PostLIFO(e)
	} else {
		g.PostFIFO(e)
	}
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

func goldenObject(t *testing.T, c *goldentest.Chart) *goldenPlayer {
	chart, err := hsm.Compile(goldentest.Specs[*goldenPlayer](c, false, nil))
	if err != nil {
		t.Fatal(err)
	}
	player := &goldenPlayer{}
	player.ActiveObject = activeobject.New(c.ID, gated{hsm.NewMachine(chart, player)}, activeobject.Config{
		QueueSize: c.QueueSize, Overflow: hsm.Drop, Instrument: instrument.Config{Spy: true, Trace: true, Size: 1 << 14},
	})
	return player
}

// compareGolden holds what was recorded since the last call against these steps.
func compareGolden(t *testing.T, c *goldentest.Chart, where string, g *goldenPlayer, steps []goldentest.Step) {
	var spy, trace, gotTrace []string
	for _, step := range steps {
		spy = append(spy, c.Spy(step)...)
		if line, traced := step.Transition(); traced {
			trace = append(trace, fmt.Sprint(line))
		}
	}
	if diff := cmp.Diff(spy, append([]string(nil), g.Recorder().Spy()...)); diff != "" {
		t.Errorf("chart %s, %s: spy (-want +got):\n%s", c.ID, where, diff)
	}
	for _, line := range g.Recorder().Trace() {
		gotTrace = append(gotTrace, fmt.Sprint([3]string{line.Signal, line.From, line.To}))
	}
	if diff := cmp.Diff(trace, gotTrace); diff != "" {
		t.Errorf("chart %s, %s: trace (-want +got):\n%s", c.ID, where, diff)
	}
	g.Recorder().ClearSpy()
	g.Recorder().ClearTrace()
}

func playGolden(t *testing.T, c *goldentest.Chart) {
	g, states := goldenObject(t, c), c.Numbers()
	if err := g.Start(t.Context(), states[c.Start]); err != nil {
		t.Fatal(err)
	}
	defer g.Stop(background)
	synctest.Wait()
	compareGolden(t, c, "start", g, append([]goldentest.Step{c.Expected.Start}, c.Expected.Start.Steps...))
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
		stimulus.Post(g)
		close(release)
		synctest.Wait()
		compareGolden(t, c, where, g, want.Steps)
		inside(func() {
			if h := g.Tree().Name(g.State()); h != want.State {
				t.Errorf("chart %s, %s: state is %q, want %q", c.ID, where, h, want.State)
			}
			for j, name := range c.IsInProbe {
				if h := g.In(states[name]); h != want.IsIn[j] {
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
	for _, file := range goldentest.Files(t) {
		synctest.Test(t, func(t *testing.T) {
			for i := range file.Charts {
				if playGolden(t, &file.Charts[i]); t.Failed() {
					return
				}
			}
		})
	}
}
