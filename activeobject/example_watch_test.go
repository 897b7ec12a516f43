package activeobject_test

import (
	"context"
	"fmt"
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
)

var (
	millGrind = hsm.NewSignal("grind")
	millGo    = make(chan struct{})
	mill      = hsm.MustCompile([]hsm.Spec[struct{}]{
		1: {Name: "grinding", Handle: func(_ struct{}, e hsm.Event) hsm.Status {
			if e.Signal != millGrind {
				return hsm.Super
			}
			<-millGo // something that should not take so long
			return hsm.Handled
		}},
	})
)

// A step that takes too long is told of while it runs, and each step when it has ended.
func ExampleConfig_watchdog() {
	steps := make(chan activeobject.Step, 2)
	o := activeobject.New("mill", hsm.NewMachine(mill, struct{}{}), activeobject.Config{
		Watchdog: 10 * time.Millisecond,
		OnSlow: func(o *activeobject.ActiveObject, s *activeobject.Slow) {
			fmt.Println("slow:", o.Name(), s.Event, s.State)
			close(millGo)
		},
		AfterStep: func(s activeobject.Step) { steps <- s },
	})
	ctx := context.Background()
	if err := o.Start(ctx, 1); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("start:", (<-steps).Failure == nil)
	o.PostFIFO(hsm.Event{Signal: millGrind})
	fmt.Println("step:", (<-steps).Failure == nil)
	fmt.Println(o.Stop(ctx), o.Stats().Slow)
	// Output:
	// start: true
	// slow: mill grind grinding
	// step: true
	// <nil> 1
}
