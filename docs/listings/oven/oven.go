// Package oven is a toaster oven with a door: it goes on with what it did before
// the door was opened. That is history.
package oven

import (
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
)

const (
	doorClosed hsm.State = iota + 1
	off
	heating
	toasting
	baking
	doorOpen
)

var (
	toast   = hsm.NewSignal("toast")
	bake    = hsm.NewSignal("bake")
	turnOff = hsm.NewSignal("off")
	timeUp  = hsm.NewSignal("time_up")
	open    = hsm.NewSignal("open")
	shut    = hsm.NewSignal("shut")
)

type oven struct {
	*activeobject.ActiveObject
	closed       hsm.History // what was active inside doorClosed
	heater, lamp bool
}

func newOven(c activeobject.Config) *oven {
	o := &oven{closed: hsm.NewHistory(chart, doorClosed)}
	o.ActiveObject = activeobject.New("oven", hsm.NewMachine(chart, o), c)
	return o
}

var chart = hsm.MustCompile([]hsm.Spec[*oven]{
	doorClosed: {Name: "door_closed", Handle: (*oven).doorClosed, Init: off},
	off:        {Name: "off", Parent: doorClosed, Handle: (*oven).off},
	heating:    {Name: "heating", Parent: doorClosed, Handle: (*oven).heating, Init: toasting},
	toasting:   {Name: "toasting", Parent: heating, Handle: (*oven).toasting},
	baking:     {Name: "baking", Parent: heating, Handle: (*oven).baking},
	doorOpen:   {Name: "door_open", Handle: (*oven).doorOpen},
})

func (o *oven) doorClosed(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Exit:
		o.closed.Save(o.State())
		return hsm.Handled
	case toast:
		return hsm.Tran(toasting)
	case bake:
		return hsm.Tran(baking)
	case turnOff:
		return hsm.Tran(off)
	case open:
		return hsm.Tran(doorOpen)
	}
	return hsm.Super
}

func (o *oven) doorOpen(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		o.lamp = true
		return hsm.Handled
	case hsm.Exit:
		o.lamp = false
		return hsm.Handled
	case shut:
		return hsm.Tran(o.closed.Deep(off))
	}
	return hsm.Super
}

func (o *oven) heating(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		o.heater = true
		return hsm.Handled
	case hsm.Exit:
		o.heater = false
		return hsm.Handled
	case timeUp:
		return hsm.Tran(off)
	}
	return hsm.Super
}

func (o *oven) toasting(e hsm.Event) hsm.Status { return o.timed(e, 2*time.Minute) }
func (o *oven) baking(e hsm.Event) hsm.Status   { return o.timed(e, 30*time.Minute) }
func (o *oven) off(hsm.Event) hsm.Status        { return hsm.Super }

// timed is what a state does that ends after a while.
func (o *oven) timed(e hsm.Event, while time.Duration) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		o.PostFIFO(hsm.Event{Signal: timeUp}, activeobject.Once(while))
		return hsm.Handled
	case hsm.Exit:
		o.CancelEvents(timeUp)
		return hsm.Handled
	}
	return hsm.Super
}
