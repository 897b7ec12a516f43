package barrier

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
	"github.com/statemesh/statemesh/instrument/diagram"
	"github.com/statemesh/statemesh/instrument/sequence"
)

var update = flag.Bool("update", false, "write the golden files")

func TestMain(m *testing.M) {
	time.Local = time.UTC // for the times in the golden files
	goleak.VerifyTestMain(m)
}

// visit starts the gate and leads it through a few events, in virtual time. It
// calls note before each with what happens, and after it with nothing.
func visit(t *testing.T, c activeobject.Config, note func(g *gate, what string)) *gate {
	t.Helper()
	c.QueueSize, c.Fabric, c.Causes = 1, activeobject.NewFabric(), true
	g := newGate(c)
	other := newGate(activeobject.Config{Fabric: c.Fabric})
	step := func(what string, do func()) {
		t.Helper()
		time.Sleep(500 * time.Millisecond)
		note(g, "# "+what)
		do()
		synctest.Wait()
		note(g, "")
	}
	post := func(e hsm.Event) func() {
		return func() {
			if _, err := g.PostFIFO(e); err != nil {
				t.Error(err)
			}
		}
	}
	step("it starts", func() {
		if err := g.Start(t.Context(), barrier); err != nil {
			t.Fatal(err)
		}
	})
	step("somebody presses the button", post(hsm.Event{Signal: help}))
	step("a small coin", post(hsm.Event{Signal: coin, Payload: 1}))
	step("a coin", post(hsm.Event{Signal: coin, Payload: 2}))
	step("the next one is early", post(hsm.Event{Signal: coin, Payload: 2}))
	step("and another one", post(hsm.Event{Signal: coin, Payload: 2}))
	step("five seconds later", func() { time.Sleep(4 * time.Second) })
	step("an alarm", func() { other.Publish(hsm.Event{Signal: alarm}, 1) })
	step("the night", post(hsm.Event{Signal: night}))
	if err := g.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	return g
}

// TestSpy: the spy of the visit, step by step.
func TestSpy(t *testing.T) {
	for name, noSearch := range map[string]bool{"spy.txt": true, "search.txt": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out strings.Builder
				config := activeobject.Config{Instrument: instrument.Config{Spy: true, NoSearch: noSearch}}
				visit(t, config, func(g *gate, what string) {
					if what != "" {
						fmt.Fprintln(&out, what)
						return
					}
					for _, line := range g.Recorder().Spy() {
						fmt.Fprintln(&out, line)
					}
					g.Recorder().ClearSpy()
				})
				golden(t, name, out.String())
			})
		})
	}
}

// TestTrace: the trace of the visit, as text, as JSON, and as pictures.
func TestTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := visit(t, activeobject.Config{Instrument: instrument.Config{Trace: true}}, func(*gate, string) {})
		trace := g.Recorder().TraceText()
		golden(t, "trace.txt", trace)
		golden(t, "stripped.txt", strings.Join(instrument.Stripped(trace), "\n")+"\n")

		var lines strings.Builder
		p := instrument.NewPrinter(&lines, false)
		ids := map[uint64]uint64{0: 0}
		small := func(id uint64) uint64 { // ids are large and begin anywhere
			if _, known := ids[id]; !known {
				ids[id] = uint64(len(ids))
			}
			return ids[id]
		}
		for _, line := range g.Recorder().Trace() {
			line.Event, line.Cause = small(line.Event), small(line.Cause)
			if err := p.JSON(line); err != nil {
				t.Error(err)
			}
		}
		golden(t, "trace.json", lines.String())

		log, err := sequence.Read(strings.NewReader(trace))
		if err != nil {
			t.Fatal(err)
		}
		var drawing strings.Builder
		if err := log.Draw(&drawing, sequence.Options{Number: true}); err != nil {
			t.Fatal(err)
		}
		golden(t, "sequence.txt", drawing.String())

		d := chart.Describe()
		golden(t, "chart.txt", d.String())
		if _, err := diagram.AddTrace(d, strings.NewReader(trace)); err != nil {
			t.Fatal(err)
		}
		golden(t, "seen.txt", d.String())
		mermaid, dot, err := pictures(strings.NewReader(trace))
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "chart.mermaid", mermaid)
		golden(t, "chart.dot", dot)
	})
}

// TestLive: what is printed while the gate runs.
func TestLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		stop := watch(&out, func(c activeobject.Config) {
			visit(t, c, func(*gate, string) {})
		})
		stop()
		golden(t, "live.txt", out.String())
	})
}

// golden compares with a file in testdata, or writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
