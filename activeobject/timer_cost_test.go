package activeobject_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
)

// TestManyOneShots goes to and fro between two states 100,000 times. Each is
// given a time-out on entry, cancelled on exit. The originals gave up after 500.
func TestManyOneShots(t *testing.T) {
	const n = 100_000
	p := newProbe("probe", activeobject.Config{})
	var id activeobject.TimerID
	var goroutines int
	var memory [2]uint64
	done := make(chan struct{})
	count := 0
	p.react = func(at hsm.State, e hsm.Event) hsm.Status {
		switch {
		case at == root:
			return 0
		case e.Signal == hsm.Entry:
			id = p.timed(t, sigU, activeobject.Once(time.Hour))
			return hsm.Handled
		case e.Signal == hsm.Exit:
			if !p.CancelEvent(id) {
				t.Error("the time-out is gone")
			}
			return hsm.Handled
		case e.Signal == sigA:
			switch count++; count {
			case n / 100:
				memory[0] = heap()
			case n:
				memory[1] = heap()
				close(done)
				return hsm.Handled
			}
			if count%1000 == 0 {
				goroutines = max(goroutines, runtime.NumGoroutine())
			}
			p.fifo(t, sigA)
			return hsm.Tran(left + right - at)
		}
		return 0
	}
	before := runtime.NumGoroutine()
	p.start(t, left)
	p.fifo(t, sigA)
	wait(t, done)
	if goroutines > before+1 {
		t.Errorf("%d goroutines, want at most %d", goroutines, before+1)
	}
	if grown := int64(memory[1]) - int64(memory[0]); grown > 100_000 {
		t.Errorf("the heap has grown by %d bytes in %d transitions", grown, n-n/100)
	}
	if got := p.drained(t); len(got) != 0 {
		t.Errorf("%d time-outs were handled", len(got))
	}
	// The object's goroutine may still be on its way out.
	for late := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(late) {
			t.Fatalf("%d goroutines are left, want %d", runtime.NumGoroutine(), before)
		}
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestArmingDoesNotAllocate once the slots are there. Timers that are far apart are
// armed from the last to the first, so that each is the next to be due.
func TestArmingDoesNotAllocate(t *testing.T) {
	t.Run("exact", func(t *testing.T) { armingDoesNotAllocate(t, activeobject.Config{}) })
	t.Run("on a wheel", func(t *testing.T) { armingDoesNotAllocate(t, activeobject.Config{Wheel: activeobject.NewWheel(0)}) })
}

func armingDoesNotAllocate(t *testing.T, c activeobject.Config) {
	p := started(t, c)
	e := hsm.Event{Signal: sigA}
	var ids [100]activeobject.TimerID
	round := func() {
		for i := range ids {
			ids[i], _ = p.PostFIFO(e, activeobject.Once(time.Duration(len(ids)-i)*time.Hour))
		}
		for i := range ids {
			if !p.CancelEvent(ids[i*37%len(ids)]) {
				t.Error("a timer is gone")
			}
		}
	}
	if n := testing.AllocsPerRun(100, round); n != 0 {
		t.Errorf("%v allocations a round, want none", n)
	}
}
