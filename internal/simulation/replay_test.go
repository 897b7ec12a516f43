package simulation

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	diffs "github.com/google/go-cmp/cmp"
)

// A seed gives the same plan each time, and another one another.
func TestPlanOfASeed(t *testing.T) {
	plans := map[string]bool{}
	for seed := range uint64(100) {
		first, second := draw(seed).String(), draw(seed).String()
		if diff := diffs.Diff(first, second); diff != "" {
			t.Fatalf("seed %d (-first +second):\n%s", seed, diff)
		}
		plans[first] = true
	}
	if len(plans) != 100 {
		t.Errorf("%d plans of 100 seeds", len(plans))
	}
}

// A seed replays exactly: the same is done, each object handles the same events in the same
// order at the same times, and every node counts the same. See the package's documentation
// for what of that is certain.
func TestReplay(t *testing.T) {
	replay(t, func(seed uint64) *world { return run(t, draw(seed)) })
}

// Two processors make the order free in which things go on at one instant. Few worlds feel it.
func TestReplayOnTwoProcessors(t *testing.T) {
	replay(t, func(seed uint64) *world {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
		return run(t, draw(seed))
	})
}

// replay runs seeds on one processor, and again in the given way. One that differs, since
// the operating system may have interrupted a goroutine, is run some more times, until two
// ledgers are equal.
func replay(t *testing.T, again func(seed uint64) *world) {
	const attempts = 4
	most := cmp.Or(*seeds, 12)
	count, atOnce := 0, 0
	for began := time.Now(); count < most && (*seeds > 0 || count < 2 || time.Since(began) < usually/2); count++ {
		seed := *first + uint64(count)
		one := run(t, draw(seed))
		ledgers := [][]string{one.ledger()}
		for {
			next := again(seed)
			if diff := diffs.Diff(one.trace, next.trace); diff != "" || len(one.trace) == 0 {
				t.Errorf("seed %d: what was done (-first +again):\n%s", seed, diff)
			}
			ledger := next.ledger()
			if slices.ContainsFunc(ledgers, func(other []string) bool { return slices.Equal(other, ledger) }) {
				break
			}
			if ledgers = append(ledgers, ledger); len(ledgers) > attempts {
				t.Errorf("seed %d: all of %d ledgers differ (-first +last):\n%.4000s", seed, len(ledgers), diffs.Diff(ledgers[0], ledger))
				break
			}
		}
		if len(ledgers) == 1 {
			atOnce++
		} else {
			t.Logf("seed %d took %d runs (-first +second):\n%.2000s", seed, len(ledgers)+1, diffs.Diff(ledgers[0], ledgers[1]))
		}
	}
	t.Logf("%d of %d seeds replayed exactly at once", atOnce, count)
}

// ledger lists what every object handled, with the times, and what every node counts.
func (w *world) ledger() []string {
	var lines []string
	for _, l := range w.lives {
		for _, e := range l.ears {
			for _, h := range e.got {
				lines = append(lines, fmt.Sprintf("%s in %s: %+v", e.Name(), l.name, h))
			}
			lines = append(lines, fmt.Sprintf("%s in %s: sent %d at %v, full %v, %+v", e.Name(), l.name, e.sent, e.at, e.full, e.Stats()))
		}
		stats := l.stats
		stats.Senders = slices.Clone(stats.Senders)
		for i, s := range stats.Senders {
			if !strings.Contains(s.Node, ".") {
				stats.Senders[i].Node = "a stranger" // its random number
			}
		}
		lines = append(lines, fmt.Sprintf("%s: %+v", l.name, stats))
	}
	return lines
}
