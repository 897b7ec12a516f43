package activeobject_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
)

// TestCancelWhereverTheEventStands cancels a timer whose events wait: in the
// queue, in front of it, in the batch that the goroutine has taken, and
// everywhere at once. None is handled, nor anything later.
func TestCancelWhereverTheEventStands(t *testing.T) {
	ways := map[string]func(*testing.T, *probe, activeobject.TimerID) int{
		"id": func(_ *testing.T, p *probe, id activeobject.TimerID) int {
			if p.CancelEvent(id) {
				return 1
			}
			return 0
		},
		"signal": func(_ *testing.T, p *probe, _ activeobject.TimerID) int { return p.CancelEvents(sigA) },
	}
	for by, cancel := range ways {
		for _, overflow := range []hsm.Overflow{hsm.Reject, hsm.Drop} {
			for _, lifo := range []bool{false, true} {
				for _, taken := range []bool{false, true} {
					bothWays(t, fmt.Sprintf("%s/%v/lifo %v/taken %v", by, overflow, lifo, taken), func(t *testing.T, c activeobject.Config) {
						c.Overflow = overflow
						p := started(t, c)
						release := p.hold(t)
						entered, releaseBatch := p.gate(t)
						p.fifo(t, sigB)
						post := p.PostFIFO
						if lifo {
							post = p.PostLIFO
						}
						id, err := post(hsm.Event{Signal: sigA}, activeobject.Every(time.Second))
						if err != nil {
							t.Fatal(err)
						}
						if !lifo { // a lifo event would be handled before the gate
							time.Sleep(2500 * time.Millisecond)
						}
						p.fifo(t, sigC)
						if taken {
							release()
							wait(t, entered)
						}
						time.Sleep(2500 * time.Millisecond)
						if n := p.Stats().Waiting; n < 4 {
							t.Fatalf("%d wait, which is too few for the test", n)
						}
						if n := cancel(t, p, id); n != 1 {
							t.Errorf("cancelled %d, want 1", n)
						}
						want := 2 // B and C
						if !taken {
							want++ // the gate
						}
						if n := p.Stats().Waiting; n != want {
							t.Errorf("%d wait after cancel, want %d", n, want)
						}
						if n := cancel(t, p, id); n != 0 {
							t.Errorf("cancelled %d the second time, want 0", n)
						}
						release()
						releaseBatch()
						time.Sleep(time.Minute)
						if diff := cmp.Diff([]string{"B", "C"}, p.drained(t)); diff != "" {
							t.Errorf("handled (-want +got):\n%s", diff)
						}
					})
				}
			}
		}
	}
}

// TestCancelFromOwnHandler is what a chart does in an exit handler.
func TestCancelFromOwnHandler(t *testing.T) {
	bothWays(t, "own", func(t *testing.T, c activeobject.Config) {
		p := newProbe("probe", c)
		var id activeobject.TimerID
		p.react = func(_ hsm.State, e hsm.Event) hsm.Status {
			switch e.Signal {
			case sigU:
				id = p.timed(t, sigA, activeobject.Times(5, time.Second).AtOnce())
			case sigB:
				if !p.CancelEvent(id) {
					t.Error("nothing to cancel")
				}
			}
			return 0
		}
		p.start(t, root)
		release := p.hold(t)
		p.fifo(t, sigU, sigB, sigC) // A comes behind C
		release()
		time.Sleep(time.Minute)
		if diff := cmp.Diff([]string{"U", "B", "C"}, p.drained(t)); diff != "" {
			t.Errorf("handled (-want +got):\n%s", diff)
		}
	})
}

