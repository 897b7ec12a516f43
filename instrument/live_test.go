package instrument_test

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

// notes collects what a Live hands on.
type notes struct {
	mu    sync.Mutex // guards lines
	lines []string
}

func (n *notes) add(line string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, line)
}

func (n *notes) trace(t instrument.Trace) error {
	n.add(fmt.Sprintf("%s: %s %s->%s", t.Name, t.Signal, t.From, t.To))
	return nil
}

func (n *notes) spy(name, line string) error {
	n.add(name + ": " + line)
	return nil
}

func (n *notes) take() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.lines
}

// live returns a machine in the hall whose steps these Lives are told.
func live(t testing.TB, name string, lives ...*instrument.Live) *hsm.Machine[*walker] {
	r := instrument.NewRecorder(instrument.Source{Name: name, Tree: &rooms.Tree},
		instrument.Config{Spy: true, Trace: true, NoSearch: true, Live: lives}, nil)
	return newWalker(t, r.Log(), nil)
}

// TestLiveOrder: step after step, of each the trace first.
func TestLiveOrder(t *testing.T) {
	var n notes
	l := instrument.NewLive(instrument.LiveConfig{Trace: n.trace, Spy: n.spy})
	dispatch(t, live(t, "cat", l), "unknown", "to_house")
	l.Close()
	want := []string{
		"cat: start_at top->hall",
		"cat: START", "cat: ENTRY_SIGNAL:house", "cat: ENTRY_SIGNAL:flat", "cat: ENTRY_SIGNAL:hall", "cat: INIT_SIGNAL:hall",
		"cat: <- Queued:(0) Deferred:(0)",
		"cat: unknown:hall", "cat: unknown:flat", "cat: unknown:house", "cat: <- Queued:(0) Deferred:(0)",
		"cat: to_house hall->house",
		"cat: to_house:hall", "cat: to_house:flat", "cat: to_house:house", "cat: EXIT_SIGNAL:hall", "cat: EXIT_SIGNAL:flat",
		"cat: EXIT_SIGNAL:house", "cat: ENTRY_SIGNAL:house", "cat: INIT_SIGNAL:house", "cat: <- Queued:(0) Deferred:(0)",
	}
	if diff := cmp.Diff(want, n.take()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(instrument.LiveStats{Delivered: uint64(len(want))}, l.Stats()); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
}

// TestLiveIsPrompt: a step is handed on as it happens, not when another comes.
func TestLiveIsPrompt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n notes
		l := instrument.NewLive(instrument.LiveConfig{Trace: n.trace})
		defer l.Close()
		synctest.Wait() // it has nothing to do
		m := live(t, "cat", l)
		for steps := 1; steps < 10; steps++ {
			synctest.Wait()
			if got := len(n.take()); got != steps {
				t.Fatalf("%d lines after %d steps", got, steps)
			}
			dispatch(t, m, "to_bath")
		}
	})
}

// TestLiveGetsWhatIsAskedFor: by its functions and by the recorder's options.
func TestLiveGetsWhatIsAskedFor(t *testing.T) {
	for _, test := range []struct {
		name               string
		spyFunc, traceFunc bool
		c                  instrument.Config
		wantSpy, wantTrace int // lines of the start
	}{
		{"spy and trace", true, true, instrument.Config{Spy: true, Trace: true}, 6, 1},
		{"no function for the spy", false, true, instrument.Config{Spy: true, Trace: true}, 0, 1},
		{"no function for the trace", true, false, instrument.Config{Spy: true, Trace: true}, 6, 0},
		{"no functions", false, false, instrument.Config{Spy: true, Trace: true}, 0, 0},
		{"no spy recorded", true, true, instrument.Config{Trace: true}, 0, 1},
		{"no trace recorded", true, true, instrument.Config{Spy: true}, 6, 0},
		{"search lines", true, true, instrument.Config{Spy: true}, 9, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			var spies, traces notes
			var lc instrument.LiveConfig
			if test.spyFunc {
				lc.Spy = spies.spy
			}
			if test.traceFunc {
				lc.Trace = traces.trace
			}
			l := instrument.NewLive(lc)
			test.c.Live = []*instrument.Live{l}
			test.c.NoSearch = test.name != "search lines"
			r := record(test.c)
			newWalker(t, r.Log(), nil)
			l.Close()
			if s, tr := len(spies.take()), len(traces.take()); s != test.wantSpy || tr != test.wantTrace {
				t.Errorf("%d lines of the spy and %d of the trace, want %d and %d", s, tr, test.wantSpy, test.wantTrace)
			}
		})
	}
}

