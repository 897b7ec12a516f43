package recipes

import (
	"context"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
)

const (
	resting hsm.State = iota + 1
	working
)

var (
	begin    = hsm.NewSignal("begin")
	giveUp   = hsm.NewSignal("give_up")
	finished = hsm.MustBind[string](hsm.NewSignal("finished"))
)

type worker struct {
	*activeobject.ActiveObject
	ctx    context.Context              // ends with the program
	do     func(context.Context) string // takes long
	cancel context.CancelFunc
	result string
}

var workers = hsm.MustCompile([]hsm.Spec[*worker]{
	resting: {Name: "resting", Handle: (*worker).resting},
	working: {Name: "working", Handle: (*worker).working},
})

func (w *worker) resting(e hsm.Event) hsm.Status {
	switch e.Signal {
	case begin:
		return hsm.Tran(working)
	}
	return hsm.Super
}

func (w *worker) working(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		ctx, cancel := context.WithCancel(w.ctx)
		w.cancel = cancel
		go func() { // ends when the work does, the state is left, or w.ctx ends
			w.PostFIFO(hsm.Event{Signal: finished, Payload: w.do(ctx)})
		}()
		return hsm.Handled
	case hsm.Exit:
		w.cancel()
		return hsm.Handled
	case finished:
		w.result, _ = hsm.Payload[string](e)
		return hsm.Tran(resting)
	case giveUp:
		return hsm.Tran(resting)
	}
	return hsm.Super
}
