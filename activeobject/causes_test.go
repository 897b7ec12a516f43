package activeobject_test

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

// TestCauses follows a chain of events: posted, timed, published and deferred,
// each sent by the handler of the one before, over two objects.
func TestCauses(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		c := activeobject.Config{
			Fabric: activeobject.NewFabric(), Causes: true, Node: "here", Instrument: instrument.Config{Trace: true},
		}
		one, two := newProbe("one", c), newProbe("two", c)
		one.react = func(at hsm.State, e hsm.Event) hsm.Status {
			switch {
			case at == left && e.Signal == hsm.Entry:
				one.fifo(t, sigA)
			case at == root && e.Signal == sigA:
				one.timed(t, sigB, activeobject.Times(2, time.Second))
				return hsm.Tran(root)
			case at == root && e.Signal == sigB:
				publish(t, one, sigC, 1)
				return hsm.Tran(root)
			}
			return 0
		}
		two.react = func(at hsm.State, e hsm.Event) hsm.Status {
			if at == root && e.Signal == sigC {
				if _, err := one.PostFIFO(hsm.Event{Signal: sigD}); err != nil {
					t.Error(err)
				}
				return hsm.Tran(root)
			}
			return 0
		}
		two.subscribe(t, activeobject.FIFO, sigC)
		two.start(t, root)
		one.start(t, left)
		time.Sleep(time.Minute)
		synctest.Wait()
		one.fifo(t, sigA) // by nobody's handler
		synctest.Wait()

		first, second := one.Recorder().Trace(), two.Recorder().Trace()
		if len(first) != 5 || len(second) != 3 { // start A B B A, start C C
			t.Fatalf("traces are\n%v\n%v", first, second)
		}
		start, a, b, again := first[0], first[1], first[2:4], first[4]
		if start.Cause != 0 || again.Cause != 0 || second[0].Cause != 0 {
			t.Errorf("starts have the causes %x and %x, a post from outside has %x; want none", start.Cause, second[0].Cause, again.Cause)
		}
		if a.Cause != start.Event {
			t.Errorf("A has cause %x, want the start %x", a.Cause, start.Event)
		}
		seen := make(map[uint64]bool)
		for i := range b {
			if b[i].Cause != a.Event {
				t.Errorf("B has cause %x, want A, in whose step the timer was armed, %x", b[i].Cause, a.Event)
			}
			if second[1+i].Cause != b[i].Event {
				t.Errorf("C has cause %x, want the B that published it, %x", second[1+i].Cause, b[i].Event)
			}
		}
		for _, line := range append(first, second...) {
			if line.Event == 0 || seen[line.Event] {
				t.Errorf("event id %x is zero, or not unique", line.Event)
			}
			seen[line.Event] = true
			if line.Node != "here" {
				t.Errorf("node %q, want here", line.Node)
			}
		}
	})
}

// TestCausesOff gives events ids, and no causes.
func TestCausesOff(t *testing.T) {
	p := newProbe("probe", activeobject.Config{Instrument: instrument.Config{Trace: true}})
	p.react = func(at hsm.State, e hsm.Event) hsm.Status {
		switch {
		case at == left && e.Signal == hsm.Entry:
			p.fifo(t, sigA)
		case at == left && e.Signal == sigA:
			return hsm.Tran(left)
		}
		if e.Signal == sigA {
			return hsm.Handled
		}
		return 0
	}
	p.start(t, left)
	p.inside(t, func() { p.Stop(background) })
	wait(t, p.Done())
	for _, line := range p.Recorder().Trace() {
		if line.Cause != 0 || line.Event == 0 {
			t.Errorf("%v has id %x and cause %x, want an id and no cause", line, line.Event, line.Cause)
		}
	}
}

// TestNewOrigin is for events that leave by other ways.
func TestNewOrigin(t *testing.T) {
	p := started(t, activeobject.Config{Causes: true, Instrument: instrument.Config{Trace: true}})
	before := p.NewOrigin()
	sent := hsm.Origin{ID: 4711}
	var within hsm.Origin
	e := hsm.Event{Signal: run, Payload: func() { within = p.NewOrigin() }}
	if err := p.Deliver(e, sent); err != nil {
		t.Fatal(err)
	}
	p.drained(t)
	if before.ID == 0 || before.Cause != 0 {
		t.Errorf("from outside: %+v, want an id and no cause", before)
	}
	if within.ID == 0 || within.ID == before.ID || within.Cause != sent.ID {
		t.Errorf("from a handler: %+v, want a new id and the cause %d", within, sent.ID)
	}
}

// TestSetInstrument begins anew to record, between two lives.
func TestSetInstrument(t *testing.T) {
	p := started(t, activeobject.Config{Instrument: instrument.Config{Trace: true}})
	if err := p.SetInstrument(instrument.Config{}); !errors.Is(err, activeobject.ErrRunning) {
		t.Errorf("while it runs: %v, want ErrRunning", err)
	}
	p.drained(t)
	if err := p.SetInstrument(instrument.Config{Spy: true, NoSearch: true}); err != nil {
		t.Fatal(err)
	}
	p.start(t, root)
	p.drained(t)
	want := []string{"START", "ENTRY_SIGNAL:root", "INIT_SIGNAL:root", "<- Queued:(0) Deferred:(0)"}
	if diff := cmp.Diff(want, p.Recorder().Spy()); diff != "" {
		t.Errorf("spy (-want +got):\n%s", diff)
	}
	if trace := p.Recorder().Trace(); len(trace) != 0 {
		t.Errorf("trace %v, want none", trace)
	}
	if err := p.SetInstrument(instrument.Config{}); err != nil || p.Recorder() != nil {
		t.Errorf("switching off: %v, recorder %v", err, p.Recorder())
	}
}

// TestSetInstrumentAmongOthers: while other goroutines post, read and start.
func TestSetInstrumentAmongOthers(t *testing.T) {
	p := newProbe("probe", activeobject.Config{})
	var all sync.WaitGroup
	for _, f := range []func(int){
		func(i int) { p.SetInstrument(instrument.Config{Spy: i%2 == 0, Trace: i%3 == 0}) },
		func(int) { p.PostFIFO(hsm.Event{Signal: sigA}) },
		func(int) { publish(t, p, sigA, 1) },
		func(int) {
			if r := p.Recorder(); r != nil {
				r.Spy()
			}
		},
		func(int) {
			if err := p.Start(background, root); err == nil {
				p.Stop(background)
			}
		},
	} {
		all.Go(func() {
			for i := range 300 {
				f(i)
			}
		})
	}
	all.Wait()
}
