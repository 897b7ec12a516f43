package activeobject_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

// TestDeferAndRecall defers while in left and recalls on the way to right, as a
// chart does that is busy.
func TestDeferAndRecall(t *testing.T) {
	p := newProbe("probe", activeobject.Config{})
	p.react = func(at hsm.State, e hsm.Event) hsm.Status {
		switch {
		case at == left && (e.Signal == sigA || e.Signal == sigB):
			if err := p.Defer(e); err != nil {
				t.Error(err)
			}
			return hsm.Handled
		case at == left && e.Signal == sigU:
			return hsm.Tran(right)
		case at == left && e.Signal == hsm.Exit:
			for range 3 { // one more than there are
				if _, err := p.Recall(); err != nil {
					t.Error(err)
				}
			}
			return hsm.Handled
		}
		return 0
	}
	p.start(t, left)
	release := p.hold(t)
	p.fifo(t, sigA, sigB, sigU, sigC)
	release()
	p.whenIdle(t)
	if diff := cmp.Diff([]string{"C", "A", "B"}, p.drained(t)); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
}

// TestDeferInTheSpy shows each action where it was taken, and nothing for a
// recall of nothing.
func TestDeferInTheSpy(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		p := started(t, activeobject.Config{Instrument: instrument.Config{Spy: true}})
		p.Recorder().ClearSpy()
		p.inside(t, func() {
			p.Defer(hsm.Event{Signal: sigA})
			p.Defer(hsm.Event{Signal: sigB})
			p.Recall()
		})
		synctest.Wait()
		p.inside(t, func() {
			p.Recall()
			p.Recall()
		})
		if diff := cmp.Diff([]string{"A", "B"}, p.drained(t)); diff != "" {
			t.Errorf("handled (-want +got):\n%s", diff)
		}
		want := []string{
			"run:root", "POST_DEFERRED:A", "POST_DEFERRED:B", "RECALL:A", "POST_FIFO:A", "run:root:HOOK", "<- Queued:(1) Deferred:(1)",
			"A:root", "A:root:HOOK", "<- Queued:(0) Deferred:(1)",
			"run:root", "RECALL:B", "POST_FIFO:B", "run:root:HOOK", "<- Queued:(1) Deferred:(0)",
			"B:root", "B:root:HOOK", "<- Queued:(0) Deferred:(0)",
		}
		if diff := cmp.Diff(want, p.Recorder().Spy()); diff != "" {
			t.Errorf("spy (-want +got):\n%s", diff)
		}
	})
}

// TestDeferKeepsOrigin: the event that comes back is the one that went.
func TestDeferKeepsOrigin(t *testing.T) {
	p := newProbe("probe", activeobject.Config{Causes: true, Instrument: instrument.Config{Trace: true}})
	deferred := false
	p.react = func(at hsm.State, e hsm.Event) hsm.Status {
		switch {
		case at == root && e.Signal == sigA && !deferred:
			deferred = true
			p.Defer(e)                       // the current event
			p.Defer(hsm.Event{Signal: sigB}) // one of its own making
			p.Recall()                       // A
			p.Recall()                       // B
			return hsm.Handled               // no transition, no line
		case at == root && (e.Signal == sigA || e.Signal == sigB):
			return hsm.Tran(root)
		}
		return 0
	}
	p.start(t, root)
	sent := hsm.Origin{ID: 4711, Cause: 42}
	if err := p.Deliver(hsm.Event{Signal: sigA}, sent); err != nil {
		t.Fatal(err)
	}
	p.whenIdle(t)
	p.drained(t)
	trace := p.Recorder().Trace()
	if len(trace) != 3 {
		t.Fatalf("trace is %v, want a start, A and B", trace)
	}
	if a := (hsm.Origin{ID: trace[1].Event, Cause: trace[1].Cause}); a != sent {
		t.Errorf("the recalled event has origin %v, want that which it was delivered with, %v", a, sent)
	}
	if trace[2].Cause != sent.ID || trace[2].Event == 0 || trace[2].Event == sent.ID {
		t.Errorf("an event that the handler made has origin %x, %x; want one of its own, with cause %x",
			trace[2].Event, trace[2].Cause, sent.ID)
	}
}

