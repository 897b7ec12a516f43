package hsm

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestClock: the clock gives Unix time, and follows a wall clock that was set
// within a minute.
func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c clock
		for range 200 {
			if got, want := c.now(), time.Now().UnixNano(); got != want {
				t.Fatalf("clock is %d ns off", got-want)
			}
			time.Sleep(777 * time.Millisecond)
		}
		c.unix -= int64(time.Hour) // as if somebody had set the wall clock an hour forward
		time.Sleep(time.Minute + 1)
		if got, want := c.now(), time.Now().UnixNano(); got != want {
			t.Errorf("a minute later the clock is still %v off", time.Duration(got-want))
		}
	})
}

// TestRingWraps: only the lower half of a total is published; the whole is made
// again from it, also just before and after the half overflows.
func TestRingWraps(t *testing.T) {
	var r ring[uint64]
	r.init(3*chunkLen, &sync.Mutex{})
	r.chunks = r.chunks[:cap(r.chunks)]
	for i := range r.chunks {
		r.chunks[i] = new([chunkLen]uint64)
	}
	r.turns = 1<<32/chunkLen - 4
	r.free, r.chunk = 0, r.chunks[(r.turns-1)%4]
	for range 8 * chunkLen {
		n := r.written()
		*r.next() = n
		if got := r.total(uint32(r.written())); got != n+1 {
			t.Fatalf("total is %d, want %d", got, n+1)
		}
		if got := r.snapshot(nil, uint32(r.written()), 2); len(got) != 2 || got[1] != n {
			t.Fatalf("after %d values the newest are %v", n+1, got)
		}
		// What a step has written and not published may be in the next chunk.
		if got := r.snapshot(nil, uint32(r.written()-1), 1); !slices.Equal(got, []uint64{n - 1}) && n > 1<<32-4*chunkLen {
			t.Fatalf("before value %d is published the newest are %v", n, got)
		}
	}
}
