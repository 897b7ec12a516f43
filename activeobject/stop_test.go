package activeobject_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
)

func TestStopWhatDoesNotRun(t *testing.T) {
	p := newProbe("probe", activeobject.Config{})
	for _, end := range []func(context.Context) error{p.Stop, p.Drain} {
		if err := end(t.Context()); err != nil {
			t.Errorf("ending what was never started gives %v", err)
		}
	}
	p.fifo(t, sigA)
	p.start(t, root)
	if diff := cmp.Diff([]string{"A"}, p.drained(t)); diff != "" {
		t.Errorf("what was posted before is handled (-want +got):\n%s", diff)
	}
	for _, end := range []func(context.Context) error{p.Stop, p.Drain} {
		if err := end(t.Context()); err != nil {
			t.Errorf("ending it a second time gives %v", err)
		}
	}
	if err := p.Err(); err != nil {
		t.Errorf("Err is %v, want nil", err)
	}
}

// TestStopRefusesEverything that comes after.
func TestStopRefusesEverything(t *testing.T) {
	p := started(t, activeobject.Config{})
	if err := p.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	e := hsm.Event{Signal: sigA}
	_, fifo := p.PostFIFO(e)
	_, lifo := p.PostLIFO(e)
	_, timed := p.PostFIFO(e, activeobject.Once(time.Second))
	for name, err := range map[string]error{
		"PostFIFO": fifo, "PostLIFO": lifo, "a timed post": timed,
		"Deliver": p.Deliver(e, hsm.Origin{}), "Subscribe": p.Subscribe(sigA, activeobject.FIFO),
	} {
		if !errors.Is(err, activeobject.ErrStopped) {
			t.Errorf("%s gives %v, want ErrStopped", name, err)
		}
	}
	if p.CancelEvents(sigA) != 0 {
		t.Error("there are timers")
	}
}

// TestStopEndsAfterTheStep that runs, and discards what waits.
func TestStopEndsAfterTheStep(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		p := started(t, activeobject.Config{})
		p.inside(t, func() { p.Defer(hsm.Event{Signal: sigD}) })
		release := p.hold(t)
		p.fifo(t, sigA, sigB)
		p.lifo(t, sigC)
		stopped := make(chan error)
		go func() { stopped <- p.Stop(background) }()
		synctest.Wait()
		select {
		case err := <-stopped:
			t.Fatalf("Stop returned %v while a handler runs", err)
		case <-p.Done():
			t.Fatal("Done is closed while a handler runs")
		default:
		}
		if _, err := p.PostFIFO(hsm.Event{Signal: sigA}); !errors.Is(err, activeobject.ErrStopped) {
			t.Errorf("posting meanwhile gives %v, want ErrStopped", err)
		}
		release()
		if err := <-stopped; err != nil {
			t.Errorf("Stop gives %v", err)
		}
		<-p.Done()
		if len(p.got) != 0 {
			t.Errorf("handled %v after Stop", p.got)
		}
		if diff := cmp.Diff(activeobject.Stats{Discarded: 4}, p.Stats()); diff != "" {
			t.Errorf("stats (-want +got):\n%s", diff)
		}
	})
}

// TestStopWaitsNoLongerThanContext: the object ends all the same when its
// handler returns.
func TestStopWaitsNoLongerThanContext(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		p := started(t, activeobject.Config{})
		release := p.hold(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begin := time.Now()
		if err := p.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Minute {
			t.Errorf("Stop gives %v after %v, want DeadlineExceeded after a minute", err, time.Since(begin))
		}
		release()
		<-p.Done()
		if err := p.Err(); err != nil {
			t.Errorf("Err is %v, want nil", err)
		}
	})
}

// TestStopFromAHandler returns at once, in the object's own handler and in
// another's; neither can wait for itself.
func TestStopFromAHandler(t *testing.T) {
	for name, end := range map[string]func(*probe) error{
		"Stop":  func(p *probe) error { return p.Stop(background) },
		"Drain": func(p *probe) error { return p.Drain(background) },
	} {
		t.Run(name, func(t *testing.T) {
			own, other := started(t, activeobject.Config{}), started(t, activeobject.Config{})
			release := other.hold(t)
			own.inside(t, func() {
				if err := end(other); err != nil {
					t.Errorf("ending another object gives %v", err)
				}
				if err := end(own); err != nil {
					t.Errorf("ending itself gives %v", err)
				}
				if _, err := own.PostFIFO(hsm.Event{Signal: sigA}); !errors.Is(err, activeobject.ErrStopped) {
					t.Errorf("posting after that gives %v, want ErrStopped", err)
				}
			})
			wait(t, own.Done())
			select {
			case <-other.Done():
				t.Error("the other has ended, with a handler that runs")
			default:
			}
			release()
			wait(t, other.Done())
		})
	}
}

