package recipes

import (
	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
)

var temperature = hsm.MustBind[float64](hsm.NewSignal("temperature"))

type display struct {
	*activeobject.ActiveObject
	shown []float64
}

var displays = hsm.MustCompile([]hsm.Spec[*display]{
	idle: {Name: "idle", Handle: (*display).idle},
})

func (d *display) idle(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		d.Subscribe(temperature, activeobject.FIFO)
		return hsm.Handled
	case temperature:
		degrees, ok := hsm.Payload[float64](e)
		if !ok {
			return hsm.Unhandled
		}
		d.shown = append(d.shown, degrees)
		return hsm.Handled
	}
	return hsm.Super
}

// measured tells everybody who subscribed.
func measured(o *activeobject.ActiveObject, degrees float64) error {
	return o.Publish(hsm.Event{Signal: temperature, Payload: degrees}, activeobject.DefaultPriority)
}
