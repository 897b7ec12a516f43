package simulation

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A seed gives the same plan each time, and another one another.
func TestPlanOfASeed(t *testing.T) {
	plans := map[string]bool{}
	for seed := range uint64(100) {
		first, second := draw(seed).String(), draw(seed).String()
		if diff := cmp.Diff(first, second); diff != "" {
			t.Fatalf("seed %d (-first +second):\n%s", seed, diff)
		}
		plans[first] = true
	}
	if len(plans) != 100 {
		t.Errorf("%d plans of 100 seeds", len(plans))
	}
}

// A run does the same each time, at the same times. What the objects hear may differ where
// a node waited for a random time before it dialled again, and in the order of what comes
// at one instant.
func TestReplay(t *testing.T) {
	const most = 6
	count, same := 0, 0
	for began := time.Now(); count < most && time.Since(began) < usually/2; count++ {
		seed := *first + uint64(count)
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			one, two := run(t, draw(seed)), run(t, draw(seed))
			if diff := cmp.Diff(one.trace, two.trace); diff != "" {
				t.Errorf("what was done (-first +second):\n%s", diff)
			}
			if len(one.trace) == 0 {
				t.Error("nothing was done")
			}
			if slices.Equal(one.handled(), two.handled()) {
				same++
			}
		})
	}
	t.Logf("in %d of %d runs the objects handled the same at the same times", same, count)
}

// handled lists what every object handled, with the times.
func (w *world) handled() []string {
	var lines []string
	for _, l := range w.lives {
		for _, e := range l.ears {
			for _, h := range e.got {
				lines = append(lines, fmt.Sprintf("%s in %s: %+v", e.Name(), l.name, h))
			}
		}
	}
	return lines
}
