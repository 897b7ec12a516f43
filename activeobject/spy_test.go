package activeobject_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

// TestSpyOfOwnActions has a line for everything that a handler does, where it
// did it.
func TestSpyOfOwnActions(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		p := newProbe("probe", activeobject.Config{
			Fabric: activeobject.NewFabric(), QueueSize: 3, Instrument: instrument.Config{Spy: true, Trace: true},
		})
		p.react = func(at hsm.State, e hsm.Event) hsm.Status {
			switch {
			case at == left && e.Signal == hsm.Entry:
				p.Subscribe(sigA, activeobject.FIFO)
				p.Subscribe(sigB, activeobject.LIFO)
				return hsm.Handled
			case at == left && e.Signal == sigU:
				p.PostFIFO(hsm.Event{Signal: sigC})
				p.PostLIFO(hsm.Event{Signal: sigD})
				p.Scribble("half way")
				p.Publish(hsm.Event{Signal: sigA}, 7)
				p.PostFIFO(hsm.Event{Signal: sigC}) // finds the queue full
				p.PostFIFO(hsm.Event{Signal: sigC}, activeobject.Once(time.Second).AtOnce())
				p.Defer(e)
				p.Recall()
				p.Unsubscribe(sigA)
				return hsm.Tran(right)
			}
			return 0
		}
		p.start(t, left)
		p.fifo(t, sigU)
		synctest.Wait()
		want := []string{
			"START", "SEARCH_FOR_SUPER_SIGNAL:left", "SEARCH_FOR_SUPER_SIGNAL:root", "ENTRY_SIGNAL:root", "ENTRY_SIGNAL:left",
			"SUBSCRIBING TO:(A, TYPE:fifo)", "SUBSCRIBING TO:(B, TYPE:lifo)", "INIT_SIGNAL:left", "<- Queued:(0) Deferred:(0)",

			"U:left", "POST_FIFO:C", "POST_LIFO:D", "half way", "PUBLISH:(A, PRIORITY:7)", "QUEUE_FULL:C", "QUEUE_FULL:C",
			"POST_DEFERRED:U", "QUEUE_FULL:U", "UNSUBSCRIBING FROM:(A)",
			"SEARCH_FOR_SUPER_SIGNAL:right", "SEARCH_FOR_SUPER_SIGNAL:left", "EXIT_SIGNAL:left", "ENTRY_SIGNAL:right", "INIT_SIGNAL:right",
			"<- Queued:(3) Deferred:(1)",

			"D:right", "D:root", "D:root:HOOK", "<- Queued:(2) Deferred:(1)",
			"C:right", "C:root", "C:root:HOOK", "<- Queued:(1) Deferred:(1)",
			"A:right", "A:root", "A:root:HOOK", "<- Queued:(0) Deferred:(1)",
		}
		if diff := cmp.Diff(want, p.Recorder().Spy()); diff != "" {
			t.Errorf("spy (-want +got):\n%s", diff)
		}
		wantTrace := []string{"[probe] e->start_at() top->left", "[probe] e->U() left->right"}
		if diff := cmp.Diff(wantTrace, instrument.Stripped(p.Recorder().TraceText())); diff != "" {
			t.Errorf("trace (-want +got):\n%s", diff)
		}
	})
}

