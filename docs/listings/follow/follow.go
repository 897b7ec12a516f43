// Package follow is a light that switches all other lights of the mesh on.
package follow

import (
	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/network"
)

const (
	off hsm.State = iota + 1
	on
)

var (
	press   = hsm.NewSignal("press")
	lightUp = hsm.MustBind[string](hsm.NewSignal("light_up")) // with the name of who asks for it
)

type light struct {
	*network.ActiveObject
	asked string
}

var chart = hsm.MustCompile([]hsm.Spec[*light]{
	off: {Name: "off", Handle: (*light).off},
	on:  {Name: "on", Handle: func(*light, hsm.Event) hsm.Status { return hsm.Super }},
})

func (l *light) off(e hsm.Event) hsm.Status {
	switch e.Signal {
	case press:
		l.Transmit(hsm.Event{Signal: lightUp, Payload: l.Name()})
		return hsm.Tran(on)
	case lightUp:
		l.asked, _ = hsm.Payload[string](e)
		return hsm.Tran(on)
	}
	return hsm.Super
}

func newLight(node *network.Node, name string, c activeobject.Config) (*light, error) {
	l := &light{}
	var err error
	l.ActiveObject, err = node.NewActiveObject(name, hsm.NewMachine(chart, l), network.ObjectConfig{Config: c})
	return l, err
}
