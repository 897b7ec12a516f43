package hsm_test

import (
	"fmt"

	"github.com/statemesh/statemesh/hsm"
)

const (
	doorClosed hsm.State = iota + 1
	heaterOff
	heating
	toasting
	baking
	doorOpen
)

var (
	bake     = hsm.NewSignal("bake")
	openDoor = hsm.NewSignal("open")
	shutDoor = hsm.NewSignal("shut")
)

// oven embeds what runs it, so that its handlers can ask for the State.
type oven struct {
	*hsm.Runner[*oven]
	closed hsm.History
}

var ovens = hsm.MustCompile([]hsm.Spec[*oven]{
	doorClosed: {Name: "door_closed", Handle: (*oven).doorClosed, Init: heaterOff},
	heaterOff:  {Name: "off", Parent: doorClosed, Handle: (*oven).inside},
	heating:    {Name: "heating", Parent: doorClosed, Handle: (*oven).inside, Init: toasting},
	toasting:   {Name: "toasting", Parent: heating, Handle: (*oven).inside},
	baking:     {Name: "baking", Parent: heating, Handle: (*oven).inside},
	doorOpen:   {Name: "door_open", Handle: (*oven).doorOpen},
})

func (o *oven) doorClosed(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Exit:
		o.closed.Save(o.State())
		return hsm.Handled
	case bake:
		return hsm.Tran(baking)
	case openDoor:
		return hsm.Tran(doorOpen)
	}
	return hsm.Super
}

func (o *oven) doorOpen(e hsm.Event) hsm.Status {
	switch e.Signal {
	case shutDoor:
		return hsm.Tran(o.closed.Deep(heaterOff))
	}
	return hsm.Super
}

func (o *oven) inside(hsm.Event) hsm.Status { return hsm.Super }

// A toaster oven goes on with what it did before its door was opened.
func ExampleHistory() {
	o := &oven{closed: hsm.NewHistory(ovens, doorClosed)}
	o.Runner = hsm.NewRunner(hsm.NewMachine(ovens, o), hsm.NewQueue(0, hsm.Reject), hsm.LogConfig{})
	if err := o.Start(doorOpen); err != nil {
		fmt.Println(err)
	}
	for _, signal := range []hsm.Signal{shutDoor, bake, openDoor, shutDoor} {
		if err := o.Dispatch(hsm.Event{Signal: signal}); err != nil {
			fmt.Println(err)
		}
		fmt.Println(signal, o.Tree().Name(o.State()))
	}
	fmt.Println("shallow history:", o.Tree().Name(o.closed.Shallow(heaterOff)))
	// Output:
	// shut off
	// bake baking
	// open door_open
	// shut baking
	// shallow history: heating
}
