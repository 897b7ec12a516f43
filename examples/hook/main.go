// Hook shows the ultimate hook: the outermost state says what happens by
// default, and each state inside it only what it does otherwise.
//
//	+------------------------- window -------------------------+
//	| key:  beep                    | these are the hooks: no  |
//	| help: show the contents       | transition, so nothing   |
//	| quit: ask "really?"           | is exited or entered     |
//	|                                                          |
//	|  *-> +----- editor ------+      +------- dialog -------+ |
//	|      | key: insert       |-open>| help: its own help   | |
//	|      |                   |      | quit: ignored        | |
//	|      |                   |<done-|                      | |
//	|      +-------------------+      +----------------------+ |
//	+----------------------------------------------------------+
//
// A state inside window has three choices for an event. It says nothing of it,
// and gets the default: that is hsm.Super at the end of every handler. It
// handles it in its own way: that overrides the default. Or it answers
// hsm.Handled and does nothing: the event is ignored, and the default with it.
// A new state is a new line in the table and behaves like a window at once.
//
// Source: Miro Samek, Practical UML Statecharts in C/C++, chapter 5, "Ultimate
// Hook".
package main

import (
	"context"

	"github.com/statemesh/statemesh/examples/internal/local"
	"github.com/statemesh/statemesh/hsm"
)

const (
	window hsm.State = iota + 1
	editor
	dialog
)

var (
	key    = hsm.NewSignal("key")
	help   = hsm.NewSignal("help")
	quit   = hsm.NewSignal("quit")
	open   = hsm.NewSignal("open")
	done   = hsm.NewSignal("done")
	resize = hsm.NewSignal("resize") // nobody handles it
)

// app is the data of the chart.
type app struct {
	say func(format string, args ...any)
}

var chart = hsm.MustCompile([]hsm.Spec[*app]{
	window: {Name: "window", Handle: (*app).window, Init: editor},
	editor: {Name: "editor", Parent: window, Handle: (*app).editor},
	dialog: {Name: "dialog", Parent: window, Handle: (*app).dialog},
})

func (p *app) window(e hsm.Event) hsm.Status {
	switch e.Signal {
	case key:
		p.say("window: beep")
		return hsm.Handled
	case help:
		p.say("window: help, contents")
		return hsm.Handled
	case quit:
		p.say("window: really?")
		return hsm.Handled
	}
	return hsm.Super
}

func (p *app) editor(e hsm.Event) hsm.Status {
	switch e.Signal {
	case key:
		p.say("editor: insert a letter")
		return hsm.Handled
	case open:
		return hsm.Tran(dialog)
	}
	return hsm.Super
}

func (p *app) dialog(e hsm.Event) hsm.Status {
	switch e.Signal {
	case help:
		p.say("dialog: help on opening files")
		return hsm.Handled
	case quit:
		return hsm.Handled
	case done:
		return hsm.Tran(editor)
	}
	return hsm.Super
}

func play(_ context.Context, s *local.Stage) error {
	m := hsm.NewMachine(chart, &app{say: s.Say})
	m.SetLog(hsm.NewLog(s.Log("app", m.Tree())))
	if err := m.Start(window); err != nil {
		return err
	}
	for _, signal := range []hsm.Signal{key, help, quit, open, key, help, quit, resize, done} {
		s.Say("%v, in %s", signal, m.Tree().Name(m.State()))
		if err := m.Dispatch(hsm.Event{Signal: signal}); err != nil {
			return err
		}
	}
	return nil
}

var program = local.Program{
	Name:  "hook",
	About: "hook shows how an outermost state gives the states inside it a default behaviour.",
	Play:  play,
}

func main() { program.Main() }
