// Package lamp is a light with a plug: states inside a state, entry, exit and
// init.
package lamp

import (
	"fmt"

	"github.com/statemesh/statemesh/hsm"
)

const (
	plugged hsm.State = iota + 1
	off
	on
	unplugged
)

var (
	press = hsm.NewSignal("press")
	pull  = hsm.NewSignal("pull")
	plug  = hsm.NewSignal("plug")
)

type lamp struct{}

var chart = hsm.MustCompile([]hsm.Spec[*lamp]{
	plugged:   {Name: "plugged", Handle: (*lamp).plugged, Init: off},
	off:       {Name: "off", Parent: plugged, Handle: (*lamp).off},
	on:        {Name: "on", Parent: plugged, Handle: (*lamp).on},
	unplugged: {Name: "unplugged", Handle: (*lamp).unplugged},
})

func (l *lamp) plugged(e hsm.Event) hsm.Status {
	switch e.Signal {
	case pull:
		return hsm.Tran(unplugged)
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
		fmt.Println("  it becomes light")
		return hsm.Handled
	case hsm.Exit:
		fmt.Println("  it becomes dark")
		return hsm.Handled
	case press:
		return hsm.Tran(off)
	}
	return hsm.Super
}

func (l *lamp) unplugged(e hsm.Event) hsm.Status {
	switch e.Signal {
	case plug:
		return hsm.Tran(plugged)
	}
	return hsm.Super
}