// TestLiveDoesNotBlockTheMachine: while a function is slow, Backlog steps wait,
// the rest is dropped and counted, and the machine goes on all the time.
func TestLiveDoesNotBlockTheMachine(t *testing.T) {
	for _, backlog := range []int{1, 2, 5} {
		synctest.Test(t, func(t *testing.T) {
			var n notes
			block := make(chan struct{})
			l := instrument.NewLive(instrument.LiveConfig{Backlog: backlog, Trace: func(t instrument.Trace) error {
				n.trace(t)
				<-block
				return nil
			}})
			m := live(t, "cat", l)
			for round := range 3 {
				synctest.Wait() // one is being handed on, and the function is slow
				for i := range backlog + 3 {
					dispatch(t, m, "to_bath")
					if want := uint64(4*round + max(0, i+1-backlog)); l.Stats().Dropped != want {
						t.Fatalf("backlog %d, round %d: after %d steps %d dropped, want %d", backlog, round, i+1, l.Stats().Dropped, want)
					}
				}
				// When the function has done with one, one more can wait.
				block <- struct{}{}
				synctest.Wait()
				dispatch(t, m, "to_hall", "to_bath")
				if want := uint64(4 * (round + 1)); l.Stats().Dropped != want {
					t.Fatalf("backlog %d, round %d: %d dropped, want %d", backlog, round, l.Stats().Dropped, want)
				}
				for range backlog {
					block <- struct{}{}
				}
			}
			close(block)
			l.Close()
			want := []string{"cat: start_at top->hall"}
			from := "hall"
			for range 3 {
				for range backlog {
					want = append(want, "cat: to_bath "+from+"->bath")
					from = "bath"
				}
				want = append(want, "cat: to_hall bath->hall")
				from = "bath" // by the step that was dropped
			}
			if diff := cmp.Diff(want, n.take()); diff != "" {
				t.Errorf("backlog %d: (-want +got):\n%s", backlog, diff)
			}
		})
	}
}

