package activeobject

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

// counted is the data of a chart that notes what it handles.
type counted struct{ got []string }

var countedChart = hsm.MustCompile([]hsm.Spec[*counted]{
	1: {Name: "only", Handle: func(c *counted, e hsm.Event) hsm.Status {
		if e.Signal.IsInner() {
			return hsm.Super
		}
		c.got = append(c.got, e.Signal.String())
		return hsm.Handled
	}},
})

func newCounted(c Config) (*ActiveObject, *counted) {
	data := &counted{}
	return New("counted", hsm.NewMachine(countedChart, data), c), data
}

// sleepFor makes the object believe that so much time has passed since it was made,
// as it has when a machine was asleep, and lets its alarm fire.
func (o *ActiveObject) sleepFor(d time.Duration) {
	o.mu.Lock()
	o.base = o.base.Add(-d)
	o.mu.Unlock()
	o.fire()
}

// startAndStop ends an object that was never started, and so its timers.
func (o *ActiveObject) startAndStop(t *testing.T) {
	if err := o.Start(context.Background(), 1); err != nil {
		t.Error(err)
	}
	if err := o.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}

// TestMissed has timers that are late: one post is made, the rest are counted,
// and the next comes in step with the moment of arming.
func TestMissed(t *testing.T) {
	const h = time.Hour
	for _, test := range []struct {
		name    string
		when    Timing
		asleep  time.Duration
		waiting int
		missed  uint64
		due     time.Duration // of the next, 0 if there is none
	}{
		{"in time", Every(h), h + h/2, 1, 0, 2 * h},
		{"to the moment", Every(h), 2*h - h/1000, 1, 0, 2 * h},
		{"one missed", Every(h), 2*h + h/2, 1, 1, 3 * h},
		{"nine missed", Every(h), 10*h + h/2, 1, 9, 11 * h},
		{"at once, and nine missed", Every(h).AtOnce(), 10*h + h/2, 2, 9, 11 * h},
		{"what is missed is not among the times", Times(3, h), 10*h + h/2, 1, 9, 11 * h},
		{"nothing to miss", Once(h), 10 * h, 1, 0, 0},
		{"a thousand years of nanoseconds is too much to count up", Every(1), h, 1, uint64(h) - 1, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			o, _ := newCounted(Config{})
			defer o.startAndStop(t)
			id, err := o.PostFIFO(hsm.Event{Signal: hsm.NewSignal("tick")}, test.when)
			if err != nil {
				t.Fatal(err)
			}
			o.mu.Lock()
			o.alarm.Stop() // only sleepFor fires
			armed := o.heap[0].due - int64(test.when.period)
			o.mu.Unlock()
			o.sleepFor(test.asleep)
			o.mu.Lock()
			defer o.mu.Unlock()
			if n := o.waiting(); n != test.waiting {
				t.Errorf("%d wait, want %d", n, test.waiting)
			}
			slot, ok := o.find(id)
			if !ok {
				t.Fatal("the timer is gone, its event not yet handled")
			}
			if test.when == Every(1) {
				if o.stats.Missed < test.missed {
					t.Errorf("%d missed, want at least %d", o.stats.Missed, test.missed)
				}
				return
			}
			if o.stats.Missed != test.missed {
				t.Errorf("%d missed, want %d", o.stats.Missed, test.missed)
			}
			var due time.Duration
			if at := o.slots[slot].at; at >= 0 {
				due = time.Duration(o.heap[at].due - armed)
			}
			if due != test.due {
				t.Errorf("the next is due after %v, want %v", due, test.due)
			}
		})
	}
}

// TestMissedThenGoesOn: after a long sleep the times that are left still come.
func TestMissedThenGoesOn(t *testing.T) {
	o, data := newCounted(Config{})
	if _, err := o.PostFIFO(hsm.Event{Signal: hsm.NewSignal("tick")}, Times(3, time.Hour)); err != nil {
		t.Fatal(err)
	}
	for _, asleep := range []time.Duration{5 * time.Hour, 30 * time.Minute, 30 * time.Minute, 30 * time.Minute, 5 * time.Hour} {
		o.sleepFor(asleep)
	}
	ctx := context.Background()
	if err := o.Start(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if err := o.Drain(ctx); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"tick", "tick", "tick"}, data.got); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
}

// TestTheDeadAreBuried: cancelled timers' events do not pile up in a queue that
// nobody takes from.
func TestTheDeadAreBuried(t *testing.T) {
	const size = 10
	o, data := newCounted(Config{QueueSize: size, Fabric: NewFabric()})
	tick, plain := hsm.NewSignal("tick"), hsm.NewSignal("plain")
	if err := o.Subscribe(plain, FIFO); err != nil {
		t.Fatal(err)
	}
	post := []func(hsm.Event, ...Timing) (TimerID, error){o.PostFIFO, o.PostLIFO}
	for i := range 1000 {
		switch i {
		case 300:
			o.Publish(hsm.Event{Signal: plain}, 5)
		case 500:
			o.PostFIFO(hsm.Event{Signal: plain})
		}
		id, err := post[i%2](hsm.Event{Signal: tick}, Every(time.Hour).AtOnce())
		if err != nil {
			t.Fatal(err)
		}
		if !o.CancelEvent(id) {
			t.Fatal("nothing to cancel")
		}
		if n := o.queue.Len() + o.front.Len(); n > 2*size+1 {
			t.Fatalf("%d items stand in queues of %d", n, size)
		}
	}
	o.wantSlots(t, 1)
	if o.waiting() != 2 || o.prioritized != 1 {
		t.Errorf("%d wait, %d of them published; want 2, 1", o.waiting(), o.prioritized)
	}
	if err := o.Start(context.Background(), 1); err != nil {
		t.Fatal(err)
	}
	if err := o.Drain(context.Background()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"plain", "plain"}, data.got); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
}

