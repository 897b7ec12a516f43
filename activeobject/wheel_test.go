package activeobject_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
)

// TestWheelRoundsUp to its ticks, which are counted from when it was made.
func TestWheelRoundsUp(t *testing.T) {
	const ms = time.Millisecond
	for _, test := range []struct {
		name       string
		resolution time.Duration
		armed      time.Duration // since the wheel was made
		when       activeobject.Timing
		want       []time.Duration // since the wheel was made, within 100 ms
	}{
		{"to the tick", 10 * ms, 0, activeobject.Once(30 * ms), []time.Duration{30 * ms}},
		{"after the tick", 10 * ms, 0, activeobject.Once(30*ms + 1), []time.Duration{40 * ms}},
		{"before the tick", 10 * ms, 0, activeobject.Once(30*ms - 1), []time.Duration{30 * ms}},
		{"armed on a tick", 10 * ms, 20 * ms, activeobject.Once(1), []time.Duration{30 * ms}},
		{"armed between ticks", 10 * ms, 17 * ms, activeobject.Once(ms), []time.Duration{20 * ms}},
		{"up to a tick", 10 * ms, 17 * ms, activeobject.Once(3 * ms), []time.Duration{20 * ms}},
		{"past a tick", 10 * ms, 17 * ms, activeobject.Once(4 * ms), []time.Duration{30 * ms}},
		{"at once is at once", 10 * ms, 17 * ms, activeobject.Times(2, 20*ms).AtOnce(), []time.Duration{17 * ms, 40 * ms}},
		{"periods add up, not their rounding", 10 * ms, 0, activeobject.Every(15 * ms), []time.Duration{20 * ms, 30 * ms, 50 * ms, 60 * ms, 80 * ms, 90 * ms}},
		{"as often as the wheel ticks", 10 * ms, 4 * ms, activeobject.Times(3, 10*ms), []time.Duration{20 * ms, 30 * ms, 40 * ms}},
		{"faster than the wheel", 40 * ms, 0, activeobject.Every(15 * ms), []time.Duration{40 * ms, 80 * ms}},
		{"the usual resolution", 0, 0, activeobject.Once(7*ms + 1), []time.Duration{8 * ms}},
		{"a resolution that means nothing", -5, 0, activeobject.Once(7*ms + 1), []time.Duration{8 * ms}},
		{"the end of time", time.Hour, 0, activeobject.Once(math.MaxInt64), nil},
		{"the finest", 1, 3, activeobject.Once(7*ms + 1), []time.Duration{7*ms + 4}},
	} {
		inBubble(t, test.name, func(t *testing.T) {
			made := time.Now()
			p := newProbe("probe", activeobject.Config{Wheel: activeobject.NewWheel(test.resolution)})
			var at []time.Duration
			p.react = func(_ hsm.State, e hsm.Event) hsm.Status {
				if e.Signal == sigA {
					at = append(at, time.Since(made))
				}
				return 0
			}
			p.start(t, root)
			time.Sleep(test.armed)
			p.timed(t, sigA, test.when)
			time.Sleep(100*time.Millisecond - test.armed)
			p.drained(t)
			if diff := cmp.Diff(test.want, at); diff != "" {
				t.Errorf("handled at (-want +got):\n%s", diff)
			}
		})
	}
}

// TestWheelMissed: what a wheel is too coarse for is counted.
func TestWheelMissed(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		p := started(t, activeobject.Config{Wheel: activeobject.NewWheel(time.Second)})
		p.timed(t, sigA, activeobject.Every(100*time.Millisecond))
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if diff := cmp.Diff([]string{"A", "A", "A"}, p.got); diff != "" {
			t.Errorf("handled (-want +got):\n%s", diff)
		}
		if n := p.Stats().Missed; n != 27 {
			t.Errorf("%d missed, want 27", n)
		}
	})
}

