package activeobject_test

import (
	"context"
	"fmt"
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

const clerkWorking hsm.State = 1

var clerkDivide = hsm.MustBind[[2]int](hsm.NewSignal("divide"))

type exampleClerk struct {
	*activeobject.ActiveObject
	sums int
}

var exampleClerks = hsm.MustCompile([]hsm.Spec[*exampleClerk]{
	clerkWorking: {Name: "working", Handle: (*exampleClerk).working},
})

func (c *exampleClerk) working(e hsm.Event) hsm.Status {
	if e.Signal != clerkDivide {
		return hsm.Super
	}
	c.sums++
	numbers, _ := hsm.Payload[[2]int](e)
	fmt.Println("result:", numbers[0]/numbers[1])
	return hsm.Handled
}

// An object that is restarted after a failure goes on with what waits.
func ExampleSupervision() {
	c := &exampleClerk{}
	c.ActiveObject = activeobject.New("clerk", hsm.NewMachine(exampleClerks, c), activeobject.Config{
		Instrument: instrument.Config{Trace: true},
		Supervise: activeobject.Supervision{
			Policy:      activeobject.Restart,
			MaxRestarts: 3,
			Within:      time.Minute,
			Backoff:     time.Millisecond,
			OnRestart: func(_ *activeobject.ActiveObject, f *activeobject.Failure) {
				fmt.Println("restart after:", f.Value)
				c.sums-- // the failed step has counted too early
			},
		},
	})
	ctx := context.Background()
	if err := c.Start(ctx, clerkWorking); err != nil {
		fmt.Println(err)
		return
	}
	for _, numbers := range [][2]int{{42, 6}, {1, 0}, {42, 7}} {
		c.PostFIFO(hsm.Event{Signal: clerkDivide, Payload: numbers})
	}
	if err := c.Drain(ctx); err != nil {
		fmt.Println(err)
	}
	fmt.Println("sums:", c.sums, "restarts:", c.Stats().Restarts)
	for _, line := range instrument.Stripped(c.Recorder().TraceText()) {
		fmt.Println(line)
	}
	// Output:
	// result: 7
	// restart after: runtime error: integer divide by zero
	// result: 6
	// sums: 2 restarts: 1
	// [clerk] e->start_at() top->working
	// [clerk] e->start_at() top->working
}
