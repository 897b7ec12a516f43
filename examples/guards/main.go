// Guards shows how a handler says no, and what the spy makes of it.
//
//	+------------------------- door --------------------------+
//	| code:  one wrong try more                               |
//	| code [3 wrong tries]: to alarmed                        |
//	| knock: "who is there?"                                  |
//	|                                                         |
//	|  *-> +------- locked --------+       +----- open -----+ |
//	|      | code [right]: to open |------>| shut: to locked| |
//	|      |                       |<------| code: ignored  | |
//	|      +-----------------------+       +----------------+ |
//	|      +------- alarmed -------+                          |
//	|      | code: ignored         |                          |
//	|      +-----------------------+                          |
//	+---------------------------------------------------------+
//
// In brackets stand guards: conditions on a transition. Locked has a reaction to
// code, but if the code is wrong its guard says no: it answers hsm.Unhandled,
// and the superstate is asked. To knock it has no reaction at all: it answers
// hsm.Super, and the superstate is asked. What happens is the same. What one
// reads is not: in a chart that was written flat, the spy says of a guard
//
//	code:locked
//	EMPTY_SIGNAL:locked        the guard of locked said no
//	code:door
//	code:door:HOOK
//
// and of a signal that a state does not know
//
//	knock:locked
//	knock:door
//	knock:door:HOOK
//
// A chart from callbacks (the program builds it both ways) has no EMPTY_SIGNAL
// line: the spy of a guard reads like the second. Answer hsm.Unhandled there all
// the same: it says what is meant.
//
// hsm.Handled is no way for a guard to say no: it ends the search. Open and
// alarmed ignore codes with it, so that the door does not count them.
package main

import (
	"context"

	"github.com/statemesh/statemesh/examples/internal/local"
	"github.com/statemesh/statemesh/factory"
	"github.com/statemesh/statemesh/hsm"
)

const (
	door hsm.State = iota + 1
	locked
	open
	alarmed
)

var (
	code  = hsm.MustBind[string](hsm.NewSignal("code"))
	knock = hsm.NewSignal("knock")
	shut  = hsm.NewSignal("shut")
)

// keypad is the data of the chart.
type keypad struct {
	say   func(format string, args ...any)
	right string
	wrong int // tries in a row
}

// flat is the chart with a function for each state.
var flat = hsm.MustCompile([]hsm.Spec[*keypad]{
	door:    {Name: "door", Handle: (*keypad).door, Init: locked},
	locked:  {Name: "locked", Parent: door, Handle: (*keypad).locked},
	open:    {Name: "open", Parent: door, Handle: (*keypad).open},
	alarmed: {Name: "alarmed", Parent: door, Handle: (*keypad).alarmed},
})

func (k *keypad) door(e hsm.Event) hsm.Status {
	switch e.Signal {
	case code:
		return k.count(e)
	case knock:
		return k.answer(e)
	}
	return hsm.Super
}

func (k *keypad) locked(e hsm.Event) hsm.Status {
	switch e.Signal {
	case code:
		return k.unlock(e)
	}
	return hsm.Super
}

func (k *keypad) open(e hsm.Event) hsm.Status {
	switch e.Signal {
	case shut:
		return k.lock(e)
	case code:
		return k.ignore(e)
	}
	return hsm.Super
}

func (k *keypad) alarmed(e hsm.Event) hsm.Status {
	switch e.Signal {
	case code:
		return k.ignore(e)
	}
	return hsm.Super
}

// callbacks is the same chart with a function for each reaction.
var callbacks = factory.New[*keypad]().
	Create(door, "door").
	Catch(hsm.Init, (*keypad).lock).
	Catch(code, (*keypad).count).
	Catch(knock, (*keypad).answer).
	Create(locked, "locked").
	Catch(code, (*keypad).unlock).
	Create(open, "open").
	Catch(shut, (*keypad).lock).
	Catch(code, (*keypad).ignore).
	Create(alarmed, "alarmed").
	Catch(code, (*keypad).ignore).
	Nest(locked, door).
	Nest(open, door).
	Nest(alarmed, door).
	MustCompile()

func (k *keypad) unlock(e hsm.Event) hsm.Status {
	if given, _ := hsm.Payload[string](e); given != k.right {
		return hsm.Unhandled
	}
	k.wrong = 0
	return hsm.Tran(open)
}

func (k *keypad) count(hsm.Event) hsm.Status {
	if k.wrong++; k.wrong == 3 {
		return hsm.Tran(alarmed)
	}
	return hsm.Handled
}

func (k *keypad) answer(hsm.Event) hsm.Status {
	k.say("who is there?")
	return hsm.Handled
}

func (k *keypad) lock(hsm.Event) hsm.Status   { return hsm.Tran(locked) }
func (k *keypad) ignore(hsm.Event) hsm.Status { return hsm.Handled }

// visit is what happens at the door.
var visit = []hsm.Event{
	{Signal: knock},
	{Signal: code, Payload: "guess"},
	{Signal: code, Payload: "sesame"},
	{Signal: shut},
	{Signal: code, Payload: "guess"},
	{Signal: code, Payload: "guess"},
	{Signal: code, Payload: "guess"},
	{Signal: code, Payload: "sesame"},
}

func play(_ context.Context, s *local.Stage) error {
	for _, way := range []struct {
		name  string
		chart *hsm.Chart[*keypad]
	}{{"flat", flat}, {"callbacks", callbacks}} {
		s.Say("the chart %s", way.name)
		m := hsm.NewMachine(way.chart, &keypad{say: s.Say, right: "sesame"})
		m.SetLog(hsm.NewLog(s.Log(way.name, m.Tree())))
		if err := m.Start(door); err != nil {
			return err
		}
		for _, e := range visit {
			s.Say("%v", e)
			if err := m.Dispatch(e); err != nil {
				return err
			}
		}
	}
	return nil
}

var program = local.Program{
	Name:  "guards",
	About: "guards shows how a handler says no, and what the spy makes of it.",
	Spy:   true,
	Play:  play,
}

func main() { program.Main() }
