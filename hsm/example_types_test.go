package hsm_test

import (
	"errors"
	"fmt"

	"github.com/statemesh/statemesh/hsm"
)

// Signals of one name are equal, wherever they are declared. Known tells a name
// that the program has declared from one that somebody else made up.
func ExampleNewSignal() {
	brew := hsm.NewSignal("brew") // usually a package variable
	fmt.Println(brew, brew == hsm.NewSignal("brew"))

	heard := hsm.Intern("a_name_from_outside") // not declared
	_, known := hsm.Known(heard.String())
	fmt.Println(heard, known)
	// Output:
	// brew true
	// a_name_from_outside false
}

// What came over a network is looked up before anything is done with it.
func ExampleKnown() {
	hsm.NewSignal("open_valve")
	for _, name := range []string{"open_valve", "format_disk"} {
		if signal, ok := hsm.Known(name); ok {
			fmt.Println("to be posted:", hsm.Event{Signal: signal})
		} else {
			fmt.Println("not ours:", name)
		}
	}
	// Output:
	// to be posted: open_valve
	// not ours: format_disk
}

// An event is a signal and what comes with it.
func ExampleEvent() {
	dose := hsm.Event{Signal: hsm.NewSignal("dose"), Payload: 2.5}
	fmt.Println(dose)
	fmt.Println(hsm.CheckPost(dose))
	fmt.Println(hsm.CheckPost(hsm.Event{}))
	fmt.Println(hsm.CheckPost(hsm.Event{Signal: hsm.Entry}))
	// Output:
	// dose(2.5)
	// <nil>
	// hsm: the event has no signal
	// hsm: only a machine sends this signal: ENTRY_SIGNAL
}

// Payload takes out what an event carries, and says whether it is of that type.
func ExamplePayload() {
	e := hsm.Event{Signal: hsm.NewSignal("measured"), Payload: 21.5}
	if degrees, ok := hsm.Payload[float64](e); ok {
		fmt.Println("degrees:", degrees)
	}
	text, ok := hsm.Payload[string](e)
	fmt.Printf("%q %v\n", text, ok)
	// Output:
	// degrees: 21.5
	// "" false
}

// A signal that is bound has one type of payload in the whole program.
func ExampleBind() {
	type position struct{ X, Y int }
	moved := hsm.NewSignal("moved")
	fmt.Println(hsm.Bind[position](moved))
	fmt.Println(hsm.Bind[position](moved)) // again: no harm

	err := hsm.Bind[string](moved)
	fmt.Println(errors.Is(err, hsm.ErrBound))
	bound, ok := hsm.PayloadType(moved)
	fmt.Println(bound.Name(), ok)
	// Output:
	// <nil>
	// <nil>
	// true
	// position true
}

// All mistakes in a table come back at once, each with the state in question.
func ExampleCompile() {
	const door, ajar, shut hsm.State = 1, 2, 3
	super := func(*int, hsm.Event) hsm.Status { return hsm.Super }
	_, err := hsm.Compile([]hsm.Spec[*int]{
		door: {Name: "door", Handle: super, Init: door}, // not inside itself
		ajar: {Name: "ajar", Parent: 9, Handle: super},  // there is no state 9
		shut: {Name: "ajar", Parent: door},              // the name is taken, and no handler
	})
	fmt.Println(err)

	var first *hsm.StateError
	fmt.Println(errors.Is(err, hsm.ErrNoHandler), errors.As(err, &first), first.Name)
	// Output:
	// hsm: two states have the same name: state 3 "ajar": state 2 has the same name
	// hsm: a parent is not in the chart: state 2 "ajar": parent 9 is not declared
	// hsm: an init target is not inside its state: state 1 "door": init target "door" is not a state inside it
	// hsm: a state has no handler: state 3 "ajar": no handler
	// true true ajar
}

// A machine takes one event after the other. It can be asked where it is.
func ExampleMachine() {
	m := hsm.NewMachine(lightChart, &light{})
	fmt.Println(m.Dispatch(hsm.Event{Signal: press}))

	fmt.Println(m.Start(lamp)) // its initial transition leads on to off
	fmt.Println(m.Tree().Name(m.State()), m.In(lamp), m.In(on))
	fmt.Println(m.Dispatch(hsm.Event{Signal: press}))
	fmt.Println(m.Tree().Name(m.State()), m.In(lamp), m.In(on))
	// Output:
	// hsm: the machine has not been started
	// <nil>
	// off true false
	// light
	// <nil>
	// on true true
}

// A mistake of a handler is told, and leaves the machine in a legal state.
func ExampleHandlerError() {
	const idle hsm.State = 1
	lost := hsm.NewSignal("lost")
	chart := hsm.MustCompile([]hsm.Spec[*int]{
		idle: {Name: "idle", Handle: func(_ *int, e hsm.Event) hsm.Status {
			if e.Signal == lost {
				return hsm.Tran(99)
			}
			return hsm.Super
		}},
	})
	m := hsm.NewMachine(chart, new(int))
	m.Start(idle)
	err := m.Dispatch(hsm.Event{Signal: lost})
	var mistake *hsm.HandlerError
	if errors.As(err, &mistake) {
		fmt.Println(mistake.State, mistake.Signal, mistake.Status, errors.Is(err, hsm.ErrTarget))
	}
	fmt.Println("still", m.Tree().Name(m.State()))
	// Output:
	// idle lost Tran(99) true
	// still idle
}