// TestCancelOnlyWhatIsMeant leaves other timers and plain posts of the same
// signal alone.
func TestCancelOnlyWhatIsMeant(t *testing.T) {
	bothWays(t, "by id", func(t *testing.T, c activeobject.Config) {
		p := started(t, c)
		release := p.hold(t)
		first := p.timed(t, sigA, activeobject.Once(time.Second))
		p.timed(t, sigA, activeobject.Once(time.Second))
		p.fifo(t, sigA)
		time.Sleep(time.Minute)
		p.CancelEvent(first)
		release()
		if diff := cmp.Diff([]string{"A", "A"}, p.drained(t)); diff != "" {
			t.Errorf("handled (-want +got):\n%s", diff)
		}
	})
	bothWays(t, "by signal", func(t *testing.T, c activeobject.Config) {
		p := started(t, c)
		release := p.hold(t)
		p.timed(t, sigA, activeobject.Once(time.Second))
		p.timed(t, sigA, activeobject.Every(time.Hour))
		p.timed(t, sigB, activeobject.Once(time.Second))
		p.fifo(t, sigA)
		time.Sleep(time.Minute)
		if n := p.CancelEvents(hsm.NewSignal("A")); n != 2 {
			t.Errorf("cancelled %d, want 2", n)
		}
		if n := p.CancelEvents(sigC) + p.CancelEvents(hsm.Signal{}); n != 0 {
			t.Errorf("cancelled %d of what is not there", n)
		}
		release()
		if diff := cmp.Diff([]string{"A", "B"}, p.drained(t)); diff != "" {
			t.Errorf("handled (-want +got):\n%s", diff)
		}
	})
}

// TestCancelIDsThatMeanNothing: what is no id, what was one, and what never was
// one of this object. None disturbs what runs.
func TestCancelIDsThatMeanNothing(t *testing.T) {
	bothWays(t, "ids", func(t *testing.T, c activeobject.Config) {
		p := started(t, c)
		past := p.timed(t, sigA, activeobject.Once(time.Second))
		time.Sleep(time.Minute)
		synctest.Wait()
		if p.CancelEvent(past) {
			t.Error("a timer that has ended can be cancelled")
		}
		// Whatever another object gave out must not name a free slot of this one.
		other := newProbe("other", c)
		for range 3 {
			other.CancelEvent(other.timed(t, sigA, activeobject.Once(time.Hour)))
		}
		foreign := []activeobject.TimerID{0, 1, 1 << 32, math64}
		for range 3 {
			id := other.timed(t, sigA, activeobject.Once(time.Hour))
			foreign = append(foreign, id, id-1<<32, id-2<<32, id-3<<32, id+1)
			other.CancelEvent(id)
		}
		for _, id := range foreign {
			if p.CancelEvent(id) {
				t.Errorf("cancelled %#x, which this object did not give out", uint64(id))
			}
		}
		// Two timers in one slot would be one.
		p.timed(t, sigB, activeobject.Once(time.Second))
		p.timed(t, sigC, activeobject.Once(time.Second))
		if p.CancelEvent(past) {
			t.Error("an id of the past names a timer of today")
		}
		time.Sleep(time.Minute)
		if diff := cmp.Diff([]string{"A", "B", "C"}, p.drained(t)); diff != "" {
			t.Errorf("handled (-want +got):\n%s", diff)
		}
	})
}

const math64 = activeobject.TimerID(1<<64 - 1)

// TestCancelMakesRoom in a full queue, of which the dead are no part.
func TestCancelMakesRoom(t *testing.T) {
	for _, overflow := range []hsm.Overflow{hsm.Reject, hsm.Drop} {
		t.Run(fmt.Sprint(overflow), func(t *testing.T) {
			p := started(t, activeobject.Config{QueueSize: 2, Overflow: overflow})
			release := p.hold(t)
			p.fifo(t, sigB)
			for range 1000 {
				p.CancelEvent(p.timed(t, sigA, activeobject.Every(time.Hour).AtOnce()))
			}
			p.fifo(t, sigC)
			if diff := cmp.Diff(activeobject.Stats{Waiting: 2}, p.Stats()); diff != "" {
				t.Errorf("stats (-want +got):\n%s", diff)
			}
			if overflow == hsm.Drop {
				p.fifo(t, sigD) // the front one that is alive goes
				p.lifo(t, sigU) // the back one goes
			}
			release()
			want := []string{"B", "C"}
			if overflow == hsm.Drop {
				want = []string{"U", "C"}
			}
			if diff := cmp.Diff(want, p.drained(t)); diff != "" {
				t.Errorf("handled (-want +got):\n%s", diff)
			}
		})
	}
}
