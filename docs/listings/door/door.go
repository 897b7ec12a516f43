package door

import (
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/factory"
	"github.com/statemesh/statemesh/hsm"
)

const closed, open, locked hsm.State = 1, 2, 3

var push, turn, shut = hsm.NewSignal("push"), hsm.NewSignal("turn"), hsm.NewSignal("shut")

type door struct{ *activeobject.ActiveObject }

var chart = factory.New[*door]().
	Create(closed, "closed").Catch(push, (*door).toOpen).Catch(turn, (*door).toLocked).
	Create(open, "open").Catch(hsm.Entry, (*door).wait).Catch(shut, (*door).toClosed).
	Create(locked, "locked").Catch(turn, (*door).toClosed).MustCompile()

func (d *door) toOpen(hsm.Event) hsm.Status   { return hsm.Tran(open) }
func (d *door) toClosed(hsm.Event) hsm.Status { return hsm.Tran(closed) }
func (d *door) toLocked(hsm.Event) hsm.Status { return hsm.Tran(locked) }

func (d *door) wait(hsm.Event) hsm.Status {
	d.PostFIFO(hsm.Event{Signal: shut}, activeobject.Once(3*time.Second))
	return hsm.Handled
}

func newDoor(c activeobject.Config) *door {
	d := &door{}
	d.ActiveObject = activeobject.New("door", hsm.NewMachine(chart, d), c)
	return d
}