// TestStopDeepInAHandler, below more frames than are looked at in one go.
func TestStopDeepInAHandler(t *testing.T) {
	p := started(t, activeobject.Config{})
	var deep func(int)
	deep = func(n int) {
		if n > 0 {
			deep(n - 1)
			return
		}
		p.Stop(background)
	}
	p.inside(t, func() { deep(200) })
	wait(t, p.Done())
}

// TestDrain handles what waits, what timers have posted included, and refuses
// what its handlers post.
func TestDrain(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		p := newProbe("probe", activeobject.Config{})
		p.react = func(_ hsm.State, e hsm.Event) hsm.Status {
			if e.Signal == sigA {
				if _, err := p.PostFIFO(hsm.Event{Signal: sigU}); !errors.Is(err, activeobject.ErrStopped) {
					t.Errorf("posting while draining gives %v, want ErrStopped", err)
				}
				if _, err := p.PostFIFO(hsm.Event{Signal: sigU}, activeobject.Once(1)); !errors.Is(err, activeobject.ErrStopped) {
					t.Errorf("arming a timer while draining gives %v, want ErrStopped", err)
				}
				if was, err := p.Recall(); !was || !errors.Is(err, activeobject.ErrStopped) {
					t.Errorf("recalling while draining gives %v, %v; want true, ErrStopped", was, err)
				}
			}
			return 0
		}
		p.start(t, root)
		p.inside(t, func() { p.Defer(hsm.Event{Signal: sigU}) })
		release := p.hold(t)
		p.timed(t, sigD, activeobject.Every(time.Second))
		p.timed(t, sigU, activeobject.Once(time.Hour))
		time.Sleep(2500 * time.Millisecond)
		entered, releaseBatch := p.gate(t)
		p.fifo(t, sigA, sigB)
		p.lifo(t, sigC)
		release()
		wait(t, entered)
		p.timed(t, sigD, activeobject.Times(3, time.Second).AtOnce())
		late := p.timed(t, sigU, activeobject.Times(3, time.Second).AtOnce())
		drained := make(chan error)
		go func() { drained <- p.Drain(background) }()
		time.Sleep(time.Hour)
		if !p.CancelEvent(late) {
			t.Error("a timer whose post waits cannot be cancelled while draining")
		}
		releaseBatch()
		if err := <-drained; err != nil {
			t.Errorf("Drain gives %v", err)
		}
		if diff := cmp.Diff([]string{"C", "D", "D", "A", "B", "D"}, p.got); diff != "" {
			t.Errorf("handled (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(activeobject.Stats{Discarded: 1}, p.Stats()); diff != "" {
			t.Errorf("stats: what is deferred is discarded (-want +got):\n%s", diff)
		}
	})
}

// TestDrainBecomesStop when its context ends first.
func TestDrainBecomesStop(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		p := newProbe("probe", activeobject.Config{})
		p.react = func(at hsm.State, e hsm.Event) hsm.Status {
			if !e.Signal.IsInner() {
				time.Sleep(time.Minute)
			}
			return 0
		}
		p.start(t, root)
		p.fifo(t, sigA, sigB, sigC, sigD)
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		defer cancel()
		if err := p.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Drain gives %v, want DeadlineExceeded", err)
		}
		<-p.Done()
		if diff := cmp.Diff([]string{"A", "B"}, p.got); diff != "" {
			t.Errorf("handled (-want +got):\n%s", diff)
		}
		if n := p.Stats().Discarded; n != 2 {
			t.Errorf("%d discarded, want 2", n)
		}
	})
}

// TestStopOvertakesDrain, and not the other way round.
func TestStopOvertakesDrain(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		p := started(t, activeobject.Config{})
		release := p.hold(t)
		p.fifo(t, sigA)
		for _, end := range []func(context.Context) error{p.Drain, p.Stop, p.Drain} {
			go end(background)
			synctest.Wait()
		}
		release()
		<-p.Done()
		if len(p.got) != 0 {
			t.Errorf("handled %v after Stop", p.got)
		}
	})
}
