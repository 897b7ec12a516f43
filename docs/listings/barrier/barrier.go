// Package barrier is the barrier of a car park. It does a little of everything,
// so that its spy has lines of every kind.
package barrier

import (
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
)

const (
	barrier hsm.State = iota + 1
	down
	up
)

var (
	coin  = hsm.MustBind[int](hsm.NewSignal("coin")) // with its value
	shut  = hsm.NewSignal("shut")                    // from a timer
	help  = hsm.NewSignal("help")
	night = hsm.NewSignal("night")
	paid  = hsm.NewSignal("paid")  // published by the barrier
	alarm = hsm.NewSignal("alarm") // published by others
)

type gate struct {
	*activeobject.ActiveObject
}

func newGate(c activeobject.Config) *gate {
	g := &gate{}
	g.ActiveObject = activeobject.New("gate", hsm.NewMachine(chart, g), c)
	return g
}

var chart = hsm.MustCompile([]hsm.Spec[*gate]{
	barrier: {Name: "barrier", Handle: (*gate).barrier, Init: down, Catches: []hsm.Signal{hsm.Entry, coin, help, night, alarm}},
	down:    {Name: "down", Parent: barrier, Handle: (*gate).down, Catches: []hsm.Signal{hsm.Entry, coin}},
	up:      {Name: "up", Parent: barrier, Handle: (*gate).up, Catches: []hsm.Signal{hsm.Entry, hsm.Exit, coin, shut}},
})

func (g *gate) barrier(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		g.Subscribe(alarm, activeobject.LIFO)
		return hsm.Handled
	case coin:
		g.PostLIFO(hsm.Event{Signal: help})
		return hsm.Handled
	case help:
		g.Scribble("somebody needs help")
		return hsm.Handled
	case night:
		g.Unsubscribe(alarm)
		g.PostFIFO(hsm.Event{Signal: help})
		return hsm.Handled
	case alarm:
		return hsm.Tran(up)
	}
	return hsm.Super
}

func (g *gate) down(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		g.Recall()
		return hsm.Handled
	case coin:
		if value, _ := hsm.Payload[int](e); value < 2 {
			return hsm.Unhandled
		}
		g.Publish(hsm.Event{Signal: paid}, activeobject.DefaultPriority)
		return hsm.Tran(up)
	}
	return hsm.Super
}

func (g *gate) up(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		g.PostFIFO(hsm.Event{Signal: shut}, activeobject.Once(5*time.Second))
		return hsm.Handled
	case hsm.Exit:
		g.CancelEvents(shut)
		return hsm.Handled
	case coin:
		g.Defer(e)
		return hsm.Handled
	case shut:
		return hsm.Tran(down)
	}
	return hsm.Super
}
