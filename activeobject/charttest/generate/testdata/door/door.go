// Package door is a chart of which a trace is recorded.
package door

import (
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
)

const (
	Closed hsm.State = iota + 1
	open
	ajar
)

var (
	Push = hsm.NewSignal("push")
	Hold = hsm.NewSignal("hold")
	shut = hsm.NewSignal("shut")
	slam = hsm.NewSignal("slam")
)

// Door shuts by itself: after three seconds it is ajar, after one more it posts
// the last push.
type Door struct{ *activeobject.ActiveObject }

var chart = hsm.MustCompile([]hsm.Spec[*Door]{
	Closed: {Name: "closed", Handle: (*Door).closed},
	open:   {Name: "open", Handle: (*Door).open},
	ajar:   {Name: "ajar", Handle: (*Door).ajar},
})

func New(c activeobject.Config) *Door {
	d := &Door{}
	d.ActiveObject = activeobject.New("door", hsm.NewMachine(chart, d), c)
	return d
}

func (d *Door) closed(e hsm.Event) hsm.Status {
	if e.Signal == Push {
		return hsm.Tran(open)
	}
	return hsm.Super
}

func (d *Door) open(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		d.post(shut, activeobject.Once(3*time.Second))
		return hsm.Handled
	case Hold:
		d.CancelEvents(shut)
		return hsm.Tran(open)
	case shut:
		return hsm.Tran(ajar)
	}
	return hsm.Super
}

func (d *Door) ajar(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		d.post(shut, activeobject.Once(time.Second))
		return hsm.Handled
	case shut:
		d.post(slam)
		return hsm.Handled
	case slam:
		return hsm.Tran(Closed)
	}
	return hsm.Super
}

func (d *Door) post(s hsm.Signal, when ...activeobject.Timing) {
	if _, err := d.PostFIFO(hsm.Event{Signal: s}, when...); err != nil {
		panic(err)
	}
}
