package activeobject

import (
	"context"
	"maps"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/statemesh/statemesh/hsm"
)

// wantEmpty says that the wheel knows no object, and that its alarm is not set.
func (w *Wheel) wantEmpty(t *testing.T) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.ticks) != 0 || len(w.order) != 0 || w.latest != nil || w.set != none {
		t.Errorf("%d ticks, %d of them in order, the latest is %v, the alarm is set for %d; want an empty wheel", len(w.ticks), len(w.order), w.latest, w.set)
	}
	for _, spare := range w.spare {
		for _, o := range spare.waiting[:cap(spare.waiting)] {
			if o != nil {
				t.Errorf("a spare tick keeps %s", o.name)
			}
		}
	}
}

// TestNoTimersNoRoom: an object takes memory for timers with its first one.
func TestNoTimersNoRoom(t *testing.T) {
	o, _ := newCounted(Config{Wheel: NewWheel(0)})
	o.CancelEvent(1)
	o.CancelEvents(hsm.Init)
	o.startAndStop(t)
	if o.timers != nil {
		t.Errorf("an object that never had a timer has %+v", o.timers)
	}
}

// TestWheelIsLeft: when nothing is armed on a wheel it keeps nothing, however that
// came about.
func TestWheelIsLeft(t *testing.T) {
	tick := hsm.Event{Signal: hsm.NewSignal("tick")}
	const objects = 10
	for name, test := range map[string]func(*ActiveObject){
		"it came": func(o *ActiveObject) { o.PostFIFO(tick, Once(time.Second)); time.Sleep(time.Second) },
		"cancelled": func(o *ActiveObject) {
			id, _ := o.PostFIFO(tick, Once(time.Second))
			o.CancelEvent(id)
			time.Sleep(time.Second)
		},
		"stopped": func(o *ActiveObject) { o.PostFIFO(tick, Every(time.Second)); o.Stop(context.Background()) },
		"brought up": func(o *ActiveObject) {
			for i := range 9 {
				o.PostFIFO(tick, Once(time.Duration(9-i)*time.Hour))
			}
			o.Stop(context.Background())
		},
		"end of time": func(o *ActiveObject) { o.PostFIFO(tick, Once(1<<63-1)); o.Stop(context.Background()) },
		"never armed": func(*ActiveObject) {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				wheel := NewWheel(0)
				var all []*ActiveObject
				for range objects {
					o, _ := newCounted(Config{Wheel: wheel})
					if err := o.Start(context.Background(), 1); err != nil {
						t.Fatal(err)
					}
					all = append(all, o)
				}
				for _, o := range all {
					go test(o)
				}
				synctest.Wait()
				time.Sleep(time.Second)
				synctest.Wait()
				wheel.wantEmpty(t)
				for _, o := range all {
					o.Stop(context.Background())
				}
			})
		})
	}
}

// TestWheelKeepsItsOrder as objects come to wait for earlier ticks, and leave.
func TestWheelKeepsItsOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		wheel := NewWheel(time.Hour)
		var all [30]*ActiveObject
		for i := range all {
			all[i], _ = newCounted(Config{Wheel: wheel})
			all[i].timers = newTimers()
		}
		want := make(map[*ActiveObject]int64) // the ticks that objects wait for
		t.Repeat(map[string]func(*rapid.T){
			"enter": func(t *rapid.T) {
				o, number := all[rapid.IntRange(0, len(all)-1).Draw(t, "object")], rapid.Int64Range(1, 50).Draw(t, "tick")
				wheel.enter(o, number*int64(time.Hour)-rapid.Int64Range(0, 1).Draw(t, "before"))
				if before, ok := want[o]; !ok || number < before {
					want[o] = number
				}
			},
			"leave": func(t *rapid.T) {
				o := all[rapid.IntRange(0, len(all)-1).Draw(t, "object")]
				wheel.leave(o)
				delete(want, o)
			},
			"": func(t *rapid.T) {
				got, set := make(map[*ActiveObject]int64), int64(none)
				for i, tick := range wheel.order {
					if tick.at != i || tick.number < wheel.order[max(i-1, 0)/2].number || wheel.ticks[tick.number] != tick || len(tick.waiting) == 0 {
						t.Fatalf("tick %d stands at %d: %+v", tick.number, i, tick)
					}
					for seat, o := range tick.waiting {
						if o.tick != tick || o.seat != seat {
							t.Fatalf("an object at %d of tick %d believes to be at %d of %+v", seat, tick.number, o.seat, o.tick)
						}
						got[o] = tick.number
					}
				}
				if !maps.Equal(got, want) || len(wheel.ticks) != len(wheel.order) {
					t.Fatalf("objects wait for %v, want %v", got, want)
				}
				if len(wheel.order) > 0 {
					set = wheel.order[0].number
				}
				if wheel.set > set || (wheel.set == none) != (set == none) {
					t.Fatalf("the alarm is set for %d, want at most %d", wheel.set, set)
				}
			},
		})
		for _, o := range all {
			wheel.leave(o)
		}
	})
}

// TestLeavingATickThatFires: while the objects of a tick are told, one stops, and one
// arms another timer.
func TestLeavingATickThatFires(t *testing.T) {
	wheel, signal := NewWheel(time.Hour), hsm.Event{Signal: hsm.NewSignal("tick")}
	ctx := context.Background()
	var all [4]*ActiveObject
	var data [len(all)]*counted
	for i := range all {
		all[i], data[i] = newCounted(Config{Wheel: wheel})
		if err := all[i].Start(ctx, 1); err != nil {
			t.Fatal(err)
		}
		if _, err := all[i].PostFIFO(signal, Times(2, time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	advance := func(d time.Duration) { // nothing is armed while this is done
		wheel.base = wheel.base.Add(-d)
		for _, o := range all {
			o.base = wheel.base
		}
	}
	advance(time.Hour)
	all[0].mu.Lock() // the first to be told
	fired := make(chan struct{})
	go func() { defer close(fired); wheel.fire() }()
	for firing := false; !firing; runtime.Gosched() {
		wheel.mu.Lock()
		firing = wheel.firing && len(wheel.order) == 0
		wheel.mu.Unlock()
	}
	wheel.fire() // another alarm leaves it to the first
	wheel.mu.Lock()
	if !wheel.firing {
		t.Error("the first has not ended, but another has")
	}
	wheel.mu.Unlock()
	if err := all[1].Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if err := all[2].Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if err := all[2].Start(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := all[2].PostFIFO(signal, Once(time.Minute)); err != nil {
		t.Fatal(err)
	}
	all[0].mu.Unlock()
	<-fired
	wheel.mu.Lock()
	if n := len(wheel.order); n != 1 || len(wheel.order[0].waiting) != 3 || wheel.set != wheel.order[0].number {
		t.Errorf("%d ticks are to come, want one that three objects wait for, and the alarm to be set for it", n)
	}
	advance(2 * time.Hour)
	wheel.mu.Unlock()
	wheel.fire()
	wheel.wantEmpty(t)
	var got [len(all)]int
	for i, o := range all {
		if err := o.Drain(ctx); err != nil {
			t.Fatal(err)
		}
		got[i] = len(data[i].got)
	}
	if diff := cmp.Diff([...]int{2, 0, 1, 2}, got); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
}
