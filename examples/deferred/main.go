// Deferred shows how a server of one request at a time puts aside those that
// come while it is busy, and takes them up again when it is idle.
//
//	+------- idle --------+  request   +-------------- busy --------------+
//	| entry: recall one   |----------->| request: defer                   |
//	|                     |            |                                  |
//	|                     |            |  *-> +------ receiving -------+  |
//	|                     |            |      | entry: received in     |  |
//	|                     |            |      |        100 ms          |  |
//	|                     |            |      +------------------------+  |
//	|                     |            |                 | received       |
//	|                     |            |                 v                |
//	|                     |            |      +----- authorizing ------+  |
//	|                     |<------------------| entry: authorized in   |  |
//	|                     | authorized |      |        200 ms          |  |
//	+---------------------+            |      +------------------------+  |
//	                                   +----------------------------------+
//
// Busy does not know how many steps a request takes, and those steps do not know
// that requests are deferred. Idle recalls one request, not all: the next ones
// would find the server busy again. A recalled event goes behind those that wait
// in the queue, so a request that waits there already comes first.
//
// Deferring is bounded as the queue is: what does not fit is refused, and the
// server says so, since nobody else can tell the client.
//
// Source: Miro Samek, Practical UML Statecharts in C/C++, chapter 5, "Deferred
// Event".
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
	idle hsm.State = iota + 1
	busy
	receiving
	authorizing
)

var (
	request    = hsm.MustBind[int](hsm.NewSignal("request")) // with its number
	received   = hsm.NewSignal("received")
	authorized = hsm.NewSignal("authorized")
)

// server is the data of the chart.
type server struct {
	*activeobject.ActiveObject
	delay   func(time.Duration) time.Duration
	current int   // the request at work
	served  []int // in the order in which they were done
	refused []int
}

var chart = hsm.MustCompile([]hsm.Spec[*server]{
	idle:        {Name: "idle", Handle: (*server).idle},
	busy:        {Name: "busy", Handle: (*server).busy, Init: receiving},
	receiving:   {Name: "receiving", Parent: busy, Handle: (*server).receiving},
	authorizing: {Name: "authorizing", Parent: busy, Handle: (*server).authorizing},
})

func (s *server) idle(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		s.Recall()
		return hsm.Handled
	case request:
		s.current, _ = hsm.Payload[int](e)
		return hsm.Tran(busy)
	}
	return hsm.Super
}

func (s *server) busy(e hsm.Event) hsm.Status {
	switch e.Signal {
	case request:
		number, _ := hsm.Payload[int](e)
		if err := s.Defer(e); err != nil {
			s.Scribble(fmt.Sprintf("# request %d is refused", number))
			s.refused = append(s.refused, number)
			return hsm.Handled
		}
		s.Scribble(fmt.Sprintf("# request %d has to wait, %d wait now", number, s.Deferred()))
		return hsm.Handled
	}
	return hsm.Super
}

func (s *server) receiving(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		s.PostFIFO(hsm.Event{Signal: received}, activeobject.Once(s.delay(100*time.Millisecond)))
		return hsm.Handled
	case received:
		return hsm.Tran(authorizing)
	}
	return hsm.Super
}

func (s *server) authorizing(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		s.PostFIFO(hsm.Event{Signal: authorized}, activeobject.Once(s.delay(200*time.Millisecond)))
		return hsm.Handled
	case authorized:
		s.Scribble(fmt.Sprintf("# request %d is done", s.current))
		s.served = append(s.served, s.current)
		return hsm.Tran(idle)
	}
	return hsm.Super
}

// newServer makes a server for which at most waiting requests may wait.
func newServer(stage *local.Stage, waiting int) *server {
	s := &server{delay: stage.Delay}
	s.ActiveObject = activeobject.New("server", hsm.NewMachine(chart, s), activeobject.Config{
		QueueSize:  waiting,
		Instrument: stage.Instrument(),
	})
	return s
}

// play sends six requests, one every 70 ms, to a server that needs 300 ms for
// one and lets three wait.
func play(ctx context.Context, stage *local.Stage) error {
	s := newServer(stage, 3)
	if err := s.Start(ctx, idle); err != nil {
		return err
	}
	for number := 1; number <= 6; number++ {
		when := activeobject.Once(stage.Delay(time.Duration(number) * 70 * time.Millisecond))
		s.PostFIFO(hsm.Event{Signal: request, Payload: number}, when)
	}
	err := stage.Until(ctx, s.ActiveObject)
	stage.Say("served %v, refused %v", s.served, s.refused)
	return err
}

var program = local.Program{
	Name:  "deferred",
	About: "deferred shows a server that defers the requests that come while it is busy.",
	For:   1700 * time.Millisecond,
	Play:  play,
}

func main() { program.Main() }
