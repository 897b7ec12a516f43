package instrument_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

func record(c instrument.Config) *instrument.Recorder {
	return instrument.NewRecorder(instrument.Source{Name: "cat", Node: "home", Tree: &rooms.Tree}, c, nil)
}

func TestRecorder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := record(instrument.Config{Spy: true, Trace: true})
		m := newWalker(t, r.Log(), wanderer)
		time.Sleep(time.Second)
		dispatch(t, m, "to_bath", "A", "unknown")
		wantSpy := []string{
			"START", "SEARCH_FOR_SUPER_SIGNAL:hall", "SEARCH_FOR_SUPER_SIGNAL:flat", "SEARCH_FOR_SUPER_SIGNAL:house",
			"ENTRY_SIGNAL:house", "ENTRY_SIGNAL:flat", "ENTRY_SIGNAL:hall", "INIT_SIGNAL:hall", "<- Queued:(0) Deferred:(0)",

			"to_bath:hall", "to_bath:flat", "to_bath:house",
			"EXIT_SIGNAL:hall", "SEARCH_FOR_SUPER_SIGNAL:hall", "EXIT_SIGNAL:flat", "SEARCH_FOR_SUPER_SIGNAL:flat",
			"SEARCH_FOR_SUPER_SIGNAL:bath", "SEARCH_FOR_SUPER_SIGNAL:house", "SEARCH_FOR_SUPER_SIGNAL:flat",
			"ENTRY_SIGNAL:flat", "ENTRY_SIGNAL:bath", "INIT_SIGNAL:bath", "<- Queued:(0) Deferred:(0)",

			"A:bath", "A:flat", "A:flat:HOOK", "<- Queued:(0) Deferred:(0)",
			"unknown:bath", "unknown:flat", "unknown:house", "<- Queued:(0) Deferred:(0)",
		}
		if diff := cmp.Diff(wantSpy, r.Spy()); diff != "" {
			t.Errorf("spy (-want +got):\n%s", diff)
		}
		began := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Local() // as all bubbles do
		wantTrace := []instrument.Trace{
			{Time: began, Name: "cat", Node: "home", Signal: "start_at", From: "top", To: "hall"},
			{Time: began.Add(time.Second), Name: "cat", Node: "home", Signal: "to_bath", From: "hall", To: "bath"},
		}
		if diff := cmp.Diff(wantTrace, r.Trace()); diff != "" {
			t.Errorf("trace (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(wantTrace[0].String()+"\n"+wantTrace[1].String()+"\n", r.TraceText()); diff != "" {
			t.Errorf("text (-want +got):\n%s", diff)
		}
		if s := r.Source(); s.Name != "cat" || s.Node != "home" || s.Tree != &rooms.Tree || s.NoSearch {
			t.Errorf("source %+v", s)
		}
	})
}

// TestRecorderOptions: what is not asked for is not recorded.
func TestRecorderOptions(t *testing.T) {
	for _, test := range []struct {
		name              string
		c                 instrument.Config
		spy, trace, finds bool
	}{
		{"nothing", instrument.Config{}, false, false, false},
		{"trace", instrument.Config{Trace: true}, false, true, false},
		{"spy", instrument.Config{Spy: true}, true, false, true},
		{"spy without search lines", instrument.Config{Spy: true, NoSearch: true}, true, false, false},
		{"both", instrument.Config{Spy: true, Trace: true, Size: -1}, true, true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := record(test.c)
			dispatch(t, newWalker(t, r.Log(), wanderer), wander...)
			spy := strings.Join(r.Spy(), "\n")
			if got := spy != ""; got != test.spy {
				t.Errorf("a spy: %v, want %v", got, test.spy)
			}
			if got := len(r.Trace()) > 0; got != test.trace {
				t.Errorf("a trace: %v, want %v", got, test.trace)
			}
			if got := strings.Contains(spy, "SEARCH_FOR_SUPER_SIGNAL"); got != test.finds {
				t.Errorf("search lines: %v, want %v", got, test.finds)
			}
			if (r.TraceText() != "") != test.trace {
				t.Errorf("text %q", r.TraceText())
			}
		})
	}
}