// TestLiveGoesOn when its functions fail, panic or end their goroutine.
func TestLiveGoesOn(t *testing.T) {
	paper := errors.New("no paper")
	for name, test := range map[string]struct {
		fail func() error
		want error
	}{
		"an error":             {func() error { return paper }, paper},
		"a panic":              {func() error { panic("jam") }, instrument.ErrPanic},
		"an end of goroutines": {func() error { runtime.Goexit(); return nil }, instrument.ErrExited},
	} {
		t.Run(name, func(t *testing.T) {
			var n notes
			calls := 0
			l := instrument.NewLive(instrument.LiveConfig{Trace: func(line instrument.Trace) error {
				if calls++; calls%2 == 0 {
					return test.fail()
				}
				return n.trace(line)
			}})
			dispatch(t, live(t, "cat", l), "to_bath", "to_hall", "to_tub", "to_attic")
			l.Close()
			want := []string{"cat: start_at top->hall", "cat: to_hall bath->hall", "cat: to_attic tub->attic"}
			if diff := cmp.Diff(want, n.take()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			stats := l.Stats()
			if stats.Delivered != 3 || stats.Failed != 2 || stats.Dropped != 0 || !errors.Is(stats.LastError, test.want) {
				t.Errorf("stats %+v, want 3 delivered, 2 failed, the last with %v", stats, test.want)
			}
		})
	}
}

// TestLiveFailingSpy: a line that fails does not take the rest of its step with
// it, nor the trace.
func TestLiveFailingSpy(t *testing.T) {
	var n notes
	l := instrument.NewLive(instrument.LiveConfig{Trace: n.trace, Spy: func(name, line string) error {
		if strings.HasPrefix(line, "ENTRY") {
			panic(io.ErrShortWrite)
		}
		return n.spy(name, line)
	}})
	live(t, "cat", l)
	l.Close()
	want := []string{"cat: start_at top->hall", "cat: START", "cat: INIT_SIGNAL:hall", "cat: <- Queued:(0) Deferred:(0)"}
	if diff := cmp.Diff(want, n.take()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if stats := l.Stats(); stats.Failed != 3 || stats.Delivered != 4 || !strings.Contains(fmt.Sprint(stats.LastError), "short write") {
		t.Errorf("stats %+v", stats)
	}
}

// TestLiveClose hands on what waits, may be called again, from several
// goroutines, and what comes after is dropped and counted.
func TestLiveClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n notes
		block := make(chan struct{})
		l := instrument.NewLive(instrument.LiveConfig{Trace: func(t instrument.Trace) error {
			<-block
			return n.trace(t)
		}})
		m := live(t, "cat", l)
		dispatch(t, m, "to_bath", "to_hall")
		closed := make(chan struct{})
		for range 3 {
			go func() {
				l.Close()
				closed <- struct{}{}
			}()
		}
		synctest.Wait()
		select {
		case <-closed:
			t.Error("Close did not wait for the function")
		default:
		}
		dispatch(t, m, "to_bath")
		if stats := l.Stats(); stats.Dropped != 1 || stats.Delivered != 0 {
			t.Errorf("stats while closing %+v, want one step dropped", stats)
		}
		close(block)
		for range 3 {
			<-closed
		}
		l.Close()
		dispatch(t, m, "to_hall", "unknown") // an unknown one is no line of the trace
		want := []string{"cat: start_at top->hall", "cat: to_bath hall->bath", "cat: to_hall bath->hall"}
		if diff := cmp.Diff(want, n.take()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(instrument.LiveStats{Delivered: 3, Dropped: 2}, l.Stats()); diff != "" {
			t.Errorf("stats (-want +got):\n%s", diff)
		}
	})
}

func TestLiveCloseOfAnIdleOne(t *testing.T) {
	l := instrument.NewLive(instrument.LiveConfig{})
	live(t, "cat", l) // nothing for a Live without functions
	l.Close()
	l.Close()
	if diff := cmp.Diff(instrument.LiveStats{}, l.Stats()); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
}

// TestLiveOfManyMachines: several on one Live, and one on several Lives. The
// lines of one machine stay in order, its steps whole.
func TestLiveOfManyMachines(t *testing.T) {
	const machines, rounds = 6, 100
	var one, two notes
	first := instrument.NewLive(instrument.LiveConfig{Spy: one.spy, Backlog: 1 << 20})
	second := instrument.NewLive(instrument.LiveConfig{Trace: two.trace, Backlog: 1 << 20})
	var all sync.WaitGroup
	for i := range machines {
		all.Go(func() {
			m := live(t, fmt.Sprint("cat", i), first, second)
			for range rounds {
				dispatch(t, m, "to_bath", "to_hall")
			}
		})
	}
	all.Wait()
	first.Close()
	second.Close()
	current := ""
	for i, line := range one.take() {
		name, text, _ := strings.Cut(line, ": ")
		if current != "" && name != current {
			t.Fatalf("line %d is %q, in the middle of a step of %s", i, line, current)
		}
		if current = name; strings.HasPrefix(text, "<- ") {
			current = ""
		}
	}
	at := make(map[string]string)
	for _, line := range two.take() {
		name, text, _ := strings.Cut(line, ": ")
		_, way, _ := strings.Cut(text, " ")
		from, to, _ := strings.Cut(way, "->")
		if was := at[name]; was != "" && was != from {
			t.Fatalf("%s comes after it came to %s", line, was)
		}
		at[name] = to
	}
	if len(two.take()) != machines*(2*rounds+1) || len(at) != machines {
		t.Errorf("%d lines of %d machines, want %d of %d", len(two.take()), len(at), machines*(2*rounds+1), machines)
	}
}
