package activeobject_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
)

// A timing makes a post wait and repeat. Once and Times end by themselves, Every is
// cancelled.
func ExampleTiming() {
	const counting hsm.State = 1
	tick, ticks, third := hsm.NewSignal("tick"), 0, make(chan struct{})
	chart := hsm.MustCompile([]hsm.Spec[*int]{
		counting: {Name: "counting", Handle: func(ticks *int, e hsm.Event) hsm.Status {
			if e.Signal == tick {
				if *ticks++; *ticks == 3 {
					close(third)
				}
			}
			return hsm.Handled
		}},
	})
	o, ctx := activeobject.New("clock", hsm.NewMachine(chart, &ticks), activeobject.Config{}), context.Background()
	o.PostFIFO(hsm.Event{Signal: tick}, activeobject.Once(time.Millisecond))
	o.PostFIFO(hsm.Event{Signal: tick}, activeobject.Times(2, time.Millisecond).AtOnce())
	id, err := o.PostFIFO(hsm.Event{Signal: tick}, activeobject.Every(time.Hour))
	fmt.Println(err, o.Start(ctx, counting))
	<-third
	fmt.Println("cancelled:", o.CancelEvent(id))
	fmt.Println(o.Stop(ctx), "ticks:", ticks)
	// Output:
	// <nil> <nil>
	// cancelled: true
	// <nil> ticks: 3
}

// Objects with many timers share a wheel, and with it the wake-ups.
func ExampleWheel() {
	wheel := activeobject.NewWheel(time.Millisecond)
	done := make(chan string, 3)
	const waiting hsm.State = 1
	timeout := hsm.NewSignal("timeout")
	chart := hsm.MustCompile([]hsm.Spec[string]{
		waiting: {Name: "waiting", Handle: func(name string, e hsm.Event) hsm.Status {
			if e.Signal == timeout {
				done <- name
			}
			return hsm.Handled
		}},
	})
	ctx := context.Background()
	for i, name := range []string{"one", "two", "three"} {
		o := activeobject.New(name, hsm.NewMachine(chart, name), activeobject.Config{Wheel: wheel})
		if err := o.Start(ctx, waiting); err != nil {
			fmt.Println(err)
		}
		defer o.Stop(ctx)
		o.PostFIFO(hsm.Event{Signal: timeout}, activeobject.Once(time.Duration(i+1)*20*time.Millisecond))
	}
	fmt.Println(<-done, <-done, <-done)
	// Output: one two three
}

// A timer is cancelled by the id of its post, or with all that have its signal.
func ExampleActiveObject_CancelEvents() {
	d := &door{}
	d.ActiveObject = activeobject.New("door", hsm.NewMachine(doors, d), activeobject.Config{})
	d.PostFIFO(hsm.Event{Signal: push}, activeobject.Once(time.Hour))
	d.PostFIFO(hsm.Event{Signal: push}, activeobject.Times(3, time.Hour))
	id, err := d.PostLIFO(hsm.Event{Signal: push}, activeobject.Every(time.Hour))
	fmt.Println(err)

	fmt.Println(d.CancelEvent(id), d.CancelEvent(id))
	fmt.Println(d.CancelEvents(push), d.CancelEvents(push))
	// Output:
	// <nil>
	// true false
	// 2 0
}

// Who publishes does not know who listens. The more urgent event overtakes the
// other one in the queue.
func ExampleFabric() {
	const listening hsm.State = 1
	news, alarm := hsm.NewSignal("news"), hsm.NewSignal("alarm")
	chart := hsm.MustCompile([]hsm.Spec[string]{
		listening: {Name: "listening", Handle: func(name string, e hsm.Event) hsm.Status {
			if !e.Signal.IsInner() {
				fmt.Println(name, "hears", e)
			}
			return hsm.Handled
		}},
	})
	c := activeobject.Config{Fabric: activeobject.NewFabric()} // not DefaultFabric, which all others share
	ann := activeobject.New("ann", hsm.NewMachine(chart, "ann"), c)
	bob := activeobject.New("bob", hsm.NewMachine(chart, "bob"), c)
	fmt.Println(bob.Subscribe(news, activeobject.FIFO), bob.Subscribe(alarm, activeobject.FIFO))

	ann.Publish(hsm.Event{Signal: news, Payload: "rain"}, activeobject.DefaultPriority)
	ann.Publish(hsm.Event{Signal: alarm, Payload: "flood"}, 1)
	bob.Start(context.Background(), listening)
	fmt.Println(bob.Drain(context.Background()))
	// Output:
	// <nil> <nil>
	// bob hears alarm(flood)
	// bob hears news(rain)
	// <nil>
}

