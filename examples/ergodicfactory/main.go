// Ergodicfactory runs the chart of the program ergodic, built from callbacks
// instead of one method a state. The two pull each other along.
package main

import (
	"context"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/examples/internal/demo"
	"github.com/statemesh/statemesh/factory"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/network"
)

const (
	outer hsm.State = iota + 1
	inner
)

var (
	toInner      = hsm.NewSignal("to_inner")
	toOuter      = hsm.NewSignal("to_outer")
	otherToInner = hsm.MustBind[string](hsm.NewSignal("other_to_inner"))
	otherToOuter = hsm.MustBind[string](hsm.NewSignal("other_to_outer"))
)

// ergodic is the data of one chart.
type ergodic struct {
	*network.ActiveObject
	member *demo.Member
	taken  bool // along by another chart, in the step that runs
}

var chart = factory.New[*ergodic]().
	Create(outer, "outer").
	Catch(hsm.Init, (*ergodic).outerInit).
	Catch(toInner, (*ergodic).goInner).
	Catch(otherToInner, (*ergodic).goInner).
	Create(inner, "inner").
	Catch(hsm.Entry, (*ergodic).innerEntry).
	Catch(hsm.Exit, (*ergodic).innerExit).
	Catch(toInner, (*ergodic).ignore).
	Catch(otherToInner, (*ergodic).ignore).
	Catch(toOuter, (*ergodic).goOuter).
	Catch(otherToOuter, (*ergodic).goOuter).
	Nest(inner, outer).
	MustCompile()

func (c *ergodic) outerInit(hsm.Event) hsm.Status {
	c.PostFIFO(hsm.Event{Signal: toInner}, activeobject.Once(c.member.Delay(2, 7)))
	c.tell(otherToOuter)
	return hsm.Handled
}

func (c *ergodic) innerEntry(hsm.Event) hsm.Status {
	c.PostFIFO(hsm.Event{Signal: toOuter}, activeobject.Once(c.member.Delay(2, 7)))
	c.tell(otherToInner)
	return hsm.Handled
}

func (c *ergodic) innerExit(hsm.Event) hsm.Status {
	c.CancelEvents(toOuter)
	return hsm.Handled
}

func (c *ergodic) goInner(e hsm.Event) hsm.Status {
	c.taken = e.Signal == otherToInner
	return hsm.Tran(inner)
}

func (c *ergodic) goOuter(e hsm.Event) hsm.Status {
	c.taken = e.Signal == otherToOuter
	return hsm.Tran(outer)
}

// tell takes the other charts along, unless this one was.
func (c *ergodic) tell(signal hsm.Signal) {
	if !c.taken {
		c.Transmit(hsm.Event{Signal: signal, Payload: c.Name()})
	}
}

func (c *ergodic) ignore(hsm.Event) hsm.Status { return hsm.Handled }

// start makes and starts one chart.
func start(ctx context.Context, m *demo.Member) error {
	c := &ergodic{member: m}
	var err error
	c.ActiveObject, err = m.Node.NewActiveObject(m.Name, hsm.NewMachine(chart, c), m.ObjectConfig())
	if err != nil {
		return err
	}
	if err := m.Snoop(c.ActiveObject); err != nil {
		return err
	}
	return c.Start(ctx, outer)
}

var program = demo.Program{
	Name:   "ergodicfactory",
	Suffix: "fo",
	About:  "ergodicfactory runs charts, built from callbacks, that pull each other along over the mesh.",
	Start:  start,
}

func main() { program.Main() }
