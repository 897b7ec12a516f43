package hsm_test

import (
	"fmt"

	"github.com/statemesh/statemesh/factory"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

// The patterns of examples/*, each as small as it can be.

// shown makes a log that prints the transitions and, if spy is set, the calls.
func shown(name string, tree *hsm.Tree, spy bool) hsm.LogConfig {
	source := instrument.Source{Name: name, Tree: tree, NoSearch: true}
	c := hsm.LogConfig{Trace: 1, Live: func(records []hsm.Record, t *hsm.Transition) {
		if t != nil {
			fmt.Println(instrument.Stripped(source.Trace(*t).String())[0])
		}
		for _, line := range source.Spy(records) {
			fmt.Println(line)
		}
	}}
	if spy {
		c.Spy = 100
	}
	return c
}

// dispatch gives a machine one signal after the other.
func dispatch[C any](m *hsm.Machine[C], signals ...hsm.Signal) {
	for _, signal := range signals {
		if err := m.Dispatch(hsm.Event{Signal: signal}); err != nil {
			fmt.Println(err)
		}
	}
}

// Ultimate hook: the outermost state says what happens by default.

const (
	window hsm.State = iota + 1
	editor
	dialog
)

var (
	keyTyped = hsm.NewSignal("key")
	askQuit  = hsm.NewSignal("quit")
	openIt   = hsm.NewSignal("open_dialog")
)

type app struct{}

var apps = hsm.MustCompile([]hsm.Spec[app]{
	window: {Name: "window", Init: editor, Handle: func(_ app, e hsm.Event) hsm.Status {
		switch e.Signal {
		case keyTyped:
			fmt.Println("beep")
			return hsm.Handled
		case askQuit:
			fmt.Println("really?")
			return hsm.Handled
		}
		return hsm.Super
	}},
	editor: {Name: "editor", Parent: window, Handle: func(_ app, e hsm.Event) hsm.Status {
		switch e.Signal {
		case keyTyped: // otherwise than window
			fmt.Println("insert a letter")
			return hsm.Handled
		case openIt:
			return hsm.Tran(dialog)
		}
		return hsm.Super
	}},
	dialog: {Name: "dialog", Parent: window, Handle: func(_ app, e hsm.Event) hsm.Status {
		switch e.Signal {
		case askQuit: // ignored: not even what window does
			return hsm.Handled
		}
		return hsm.Super
	}},
})

// A state inside another overrides what that does, ignores it, or has it.
func Example_hook() {
	m := hsm.NewMachine(apps, app{})
	if err := m.Start(window); err != nil {
		fmt.Println(err)
	}
	dispatch(m, keyTyped, askQuit, openIt, keyTyped, askQuit)
	// Output:
	// insert a letter
	// really?
	// beep
}

// Reminder: a state posts an event to itself.

const (
	polling hsm.State = iota + 1
	waiting
	working
)

var (
	tick      = hsm.NewSignal("tick")
	dataReady = hsm.NewSignal("data_ready")
)

type sensor struct {
	*hsm.Queue
	samples int
}

var sensors = factory.New[*sensor]().
	Create(polling, "polling").
	Catch(hsm.Init, (*sensor).toWaiting).
	Catch(tick, (*sensor).sample).
	Create(waiting, "waiting").
	Catch(dataReady, (*sensor).toWorking).
	Create(working, "working").
	Catch(hsm.Entry, (*sensor).work).
	Catch(tick, (*sensor).toWaiting).
	Nest(waiting, polling).
	Nest(working, polling).
	MustCompile()

func (s *sensor) sample(hsm.Event) hsm.Status {
	if s.samples++; s.samples == 2 {
		s.PostFIFO(hsm.Event{Signal: dataReady}) // the states inside say what that means
	}
	return hsm.Handled
}

func (s *sensor) work(hsm.Event) hsm.Status {
	s.samples = 0
	return hsm.Handled
}

func (s *sensor) toWaiting(hsm.Event) hsm.Status { return hsm.Tran(waiting) }
func (s *sensor) toWorking(hsm.Event) hsm.Status { return hsm.Tran(working) }

// Polling notices that there is something to do, waiting decides to do it.
func Example_reminder() {
	queue := hsm.NewQueue(0, hsm.Reject)
	r := hsm.NewRunner(hsm.NewMachine(sensors, &sensor{Queue: queue}), queue, shown("sensor", &sensors.Tree, false))
	if err := r.Start(polling); err != nil {
		fmt.Println(err)
	}
	for range 5 {
		if err := r.PostFIFO(hsm.Event{Signal: tick}); err != nil {
			fmt.Println(err)
		}
		if err := r.Run(); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// [sensor] e->start_at() top->waiting
	// [sensor] e->data_ready() waiting->working
	// [sensor] e->tick() working->waiting
	// [sensor] e->data_ready() waiting->working
}

// Deferred event: what comes at the wrong time waits.

const (
	free hsm.State = iota + 1
	busy
)

var (
	request  = hsm.NewSignal("request")
	finished = hsm.NewSignal("finished")
)

type server struct{ *hsm.Queue }

var servers = hsm.MustCompile([]hsm.Spec[*server]{
	free: {Name: "free", Handle: func(s *server, e hsm.Event) hsm.Status {
		switch e.Signal {
		case hsm.Entry:
			s.Recall()
			return hsm.Handled
		case request:
			fmt.Println("begin", e.Payload)
			return hsm.Tran(busy)
		}
		return hsm.Super
	}},
	busy: {Name: "busy", Handle: func(s *server, e hsm.Event) hsm.Status {
		switch e.Signal {
		case request:
			if err := s.Defer(e); err != nil {
				fmt.Println("refuse", e.Payload)
			}
			return hsm.Handled
		case finished:
			return hsm.Tran(free)
		}
		return hsm.Super
	}},
})

// Requests that come while a server is busy are deferred; it recalls one whenever
// it is free.
func Example_deferred() {
	queue := hsm.NewQueue(2, hsm.Reject) // so two may wait
	r := hsm.NewRunner(hsm.NewMachine(servers, &server{queue}), queue, hsm.LogConfig{})
	if err := r.Start(free); err != nil {
		fmt.Println(err)
	}
	for _, e := range []hsm.Event{
		{Signal: request, Payload: "one"}, {Signal: request, Payload: "two"}, {Signal: request, Payload: "three"},
		{Signal: request, Payload: "four"}, {Signal: finished}, {Signal: finished}, {Signal: finished},
	} {
		if err := r.PostFIFO(e); err != nil {
			fmt.Println(err)
		}
		if err := r.Run(); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// begin one
	// refuse four
	// begin two
	// begin three
}

// Orthogonal component: a chart owns others and drives them in its own steps.

const running hsm.State = 1

const (
	retracted hsm.State = iota + 1
	extended
)

var (
	pulse  = hsm.NewSignal("pulse")
	stroke = hsm.NewSignal("stroke") // from a piston
)

type reactor struct {
	*hsm.Queue
	pistons [3]*hsm.Runner[*piston]
	strokes int
}

type piston struct{ owner *reactor }

var reactors = hsm.MustCompile([]hsm.Spec[*reactor]{
	running: {Name: "running", Handle: func(r *reactor, e hsm.Event) hsm.Status {
		switch e.Signal {
		case pulse:
			for _, p := range r.pistons {
				p.PostFIFO(e)
				if err := p.Run(); err != nil {
					fmt.Println(err)
				}
			}
			return hsm.Handled
		case stroke:
			r.strokes++
			return hsm.Handled
		}
		return hsm.Super
	}},
})

var pistons = hsm.MustCompile([]hsm.Spec[*piston]{
	retracted: {Name: "retracted", Handle: func(p *piston, e hsm.Event) hsm.Status {
		switch e.Signal {
		case pulse:
			return hsm.Tran(extended)
		}
		return hsm.Super
	}},
	extended: {Name: "extended", Handle: func(p *piston, e hsm.Event) hsm.Status {
		switch e.Signal {
		case hsm.Entry:
			p.owner.PostFIFO(hsm.Event{Signal: stroke}) // handled after the owner's step
			return hsm.Handled
		case pulse:
			return hsm.Tran(retracted)
		}
		return hsm.Super
	}},
})

// A component has a queue and no goroutine; it talks back by posting.
func Example_orthogonal() {
	queue := hsm.NewQueue(0, hsm.Reject)
	owner := &reactor{Queue: queue}
	for i := range owner.pistons {
		p := hsm.NewRunner(hsm.NewMachine(pistons, &piston{owner}), hsm.NewQueue(0, hsm.Reject), hsm.LogConfig{})
		if err := p.Start(retracted); err != nil {
			fmt.Println(err)
		}
		owner.pistons[i] = p
	}
	r := hsm.NewRunner(hsm.NewMachine(reactors, owner), queue, hsm.LogConfig{})
	if err := r.Start(running); err != nil {
		fmt.Println(err)
	}
	for range 3 {
		if err := r.PostFIFO(hsm.Event{Signal: pulse}); err != nil {
			fmt.Println(err)
		}
	}
	if err := r.Run(); err != nil {
		fmt.Println(err)
	}
	fmt.Println(owner.strokes, "strokes")
	// Output:
	// 6 strokes
}

// Guards: a handler says no.

const (
	gateState hsm.State = iota + 1
	lockedGate
	openGate
)

var (
	coin  = hsm.NewSignal("coin") // carries its value
	knock = hsm.NewSignal("knock")
)

type gatekeeper struct{}

var gatekeepers = hsm.MustCompile([]hsm.Spec[gatekeeper]{
	gateState: {Name: "gate", Init: lockedGate, Handle: func(_ gatekeeper, e hsm.Event) hsm.Status {
		switch e.Signal {
		case coin, knock:
			return hsm.Handled
		}
		return hsm.Super
	}},
	lockedGate: {Name: "locked", Parent: gateState, Handle: func(_ gatekeeper, e hsm.Event) hsm.Status {
		switch e.Signal {
		case coin:
			if value, _ := hsm.Payload[int](e); value < 5 {
				return hsm.Unhandled
			}
			return hsm.Tran(openGate)
		}
		return hsm.Super
	}},
	openGate: {Name: "open", Parent: gateState, Handle: func(gatekeeper, hsm.Event) hsm.Status { return hsm.Super }},
})

// Unhandled and Super both ask the superstate; the spy tells a guard that said
// no from a state that does not know the signal.
func Example_guards() {
	m := hsm.NewMachine(gatekeepers, gatekeeper{})
	if err := m.Start(gateState); err != nil {
		fmt.Println(err)
	}
	m.SetLog(hsm.NewLog(shown("gate", m.Tree(), true)))
	for _, e := range []hsm.Event{{Signal: knock}, {Signal: coin, Payload: 1}, {Signal: coin, Payload: 5}} {
		if err := m.Dispatch(e); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// knock:locked
	// knock:gate
	// knock:gate:HOOK
	// <- Queued:(0) Deferred:(0)
	// coin:locked
	// EMPTY_SIGNAL:locked
	// coin:gate
	// coin:gate:HOOK
	// <- Queued:(0) Deferred:(0)
	// [gate] e->coin() locked->open
	// coin:locked
	// EXIT_SIGNAL:locked
	// ENTRY_SIGNAL:open
	// INIT_SIGNAL:open
	// <- Queued:(0) Deferred:(0)
}

// Inherit: a chart that is another one with a difference.

const (
	bulbOff hsm.State = iota + 1
	bulbOn
	bulbDimmed // of the dimmer alone
)

var turn = hsm.NewSignal("turn")

type bulb struct{}

var bulbs = []hsm.Spec[*bulb]{
	bulbOff: {Name: "off", Handle: (*bulb).off},
	bulbOn:  {Name: "on", Handle: (*bulb).on},
}

func (*bulb) off(e hsm.Event) hsm.Status {
	switch e.Signal {
	case press:
		return hsm.Tran(bulbOn)
	}
	return hsm.Super
}

func (*bulb) on(e hsm.Event) hsm.Status {
	switch e.Signal {
	case press:
		return hsm.Tran(bulbOff)
	}
	return hsm.Super
}

type dimmer struct{ bulb }

var dimmers = hsm.MustCompile(hsm.Inherit(bulbs, (*dimmer).asBulb, []hsm.Spec[*dimmer]{
	bulbOn:     {Handle: (*dimmer).on},
	bulbDimmed: {Name: "dimmed", Parent: bulbOn, Handle: (*dimmer).dimmed},
}))

func (d *dimmer) asBulb() *bulb { return &d.bulb }

func (d *dimmer) on(e hsm.Event) hsm.Status {
	switch e.Signal {
	case turn:
		return hsm.Tran(bulbDimmed)
	}
	return d.bulb.on(e)
}

func (d *dimmer) dimmed(hsm.Event) hsm.Status { return hsm.Super }

// A dimmer is a bulb whose state on is another one, with a state more inside.
func ExampleInherit() {
	m := hsm.NewMachine(dimmers, &dimmer{})
	m.SetLog(hsm.NewLog(shown("dimmer", m.Tree(), false)))
	if err := m.Start(bulbOff); err != nil {
		fmt.Println(err)
	}
	dispatch(m, press, turn, press)
	// Output:
	// [dimmer] e->start_at() top->off
	// [dimmer] e->press() off->on
	// [dimmer] e->turn() on->dimmed
	// [dimmer] e->press() dimmed->off
}
