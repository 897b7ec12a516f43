// Light is a switch: the smallest chart there is.
package main

import (
	"fmt"

	"github.com/statemesh/statemesh/hsm"
)

const (
	off hsm.State = iota + 1 // 0 is hsm.Top, outside all states
	on
)

var press = hsm.NewSignal("press")

type light struct{ presses int }

func (l *light) off(e hsm.Event) hsm.Status {
	switch e.Signal {
	case press:
		l.presses++
		return hsm.Tran(on)
	}
	return hsm.Super
}

func (l *light) on(e hsm.Event) hsm.Status {
	switch e.Signal {
	case press:
		l.presses++
		return hsm.Tran(off)
	}
	return hsm.Super
}

var chart = hsm.MustCompile([]hsm.Spec[*light]{
	off: {Name: "off", Handle: (*light).off},
	on:  {Name: "on", Handle: (*light).on},
})

func main() {
	l := &light{}
	m := hsm.NewMachine(chart, l)
	if err := m.Start(off); err != nil {
		fmt.Println(err)
	}
	for range 3 {
		if err := m.Dispatch(hsm.Event{Signal: press}); err != nil {
			fmt.Println(err)
		}
		fmt.Println("the light is", m.Tree().Name(m.State()))
	}
	fmt.Println("presses:", l.presses)
}
