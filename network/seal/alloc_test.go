//go:build !race

// The race detector makes sync.Pool drop buffers at random.

package seal

import "testing"

func TestNoAllocation(t *testing.T) {
	ring, err := NewRing(NewKey(), NewKey())
	if err != nil {
		t.Fatal(err)
	}
	s, o := NewSealer(ring, SealerConfig{}), NewOpener(ring, OpenerConfig{})
	message := make([]byte, 1024)
	sealed, opened := make([]byte, 0, len(message)+Overhead), make([]byte, 0, len(message)+stampSize)
	allocs := testing.AllocsPerRun(1000, func() {
		envelope, err := s.Seal(sealed, message, exchange, routingKey)
		if err != nil {
			t.Fatal(err)
		}
		m, err := o.Open(opened, envelope, exchange, routingKey)
		if err != nil {
			t.Fatal(err)
		}
		opened = m.Body[:0]
	})
	if allocs != 0 {
		t.Errorf("%v allocations to seal and open, want 0", allocs)
	}
}

// A sender that takes another's place in a full memory takes its storage too.
func TestForgettingDoesNotAllocate(t *testing.T) {
	const most = 64
	var m memory
	m.init(most)
	var n byte
	next := func() {
		n++
		if err := m.accept(SenderID{n}, 1, 1); err != nil {
			t.Fatal(err)
		}
	}
	for range 4 * most { // once around, for the map to find its size
		next()
	}
	if allocs := testing.AllocsPerRun(1000, next); allocs != 0 {
		t.Errorf("%v allocations for a new sender, want 0", allocs)
	}
}