// wantSlots says how many slots there should be, all of them free.
func (o *ActiveObject) wantSlots(t *testing.T, n int) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.timers == nil {
		if n != 0 {
			t.Errorf("no timers, want %d slots", n)
		}
		return
	}
	if len(o.slots) != n || len(o.free) != n || len(o.heap) != 0 {
		t.Errorf("%d slots, %d of them free, %d due; want %d, %d, 0", len(o.slots), len(o.free), len(o.heap), n, n)
	}
}

// TestSlotsAreUsedAgain, however a timer ends: its posts were made and handled,
// were refused, it was cancelled, or the object stopped. The originals had 500
// for the whole life of an object.
func TestSlotsAreUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := newCounted(Config{QueueSize: 2})
		tick := hsm.Event{Signal: hsm.NewSignal("tick")}
		ctx := context.Background()
		for round := range 1000 {
			if round%100 == 0 {
				if err := o.Stop(ctx); err != nil {
					t.Fatal(err)
				}
				if o.timers != nil {
					o.wantSlots(t, len(o.slots))
				}
				if err := o.Start(ctx, 1); err != nil {
					t.Fatal(err)
				}
			}
			for _, when := range []Timing{Once(1), Times(2, 1).AtOnce(), Once(2), Once(1).AtOnce(), Every(1000)} {
				o.PostFIFO(tick, when) // one may find the queue full
			}
			time.Sleep(10 * time.Nanosecond)
			synctest.Wait()
			if o.CancelEvents(tick.Signal) != 1 {
				t.Fatal("more than one timer is left")
			}
		}
		if err := o.Stop(ctx); err != nil {
			t.Fatal(err)
		}
		o.wantSlots(t, 5)

		full, _ := newCounted(Config{QueueSize: 1})
		full.PostFIFO(tick)
		for range 1000 {
			if _, err := full.PostFIFO(tick, Every(1).AtOnce()); !errors.Is(err, hsm.ErrQueueFull) {
				t.Fatalf("arming gives %v, want ErrQueueFull", err)
			}
		}
		full.wantSlots(t, 1)
	})
}

// TestRejectedIsToldInTheNextStep, though the goroutine has been woken before by
// posts that it has not taken yet.
func TestRejectedIsToldInTheNextStep(t *testing.T) {
	o, _ := newCounted(Config{QueueSize: 2, Instrument: instrument.Config{Spy: true}})
	ctx := context.Background()
	if err := o.Start(ctx, 1); err != nil {
		t.Fatal(err)
	}
	for parked := false; !parked; {
		o.mu.Lock()
		if parked = o.place == away; parked {
			for _, name := range []string{"A", "B", "C", "D"} {
				o.put(&item{event: hsm.Event{Signal: hsm.NewSignal(name)}}, false, false)
			}
		}
		o.mu.Unlock()
	}
	if err := o.Drain(ctx); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"QUEUE_FULL:C", "QUEUE_FULL:D", "A:only", "A:only:HOOK", "<- Queued:(1) Deferred:(0)",
		"B:only", "B:only:HOOK", "<- Queued:(0) Deferred:(0)",
	}
	got := o.Recorder().Spy()
	if diff := cmp.Diff(want, got[len(got)-len(want):]); diff != "" {
		t.Errorf("spy (-want +got):\n%s", diff)
	}
}

// TestRejectedLinesAreBounded while nobody takes them.
func TestRejectedLinesAreBounded(t *testing.T) {
	o, _ := newCounted(Config{QueueSize: 1, Instrument: instrument.Config{Spy: true}})
	for range 10 * maxLate {
		o.PostFIFO(hsm.Event{Signal: hsm.NewSignal("A")})
	}
	if len(o.record.late) != maxLate || o.Stats().Rejected != 10*maxLate-1 {
		t.Errorf("%d lines for %d rejected, want %d", len(o.record.late), o.Stats().Rejected, maxLate)
	}
}

// TestFabricForgets objects that stopped and signals that nobody waits for.
func TestFabricForgets(t *testing.T) {
	f := NewFabric()
	signals := []hsm.Signal{hsm.NewSignal("A"), hsm.NewSignal("B"), hsm.NewSignal("C")}
	one, _ := newCounted(Config{Fabric: f})
	two, _ := newCounted(Config{Fabric: f})
	for _, o := range []*ActiveObject{one, two} {
		if err := o.Start(context.Background(), 1); err != nil {
			t.Fatal(err)
		}
	}
	for i, s := range signals {
		one.Subscribe(s, FIFO)
		if i > 0 {
			two.Subscribe(s, LIFO)
		}
	}
	two.Unsubscribe(signals[2])
	if err := one.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if len(f.subscribers) != 1 || !slices.Equal(f.subscribers[signals[1]], []subscription{{two, LIFO}}) {
		t.Errorf("left are %v", f.subscribers)
	}
	if err := two.Publish(hsm.Event{Signal: signals[0]}, 1); err != nil {
		t.Errorf("publishing what nobody gets: %v", err)
	}
	if n := one.Stats(); n != (Stats{}) {
		t.Errorf("the stopped one has %+v", n)
	}
	two.Unsubscribe(signals[1])
	if err := two.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if len(f.subscribers) != 0 {
		t.Errorf("left are %v", f.subscribers)
	}
}
