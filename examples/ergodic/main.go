// Ergodic runs charts that pull each other along over the mesh.
//
//	+-------------------- outer ---------------------+
//	| init: to_inner in 2 to 7 s; transmit           |
//	|       other_to_outer                           |
//	|   +----------------- inner -----------------+  |
//	|   | entry: to_outer in 2 to 7 s; transmit   |  |
//	|   |        other_to_inner                   |  |
//	|   | exit:  cancel to_outer                  |  |
//	|   | to_inner, other_to_inner: ignored       |  |
//	|   +-----------------------------------------+  |
//	|      ^                           |             |
//	|      | to_inner                  | to_outer    |
//	|      | other_to_inner            | other_to_   |
//	|      |                           v outer       |
//	+------------------------------------------------+
//
// Whichever chart moves first takes the others with it. One that was taken along
// does not transmit: everybody heard who moved first, and if two that cross on
// the wire answered each other, they would never come to rest.
//
// The chart is written the flat way, one method a state; the program
// ergodicfactory has the same from callbacks.
package main

import (
	"context"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/examples/internal/demo"
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

var chart = hsm.MustCompile([]hsm.Spec[*ergodic]{
	outer: {Name: "outer", Handle: (*ergodic).outer},
	inner: {Name: "inner", Parent: outer, Handle: (*ergodic).inner},
})

func (c *ergodic) outer(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Init:
		c.PostFIFO(hsm.Event{Signal: toInner}, activeobject.Once(c.member.Delay(2, 7)))
		c.tell(otherToOuter)
		return hsm.Handled
	case toInner, otherToInner:
		c.taken = e.Signal == otherToInner
		return hsm.Tran(inner)
	}
	return hsm.Super
}

func (c *ergodic) inner(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		c.PostFIFO(hsm.Event{Signal: toOuter}, activeobject.Once(c.member.Delay(2, 7)))
		c.tell(otherToInner)
		return hsm.Handled
	case hsm.Exit:
		c.CancelEvents(toOuter)
		return hsm.Handled
	case toInner, otherToInner:
		return hsm.Handled
	case toOuter, otherToOuter:
		c.taken = e.Signal == otherToOuter
		return hsm.Tran(outer)
	}
	return hsm.Super
}

// tell takes the other charts along, unless this one was.
func (c *ergodic) tell(signal hsm.Signal) {
	if !c.taken {
		c.Transmit(hsm.Event{Signal: signal, Payload: c.Name()})
	}
}

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
	Name:   "ergodic",
	Suffix: "ao",
	About:  "ergodic runs charts that pull each other along over the mesh.",
	Start:  start,
}

func main() { program.Main() }
