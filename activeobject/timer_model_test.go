package activeobject_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
)

// naiveTimer is a timer of the reference.
type naiveTimer struct {
	signal hsm.Signal
	due    time.Time
	period time.Duration
	left   int // -1 for ever
	lifo   bool
}

// naiveTimers is the reference: a list in the order of arming, searched from
// one end to the other whenever something is to be found.
type naiveTimers struct {
	list  []*naiveTimer
	fired []string
	// Posts are made at whole ticks after base, if tick is not zero.
	base time.Time
	tick time.Duration
	// missed counts posts that were due at the same tick as another of the timer.
	missed uint64
}

// comes is when a post is made that is due then.
func (n *naiveTimers) comes(due time.Time) time.Time {
	for at := n.base; n.tick > 0; at = at.Add(n.tick) {
		if !at.Before(due) {
			return at
		}
	}
	return due
}

func (n *naiveTimers) handle(batch []hsm.Signal) {
	for _, s := range batch {
		n.fired = append(n.fired, fmt.Sprint(s, " at ", time.Now().Format("15:04:05.000")))
	}
}

// advance sleeps up to until, and fires what is due on the way.
func (n *naiveTimers) advance(until time.Time) {
	for {
		var due []*naiveTimer
		var next time.Time
		for _, t := range n.list {
			if t.left == 0 {
				continue
			}
			if at := n.comes(t.due); len(due) == 0 || at.Before(next) {
				next, due = at, []*naiveTimer{t}
			} else if at.Equal(next) {
				due = append(due, t)
			}
		}
		if len(due) == 0 || next.After(until) {
			break
		}
		time.Sleep(time.Until(next))
		slices.SortStableFunc(due, func(a, b *naiveTimer) int { return a.due.Compare(b.due) })
		var batch []hsm.Signal // what is due at once stands in the queue before any of it is handled
		for _, t := range due {
			if t.left = max(t.left-1, -1); t.left != 0 {
				t.due = t.due.Add(t.period)
				for ; !t.due.After(next); t.due = t.due.Add(t.period) {
					n.missed++
				}
			}
			if t.lifo {
				batch = slices.Insert(batch, 0, t.signal)
			} else {
				batch = append(batch, t.signal)
			}
		}
		n.handle(batch)
	}
	time.Sleep(time.Until(until))
}

// TestTimersAgainstModel arms, cancels and lets time pass at random, and
// compares what is handled, and when, with the reference.
func TestTimersAgainstModel(t *testing.T) { check(t, timersProperty) }

func timersProperty(t *rapid.T) {
	model, config := &naiveTimers{}, activeobject.Config{}
	// Ticks that are finer and coarser than the periods, and fit them or do not.
	if tick := rapid.SampledFrom([]time.Duration{0, 0, 1, 7, 10, 35}).Draw(t, "tick") * time.Millisecond; tick > 0 {
		model.base, model.tick = time.Now(), tick
		config.Wheel = activeobject.NewWheel(tick)
		time.Sleep(time.Duration(rapid.IntRange(0, 50).Draw(t, "since the wheel was made")) * time.Millisecond)
	}
	p := newProbe("timers", config)
	defer p.Stop(context.Background())
	var got []string
	p.react = func(_ hsm.State, e hsm.Event) hsm.Status {
		if e.Signal.IsInner() {
			return hsm.Super
		}
		got = append(got, fmt.Sprint(e.Signal, " at ", time.Now().Format("15:04:05.000")))
		return hsm.Handled
	}
	if err := p.Start(context.Background(), root); err != nil {
		t.Fatal(err)
	}
	var ids []activeobject.TimerID // by index in model.list
	signals := rapid.Map(rapid.SampledFrom([]string{"A", "B", "C", "D", "U"}), hsm.NewSignal)
	// Few lengths of time, so that many timers are due together.
	lengths := rapid.SampledFrom([]time.Duration{10, 20, 30, 50, 1000})

	t.Repeat(map[string]func(*rapid.T){
		"arm": func(t *rapid.T) {
			timer := &naiveTimer{
				signal: signals.Draw(t, "signal"),
				period: lengths.Draw(t, "period") * time.Millisecond,
				left:   rapid.IntRange(-1, 4).Draw(t, "times"),
				lifo:   rapid.Bool().Draw(t, "lifo"),
			}
			var when activeobject.Timing
			switch timer.left {
			case -1:
				when = activeobject.Every(timer.period)
			case 0, 1:
				timer.left = 1
				when = activeobject.Once(timer.period)
			default:
				when = activeobject.Times(timer.left, timer.period)
			}
			timer.due = time.Now().Add(timer.period)
			if rapid.Bool().Draw(t, "at once") {
				when = when.AtOnce()
				timer.left = max(timer.left-1, -1)
				model.handle([]hsm.Signal{timer.signal})
			}
			post := p.PostFIFO
			if timer.lifo {
				post = p.PostLIFO
			}
			id, err := post(hsm.Event{Signal: timer.signal}, when)
			if err != nil {
				t.Fatal(err)
			}
			if slices.Contains(ids, id) {
				t.Fatalf("id %d was given out twice", id)
			}
			ids = append(ids, id)
			model.list = append(model.list, timer)
		},
		"cancel": func(t *rapid.T) {
			if len(ids) == 0 {
				t.Skip()
			}
			i := rapid.IntRange(0, len(ids)-1).Draw(t, "timer")
			if got, want := p.CancelEvent(ids[i]), model.list[i].left != 0; got != want {
				t.Fatalf("cancelling is %v, want %v", got, want)
			}
			model.list[i].left = 0
		},
		"cancel signal": func(t *rapid.T) {
			signal, want := signals.Draw(t, "signal"), 0
			for _, timer := range model.list {
				if timer.signal == signal && timer.left != 0 {
					want++
					timer.left = 0
				}
			}
			if got := p.CancelEvents(signal); got != want {
				t.Fatalf("cancelled %d, want %d", got, want)
			}
		},
		"advance": func(t *rapid.T) {
			model.advance(time.Now().Add(time.Duration(rapid.IntRange(1, 120).Draw(t, "ms")) * time.Millisecond))
		},
		"": func(t *rapid.T) {
			synctest.Wait()
			if !slices.Equal(got, model.fired) {
				t.Fatalf("handled\n%q\nwant\n%q", got, model.fired)
			}
			if diff := cmp.Diff(activeobject.Stats{Missed: model.missed}, p.Stats()); diff != "" {
				t.Fatalf("stats (-want +got):\n%s", diff)
			}
		},
	})
}