// TestWheelCarriesMany objects, of which some stop and some are started again.
func TestWheelCarriesMany(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		const n, seconds = 100, 10
		wheel := activeobject.NewWheel(0)
		var all []*probe
		for i := range n {
			p := newProbe(fmt.Sprint(i), activeobject.Config{Wheel: wheel})
			p.start(t, root)
			p.timed(t, sigA, activeobject.Every(time.Second))
			p.timed(t, sigB, activeobject.Once(time.Hour))
			all = append(all, p)
		}
		time.Sleep(seconds*time.Second + time.Second/2)
		for i, p := range all {
			if i%2 == 0 {
				if err := p.Stop(background); err != nil {
					t.Fatal(err)
				}
			}
			if i%4 == 0 {
				p.start(t, root)
				p.timed(t, sigA, activeobject.Every(time.Second/2))
			}
		}
		time.Sleep(seconds*time.Second + time.Second/4)
		for i, p := range all {
			want := []int{seconds + 2*seconds, 2 * seconds, seconds, 2 * seconds}[i%4]
			if i%2 == 1 || i%4 == 0 {
				p.drained(t)
			}
			if len(p.got) != want {
				t.Errorf("object %d has handled %d, want %d", i, len(p.got), want)
			}
		}
	})
}

// TestWheelInBubbles: each has its own, at the same virtual times.
func TestWheelInBubbles(t *testing.T) {
	for i := range 4 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p, at := clocked(activeobject.Config{Wheel: activeobject.NewWheel(0)})
				p.start(t, root)
				p.timed(t, sigA, activeobject.Times(1000, time.Second))
				time.Sleep(time.Hour)
				p.drained(t)
				if len(at[sigA]) != 1000 || at[sigA][999] != 1000*time.Second {
					t.Errorf("%d handled, want 1000, the last after 1000 s", len(at[sigA]))
				}
			})
		})
	}
}

// TestWheelUnderAttack arms, cancels, stops and starts many objects on one wheel from
// many goroutines, as time goes by. What is armed and left alone is handled, once.
func TestWheelUnderAttack(t *testing.T) {
	const objects, goroutines, rounds = 20, 8, 300
	wheel := activeobject.NewWheel(100 * time.Microsecond)
	var handled, armed atomic.Int64
	var all []*probe
	for i := range objects {
		p := newProbe(fmt.Sprint(i), activeobject.Config{Wheel: wheel, QueueSize: 1 << 20})
		p.react = func(_ hsm.State, e hsm.Event) hsm.Status {
			if e.Signal == sigB {
				handled.Add(1)
			}
			return 0
		}
		p.start(t, root)
		all = append(all, p)
	}
	var ended sync.WaitGroup
	for g := range goroutines {
		ended.Go(func() {
			for i := range rounds {
				p := all[(g*7+i)%objects]
				every, err := p.PostFIFO(hsm.Event{Signal: sigA}, activeobject.Every(time.Duration(i%5+1)*time.Millisecond))
				if err != nil && !errors.Is(err, activeobject.ErrStopped) {
					t.Error(err)
				}
				if (g*7+i)%objects == 0 { // the first is stopped again and again
					_ = p.Stop(background)
					if err := p.Start(background, root); err != nil && !errors.Is(err, activeobject.ErrRunning) {
						t.Error(err)
					}
					continue
				}
				for range 4 {
					if _, err := p.PostFIFO(hsm.Event{Signal: sigB}, activeobject.Once(time.Duration(i%3+1)*time.Millisecond)); err != nil {
						t.Error(err)
					}
					armed.Add(1)
				}
				if !p.CancelEvent(every) {
					t.Error("an endless timer has ended")
				}
			}
		})
	}
	ended.Wait()
	for deadline := time.Now().Add(time.Minute); handled.Load() < armed.Load() && time.Now().Before(deadline); {
		all[0].CancelEvents(sigA)
		all[1].inside(t, func() {})
	}
	for _, p := range all {
		if err := p.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}
	if handled.Load() != armed.Load() {
		t.Errorf("%d handled, want %d", handled.Load(), armed.Load())
	}
}