// TestRecallGoesBehindAll, also when what was deferred had been published with
// some urgency: it comes back as the handler's own post.
func TestRecallGoesBehindAll(t *testing.T) {
	fabric := activeobject.NewFabric()
	p := newProbe("probe", activeobject.Config{Fabric: fabric})
	first := true
	p.react = func(_ hsm.State, e hsm.Event) hsm.Status {
		if e.Signal != sigU || !first {
			return 0
		}
		first = false
		p.Defer(e)
		p.Defer(hsm.Event{Signal: sigD})
		p.Recall()
		p.Recall()
		return hsm.Handled
	}
	p.start(t, root)
	for _, s := range []hsm.Signal{sigU, sigA, sigB} {
		if err := p.Subscribe(s, activeobject.FIFO); err != nil {
			t.Fatal(err)
		}
	}
	release := p.hold(t)
	publish(t, p, sigU, 1)
	publish(t, p, sigA, activeobject.DefaultPriority)
	publish(t, p, sigB, activeobject.DefaultPriority)
	release()
	p.whenIdle(t)
	if diff := cmp.Diff([]string{"A", "B", "U", "D"}, p.drained(t)); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
}

func publish(t testing.TB, p *probe, s hsm.Signal, priority int) {
	t.Helper()
	if err := p.Publish(hsm.Event{Signal: s}, priority); err != nil {
		t.Fatalf("Publish(%v, %d): %v", s, priority, err)
	}
}

// TestDeferOfATimersPost: once deferred, it is the handler's, and cancelling the
// timer does not take it away.
func TestDeferOfATimersPost(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		p := newProbe("probe", activeobject.Config{})
		deferred := false
		p.react = func(_ hsm.State, e hsm.Event) hsm.Status {
			if e.Signal == sigA && !deferred {
				deferred = true
				p.Defer(e)
				return hsm.Handled
			}
			return 0
		}
		p.start(t, root)
		id := p.timed(t, sigA, activeobject.Every(time.Second))
		time.Sleep(1500 * time.Millisecond)
		p.CancelEvent(id)
		p.inside(t, func() { p.Recall() })
		time.Sleep(time.Minute)
		if diff := cmp.Diff([]string{"A"}, p.drained(t)); diff != "" {
			t.Errorf("handled (-want +got):\n%s", diff)
		}
	})
}

// TestDeferOverflow fills the deferred events, and recalls into a full queue.
func TestDeferOverflow(t *testing.T) {
	for size := 1; size <= 4; size++ {
		t.Run(fmt.Sprint("reject/", size), func(t *testing.T) {
			p := started(t, activeobject.Config{QueueSize: size})
			p.inside(t, func() {
				for i := range size + 2 {
					if err := p.Defer(hsm.Event{Signal: sigA, Payload: i}); errors.Is(err, hsm.ErrQueueFull) != (i >= size) {
						t.Errorf("deferring number %d gives %v", i, err)
					}
				}
				for range size {
					p.fifo(t, sigB)
				}
				if was, err := p.Recall(); !was || !errors.Is(err, hsm.ErrQueueFull) {
					t.Errorf("recalling into a full queue gives %v, %v; want true, ErrQueueFull", was, err)
				}
				if n := p.Deferred(); n != size {
					t.Errorf("%d are deferred, want %d", n, size)
				}
				want := activeobject.Stats{Waiting: size, Rejected: 3}
				if diff := cmp.Diff(want, p.Stats()); diff != "" {
					t.Errorf("stats (-want +got):\n%s", diff)
				}
			})
		})
		t.Run(fmt.Sprint("drop/", size), func(t *testing.T) {
			p := started(t, activeobject.Config{QueueSize: size, Overflow: hsm.Drop})
			p.inside(t, func() {
				for i := range size + 2 {
					if err := p.Defer(hsm.Event{Signal: sigA, Payload: i}); err != nil {
						t.Errorf("deferring number %d gives %v", i, err)
					}
				}
				for range size {
					p.fifo(t, sigB)
				}
				if was, err := p.Recall(); !was || err != nil {
					t.Errorf("recalling into a full queue gives %v, %v; want true, nil", was, err)
				}
				want := activeobject.Stats{Waiting: size, Dropped: 3}
				if diff := cmp.Diff(want, p.Stats()); diff != "" {
					t.Errorf("stats (-want +got):\n%s", diff)
				}
			})
			want := make([]string, size)
			for i := range want {
				want[i] = "B"
			}
			want[size-1] = "A(2)" // the oldest two were given up
			if diff := cmp.Diff(want, p.drained(t)); diff != "" {
				t.Errorf("handled (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRecallOfNothing(t *testing.T) {
	p := started(t, activeobject.Config{})
	p.inside(t, func() {
		if was, err := p.Recall(); was || err != nil {
			t.Errorf("recalling gives %v, %v; want false, nil", was, err)
		}
	})
}
