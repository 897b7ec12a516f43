// Light is the smallest chart: a switch, run without a goroutine.
package main

import (
	"fmt"

	"github.com/statemesh/statemesh/hsm"
)

const (
	off hsm.State = iota + 1 // 0 is hsm.Top
	on
)

var press = hsm.NewSignal("press")

type light struct{ presses int }

var chart = hsm.MustCompile([]hsm.Spec[*light]{
	off: {Name: "off", Handle: (*light).off},
	on:  {Name: "on", Handle: (*light).on},
})

func (l *light) off(e hsm.Event) hsm.Status {
	if e.Signal == press {
		l.presses++
		return hsm.Tran(on)
	}
	return hsm.Super
}

func (l *light) on(e hsm.Event) hsm.Status {
	if e.Signal == press {
		return hsm.Tran(off)
	}
	return hsm.Super
}

func main() {
	m := hsm.NewMachine(chart, &light{})
	m.Start(off)
	m.Dispatch(hsm.Event{Signal: press})
	fmt.Println(m.Tree().Name(m.State())) // on
}
