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

func TestStartInAStateThatIsNot(t *testing.T) {
	p := newProbe("probe", activeobject.Config{})
	for _, s := range []hsm.State{hsm.Top, -1, right + 1} {
		if err := p.Start(t.Context(), s); !errors.Is(err, hsm.ErrUnknown) {
			t.Errorf("starting in state %d gives %v, want ErrUnknown", s, err)
		}
	}
	if p.Done() != nil || p.Err() != nil {
		t.Errorf("it has not started, but Done is %v and Err %v", p.Done(), p.Err())
	}
	p.start(t, left) // still can
}

func TestStartTwice(t *testing.T) {
	p := started(t, activeobject.Config{})
	if err := p.Start(t.Context(), root); !errors.Is(err, activeobject.ErrRunning) {
		t.Errorf("starting again gives %v, want ErrRunning", err)
	}
	p.inside(t, func() {
		if err := p.Start(t.Context(), root); !errors.Is(err, activeobject.ErrRunning) {
			t.Errorf("starting again from a handler gives %v, want ErrRunning", err)
		}
	})
}

func TestStartWhenContextHasEnded(t *testing.T) {
	p := newProbe("probe", activeobject.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Start(ctx, root); !errors.Is(err, context.Canceled) {
		t.Errorf("Start gives %v, want Canceled", err)
	}
	if p.Done() != nil {
		t.Error("the object was started all the same")
	}
}

// TestStartWaitsNoLongerThanContext: the object itself starts, when its entry
// handler is done.
func TestStartWaitsNoLongerThanContext(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		p := newProbe("probe", activeobject.Config{})
		p.react = func(at hsm.State, e hsm.Event) hsm.Status {
			if at == left && e.Signal == hsm.Entry {
				time.Sleep(time.Hour)
			}
			return 0
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begin := time.Now()
		if err := p.Start(ctx, left); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Minute {
			t.Errorf("Start gives %v after %v, want DeadlineExceeded after a minute", err, time.Since(begin))
		}
		p.fifo(t, sigA)
		if err := p.Start(t.Context(), left); !errors.Is(err, activeobject.ErrRunning) {
			t.Errorf("starting it meanwhile gives %v, want ErrRunning", err)
		}
		if diff := cmp.Diff([]string{"A"}, p.drained(t, 2*time.Hour)); diff != "" {
			t.Errorf("handled (-want +got):\n%s", diff)
		}
	})
}

// TestStartEntersTheState before it returns, and follows the initial transition.
func TestStartEntersTheState(t *testing.T) {
	p := newProbe("probe", activeobject.Config{})
	var calls []string
	p.react = func(at hsm.State, e hsm.Event) hsm.Status {
		calls = append(calls, e.Signal.String()+":"+p.Tree().Name(at))
		if at == root && e.Signal == hsm.Init {
			return hsm.Tran(right)
		}
		return 0
	}
	p.start(t, root)
	want := []string{"ENTRY_SIGNAL:root", "INIT_SIGNAL:root", "ENTRY_SIGNAL:right", "INIT_SIGNAL:right"}
	if diff := cmp.Diff(want, calls); diff != "" {
		t.Errorf("called (-want +got):\n%s", diff)
	}
	p.drained(t)
	child, ok := p.Child(root)
	if p.State() != right || !p.In(root) || p.In(left) || child != right || !ok {
		t.Errorf("state %v, in root %v, in left %v, child of root %v, %v", p.State(), p.In(root), p.In(left), child, ok)
	}
}

// TestPostsBeforeTheFirstStart are kept; one that does not fit is refused.
func TestPostsBeforeTheFirstStart(t *testing.T) {
	p := newProbe("probe", activeobject.Config{QueueSize: 3})
	p.react = func(_ hsm.State, e hsm.Event) hsm.Status {
		if e.Signal == hsm.Entry {
			p.got = append(p.got, "ENTRY")
		}
		return 0
	}
	p.fifo(t, sigA, sigB)
	p.lifo(t, sigU)
	if _, err := p.PostFIFO(hsm.Event{Signal: sigC}); !errors.Is(err, hsm.ErrQueueFull) {
		t.Errorf("one more than fit gives %v, want ErrQueueFull", err)
	}
	p.start(t, root)
	if diff := cmp.Diff([]string{"ENTRY", "U", "A", "B"}, p.drained(t)); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
}

// TestRestart begins anew: the state, the queue, what was deferred, the timers
// and the subscriptions. The counts go on.
func TestRestart(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		fabric := activeobject.NewFabric()
		p := subscribed(t, activeobject.Config{Fabric: fabric}, activeobject.FIFO, sigD)
		other := started(t, activeobject.Config{Fabric: fabric})
		firstDone := p.Done()
		release := p.hold(t)
		p.fifo(t, sigA)
		p.lifo(t, sigB)
		p.timed(t, sigC, activeobject.Every(time.Second))
		id := p.timed(t, sigU, activeobject.Once(time.Second))
		publish(t, p, sigD, 1)
		p.CancelEvent(p.timed(t, sigU, activeobject.Once(time.Second).AtOnce())) // cancelled is not discarded
		time.Sleep(2500 * time.Millisecond)
		go p.Stop(background)
		synctest.Wait()
		release()
		<-firstDone
		if diff := cmp.Diff(activeobject.Stats{Discarded: 6}, p.Stats()); diff != "" {
			t.Errorf("stats when stopped (-want +got):\n%s", diff)
		}
		publish(t, other, sigD, 1)
		p.start(t, right)
		if p.CancelEvent(id) {
			t.Error("a timer has lived on")
		}
		publish(t, other, sigD, 1)
		p.fifo(t, sigA)
		p.timed(t, sigB, activeobject.Once(time.Minute))
		time.Sleep(time.Hour)
		select {
		case <-p.Done():
			t.Error("Done is closed, but the object runs again")
		default:
		}
		if diff := cmp.Diff([]string{"A", "B"}, p.drained(t)); diff != "" {
			t.Errorf("handled (-want +got):\n%s", diff)
		}
		if p.State() != right {
			t.Errorf("state %v, want right", p.State())
		}
		if diff := cmp.Diff(activeobject.Stats{Discarded: 6}, p.Stats()); diff != "" {
			t.Errorf("stats at the end (-want +got):\n%s", diff)
		}
	})
}

func TestString(t *testing.T) {
	p := newProbe("lamp", activeobject.Config{})
	var got []string
	note := func() { got = append(got, p.String()) }
	note()
	p.start(t, root)
	note()
	p.inside(t, func() {
		p.Drain(t.Context())
		note()
		p.Stop(t.Context())
		note()
	})
	<-p.Done()
	note()
	want := []string{"lamp (fresh)", "lamp (running)", "lamp (draining)", "lamp (stopping)", "lamp (stopped)"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("String (-want +got):\n%s", diff)
	}
}
