package factory_test

import (
	"errors"
	"fmt"
	"strings"

	"github.com/statemesh/statemesh/factory"
	"github.com/statemesh/statemesh/hsm"
)

// pump brings its own data to a handler that is bound to it.
type pump struct{ strokes int }

func (p *pump) tick(hsm.Event) hsm.Status {
	p.strokes++
	return hsm.Handled
}

// A state catches signals with methods of the chart's data, and with functions that
// need only the event.
func ExampleState() {
	const running hsm.State = 1
	tick, say := hsm.NewSignal("tick"), hsm.NewSignal("say")
	p := &pump{}
	chart := factory.New[*strings.Builder]().
		Create(running, "running").
		CatchBound(tick, p.tick). // all machines of this chart share p
		Catch(say, func(log *strings.Builder, e hsm.Event) hsm.Status {
			fmt.Fprint(log, e)
			return hsm.Handled
		}).
		MustCompile()

	log := &strings.Builder{}
	m := hsm.NewMachine(chart, log)
	m.Start(running)
	m.Dispatch(hsm.Event{Signal: tick})
	m.Dispatch(hsm.Event{Signal: say, Payload: "psst"})
	fmt.Println(p.strokes, log)
	// Output: 1 say(psst)
}

// A variant of a chart: the factory is told something else about a state, and
// compiled again. The chart that was there does not change.
func ExampleFactory_State() {
	const working hsm.State = 1
	greet := hsm.NewSignal("greet")
	say := func(text string) func(hsm.Event) hsm.Status {
		return func(hsm.Event) hsm.Status {
			fmt.Println(text)
			return hsm.Handled
		}
	}
	f := factory.New[*int]()
	f.Create(working, "working").CatchBound(greet, say("good day"))
	polite := f.MustCompile()
	f.State(working).CatchBound(greet, say("what?"))
	rude := f.MustCompile()

	for _, chart := range []*hsm.Chart[*int]{polite, rude} {
		m := hsm.NewMachine(chart, nil)
		m.Start(working)
		m.Dispatch(hsm.Event{Signal: greet})
	}
	// Output:
	// good day
	// what?
}

// All mistakes come back at once, each with the state in question.
func ExampleFactory_Compile() {
	f := factory.New[*int]()
	f.Create(1, "on").CatchBound(hsm.Empty, func(hsm.Event) hsm.Status { return hsm.Handled })
	f.Create(1, "off")
	f.Nest(3, 1)
	_, err := f.Compile()
	fmt.Println(err)
	fmt.Println(errors.Is(err, factory.ErrCreatedTwice))
	// Output:
	// factory: no state is ever called with this signal: state 1 "on": EMPTY_SIGNAL only stands in the spy
	// factory: two states have the same number: state 1 "off": created before as "on"
	// factory: a state is not created: state 3 "": nested inside state 1
	// true
}

// Nest puts states inside each other; a factory's chart knows what they catch.
func ExampleFactory_Nest() {
	const door, closed, open hsm.State = 1, 2, 3
	to := func(s hsm.State) func(hsm.Event) hsm.Status {
		return func(hsm.Event) hsm.Status { return hsm.Tran(s) }
	}
	f := factory.New[*int]()
	f.Create(door, "door").CatchBound(hsm.Init, to(closed))
	f.Create(closed, "closed").CatchBound(hsm.NewSignal("push"), to(open))
	f.Create(open, "open").CatchBound(hsm.NewSignal("pull"), to(closed))
	chart := f.Nest(closed, door).Nest(open, door).MustCompile()
	fmt.Print(chart.Describe())
	// Output:
	// door: catches INIT_SIGNAL
	//   closed: catches push
	//   open: catches pull
}
