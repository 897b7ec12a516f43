// Package toaster is a toaster that keeps the slices which come while it is
// busy: deferred events, and events that carry something.
package toaster

import (
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
)

const (
	idle hsm.State = iota + 1
	toasting
)

var (
	slice  = hsm.MustBind[string](hsm.NewSignal("slice")) // with the kind of bread
	popped = hsm.NewSignal("popped")
)

type toaster struct {
	*activeobject.ActiveObject
	inside string
	done   []string
}

func newToaster(c activeobject.Config) *toaster {
	t := &toaster{}
	t.ActiveObject = activeobject.New("toaster", hsm.NewMachine(chart, t), c)
	return t
}

var chart = hsm.MustCompile([]hsm.Spec[*toaster]{
	idle:     {Name: "idle", Handle: (*toaster).idle},
	toasting: {Name: "toasting", Handle: (*toaster).toasting},
})

func (t *toaster) idle(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		t.Recall()
		return hsm.Handled
	case slice:
		t.inside, _ = hsm.Payload[string](e)
		return hsm.Tran(toasting)
	}
	return hsm.Super
}

func (t *toaster) toasting(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		t.PostFIFO(hsm.Event{Signal: popped}, activeobject.Once(2*time.Minute))
		return hsm.Handled
	case hsm.Exit:
		t.CancelEvents(popped)
		return hsm.Handled
	case slice:
		t.Defer(e)
		return hsm.Handled
	case popped:
		t.done = append(t.done, t.inside)
		return hsm.Tran(idle)
	}
	return hsm.Super
}
