// Reminder shows a state that posts an event to itself: who notices that
// something is to be done is not who does it.
//
//	+------------------------- polling ---------------------------+
//	| entry: tick every 100 ms           exit: cancel tick        |
//	| tick:  take a sample; if there are three and more,          |
//	|        post data_ready to itself (the reminder)             |
//	|                                                             |
//	|  *-> +---- idle ----+  data_ready  +-------- busy --------+ |
//	|      |              |------------->| entry: take the      | |
//	|      |              |              |   samples, processed | |
//	|      |              |  processed   |   in 350 ms          | |
//	|      |              |<-------------| exit: cancel it      | |
//	|      +--------------+              | data_ready: ignored  | |
//	|                                    +----------------------+ |
//	+-------------------------------------------------------------+
//
// Polling takes a sample at each tick whatever else goes on, and knows nothing
// of the states inside it: it only says data_ready. Those decide what that
// means. Busy ignores it, since a later tick reminds again.
//
// The same way out helps a state that wants to leave at once when it is entered:
// entry cannot make a transition and an initial transition cannot leave its
// state, but both can post a reminder.
//
// The chart is built from callbacks; package factory says how.
//
// Source: Miro Samek, Practical UML Statecharts in C/C++, chapter 5, "Reminder".
package main

import (
	"context"
	"fmt"
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/examples/internal/local"
	"github.com/statemesh/statemesh/factory"
	"github.com/statemesh/statemesh/hsm"
)

const (
	polling hsm.State = iota + 1
	idle
	busy
)

var (
	tick      = hsm.NewSignal("tick")
	dataReady = hsm.NewSignal("data_ready")
	processed = hsm.NewSignal("processed")
)

// sensor is the data of the chart.
type sensor struct {
	*activeobject.ActiveObject
	delay   func(time.Duration) time.Duration
	samples int // taken and not yet processed
	total   int // processed
}

var chart = factory.New[*sensor]().
	Create(polling, "polling").
	Catch(hsm.Entry, (*sensor).startTicking).
	Catch(hsm.Exit, (*sensor).stopTicking).
	Catch(hsm.Init, (*sensor).toIdle).
	Catch(tick, (*sensor).sample).
	Create(idle, "idle").
	Catch(dataReady, (*sensor).toBusy).
	Create(busy, "busy").
	Catch(hsm.Entry, (*sensor).startProcessing).
	Catch(hsm.Exit, (*sensor).stopProcessing).
	Catch(dataReady, (*sensor).ignore).
	Catch(processed, (*sensor).toIdle).
	Nest(idle, polling).
	Nest(busy, polling).
	MustCompile()

func (s *sensor) startTicking(hsm.Event) hsm.Status {
	s.PostFIFO(hsm.Event{Signal: tick}, activeobject.Every(s.delay(100*time.Millisecond)))
	return hsm.Handled
}

func (s *sensor) stopTicking(hsm.Event) hsm.Status {
	s.CancelEvents(tick)
	return hsm.Handled
}

func (s *sensor) sample(hsm.Event) hsm.Status {
	if s.samples++; s.samples >= 3 {
		s.PostFIFO(hsm.Event{Signal: dataReady}) // the reminder
	}
	return hsm.Handled
}

func (s *sensor) startProcessing(hsm.Event) hsm.Status {
	s.Scribble(fmt.Sprintf("# %d samples to process", s.samples))
	s.total += s.samples
	s.samples = 0
	s.PostFIFO(hsm.Event{Signal: processed}, activeobject.Once(s.delay(350*time.Millisecond)))
	return hsm.Handled
}

func (s *sensor) stopProcessing(hsm.Event) hsm.Status {
	s.CancelEvents(processed)
	return hsm.Handled
}

func (s *sensor) toIdle(hsm.Event) hsm.Status { return hsm.Tran(idle) }
func (s *sensor) toBusy(hsm.Event) hsm.Status { return hsm.Tran(busy) }
func (s *sensor) ignore(hsm.Event) hsm.Status { return hsm.Handled }

func play(ctx context.Context, stage *local.Stage) error {
	s := &sensor{delay: stage.Delay}
	s.ActiveObject = activeobject.New("sensor", hsm.NewMachine(chart, s), activeobject.Config{Instrument: stage.Instrument()})
	if err := s.Start(ctx, polling); err != nil {
		return err
	}
	err := stage.Until(ctx, s.ActiveObject)
	stage.Say("%d samples processed, %d not yet", s.total, s.samples)
	return err
}

var program = local.Program{
	Name:  "reminder",
	About: "reminder shows a state that posts an event to itself.",
	For:   1950 * time.Millisecond,
	Play:  play,
}

func main() { program.Main() }
