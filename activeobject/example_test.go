package activeobject_test

import (
	"context"
	"fmt"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

const (
	closed hsm.State = iota + 1
	open
)

var push = hsm.NewSignal("push")

type door struct {
	*activeobject.ActiveObject
}

var doors = hsm.MustCompile([]hsm.Spec[*door]{
	closed: {Name: "closed", Handle: (*door).closed},
	open:   {Name: "open", Handle: (*door).open},
})

func (d *door) closed(e hsm.Event) hsm.Status {
	if e.Signal == push {
		return hsm.Tran(open)
	}
	return hsm.Super
}

func (d *door) open(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		fmt.Println("creak")
		return hsm.Handled
	case push:
		return hsm.Tran(closed)
	}
	return hsm.Super
}

// The smallest active object: a chart's data embeds it, the chart's handlers
// answer what is posted.
func Example() {
	d := &door{}
	d.ActiveObject = activeobject.New("door", hsm.NewMachine(doors, d), activeobject.Config{
		Instrument: instrument.Config{Trace: true},
	})
	ctx := context.Background()
	if err := d.Start(ctx, closed); err != nil {
		fmt.Println(err)
		return
	}
	d.PostFIFO(hsm.Event{Signal: push})
	d.PostFIFO(hsm.Event{Signal: push})
	if err := d.Drain(ctx); err != nil { // handles what waits, then stops
		fmt.Println(err)
	}
	for _, line := range instrument.Stripped(d.Recorder().TraceText()) {
		fmt.Println(line)
	}
	// Output:
	// creak
	// [door] e->start_at() top->closed
	// [door] e->push() closed->open
	// [door] e->push() open->closed
}
