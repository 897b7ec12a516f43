// Package recipes has the short ones of the recipes.
package recipes

import (
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
)

const (
	idle hsm.State = iota + 1
	watched
)

var (
	ring    = hsm.NewSignal("ring")
	once    = hsm.NewSignal("once")
	several = hsm.NewSignal("several")
	forEver = hsm.NewSignal("for_ever")
	end     = hsm.NewSignal("end")
	endAll  = hsm.NewSignal("end_all")
	watch   = hsm.NewSignal("watch")
	alive   = hsm.NewSignal("alive")
	lost    = hsm.NewSignal("lost")
	urgent  = hsm.NewSignal("urgent")
)

type clock struct {
	*activeobject.ActiveObject
	timer activeobject.TimerID
	rings int
	order []string
}

func newClock(c activeobject.Config) *clock {
	o := &clock{}
	o.ActiveObject = activeobject.New("clock", hsm.NewMachine(clocks, o), c)
	return o
}

var clocks = hsm.MustCompile([]hsm.Spec[*clock]{
	idle:    {Name: "idle", Handle: (*clock).idle},
	watched: {Name: "watched", Handle: (*clock).watched},
})

func (o *clock) idle(e hsm.Event) hsm.Status {
	switch e.Signal {
	case ring:
		o.rings++
		o.order = append(o.order, "ring")
		return hsm.Handled
	case once:
		o.PostFIFO(hsm.Event{Signal: ring}, activeobject.Once(3*time.Second))
		return hsm.Handled
	case several:
		o.PostFIFO(hsm.Event{Signal: ring}, activeobject.Times(3, time.Second))
		return hsm.Handled
	case forEver:
		o.timer, _ = o.PostFIFO(hsm.Event{Signal: ring}, activeobject.Every(time.Second).AtOnce())
		return hsm.Handled
	case end:
		o.CancelEvent(o.timer)
		return hsm.Handled
	case endAll:
		o.CancelEvents(ring)
		return hsm.Handled
	case urgent:
		o.PostFIFO(hsm.Event{Signal: ring})
		o.PostLIFO(hsm.Event{Signal: alive}) // comes before all that wait
		return hsm.Handled
	case alive:
		o.order = append(o.order, "alive")
		return hsm.Handled
	case watch:
		return hsm.Tran(watched)
	}
	return hsm.Super
}

func (o *clock) watched(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		o.expect()
		return hsm.Handled
	case hsm.Exit:
		o.CancelEvents(lost)
		return hsm.Handled
	case alive:
		o.expect()
		return hsm.Handled
	case lost:
		return hsm.Tran(idle)
	}
	return hsm.Super
}

// expect begins the ten seconds anew.
func (o *clock) expect() {
	o.CancelEvents(lost)
	o.PostFIFO(hsm.Event{Signal: lost}, activeobject.Once(10*time.Second))
}
