package activeobject_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

// TestHammer starts, stops, drains and restarts one object from many goroutines
// that post, publish, set timers and cancel them meanwhile, while its handlers do
// the same and sometimes fail. Only what the methods promise may come back,
// every start has one end, and every failure is told once.
func TestHammer(t *testing.T) {
	for name, c := range map[string]activeobject.Config{
		"off":           {QueueSize: 20},
		"drop":          {QueueSize: 20, Overflow: hsm.Drop},
		"spy and trace": {QueueSize: 20, Causes: true, Instrument: instrument.Config{Spy: true, Trace: true, Size: 64}},
		"supervised":    {QueueSize: 20, Supervise: always},
		"within limits": {QueueSize: 20, Watchdog: time.Microsecond, Supervise: activeobject.Supervision{
			Policy: activeobject.Restart, MaxRestarts: 3, Within: 5 * time.Millisecond, Backoff: 50 * time.Microsecond, KeepTimers: true,
		}},
	} {
		t.Run(name, func(t *testing.T) { hammer(t, c) })
	}
}

func hammer(t *testing.T, c activeobject.Config) {
	c.Fabric = activeobject.NewFabric()
	var failures, told atomic.Int64
	c.OnFailure = func(o *activeobject.ActiveObject, f *activeobject.Failure) {
		told.Add(1)
		<-o.Done()
	}
	c.Supervise.OnRestart = func(o *activeobject.ActiveObject, f *activeobject.Failure) {
		told.Add(1)
		o.PostLIFO(hsm.Event{Signal: sigA}, activeobject.Once(time.Microsecond))
	}
	c.OnSlow = func(o *activeobject.ActiveObject, s *activeobject.Slow) {
		if s.Object != o.Name() || s.For < c.Watchdog {
			t.Errorf("OnSlow got %v", s)
		}
	}
	p := newProbe("probe", c)
	p.react = func(_ hsm.State, e hsm.Event) hsm.Status {
		switch e.Signal {
		case sigA:
			p.PostFIFO(hsm.Event{Signal: sigB})
			p.PostLIFO(hsm.Event{Signal: sigC}, activeobject.Times(3, time.Microsecond).AtOnce())
		case sigB:
			p.Defer(e)
			p.CancelEvents(sigC)
		case sigC:
			p.Recall()
			p.Publish(hsm.Event{Signal: sigD}, 3)
		case sigU:
			if rand.IntN(10) == 0 {
				failures.Add(1)
				panic("hammered")
			}
		default:
			return 0
		}
		return hsm.Handled
	}
	allowed := func(err error, these ...error) {
		for _, is := range these {
			if errors.Is(err, is) {
				return
			}
		}
		if err != nil {
			t.Errorf("got %v, want none or one of %v", err, these)
		}
	}
	soon := func(f func(context.Context) error) error {
		ctx, cancel := context.WithTimeout(background, time.Duration(rand.IntN(1000))*time.Microsecond)
		defer cancel()
		return f(ctx)
	}
	jobs := []func(){
		func() { allowed(p.Start(background, root), activeobject.ErrRunning) },
		func() { allowed(p.Start(background, root), activeobject.ErrRunning) },
		func() {
			allowed(soon(func(ctx context.Context) error { return p.Start(ctx, left) }), activeobject.ErrRunning, context.DeadlineExceeded)
		},
		func() { allowed(soon(p.Stop), context.DeadlineExceeded) },
		func() { allowed(soon(p.Drain), context.DeadlineExceeded) },
		func() {
			for _, s := range []hsm.Signal{sigA, sigB, sigD, sigU} {
				_, err := p.PostFIFO(hsm.Event{Signal: s})
				allowed(err, activeobject.ErrStopped, hsm.ErrQueueFull)
			}
		},
		func() {
			id, err := p.PostLIFO(hsm.Event{Signal: sigA}, activeobject.Every(50*time.Microsecond).AtOnce())
			allowed(err, activeobject.ErrStopped, hsm.ErrQueueFull)
			p.CancelEvent(id)
			p.CancelEvent(id - 1<<32)
		},
		func() {
			allowed(p.Subscribe(sigD, activeobject.Kind(rand.IntN(2))), activeobject.ErrStopped)
			allowed(p.Publish(hsm.Event{Signal: sigD}, 1+rand.IntN(5)))
			p.Unsubscribe(sigD)
		},
		func() {
			var f *activeobject.Failure
			if err := p.Err(); err != nil && !errors.As(err, &f) {
				t.Errorf("Err is %v, want a Failure", err)
			}
			if n := p.Stats().Waiting; n < 0 || n > c.QueueSize {
				t.Errorf("%d wait in a queue of %d", n, c.QueueSize)
			}
			_ = p.String()
			if r := p.Recorder(); r != nil {
				r.Spy()
				r.Trace()
			}
		},
	}
	var all sync.WaitGroup
	for _, job := range jobs {
		all.Go(func() {
			for range 400 {
				job()
			}
		})
	}
	all.Wait()
	if err := p.Stop(background); err != nil {
		t.Errorf("the last Stop gives %v", err)
	}
	if done := p.Done(); done != nil {
		wait(t, done)
	}
	if n := p.Stats().Waiting; n != 0 {
		t.Errorf("%d wait in the end", n)
	}
	for deadline := time.Now().Add(time.Minute); told.Load() != failures.Load(); {
		if time.Now().After(deadline) {
			t.Fatalf("%d failures, OnFailure and OnRestart were called %d times", failures.Load(), told.Load())
		}
	}
}

// TestCancelFromOutside cancels a fast timer from another goroutine, again and
// again: what is handled after that, other than the event that was on its way
// into its handler, would be a post of a cancelled timer.
func TestCancelFromOutside(t *testing.T) {
	p := newProbe("probe", activeobject.Config{QueueSize: 1 << 20})
	var handled atomic.Int64
	p.react = func(_ hsm.State, e hsm.Event) hsm.Status {
		if e.Signal == sigA {
			handled.Add(1)
			return hsm.Handled
		}
		return 0
	}
	p.start(t, root)
	for range 200 {
		before := handled.Load()
		id := p.timed(t, sigA, activeobject.Every(20*time.Microsecond).AtOnce())
		for handled.Load() < before+2 {
			p.inside(t, func() {})
		}
		if !p.CancelEvent(id) {
			t.Fatal("nothing to cancel")
		}
		p.inside(t, func() {}) // its step ends what was on its way
		after := handled.Load()
		p.inside(t, func() {})
		if n := handled.Load(); n != after {
			t.Fatalf("%d events handled after cancel", n-after)
		}
	}
}