// TestSpyLeavesOthersOut: what somebody else does while a step runs is not the
// step's, and a timer's post is nobody's.
func TestSpyLeavesOthersOut(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		fabric := activeobject.NewFabric()
		p := started(t, activeobject.Config{Fabric: fabric, Instrument: instrument.Config{Spy: true, Trace: true}})
		other := started(t, activeobject.Config{Fabric: fabric, Instrument: instrument.Config{Spy: true}})
		p.Recorder().ClearSpy()
		b := &barrier{make(chan struct{}), make(chan struct{})}
		handler := func() {
			p.fifo(t, sigA)
			p.handle(root, hsm.Event{Signal: gate, Payload: b})
			p.lifo(t, sigB)
		}
		if _, err := p.PostFIFO(hsm.Event{Signal: run, Payload: handler}); err != nil {
			t.Fatal(err)
		}
		<-b.entered
		p.fifo(t, sigC)
		p.lifo(t, sigD)
		other.inside(t, func() { p.fifo(t, sigU) })
		p.subscribe(t, activeobject.FIFO, sigA)
		p.Unsubscribe(sigA)
		publish(t, p, sigA, 1)
		p.timed(t, sigU, activeobject.Once(time.Second))
		time.Sleep(time.Minute)
		close(b.release)
		synctest.Wait()
		want := []string{
			"run:root", "POST_FIFO:A", "POST_LIFO:B", "run:root:HOOK", "<- Queued:(6) Deferred:(0)",
			"B:root", "B:root:HOOK", "<- Queued:(5) Deferred:(0)",
			"D:root", "D:root:HOOK", "<- Queued:(4) Deferred:(0)",
			"A:root", "A:root:HOOK", "<- Queued:(3) Deferred:(0)",
			"C:root", "C:root:HOOK", "<- Queued:(2) Deferred:(0)",
			"U:root", "U:root:HOOK", "<- Queued:(1) Deferred:(0)",
			"U:root", "U:root:HOOK", "<- Queued:(0) Deferred:(0)",
		}
		if diff := cmp.Diff(want, p.Recorder().Spy()); diff != "" {
			t.Errorf("spy (-want +got):\n%s", diff)
		}
		// The other's handler posted to an object that is not its own.
		if diff := cmp.Diff([]string{"run:root", "run:root:HOOK", "<- Queued:(0) Deferred:(0)"}, other.Recorder().Spy()[5:]); diff != "" {
			t.Errorf("the other's spy (-want +got):\n%s", diff)
		}
	})
}

// TestInstrumentOff: nothing is recorded, everything works.
func TestInstrumentOff(t *testing.T) {
	for name, c := range map[string]activeobject.Config{
		"off":                     {},
		"live without a recorder": {Instrument: instrument.Config{Live: []*instrument.Live{nil}}},
		"causes of nothing":       {Causes: true},
		"causes of a trace":       {Causes: true, Instrument: instrument.Config{Trace: true}},
	} {
		t.Run(name, func(t *testing.T) {
			c.Fabric, c.QueueSize = activeobject.NewFabric(), 3
			p := started(t, c)
			p.inside(t, func() {
				p.subscribe(t, activeobject.FIFO, sigA)
				p.Scribble("nobody reads this")
				p.fifo(t, sigB)
				p.lifo(t, sigC)
				publish(t, p, sigA, 1)
				if _, err := p.PostFIFO(hsm.Event{Signal: sigD}); !errors.Is(err, hsm.ErrQueueFull) {
					t.Errorf("a post too many gives %v, want ErrQueueFull", err)
				}
				p.Defer(hsm.Event{Signal: sigD})
				p.Recall()
				p.Unsubscribe(sigA)
			})
			if diff := cmp.Diff([]string{"C", "B", "A"}, p.drained(t)); diff != "" {
				t.Errorf("handled (-want +got):\n%s", diff)
			}
			if err := p.Err(); err != nil {
				t.Error(err)
			}
			if r := p.Recorder(); r == nil != !c.Instrument.Trace || r != nil && len(r.Spy()) != 0 {
				t.Errorf("the recorder is %v", r)
			}
		})
	}
}

// TestStepsDoNotAllocate, whatever is recorded, once the rings are full.
func TestStepsDoNotAllocate(t *testing.T) {
	for name, c := range map[string]activeobject.Config{
		"off":    {},
		"trace":  {Instrument: instrument.Config{Trace: true}},
		"causes": {Instrument: instrument.Config{Trace: true}, Causes: true},
		"spy":    {Instrument: instrument.Config{Trace: true, Spy: true}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProbe("probe", c)
			back := make(chan struct{})
			p.react = func(at hsm.State, e hsm.Event) hsm.Status {
				switch {
				case at == root || e.Signal.IsInner():
					return 0
				case e.Signal == sigA:
					p.PostFIFO(hsm.Event{Signal: sigB})
					return hsm.Tran(left + right - at)
				case e.Signal == sigB:
					back <- struct{}{}
				}
				return hsm.Handled
			}
			p.start(t, left)
			step := func() {
				p.PostFIFO(hsm.Event{Signal: sigA})
				<-back
			}
			for range 1000 {
				step()
			}
			if n := testing.AllocsPerRun(1000, step); n != 0 {
				t.Errorf("%v allocations for two posts and two steps, want none", n)
			}
		})
	}
}
