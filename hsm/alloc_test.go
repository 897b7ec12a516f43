package hsm_test

import (
	"testing"

	"github.com/statemesh/statemesh/hsm"
)

// allocations counts those of one dispatch of each of the works of the
// benchmarks, and of a start and a post.
func allocations(t *testing.T, chart *hsm.Chart[*counter], log func() *hsm.Log) {
	for _, w := range []struct {
		signal hsm.Signal
		start  hsm.State
	}{{w1, bS211}, {w2, bS11}, {w3, bS11}, {w4, bS11}} {
		q := hsm.NewQueue(10, hsm.Reject)
		m := hsm.NewMachine(chart, &counter{})
		m.SetLog(log())
		r := hsm.NewRunner(m, q, hsm.LogConfig{})
		if err := r.Start(w.start); err != nil {
			t.Fatal(err)
		}
		e := hsm.Event{Signal: w.signal}
		check := func(what string, run func() error) {
			t.Helper()
			// The rings are full, and the queue has grown, after 2000 steps.
			for range 2000 {
				if err := run(); err != nil {
					t.Fatal(err)
				}
			}
			if n := testing.AllocsPerRun(1000, func() { _ = run() }); n != 0 {
				t.Errorf("%v: %s allocates %v times", w.signal, what, n)
			}
		}
		check("Dispatch", func() error { return m.Dispatch(e) })
		check("PostFIFO and Next", func() error {
			if err := r.PostFIFO(e); err != nil {
				return err
			}
			_, err := r.Next()
			return err
		})
		check("Start", func() error { return m.Start(w.start) })
	}
}

// TestDispatchAllocatesNothing: not without a log, and not with one once its
// rings are full.
func TestDispatchAllocatesNothing(t *testing.T) {
	for name, chart := range map[string]*hsm.Chart[*counter]{"": counting, ", declared": countingDeclared} {
		t.Run("bare"+name, func(t *testing.T) { allocations(t, chart, func() *hsm.Log { return nil }) })
		t.Run("traced"+name, func(t *testing.T) {
			allocations(t, chart, func() *hsm.Log { return hsm.NewLog(hsm.LogConfig{Trace: 100}) })
		})
		t.Run("logged"+name, func(t *testing.T) {
			allocations(t, chart, func() *hsm.Log {
				return hsm.NewLog(hsm.LogConfig{Spy: 100, Trace: 100, Live: func([]hsm.Record, *hsm.Transition) {}})
			})
		})
	}
}
