// Package stairs is the light of a staircase, which goes out by itself: an active
// object with a timer.
package stairs

import (
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
)

const (
	off hsm.State = iota + 1
	on
)

var (
	press  = hsm.NewSignal("press")
	timeUp = hsm.NewSignal("time_up")
)

type light struct {
	*activeobject.ActiveObject
}

func newLight(c activeobject.Config) *light {
	l := &light{}
	l.ActiveObject = activeobject.New("stairs", hsm.NewMachine(chart, l), c)
	return l
}

var chart = hsm.MustCompile([]hsm.Spec[*light]{
	off: {Name: "off", Handle: (*light).off},
	on:  {Name: "on", Handle: (*light).on},
})

func (l *light) off(e hsm.Event) hsm.Status {
	switch e.Signal {
	case press:
		return hsm.Tran(on)
	}
	return hsm.Super
}

func (l *light) on(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		l.PostFIFO(hsm.Event{Signal: timeUp}, activeobject.Once(time.Minute))
		return hsm.Handled
	case hsm.Exit:
		l.CancelEvents(timeUp)
		return hsm.Handled
	case press:
		return hsm.Tran(on) // exit, entry: the minute begins again
	case timeUp:
		return hsm.Tran(off)
	}
	return hsm.Super
}
