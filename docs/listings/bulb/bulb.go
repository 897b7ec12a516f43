// Package bulb is a lamp whose bulb wears out: a guard.
package bulb

import (
	"fmt"

	"github.com/statemesh/statemesh/hsm"
)

const (
	plugged hsm.State = iota + 1
	off
	on
)

var press = hsm.NewSignal("press")

type lamp struct {
	left int // how often the bulb can still be lit
}

var chart = hsm.MustCompile([]hsm.Spec[*lamp]{
	plugged: {Name: "plugged", Handle: (*lamp).plugged, Init: off},
	off:     {Name: "off", Parent: plugged, Handle: (*lamp).off},
	on:      {Name: "on", Parent: plugged, Handle: (*lamp).on},
})

func (l *lamp) plugged(e hsm.Event) hsm.Status {
	switch e.Signal {
	case press:
		fmt.Println("click")
		return hsm.Handled
	}
	return hsm.Super
}

func (l *lamp) off(e hsm.Event) hsm.Status {
	switch e.Signal {
	case press:
		if l.left == 0 {
			return hsm.Unhandled // the guard says no
		}
		l.left--
		return hsm.Tran(on)
	}
	return hsm.Super
}

func (l *lamp) on(e hsm.Event) hsm.Status {
	switch e.Signal {
	case press:
		return hsm.Tran(off)
	}
	return hsm.Super
}
