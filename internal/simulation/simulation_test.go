package simulation

import (
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
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
	step     = flag.Uint64("simulation.step", 1, "from one seed to the next")
	workers  = flag.Int("simulation.workers", runtime.NumCPU(), "how many processes run -simulation.seeds or -simulation.for")
)

// A world is a world of one processor: so what can go on at one instant goes on in one order.
// The collector, which mixes that up, is kept for between two worlds.
func TestMain(m *testing.M) {
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(-1)
	goleak.VerifyTestMain(m)
}

// usually is how long the test takes unless it is told otherwise.
const usually = 4 * time.Second

// tooLong is how long a run may take, in real time. Most take less than 0.1 s; in a loop that
// does not let virtual time pass, one would take for ever.
const tooLong = time.Minute

// litter is how much memory worlds leave behind until it is collected.
const litter = 256 << 20

// run runs one plan in a bubble.
func run(t *testing.T, p *plan) (w *world) {
	var m runtime.MemStats
	if runtime.ReadMemStats(&m); m.HeapAlloc > litter {
		runtime.GC()
	}
	guard := time.AfterFunc(tooLong, func() { panic(fmt.Sprintf("a run hangs; %v", p)) })
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
	began := time.Now()
	var count int
	if given := limit != 0 || until != 0; given && *workers > 1 {
		count = spread(t, limit, until)
	} else {
		if !given {
			until = usually
		}
		count = series(t, limit, until)
	}
	took := time.Since(began)
	t.Logf("%d seeds in %v, %.0f a minute", count, took.Round(time.Millisecond), float64(count)/took.Minutes())
}

// series runs seed after seed, and returns how many.
func series(t *testing.T, limit int, until time.Duration) (count int) {
	began := time.Now()
	for seed := *first; (limit == 0 || count < limit) && (until == 0 || time.Since(began) < until); seed += *step {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) { promise(t, seed) })
		count++
	}
	return count
}

func promise(t *testing.T, seed uint64) *world {
	w := run(t, draw(seed))
	if len(w.failures) > 0 {
		t.Errorf("broken with seed %d:\n%s\nplan:\n%v\nagain: go test ./internal/simulation -run TestPromises -simulation.seed=%d -v",
			seed, strings.Join(w.failures, "\n"), w.plan, seed)
	}
	return w
}
