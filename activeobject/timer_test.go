package activeobject_test

import (
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

// inBubble runs a test in virtual time.
func inBubble(t *testing.T, name string, test func(*testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

// bothWays runs a test in virtual time, of objects that have a timer of the runtime
// each, and of such that have a wheel whose ticks are whole milliseconds.
func bothWays(t *testing.T, name string, test func(*testing.T, activeobject.Config)) {
	inBubble(t, name, func(t *testing.T) { test(t, activeobject.Config{}) })
	inBubble(t, name+" on a wheel", func(t *testing.T) {
		test(t, activeobject.Config{Wheel: activeobject.NewWheel(time.Millisecond)})
	})
}

// clocked is a probe that notes when it handles a signal, in virtual time since
// clocked returned.
func clocked(c activeobject.Config) (p *probe, at map[hsm.Signal][]time.Duration) {
	p, at = newProbe("clocked", c), make(map[hsm.Signal][]time.Duration)
	time.Sleep(time.Second) // its clock does not stand at zero
	begin := time.Now()
	p.react = func(_ hsm.State, e hsm.Event) hsm.Status {
		if !e.Signal.IsInner() {
			at[e.Signal] = append(at[e.Signal], time.Since(begin))
		}
		return 0
	}
	return p, at
}

func TestTimings(t *testing.T) {
	const s = time.Second
	for _, test := range []struct {
		name    string
		when    activeobject.Timing
		want    []time.Duration // within five and a half seconds
		endless bool            // more is to come after that
	}{
		{"once", activeobject.Once(2 * s), []time.Duration{2 * s}, false},
		{"once at once", activeobject.Once(2 * s).AtOnce(), []time.Duration{0}, false},
		{"one time", activeobject.Times(1, s), []time.Duration{s}, false},
		{"three times", activeobject.Times(3, s), []time.Duration{s, 2 * s, 3 * s}, false},
		{"three times at once", activeobject.Times(3, s).AtOnce(), []time.Duration{0, s, 2 * s}, false},
		{"every", activeobject.Every(2 * s), []time.Duration{2 * s, 4 * s}, true},
		{"every at once", activeobject.Every(2 * s).AtOnce(), []time.Duration{0, 2 * s, 4 * s}, true},
		{"later than anybody lives", activeobject.Once(math.MaxInt64), nil, true},
		{"every time of that kind", activeobject.Every(math.MaxInt64).AtOnce(), []time.Duration{0}, true},
	} {
		bothWays(t, test.name, func(t *testing.T, c activeobject.Config) {
			p, at := clocked(c)
			p.start(t, root)
			id := p.timed(t, sigA, test.when)
			p.timed(t, sigB, activeobject.Times(5, s))
			time.Sleep(5500 * time.Millisecond)
			if still := p.CancelEvent(id); still != test.endless {
				t.Errorf("cancelling it after all that is %v, want %v", still, test.endless)
			}
			p.drained(t)
			if diff := cmp.Diff(test.want, at[sigA]); diff != "" {
				t.Errorf("handled at (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]time.Duration{s, 2 * s, 3 * s, 4 * s, 5 * s}, at[sigB]); diff != "" {
				t.Errorf("another timer beside it is handled at (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTimingRefused(t *testing.T) {
	p := started(t, activeobject.Config{})
	for name, when := range map[string][]activeobject.Timing{
		"once after nothing":       {activeobject.Once(0)},
		"once in the past":         {activeobject.Once(-time.Second)},
		"no times":                 {activeobject.Times(0, time.Second)},
		"less than no times":       {activeobject.Times(-1, time.Second)},
		"times without a period":   {activeobject.Times(3, 0)},
		"every nothing":            {activeobject.Every(0)},
		"the zero timing":          {{}},
		"the zero timing, at once": {activeobject.Timing{}.AtOnce()},
		"two timings":              {activeobject.Once(time.Second), activeobject.Once(time.Second)},
	} {
		for how, post := range map[string]func(hsm.Event, ...activeobject.Timing) (activeobject.TimerID, error){
			"fifo": p.PostFIFO, "lifo": p.PostLIFO,
		} {
			if id, err := post(hsm.Event{Signal: sigA}, when...); id != 0 || !errors.Is(err, activeobject.ErrTiming) {
				t.Errorf("%s, %s: %d, %v; want 0, ErrTiming", name, how, id, err)
			}
		}
	}
	if got := p.drained(t); len(got) != 0 {
		t.Errorf("handled %v, want nothing", got)
	}
	if id, err := p.PostFIFO(hsm.Event{Signal: sigA}, activeobject.Once(1)); id != 0 || !errors.Is(err, activeobject.ErrStopped) {
		t.Errorf("a timer of a stopped object: %d, %v; want 0, ErrStopped", id, err)
	}
}

// TestTimerDoesNotDrift has handlers that take a part of the period, and then
// more than it.
func TestTimerDoesNotDrift(t *testing.T) {
	const period, n = 10 * time.Millisecond, 1000
	bothWays(t, "slow", func(t *testing.T, c activeobject.Config) {
		p, at := clocked(c)
		note := p.react
		p.react = func(s hsm.State, e hsm.Event) hsm.Status {
			note(s, e)
			if e.Signal == sigA {
				time.Sleep(time.Duration(len(at[sigA])%10) * time.Millisecond)
			}
			return 0
		}
		p.start(t, root)
		p.timed(t, sigA, activeobject.Every(period))
		time.Sleep(n*period + period/2)
		p.drained(t)
		want := make([]time.Duration, n)
		for i := range want {
			want[i] = time.Duration(i+1) * period
		}
		if diff := cmp.Diff(want, at[sigA]); diff != "" {
			t.Errorf("handled at (-want +got):\n%s", diff)
		}
	})
	bothWays(t, "slower than the timer", func(t *testing.T, c activeobject.Config) {
		p, at := clocked(c)
		note := p.react
		p.react = func(s hsm.State, e hsm.Event) hsm.Status {
			note(s, e)
			if e.Signal == sigA {
				time.Sleep(period * 3 / 2)
			}
			return 0
		}
		p.start(t, root)
		p.timed(t, sigA, activeobject.Times(n, period))
		time.Sleep(n * period * 2)
		p.drained(t)
		if len(at[sigA]) != n {
			t.Errorf("%d handled, want %d", len(at[sigA]), n)
		}
		if diff := cmp.Diff(activeobject.Stats{}, p.Stats()); diff != "" {
			t.Errorf("the posts were made in time, stats (-want +got):\n%s", diff)
		}
	})
}

// TestTimersDueTogether post in the order in which they were armed.
func TestTimersDueTogether(t *testing.T) {
	bothWays(t, "together", func(t *testing.T, c activeobject.Config) {
		p := started(t, c)
		p.timed(t, sigA, activeobject.Every(2*time.Second))
		p.timed(t, sigB, activeobject.Every(time.Second))
		p.timed(t, sigC, activeobject.Once(4*time.Second))
		p.timed(t, sigD, activeobject.Every(4*time.Second))
		time.Sleep(4 * time.Second)
		synctest.Wait()
		want := []string{"B", "A", "B", "B", "A", "B", "C", "D"}
		if diff := cmp.Diff(want, p.got); diff != "" {
			t.Errorf("handled (-want +got):\n%s", diff)
		}
	})
}

func TestTimerBeforeFirstStart(t *testing.T) {
	bothWays(t, "before", func(t *testing.T, c activeobject.Config) {
		p, at := clocked(c)
		p.timed(t, sigA, activeobject.Every(time.Second))
		p.timed(t, sigB, activeobject.Once(time.Minute))
		cancelled := p.timed(t, sigC, activeobject.Once(time.Second))
		time.Sleep(3500 * time.Millisecond)
		if n := p.Stats().Waiting; n != 4 {
			t.Errorf("%d wait, want 4", n)
		}
		p.CancelEvent(cancelled)
		p.start(t, root)
		time.Sleep(time.Second)
		synctest.Wait()
		late := 3500 * time.Millisecond
		want := map[hsm.Signal][]time.Duration{sigA: {late, late, late, 4 * time.Second}}
		if diff := cmp.Diff(want, at, cmp.Comparer(func(a, b hsm.Signal) bool { return a == b })); diff != "" {
			t.Errorf("handled at (-want +got):\n%s", diff)
		}
	})
}

// TestTimerFindsTheQueueFull: the posts are counted, told in the spy of the next
// step, and the timer goes on.
func TestTimerFindsTheQueueFull(t *testing.T) {
	bothWays(t, "reject", func(t *testing.T, c activeobject.Config) {
		c.QueueSize, c.Instrument = 2, instrument.Config{Spy: true}
		p := started(t, c)
		release := p.hold(t)
		p.timed(t, sigA, activeobject.Every(time.Second))
		time.Sleep(5500 * time.Millisecond)
		want := activeobject.Stats{Waiting: 2, Rejected: 3}
		if diff := cmp.Diff(want, p.Stats()); diff != "" {
			t.Errorf("stats (-want +got):\n%s", diff)
		}
		p.Recorder().ClearSpy()
		release()
		time.Sleep(time.Second)
		synctest.Wait()
		wantSpy := []string{
			"gate:root", "gate:root:HOOK", "<- Queued:(2) Deferred:(0)",
			"QUEUE_FULL:A", "QUEUE_FULL:A", "QUEUE_FULL:A", "A:root", "A:root:HOOK", "<- Queued:(1) Deferred:(0)",
			"A:root", "A:root:HOOK", "<- Queued:(0) Deferred:(0)",
			"A:root", "A:root:HOOK", "<- Queued:(0) Deferred:(0)", // at six seconds
		}
		if diff := cmp.Diff(wantSpy, p.Recorder().Spy()); diff != "" {
			t.Errorf("spy (-want +got):\n%s", diff)
		}
	})
	bothWays(t, "times", func(t *testing.T, c activeobject.Config) {
		c.QueueSize = 2
		p := started(t, c)
		release := p.hold(t)
		id := p.timed(t, sigA, activeobject.Times(4, time.Second))
		time.Sleep(time.Minute)
		if diff := cmp.Diff(activeobject.Stats{Waiting: 2, Rejected: 2}, p.Stats()); diff != "" {
			t.Errorf("stats (-want +got):\n%s", diff)
		}
		release()
		time.Sleep(time.Minute)
		synctest.Wait()
		if p.CancelEvent(id) {
			t.Error("a timer whose last posts were refused goes on")
		}
		if diff := cmp.Diff([]string{"A", "A"}, p.drained(t)); diff != "" {
			t.Errorf("handled (-want +got):\n%s", diff)
		}
	})
	bothWays(t, "drop", func(t *testing.T, c activeobject.Config) {
		c.QueueSize, c.Overflow = 2, hsm.Drop
		p := started(t, c)
		release := p.hold(t)
		p.fifo(t, sigB, sigC)
		p.timed(t, sigA, activeobject.Times(2, time.Second))
		time.Sleep(1500 * time.Millisecond)
		if diff := cmp.Diff(activeobject.Stats{Waiting: 2, Dropped: 1}, p.Stats()); diff != "" {
			t.Errorf("stats (-want +got):\n%s", diff)
		}
		time.Sleep(5 * time.Second)
		if diff := cmp.Diff(activeobject.Stats{Waiting: 2, Dropped: 2}, p.Stats()); diff != "" {
			t.Errorf("stats (-want +got):\n%s", diff)
		}
		release()
		if diff := cmp.Diff([]string{"A", "A"}, p.drained(t)); diff != "" {
			t.Errorf("handled (-want +got):\n%s", diff)
		}
	})
	bothWays(t, "at once", func(t *testing.T, c activeobject.Config) {
		c.QueueSize = 1
		p := started(t, c)
		release := p.hold(t)
		p.fifo(t, sigB)
		id, err := p.PostFIFO(hsm.Event{Signal: sigA}, activeobject.Every(time.Second).AtOnce())
		if id != 0 || !errors.Is(err, hsm.ErrQueueFull) {
			t.Errorf("arming gives %d, %v; want 0, ErrQueueFull", id, err)
		}
		release()
		time.Sleep(time.Minute)
		if diff := cmp.Diff([]string{"B"}, p.drained(t)); diff != "" {
			t.Errorf("a timer that was refused does not run; handled (-want +got):\n%s", diff)
		}
	})
}
