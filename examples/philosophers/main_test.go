package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/examples/internal/local"
	"github.com/statemesh/statemesh/examples/internal/local/localtest"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var update = flag.Bool("update", false, "write the golden file")

// TestTrace pins what each does for one seed. At one moment several of them may
// move, so the lines are in the order of the names.
func TestTrace(t *testing.T) {
	lines, err := localtest.Play(t, program, func(ctx context.Context, t *testing.T, stage *local.Stage) error {
		d, err := newDinner(5, 1, stage.Delay, stage.Instrument())
		if err != nil {
			return err
		}
		d.table.PostFIFO(hsm.Event{Signal: pause}, activeobject.Once(2*time.Second))
		d.table.PostFIFO(hsm.Event{Signal: serve}, activeobject.Once(3*time.Second))
		return d.run(ctx)
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortStableFunc(lines, func(a, b string) int {
		nameA, _, _ := strings.Cut(a, "]")
		nameB, _, _ := strings.Cut(b, "]")
		return strings.Compare(nameA, nameB)
	})
	path := filepath.Join("testdata", "dinner.txt")
	got := strings.Join(lines, "\n") + "\n"
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o666); err != nil {
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

// TestProgram: everybody eats in the few seconds of the program.
func TestProgram(t *testing.T) {
	lines := localtest.Output(t, program)
	for i := range 5 {
		name := fmt.Sprintf("philosopher_%d", i+1)
		if !slices.Contains(lines, "["+name+"] e->eat() hungry->eating") || slices.Contains(lines, "# "+name+" ate 0 times") {
			t.Errorf("%s did not eat", name)
		}
	}
}

// TestDinner: whatever the seed and however many they are, everybody eats, again
// and again; never two neighbours at once, which would find a fork taken; and
// nobody waits longer than it takes the others on the way round to eat.
func TestDinner(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(2, 7).Draw(rt, "philosophers")
		seed := rapid.Uint64().Draw(rt, "seed")
		p := program
		p.For = 30 * time.Second
		_, err := localtest.Play(t, p, func(ctx context.Context, _ *testing.T, stage *local.Stage) error {
			d, err := newDinner(n, seed, stage.Delay, instrument.Config{Trace: true})
			if err != nil {
				return err
			}
			if err := d.run(ctx); err != nil {
				return err
			}
			meals := make([][]span, n)
			for i, p := range d.philosophers {
				meals[i] = check(rt, p, time.Duration(n)*time.Second)
			}
			for i := range n {
				apart(rt, i, meals[i], meals[(i+1)%n])
			}
			return nil
		})
		if err != nil {
			rt.Error(err)
		}
	})
}

// span is a time from one transition to another.
type span struct{ from, to time.Time }

// check checks what a philosopher did, and returns when it ate.
func check(t *rapid.T, p *philosopher, patience time.Duration) (meals []span) {
	trace := p.Recorder().Trace()
	for i, line := range trace[1:] {
		before := trace[i]
		switch took := line.Time.Sub(before.Time); {
		case before.To != line.From:
			t.Errorf("%s: %v after %v", p.Name(), line, before)
		case line.From == "hungry" && took > patience:
			t.Errorf("%s waited %v", p.Name(), took)
		case line.From == "eating":
			meals = append(meals, span{before.Time, line.Time})
		}
	}
	if len(meals) < 3 {
		t.Errorf("%s ate %d times in half a minute", p.Name(), len(meals))
	}
	return meals
}

// apart checks that neighbours do not eat at the same time.
func apart(t *rapid.T, left int, a, b []span) {
	for _, x := range a {
		for _, y := range b {
			if x.from.Before(y.to) && y.from.Before(x.to) {
				t.Errorf("philosopher %d eats %v, and its neighbour %v", left+1, x, y)
			}
		}
	}
}

// TestForks: a table that serves two neighbours, for it was told that one has
// done, is found out.
func TestForks(t *testing.T) {
	_, err := localtest.Play(t, program, func(ctx context.Context, t *testing.T, stage *local.Stage) error {
		d, err := newDinner(2, 1, stage.Delay, stage.Instrument())
		if err != nil {
			return err
		}
		for i := range d.philosophers {
			d.table.PostFIFO(hsm.Event{Signal: done, Payload: i}, activeobject.Every(100*time.Millisecond))
		}
		return d.run(ctx)
	})
	if err == nil || !strings.Contains(err.Error(), "panic") {
		t.Errorf("the error is %v, want a panic for a taken fork", err)
	}
}

// TestFair: nobody eats before a neighbour that has been hungry for longer, even
// if both forks are free.
func TestFair(t *testing.T) {
	table := newTable(4, activeobject.Config{Fabric: activeobject.NewFabric()})
	for i, step := range []struct {
		signal hsm.Signal
		who    int
		eating []bool
	}{
		{hungrySignal, 0, []bool{true, false, false, false}},
		{hungrySignal, 1, []bool{true, false, false, false}},
		{hungrySignal, 2, []bool{true, false, false, false}}, // 1 was first
		{done, 0, []bool{false, true, false, false}},
		{hungrySignal, 3, []bool{false, true, false, false}}, // 2 was first
		{hungrySignal, 0, []bool{false, true, false, false}},
		{done, 1, []bool{false, false, true, false}}, // 3 was before 0
	} {
		table.note(hsm.Event{Signal: step.signal, Payload: step.who})
		table.serve()
		if diff := cmp.Diff(step.eating, table.eating); diff != "" {
			t.Errorf("step %d: who eats (-want +got):\n%s", i, diff)
		}
	}
}
