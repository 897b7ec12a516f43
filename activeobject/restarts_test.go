package activeobject_test

import (
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
)

// TestRestartsAgainstModel compares when an object is restarted, and when it
// gives up, with what the naive model has of all its failures.
func TestRestartsAgainstModel(t *testing.T) { check(t, restartsProperty) }

func restartsProperty(t *rapid.T) {
	const s, ms = time.Second, time.Millisecond
	given := activeobject.Supervision{
		Policy:      activeobject.Restart,
		MaxRestarts: rapid.IntRange(-1, 4).Draw(t, "restarts"),
		Within:      rapid.SampledFrom([]time.Duration{-1, 0, 1, 10 * s, 5 * time.Minute}).Draw(t, "within"),
		Backoff:     rapid.SampledFrom([]time.Duration{-1, 0, 1, s, 20 * s, math.MaxInt64 / 4}).Draw(t, "backoff"),
		MaxBackoff:  rapid.SampledFrom([]time.Duration{-1, 0, 1, 3 * s, 4 * s}).Draw(t, "max backoff"),
	}
	most, within, first, last := given.MaxRestarts, given.Within, given.Backoff, given.MaxBackoff
	if most == 0 {
		most = 5
	}
	if within <= 0 {
		within = time.Minute
	}
	if first == 0 {
		first = 100 * ms
	}
	if last <= 0 {
		last = max(first, 10*s)
	}
	if last > time.Hour {
		t.Skip("a wait for centuries")
	}

	var restarted time.Time
	given.OnRestart = func(*activeobject.ActiveObject, *activeobject.Failure) { restarted = time.Now() }
	p := failing(activeobject.Config{Supervise: given}, sigA, func() hsm.Status { panic("short circuit") })
	if err := p.Start(background, left); err != nil {
		t.Fatal(err)
	}
	defer p.Stop(background)
	var failures []time.Time
	row := 0
	for range 12 {
		time.Sleep(rapid.SampledFrom([]time.Duration{0, 1, s, 9 * s, 10*s - 1, 10 * s, 30 * s, time.Minute, 5 * time.Minute}).Draw(t, "goes well for"))
		now := time.Now()
		recent := 0
		for _, f := range failures {
			if now.Sub(f) < within {
				recent++
			}
		}
		if now.Sub(restarted) >= within {
			row = 0
		}
		if _, err := p.PostFIFO(hsm.Event{Signal: sigA}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if most >= 0 && recent >= most {
			select {
			case <-p.Done():
			default:
				t.Fatalf("it was to give up after %d restarts", recent)
			}
			if !errors.Is(p.Err(), activeobject.ErrGaveUp) {
				t.Fatalf("Err is %v, want ErrGaveUp", p.Err())
			}
			return
		}
		bound := float64(first)
		for range row {
			bound *= 2
		}
		bound = math.Max(0, math.Min(bound, float64(last)))
		time.Sleep(time.Duration(bound))
		synctest.Wait()
		if waited := restarted.Sub(now); waited < time.Duration(bound)/2 || waited > time.Duration(bound) {
			t.Fatalf("it waited %v after %d restarts in a row, want something from the upper half of %v", waited, row, time.Duration(bound))
		}
		failures = append(failures, now)
		row++
		if n := p.Stats().Restarts; n != uint64(len(failures)) {
			t.Fatalf("%d restarts, want %d", n, len(failures))
		}
	}
}

// TestBackoffDiffers from object to object that failed at the same time.
func TestBackoffDiffers(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		waits := make(map[time.Duration]bool)
		for range 10 {
			begin := time.Now()
			c := activeobject.Config{Supervise: activeobject.Supervision{Policy: activeobject.Restart, Backoff: time.Hour}}
			c.Supervise.OnRestart = func(*activeobject.ActiveObject, *activeobject.Failure) { waits[time.Since(begin)] = true }
			p := failing(c, sigA, func() hsm.Status { panic("short circuit") })
			p.start(t, left)
			p.fifo(t, sigA)
			time.Sleep(2 * time.Hour)
			synctest.Wait()
		}
		if len(waits) < 9 {
			t.Errorf("ten objects waited %v", waits)
		}
	})
}

// TestStartCountsAnew: the limits are of one Start.
func TestStartCountsAnew(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		p := failing(activeobject.Config{Supervise: activeobject.Supervision{Policy: activeobject.Restart, MaxRestarts: 2, Backoff: -1}},
			sigA, func() hsm.Status { panic("short circuit") })
		for round := 1; round <= 3; round++ {
			p.start(t, left)
			if s := p.String(); s != "fuse (running)" {
				t.Errorf("it is %s", s)
			}
			p.fifo(t, sigA, sigA, sigA)
			<-p.Done()
			if n := p.Stats().Restarts; n != uint64(2*round) || !errors.Is(p.Err(), activeobject.ErrGaveUp) {
				t.Errorf("%d restarts in %d rounds, Err is %v; want 2 each and ErrGaveUp", n, round, p.Err())
			}
		}
	})
}