// TestRecorderKeepsTheNewest, at least as many as asked for, and forgets the
// rest.
func TestRecorderKeepsTheNewest(t *testing.T) {
	for _, size := range []int{1, 5, 63, 64, 65, 200} {
		r := record(instrument.Config{Spy: true, Trace: true, Size: size, NoSearch: true})
		all := hsm.NewLog(hsm.LogConfig{Spy: 100_000, Trace: 100_000})
		m, n := newWalker(t, r.Log(), wanderer), newWalker(t, all, wanderer)
		for range 50 {
			dispatch(t, m, wander...)
			dispatch(t, n, wander...)
		}
		source := instrument.Source{Name: "cat", Tree: &rooms.Tree, NoSearch: true}
		spy, want := r.Spy(), source.Spy(all.Records(100_000))
		// A record of a transition has no line.
		if len(spy) > size || len(spy) < size/2 || !slices.Equal(spy, want[len(want)-len(spy):]) {
			t.Errorf("size %d: %d lines, the newest of %d are not those", size, len(spy), len(want))
		}
		trace, steps := r.Trace(), all.Transitions(size)
		if len(trace) != size {
			t.Errorf("size %d: %d transitions", size, len(trace))
		}
		for i, line := range trace {
			if step := source.Trace(steps[i]); line.Signal != step.Signal || line.From != step.From || line.To != step.To {
				t.Fatalf("size %d: transition %d is %v, want %v", size, i, line, step)
			}
		}
	}
}

func TestRecorderClear(t *testing.T) {
	r := record(instrument.Config{Spy: true, Trace: true})
	m := newWalker(t, r.Log(), nil)
	dispatch(t, m, "to_bath")
	r.ClearSpy()
	if spy := r.Spy(); len(spy) != 0 || len(r.Trace()) != 2 {
		t.Errorf("after ClearSpy: spy %q, trace %v", spy, r.Trace())
	}
	dispatch(t, m, "unknown")
	r.ClearTrace()
	if trace := r.Trace(); len(trace) != 0 || r.TraceText() != "" {
		t.Errorf("after ClearTrace: trace %v", trace)
	}
	if diff := cmp.Diff([]string{"unknown:bath", "unknown:flat", "unknown:house", "<- Queued:(0) Deferred:(0)"}, r.Spy()); diff != "" {
		t.Errorf("spy since (-want +got):\n%s", diff)
	}
	dispatch(t, m, "to_hall")
	if got := r.Trace(); len(got) != 1 || got[0].Signal != "to_hall" {
		t.Errorf("trace since: %v, want to_hall", got)
	}
}

// TestRecorderDepths asks at the end of each step.
func TestRecorderDepths(t *testing.T) {
	asked := 0
	r := instrument.NewRecorder(instrument.Source{Tree: &rooms.Tree}, instrument.Config{Spy: true}, func() (int, int) {
		asked++
		return asked, 10 * asked
	})
	dispatch(t, newWalker(t, r.Log(), nil), "unknown")
	spy := r.Spy()
	if asked != 2 || !slices.Contains(spy, "<- Queued:(1) Deferred:(10)") || spy[len(spy)-1] != "<- Queued:(2) Deferred:(20)" {
		t.Errorf("asked %d times, spy %q", asked, spy)
	}
}

// TestRecorderIsReadWhileItRecords: readers see whole steps, in order.
func TestRecorderIsReadWhileItRecords(t *testing.T) {
	r := record(instrument.Config{Spy: true, Trace: true, Size: 100})
	m := newWalker(t, r.Log(), wanderer)
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if spy := r.Spy(); len(spy) > 0 && !strings.HasPrefix(spy[len(spy)-1], "<- Queued:(") {
					t.Errorf("the spy ends in the middle of a step, with %q", spy[len(spy)-1])
					return
				}
				trace := r.Trace()
				for i := 1; i < len(trace); i++ {
					if trace[i].From != trace[i-1].To || trace[i].Time.Before(trace[i-1].Time) {
						t.Errorf("after %v comes %v", trace[i-1], trace[i])
						return
					}
				}
				r.ClearSpy()
			}
		})
	}
	for range 500 {
		dispatch(t, m, wander...)
	}
	close(stop)
	readers.Wait()
}
