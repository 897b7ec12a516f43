// Package snoop is a light on the mesh whose trace, or spy, others can hear.
package snoop

import (
	"context"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/network"
)

const (
	off hsm.State = iota + 1
	on
)

var press = hsm.NewSignal("press")

type light struct{ *network.ActiveObject }

var chart = hsm.MustCompile([]hsm.Spec[*light]{
	off: {Name: "off", Handle: (*light).off},
	on:  {Name: "on", Handle: (*light).on},
})

func (l *light) off(e hsm.Event) hsm.Status {
	if e.Signal == press {
		return hsm.Tran(on)
	}
	return hsm.Super
}

func (l *light) on(e hsm.Event) hsm.Status {
	if e.Signal == press {
		l.SnoopScribble("pressed once too often")
		return hsm.Handled
	}
	return hsm.Super
}

// heard starts a light whose trace the mesh hears.
func heard(ctx context.Context, node *network.Node, name string) (*light, error) {
	l := &light{}
	var err error
	l.ActiveObject, err = node.NewActiveObject(name, hsm.NewMachine(chart, l), network.ObjectConfig{})
	if err != nil {
		return nil, err
	}
	if err := l.EnableSnoopTrace(); err != nil { // or EnableSnoopSpy, or both
		return nil, err
	}
	return l, l.Start(ctx, off)
}
