package seal

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// Many goroutines seal with one Sealer while the key changes; each envelope is
// opened by two at once. Every message arrives exactly once and none is lost.
func TestConcurrentUse(t *testing.T) {
	const sealers, each = 4, 300
	first := NewKey()
	ring, err := NewRing(first)
	if err != nil {
		t.Fatal(err)
	}
	s, o := NewSealer(ring, SealerConfig{}), NewOpener(ring, OpenerConfig{})

	var sealing, rotating sync.WaitGroup
	done := make(chan struct{}) // closed when all is sealed and opened
	rotating.Go(func() {
		other := NewKey()
		for {
			select {
			case <-done:
				return
			default:
			}
			if err := errors.Join(ring.Use(other), ring.Use(first), ring.Add(NewKey())); err != nil {
				t.Error(err)
				return
			}
			ids := ring.Opening()
			if err := ring.Retire(ids[len(ids)-1]); err != nil {
				t.Error(err)
				return
			}
		}
	})
	var mu sync.Mutex // guards sequences
	var sequences []uint64
	var replays atomic.Int64
	for range sealers {
		sealing.Go(func() {
			for range each {
				envelope, err := s.Seal(nil, []byte("message"), exchange, routingKey)
				if err != nil {
					t.Error(err)
					return
				}
				var opening sync.WaitGroup
				for range 2 {
					opening.Go(func() {
						m, err := o.Open(nil, envelope, exchange, routingKey)
						switch {
						case err == nil:
							mu.Lock()
							sequences = append(sequences, m.Sequence)
							mu.Unlock()
						case errors.Is(err, ErrReplay):
							replays.Add(1)
						default:
							t.Error(err)
						}
					})
				}
				opening.Wait()
			}
		})
	}
	sealing.Wait()
	close(done)
	rotating.Wait()

	slices.Sort(sequences)
	for i, n := range sequences {
		if n != uint64(i+1) {
			t.Fatalf("message %d has sequence number %d", i+1, n)
		}
	}
	if len(sequences) != sealers*each || replays.Load() != sealers*each {
		t.Errorf("%d messages and %d replays, want %d of both", len(sequences), replays.Load(), sealers*each)
	}
}