// A failure says which step it was. It stops the object and no other one.
func ExampleFailure() {
	const working hsm.State = 1
	divide := hsm.NewSignal("divide")
	chart := hsm.MustCompile([]hsm.Spec[*int]{
		working: {Name: "working", Handle: func(_ *int, e hsm.Event) hsm.Status {
			if by, ok := hsm.Payload[int](e); ok {
				fmt.Println(84 / by)
			}
			return hsm.Handled
		}},
	})
	told := make(chan *activeobject.Failure, 1)
	c := activeobject.New("clerk", hsm.NewMachine(chart, nil), activeobject.Config{
		OnFailure: func(_ *activeobject.ActiveObject, f *activeobject.Failure) { told <- f },
	})
	c.Start(context.Background(), working)
	c.PostFIFO(hsm.Event{Signal: divide, Payload: 2})
	c.PostFIFO(hsm.Event{Signal: divide, Payload: 0})
	f := <-told
	fmt.Println(f.Object, f.State, f.Event, "-", f.Value, errors.Is(f, activeobject.ErrPanic))
	fmt.Println(c.Err())
	// Output:
	// 42
	// clerk working divide(0) - runtime error: integer divide by zero true
	// activeobject: a handler panicked: clerk in state working on divide: runtime error: integer divide by zero
}

// What did not become a step is counted.
func ExampleStats() {
	d := &door{}
	d.ActiveObject = activeobject.New("door", hsm.NewMachine(doors, d), activeobject.Config{
		QueueSize: 2,
		Overflow:  hsm.Reject, // hsm.Drop takes the new event and counts an old one as Dropped
	})
	for range 3 { // it is not started, so they wait
		if _, err := d.PostFIFO(hsm.Event{Signal: push}); err != nil {
			fmt.Println(err, errors.Is(err, hsm.ErrQueueFull))
		}
	}
	s := d.Stats()
	fmt.Println("waiting:", s.Waiting, "rejected:", s.Rejected, "dropped:", s.Dropped)
	// Output:
	// hsm: the queue is full: push true
	// waiting: 2 rejected: 1 dropped: 0
}

// Drain lets an object handle what waits, and then stops it.
func ExampleActiveObject_Drain() {
	d := &door{}
	d.ActiveObject = activeobject.New("door", hsm.NewMachine(doors, d), activeobject.Config{})
	d.PostFIFO(hsm.Event{Signal: push})
	d.PostFIFO(hsm.Event{Signal: push})
	d.PostFIFO(hsm.Event{Signal: push})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // then the rest is discarded
	defer cancel()
	fmt.Println(errors.Join(d.Start(ctx, closed), d.Drain(ctx)))
	fmt.Println(d.Tree().Name(d.State()), d.Stats().Discarded)
	_, err := d.PostFIFO(hsm.Event{Signal: push})
	fmt.Println(errors.Is(err, activeobject.ErrStopped))
	// Output:
	// creak
	// creak
	// <nil>
	// open 0
	// true
}

// Stop ends an object after the step that runs. What waits is discarded and counted.
func ExampleActiveObject_Stop() {
	const up hsm.State = 1
	quit := hsm.NewSignal("quit")
	var l *activeobject.ActiveObject
	chart := hsm.MustCompile([]hsm.Spec[*int]{
		up: {Name: "up", Handle: func(_ *int, e hsm.Event) hsm.Status {
			if e.Signal == quit {
				fmt.Println("going down", l.Stop(context.Background())) // in a handler it does not wait
			}
			return hsm.Handled
		}},
	})
	l = activeobject.New("lift", hsm.NewMachine(chart, nil), activeobject.Config{})
	for range 3 {
		l.PostFIFO(hsm.Event{Signal: quit})
	}
	l.Start(context.Background(), up)
	<-l.Done()
	fmt.Println("discarded:", l.Stats().Discarded, "failure:", l.Err())
	// Output:
	// going down <nil>
	// discarded: 2 failure: <nil>
}
