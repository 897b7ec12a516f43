// Heartbeat shows timers that post once, several times and for ever, and how
// they are cancelled.
//
//	+------------------------------ alive -------------------------------+
//	| beat: count it                                                     |
//	| surgery: post stop, and take long                                  |
//	|  +------- resting -------+  startle    +-------- racing --------+  |
//	|  | entry: a beat every   |------------>| entry: 3 beats, one    |  |
//	|  |        300 ms         |             |   every 100 ms;        |  |
//	|  | exit:  cancel them    |             |   calm_down in 550 ms  |  |
//	|  |                       |<------------| exit: cancel both      |  |
//	|  +-----------------------+  calm_down  +------------------------+  |
//	+--------------------------------------------------------------------+
//	     | stop
//	     v
//	+- stopped ------------------------------+
//	| beat: there must be none               |
//	+----------------------------------------+
//
// Two hearts live through the same three seconds. The careful one is the chart
// above. The careless one has no exit handlers, and both classical mistakes with
// timers:
//
//   - Double time: resting is entered a second time and arms a second timer,
//     while the first still runs. From then on there are two beats where one
//     should be. A state that arms a timer on entry cancels it on exit.
//   - Heart beat bleed: a beat of one state is handled in another. During the
//     surgery the heart is busy; its beats wait in the queue, behind stop. To end
//     the timer is not enough then, for its beats are still to come.
//
// The second one needs no more care than the first here: after CancelEvent and
// CancelEvents no event of the timer is handled, not even one that waits
// already. Each post with a timing has an id of its own, which CancelEvent takes
// and which is never used again; CancelEvents takes the signal, and so ends also
// the timers whose ids nobody kept.
package main

import (
	"context"
	"fmt"
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/examples/internal/local"
	"github.com/statemesh/statemesh/hsm"
)

const (
	alive hsm.State = iota + 1
	resting
	racing
	stopped
)

var (
	beat     = hsm.NewSignal("beat")
	startle  = hsm.NewSignal("startle")
	calmDown = hsm.NewSignal("calm_down")
	surgery  = hsm.NewSignal("surgery")
	stop     = hsm.NewSignal("stop")
)

// heart is the data of the chart.
type heart struct {
	*activeobject.ActiveObject
	stage    *local.Stage
	careless bool
	born     time.Time
	beats    int
	late     int // beats after it stopped
	calm     activeobject.TimerID
}

var chart = hsm.MustCompile([]hsm.Spec[*heart]{
	alive:   {Name: "alive", Handle: (*heart).alive, Init: resting},
	resting: {Name: "resting", Parent: alive, Handle: (*heart).resting},
	racing:  {Name: "racing", Parent: alive, Handle: (*heart).racing},
	stopped: {Name: "stopped", Handle: (*heart).stopped},
})

func (h *heart) alive(e hsm.Event) hsm.Status {
	switch e.Signal {
	case beat:
		h.beats++
		h.remark("beat %d", h.beats)
		return hsm.Handled
	case surgery:
		h.PostFIFO(hsm.Event{Signal: stop})
		time.Sleep(h.stage.Delay(500 * time.Millisecond)) // what a handler should never do
		return hsm.Handled
	case stop:
		return hsm.Tran(stopped)
	}
	return hsm.Super
}

func (h *heart) resting(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		h.PostFIFO(hsm.Event{Signal: beat}, activeobject.Every(h.stage.Delay(300*time.Millisecond)))
		return hsm.Handled
	case hsm.Exit:
		if !h.careless {
			h.CancelEvents(beat)
		}
		return hsm.Handled
	case startle:
		return hsm.Tran(racing)
	}
	return hsm.Super
}

func (h *heart) racing(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		h.PostFIFO(hsm.Event{Signal: beat}, activeobject.Times(3, h.stage.Delay(100*time.Millisecond)))
		h.calm, _ = h.PostFIFO(hsm.Event{Signal: calmDown}, activeobject.Once(h.stage.Delay(550*time.Millisecond)))
		return hsm.Handled
	case hsm.Exit:
		if !h.careless {
			h.CancelEvents(beat)
			h.CancelEvent(h.calm)
		}
		return hsm.Handled
	case calmDown:
		return hsm.Tran(resting)
	}
	return hsm.Super
}

func (h *heart) stopped(e hsm.Event) hsm.Status {
	if e.Signal == beat {
		h.late++
		h.remark("a beat after it stopped")
		return hsm.Handled
	}
	return hsm.Super
}

// remark prints how old the heart is, in seconds as if nothing were -fast, and
// what it does.
func (h *heart) remark(format string, args ...any) {
	age := time.Since(h.born).Seconds() * h.stage.Fast
	h.Scribble(fmt.Sprintf("# %s, %.2f s: ", h.Name(), age) + fmt.Sprintf(format, args...))
}

// live lets one heart live, until it has been dead for a while or ctx ends.
func live(ctx context.Context, stage *local.Stage, name string, careless bool) error {
	h := &heart{stage: stage, careless: careless, born: time.Now()}
	h.ActiveObject = activeobject.New(name, hsm.NewMachine(chart, h), activeobject.Config{Instrument: stage.Instrument()})
	if err := h.Start(ctx, alive); err != nil {
		return err
	}
	h.PostFIFO(hsm.Event{Signal: startle}, activeobject.Once(stage.Delay(700*time.Millisecond)))
	h.PostFIFO(hsm.Event{Signal: surgery}, activeobject.Once(stage.Delay(2*time.Second)))
	select {
	case <-time.After(stage.Delay(2950 * time.Millisecond)):
	case <-ctx.Done():
	case <-h.Done():
	}
	if err := h.Stop(context.Background()); err != nil {
		return err
	}
	return h.Err()
}

// play lets the careful heart live, then the careless one.
func play(ctx context.Context, stage *local.Stage) error {
	if err := live(ctx, stage, "careful", false); err != nil || ctx.Err() != nil {
		return err
	}
	return live(ctx, stage, "careless", true)
}

var program = local.Program{
	Name:  "heartbeat",
	About: "heartbeat shows timers, and the two classical mistakes with them.",
	For:   time.Minute,
	Play:  play,
}

func main() { program.Main() }
