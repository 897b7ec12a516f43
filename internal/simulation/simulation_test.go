package simulation

import (
	"flag"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

var (
	oneSeed  = flag.Uint64("simulation.seed", 0, "run this seed alone, and print what the nodes log")
	seeds    = flag.Int("simulation.seeds", 0, "run so many seeds; default: as many as fit into some seconds")
	duration = flag.Duration("simulation.for", 0, "run seeds for so long")
	first    = flag.Uint64("simulation.first", 1, "the first seed")
)

// On one processor less is left to chance when a seed runs again.
func TestMain(m *testing.M) {
	runtime.GOMAXPROCS(1)
	goleak.VerifyTestMain(m)
}

// usually is how long the test takes unless it is told otherwise.
const usually = 4 * time.Second

// hangs is how long a run may take, in real time. Most take less than 0.1 s; in a loop that
// does not let virtual time pass, one would take for ever.
const hangs = time.Minute

// run runs one plan in a bubble.
func run(t *testing.T, p *plan) (w *world) {
	guard := time.AfterFunc(hangs, func() { panic(fmt.Sprintf("a run hangs; %v", p)) })
	defer guard.Stop()
	synctest.Test(t, func(t *testing.T) { w = simulate(t, p) })
	return w
}

// TestPromises: after faults of all kinds, every promise was kept.
func TestPromises(t *testing.T) {
	if *oneSeed != 0 {
		w := promise(t, *oneSeed)
		t.Logf("%v\n%s\n%s", w.plan, strings.Join(w.trace, "\n"), w.log.String())
		return
	}
	limit, until := *seeds, *duration
	if limit == 0 && until == 0 {
		until = usually
	}
	began, count := time.Now(), 0
	for seed := *first; (limit == 0 || count < limit) && (until == 0 || time.Since(began) < until); seed++ {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) { promise(t, seed) })
		count++
	}
	took := time.Since(began)
	t.Logf("%d seeds in %v, %.0f a minute", count, took.Round(time.Millisecond), float64(count)/took.Minutes())
}

func promise(t *testing.T, seed uint64) *world {
	w := run(t, draw(seed))
	if len(w.failures) > 0 {
		t.Errorf("broken with seed %d:\n%s\nplan:\n%v\nagain: go test ./internal/simulation -run TestPromises -simulation.seed=%d -v",
			seed, strings.Join(w.failures, "\n"), w.plan, seed)
	}
	return w
}