// What a handler answers says who is asked next: after Handled nobody, after Super
// and Unhandled the superstate.
func ExampleStatus() {
	const house, attic hsm.State = 1, 2
	knock, ring, shout := hsm.NewSignal("knock"), hsm.NewSignal("ring"), hsm.NewSignal("shout")
	chart := hsm.MustCompile([]hsm.Spec[*int]{
		house: {Name: "house", Handle: func(_ *int, e hsm.Event) hsm.Status {
			fmt.Println("the house is asked:", e)
			return hsm.Handled
		}},
		attic: {Name: "attic", Parent: house, Handle: func(_ *int, e hsm.Event) hsm.Status {
			switch e.Signal {
			case knock, hsm.Entry, hsm.Init:
				return hsm.Handled // mine, and done
			case ring:
				return hsm.Unhandled // mine, but a guard says no
			}
			return hsm.Super // not mine
		}},
	})
	m := hsm.NewMachine(chart, nil)
	m.Start(attic)
	for _, signal := range []hsm.Signal{knock, ring, shout} {
		m.Dispatch(hsm.Event{Signal: signal})
	}
	// Output:
	// the house is asked: ENTRY_SIGNAL
	// the house is asked: ring
	// the house is asked: shout
}

// A queue is bounded: a full one refuses the newest event, or gives up the one in
// front for it.
func ExampleOverflow() {
	for _, overflow := range []hsm.Overflow{hsm.Reject, hsm.Drop} {
		q := hsm.NewQueue(2, overflow)
		for i := range 3 {
			if err := q.PostFIFO(hsm.Event{Signal: press, Payload: i}); err != nil {
				fmt.Println(i, err, errors.Is(err, hsm.ErrQueueFull))
			}
		}
		fmt.Println("waiting:", q.Len(), "lost:", q.Lost())
	}
	// Output:
	// 2 hsm: the queue is full: press true
	// waiting: 2 lost: 1
	// waiting: 2 lost: 1
}

// Events that come too early are put aside, and come back behind those that wait.
func ExampleQueue() {
	q := hsm.NewQueue(10, hsm.Reject) // usually part of the chart's data
	q.PostFIFO(hsm.Event{Signal: press})
	q.PostLIFO(hsm.Event{Signal: powerCut}) // in front of it
	q.Defer(hsm.Event{Signal: press, Payload: "later"})
	fmt.Println(q.Len(), q.Deferred())

	fmt.Println(q.Recall())
	fmt.Println(q.Recall())
	fmt.Println(q.Len(), q.Deferred())
	// Output:
	// 2 [press(later)]
	// true <nil>
	// false <nil>
	// 3 []
}

// A log keeps the newest of what a machine did; package instrument makes text of it.
func ExampleLog() {
	m := hsm.NewMachine(lightChart, &light{})
	log := hsm.NewLog(hsm.LogConfig{Spy: 100, Trace: 10})
	m.SetLog(log)
	m.Start(off)
	log.ClearRecords() // but not the transitions
	m.Dispatch(hsm.Event{Signal: press})

	name := m.Tree().Name
	for _, t := range log.Transitions(10) {
		fmt.Println(name(t.From), "->", name(t.To))
	}
	for _, r := range log.Records(100) {
		if r.Kind == hsm.KindCall {
			fmt.Println(r.Signal, "in", name(r.State), "answered:", r.Handled)
		}
	}
	// Output:
	// light
	// top -> off
	// off -> on
	// press in off answered: true
	// EXIT_SIGNAL in off answered: false
	// ENTRY_SIGNAL in on answered: true
	// INIT_SIGNAL in on answered: false
}

// A description is for people and pictures. What a chart does on a signal is code,
// so where the signals lead to is added as it was seen.
func ExampleDescription() {
	d := lightChart.Describe()
	for _, step := range [][3]string{{"start_at", "top", "off"}, {"press", "off", "on"}, {"press", "off", "on"}} {
		if err := d.Add(step[0], step[1], step[2]); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Print(d)
	fmt.Println(errors.Is(d.Add("press", "on", "broken"), hsm.ErrUnknown))
	// Output:
	// lamp: init off
	//   off
	//   on
	// seen
	//   start_at: top -> off
	//   press: off -> on, 2 times
	// true
}

// A chart tells its shape.
func ExampleTree() {
	for s := range lightChart.States() {
		fmt.Print(s, ":")
		for _, each := range lightChart.Path(s) {
			fmt.Print(" ", lightChart.Name(each))
		}
		fmt.Println()
	}
	s, ok := lightChart.Lookup("on")
	fmt.Println(s, ok, lightChart.Contains(lamp, s))
	// Output:
	// 1: lamp
	// 2: lamp off
	// 3: lamp on
	// 3 true true
}

// A deque takes and gives at both ends.
func ExampleDeque() {
	var d hsm.Deque[string]
	d.PushBack("b")
	d.PushBack("c")
	d.PushFront("a")
	fmt.Println(d.Slice(), d.PopFront(), d.PopBack(), d.Len())
	// Output: [a b c] a c 1
}

// After a panic a machine refuses to go on until it is reset and started again.
func ExampleMachine_Reset() {
	const on hsm.State = 1
	kick := hsm.NewSignal("kick")
	chart := hsm.MustCompile([]hsm.Spec[*int]{
		on: {Name: "on", Handle: func(_ *int, e hsm.Event) hsm.Status {
			if e.Signal == kick {
				panic("ouch")
			}
			return hsm.Super
		}},
	})
	m := hsm.NewMachine(chart, nil)
	m.Start(on)
	func() {
		defer func() { fmt.Println("recovered:", recover()) }()
		m.Dispatch(hsm.Event{Signal: kick})
	}()
	fmt.Println(errors.Is(m.Start(on), hsm.ErrBusy))
	m.Reset()
	fmt.Println(m.Start(on))
	// Output:
	// recovered: ouch
	// true
	// <nil>
}
