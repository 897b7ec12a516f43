// History shows how a chart goes back to where it was: a toaster oven that, when
// its door was opened and is shut again, does what it did before.
//
//	+---------------- door_closed -----------------+
//	| exit: note what was active                   |
//	|                                              |
//	|  *-> +- off -+    +-------- heating --------+|  open  +- door_open --+
//	|      |       |    | entry: heater on        ||------->| entry: lamp  |
//	|      +-------+    | exit:  heater off       ||        |        on    |
//	|                   |                         ||        | exit:  lamp  |
//	|      toast, bake, | *-> +- toasting -+      ||        |        off   |
//	|      off: to that |     +------------+      ||        |              |
//	|      state        |     +- baking ---+      ||  shut  |              |
//	|                   |     +------------+   (H*)<--------|              |
//	|                   +-------------------------+|        +--------------+
//	+----------------------------------------------+
//
// H* is deep history: the very state that was active. H would be shallow
// history: the state directly inside door_closed, which is then entered as
// always; an oven that baked toasts after that. The program shows both.
//
// The engine needs no pseudostate for it: hsm.History is a value among the
// chart's data that door_closed tells on its exit which leaf was active, and
// that gives the target of the transition back.
//
// Source: Miro Samek, Practical UML Statecharts in C/C++, chapter 5, "Transition
// to History"; OMG UML 2.5.1, section 14.2.3.
package main

import (
	"context"

	"github.com/statemesh/statemesh/examples/internal/local"
	"github.com/statemesh/statemesh/hsm"
)

const (
	doorClosed hsm.State = iota + 1
	off
	heating
	toasting
	baking
	doorOpen
)

var (
	turnOff = hsm.NewSignal("off")
	toast   = hsm.NewSignal("toast")
	bake    = hsm.NewSignal("bake")
	open    = hsm.NewSignal("open")
	shut    = hsm.NewSignal("shut")
)

// oven is the data of the chart. It embeds what runs it, to ask for its State.
type oven struct {
	*hsm.Runner[*oven]
	closed  hsm.History // of doorClosed
	shallow bool        // which of the two ways back to take
	heater  bool
	lamp    bool
}

var chart = hsm.MustCompile([]hsm.Spec[*oven]{
	doorClosed: {Name: "door_closed", Handle: (*oven).doorClosed, Init: off},
	off:        {Name: "off", Parent: doorClosed, Handle: (*oven).off},
	heating:    {Name: "heating", Parent: doorClosed, Handle: (*oven).heating, Init: toasting},
	toasting:   {Name: "toasting", Parent: heating, Handle: (*oven).toasting},
	baking:     {Name: "baking", Parent: heating, Handle: (*oven).baking},
	doorOpen:   {Name: "door_open", Handle: (*oven).doorOpen},
})

func newOven(shallow bool, log hsm.LogConfig) *oven {
	o := &oven{closed: hsm.NewHistory(chart, doorClosed), shallow: shallow}
	queue := hsm.NewQueue(0, hsm.Reject)
	o.Runner = hsm.NewRunner(hsm.NewMachine(chart, o), queue, log)
	return o
}

func (o *oven) doorClosed(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Exit:
		o.closed.Save(o.State())
		return hsm.Handled
	case turnOff:
		return hsm.Tran(off)
	case toast:
		return hsm.Tran(toasting)
	case bake:
		return hsm.Tran(baking)
	case open:
		return hsm.Tran(doorOpen)
	}
	return hsm.Super
}

func (o *oven) doorOpen(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry, hsm.Exit:
		o.lamp = e.Signal == hsm.Entry
		return hsm.Handled
	case shut:
		if o.shallow {
			return hsm.Tran(o.closed.Shallow(off))
		}
		return hsm.Tran(o.closed.Deep(off))
	}
	return hsm.Super
}

func (o *oven) heating(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry, hsm.Exit:
		o.heater = e.Signal == hsm.Entry
		return hsm.Handled
	}
	return hsm.Super
}

func (o *oven) off(hsm.Event) hsm.Status      { return hsm.Super }
func (o *oven) toasting(hsm.Event) hsm.Status { return hsm.Super }
func (o *oven) baking(hsm.Event) hsm.Status   { return hsm.Super }

func play(_ context.Context, s *local.Stage) error {
	for _, name := range []string{"deep", "shallow"} {
		o := newOven(name == "shallow", s.Log(name, &chart.Tree))
		s.Say("an oven with %s history; its door is open, and it was never shut", name)
		if err := o.Start(doorOpen); err != nil {
			return err
		}
		for _, signal := range []hsm.Signal{shut, bake, open, shut, turnOff, open, shut} {
			if err := o.Dispatch(hsm.Event{Signal: signal}); err != nil {
				return err
			}
			if signal == open || signal == shut {
				s.Say("%s: heater %v, lamp %v", o.Tree().Name(o.State()), o.heater, o.lamp)
			}
		}
	}
	return nil
}

var program = local.Program{
	Name:  "history",
	About: "history shows how a chart goes back to what was active before.",
	Play:  play,
}

func main() { program.Main() }
