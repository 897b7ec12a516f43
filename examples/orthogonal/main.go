// Orthogonal shows how a chart owns other charts and drives them inside its own
// steps: a fusion reactor with 255 pistons.
//
//	+- cold -+  ignite   +----------------- fusing ------------------+
//	|        |---------->| entry: pulse every 100 ms   exit: cancel  |
//	|        |           | pulse: hand it to every piston            |
//	|        |<----------| worn_out: the last one: to cold           |
//	+--------+           +-------------------------------------------+
//	                         | a piston failed: to scram
//
//	and 255 times, a piston:
//
//	+------------- sound --------------+
//	|  *-> +----------- back --------+ |
//	|      | pulse: count the stroke | |
//	|      +-------------------------+ |
//	|           | pulse    ^           |
//	|           v          | pulse     |
//	|      +--------- rammed --------+ |    pulse, after   +------ worn -------+
//	|      |                         |---------------------> entry: post       |
//	|      +-------------------------+ |    its life       |  worn_out to the  |
//	+----------------------------------+                   |  reactor          |
//	                                                       +-------------------+
//
// Two hundred and fifty-five things that change independently would make more
// states than anybody can draw. Each is a small machine instead, with a queue of
// its own, and belongs to the reactor's data: no goroutine, no lock. The reactor
// gives a piston an event and runs it to the end within its own step. A piston
// tells the reactor by posting to the reactor's queue, which is handled when
// this step is over: it never calls back into the step that runs.
//
// Source: Miro Samek, Practical UML Statecharts in C/C++, chapter 5, "Orthogonal
// Component".
package main

import (
	"context"
	"errors"
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/examples/internal/local"
	"github.com/statemesh/statemesh/hsm"
)

const (
	cold hsm.State = iota + 1
	fusing
	scram
)

var (
	ignite  = hsm.NewSignal("ignite")
	pulse   = hsm.NewSignal("pulse")
	wornOut = hsm.MustBind[int](hsm.NewSignal("worn_out")) // with the piston's number
)

// reactor is the data of the owner.
type reactor struct {
	*activeobject.ActiveObject
	delay   func(time.Duration) time.Duration
	pistons [255]*piston
	worn    int
	failure error // of a piston
}

var reactors = hsm.MustCompile([]hsm.Spec[*reactor]{
	cold:   {Name: "cold", Handle: (*reactor).cold},
	fusing: {Name: "fusing", Handle: (*reactor).fusing},
	scram:  {Name: "scram", Handle: (*reactor).scram},
})

func newReactor(stage *local.Stage) (*reactor, error) {
	r := &reactor{delay: stage.Delay}
	r.ActiveObject = activeobject.New("reactor", hsm.NewMachine(reactors, r), activeobject.Config{Instrument: stage.Instrument()})
	for i := range r.pistons {
		var log hsm.LogConfig
		if i == 0 {
			log = stage.Log("piston_1", &pistons.Tree) // one is enough to see
		}
		p := newPiston(i+1, r, log)
		if err := p.Start(sound); err != nil {
			return nil, err
		}
		r.pistons[i] = p
	}
	return r, nil
}

func (r *reactor) cold(e hsm.Event) hsm.Status {
	switch e.Signal {
	case ignite:
		return hsm.Tran(fusing)
	}
	return hsm.Super
}

func (r *reactor) fusing(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		r.PostFIFO(hsm.Event{Signal: pulse}, activeobject.Every(r.delay(100*time.Millisecond)))
		return hsm.Handled
	case hsm.Exit:
		r.CancelEvents(pulse)
		return hsm.Handled
	case pulse:
		for _, p := range r.pistons {
			if r.failure = p.drive(e); r.failure != nil {
				return hsm.Tran(scram)
			}
		}
		return hsm.Handled
	case wornOut:
		if r.worn++; r.worn == len(r.pistons) {
			r.Scribble("# all pistons are worn out")
			return hsm.Tran(cold)
		}
		return hsm.Handled
	}
	return hsm.Super
}

func (r *reactor) scram(hsm.Event) hsm.Status { return hsm.Super }

// play runs the reactor until its pistons are worn out or ctx ends.
func play(ctx context.Context, stage *local.Stage) error {
	r, err := newReactor(stage)
	if err != nil {
		return err
	}
	if err := r.Start(ctx, cold); err != nil {
		return err
	}
	r.PostFIFO(hsm.Event{Signal: ignite})
	err = stage.Until(ctx, r.ActiveObject)
	strokes, states := 0, map[string]int{}
	for _, p := range r.pistons {
		strokes += p.strokes
		states[p.Tree().Name(p.State())]++
	}
	stage.Say("%d strokes; the pistons are %v", strokes, states)
	return errors.Join(err, r.failure)
}

var program = local.Program{
	Name:  "orthogonal",
	About: "orthogonal shows a reactor that drives 255 pistons inside its own steps.",
	For:   time.Second,
	Play:  play,
}

func main() { program.Main() }
