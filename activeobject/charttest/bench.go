package charttest

import (
	"sync"
	"testing"
)

// bench is what the charts of one test have in common.
type bench struct {
	mu     sync.Mutex     // guards all
	files  map[string]int // golden files so far, by their ends
	charts []subject
}

// benches has the benches of the tests that run.
var benches struct {
	sync.Mutex // guards of
	of         map[testing.TB]*bench
}

// benchOf returns the same for the same test.
func benchOf(tb testing.TB) *bench {
	benches.Lock()
	defer benches.Unlock()
	b := benches.of[tb]
	if b == nil {
		b = &bench{files: make(map[string]int)}
		if benches.of == nil {
			benches.of = make(map[testing.TB]*bench)
		}
		benches.of[tb] = b
		tb.Cleanup(func() {
			benches.Lock()
			defer benches.Unlock()
			delete(benches.of, tb)
		})
	}
	return b
}

func (b *bench) add(s subject) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.charts = append(b.charts, s)
}

// release hands the data of all charts from the script back to the charts, so
// that the race detector knows it. Letting time pass does not.
func (b *bench) release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.charts {
		s.release()
	}
}
