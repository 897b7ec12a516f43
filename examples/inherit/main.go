// Inherit shows a chart that is another one with a difference: a dimmer is a
// lamp that can be turned down.
//
//	the lamp                          the dimmer
//
//	+------ plugged -------+          +----------- plugged ------------+
//	| power_cut: to off    |          | power_cut: to off              |
//	|                      |          |                                |
//	|  *-> +- off -+       |          |  *-> +- off -+                 |
//	|      +-------+       |          |      +-------+                 |
//	|     press| ^press    |          |     press| ^press              |
//	|          v |         |          |          v |                   |
//	|      +- on ---------+|          |      +- on (another handler)-+ |
//	|      | entry: light  |          |      | entry: light          | |
//	|      | exit:  dark   |          |      | exit:  dark           | |
//	|      +--------------+|          |      | turn:  to dimmed      | |
//	+----------------------+          |      |  +---- dimmed ------+ | |
//	                                  |      |  | entry: 40 %      | | |
//	                                  |      |  | turn:  to on     | | |
//	                                  |      |  +------------------+ | |
//	                                  |      +-----------------------+ |
//	                                  +--------------------------------+
//
// Data is inherited by embedding: a dimmer has a lamp in it. The table is
// inherited by hsm.Inherit: the lamp's own handlers run on the lamp in the
// dimmer, and the dimmer's table has only what differs. The compiler checks the
// types of both; hsm.Compile checks the table that comes out.
//
// What one must know of it: a transition names a state by its number, so off's
// transition to on leads to the dimmer's on. But a method that a handler of the
// lamp calls is the lamp's, also if the dimmer has one of that name: Go has no
// virtual methods. Give the lamp a field with a function where the dimmer is to
// differ inside a handler, or replace the handler.
package main

import (
	"context"

	"github.com/statemesh/statemesh/examples/internal/local"
	"github.com/statemesh/statemesh/hsm"
)

const (
	plugged hsm.State = iota + 1
	off
	on
	dimmed // of the dimmer alone: comes after the lamp's states
)

var (
	press    = hsm.NewSignal("press")
	turn     = hsm.NewSignal("turn")
	powerCut = hsm.NewSignal("power_cut")
)

// lamp is the data of the base.
type lamp struct {
	light int // in percent
}

// lamps is the table of the base, kept for others to inherit.
var lamps = []hsm.Spec[*lamp]{
	plugged: {Name: "plugged", Handle: (*lamp).plugged, Init: off},
	off:     {Name: "off", Parent: plugged, Handle: (*lamp).off},
	on:      {Name: "on", Parent: plugged, Handle: (*lamp).on},
}

var lampChart = hsm.MustCompile(lamps)

func (l *lamp) plugged(e hsm.Event) hsm.Status {
	switch e.Signal {
	case powerCut:
		return hsm.Tran(off)
	}
	return hsm.Super
}

func (l *lamp) off(e hsm.Event) hsm.Status {
	switch e.Signal {
	case press:
		return hsm.Tran(on)
	}
	return hsm.Super
}

func (l *lamp) on(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		l.light = 100
		return hsm.Handled
	case hsm.Exit:
		l.light = 0
		return hsm.Handled
	case press:
		return hsm.Tran(off)
	}
	return hsm.Super
}

// dimmer is the data of the chart that specializes it.
type dimmer struct {
	lamp
	turns int
}

var dimmerChart = hsm.MustCompile(hsm.Inherit(lamps, (*dimmer).asLamp, []hsm.Spec[*dimmer]{
	on:     {Handle: (*dimmer).on},
	dimmed: {Name: "dimmed", Parent: on, Handle: (*dimmer).dimmed},
}))

func (d *dimmer) asLamp() *lamp { return &d.lamp }

// on is the lamp's, but for turn.
func (d *dimmer) on(e hsm.Event) hsm.Status {
	switch e.Signal {
	case turn:
		d.turns++
		return hsm.Tran(dimmed)
	}
	return d.lamp.on(e)
}

func (d *dimmer) dimmed(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		d.light = 40
		return hsm.Handled
	case hsm.Exit:
		d.light = 100
		return hsm.Handled
	case turn:
		d.turns++
		return hsm.Tran(on)
	}
	return hsm.Super
}

// use does the same to any lamp.
func use[C any](s *local.Stage, name string, chart *hsm.Chart[C], data C, l *lamp) error {
	m := hsm.NewMachine(chart, data)
	m.SetLog(hsm.NewLog(s.Log(name, m.Tree())))
	if err := m.Start(plugged); err != nil {
		return err
	}
	for _, signal := range []hsm.Signal{press, turn, turn, turn, press, press, turn, powerCut} {
		if err := m.Dispatch(hsm.Event{Signal: signal}); err != nil {
			return err
		}
		s.Say("%v: %d %%", signal, l.light)
	}
	return nil
}

func play(_ context.Context, s *local.Stage) error {
	l, d := &lamp{}, &dimmer{}
	s.Say("a lamp")
	if err := use(s, "lamp", lampChart, l, l); err != nil {
		return err
	}
	s.Say("a dimmer")
	return use(s, "dimmer", dimmerChart, d, &d.lamp)
}

var program = local.Program{
	Name:  "inherit",
	About: "inherit shows a chart that specializes another one.",
	Play:  play,
}

func main() { program.Main() }
