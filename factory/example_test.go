package factory_test

import (
	"fmt"

	"github.com/statemesh/statemesh/factory"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

// A chart of two states, built from callbacks.
const (
	outer hsm.State = iota + 1 // hsm.Top is 0
	inner
)

var (
	toInner = hsm.NewSignal("to_inner")
	knock   = hsm.NewSignal("knock")
)

// ergodic is the chart's own data.
type ergodic struct {
	*hsm.Queue
	knocks int
}

func ergodicFactory() *factory.Factory[*ergodic] {
	f := factory.New[*ergodic]()
	f.Create(outer, "outer").
		Catch(hsm.Init, (*ergodic).outerInit).
		Catch(toInner, (*ergodic).goInner).
		Catch(knock, (*ergodic).count)
	f.Create(inner, "inner").
		Catch(hsm.Entry, (*ergodic).hello).
		Catch(knock, (*ergodic).onlyFirst)
	return f.Nest(inner, outer)
}

func (c *ergodic) outerInit(hsm.Event) hsm.Status {
	if err := c.PostFIFO(hsm.Event{Signal: toInner}); err != nil {
		fmt.Println(err)
	}
	return hsm.Handled
}

func (c *ergodic) goInner(hsm.Event) hsm.Status { return hsm.Tran(inner) }

func (c *ergodic) hello(hsm.Event) hsm.Status {
	fmt.Println("hello")
	return hsm.Handled
}

func (c *ergodic) count(hsm.Event) hsm.Status {
	c.knocks++
	return hsm.Handled
}

// onlyFirst has a guard: when it says no, the state that inner is nested in gets
// the event.
func (c *ergodic) onlyFirst(hsm.Event) hsm.Status {
	if c.knocks > 0 {
		return hsm.Unhandled
	}
	c.knocks++
	return hsm.Tran(inner)
}

// A chart is built, run like any other, and its spy read.
func Example() {
	chart, err := ergodicFactory().Compile()
	if err != nil {
		fmt.Println(err) // all mistakes at once
		return
	}
	queue := hsm.NewQueue(0, hsm.Reject)
	c := &ergodic{Queue: queue}
	r := hsm.NewRunner(hsm.NewMachine(chart, c), queue, hsm.LogConfig{Spy: 100})
	if err := r.Start(outer); err != nil {
		fmt.Println(err)
	}
	for range 2 {
		if err := r.PostFIFO(hsm.Event{Signal: knock}); err != nil {
			fmt.Println(err)
		}
	}
	if err := r.Run(); err != nil {
		fmt.Println(err)
	}
	fmt.Println(c.knocks, "knocks in", r.Tree().Name(r.State()))
	source := instrument.Source{Tree: r.Tree(), NoSearch: true}
	for _, line := range source.Spy(r.Log().Records(100)) {
		fmt.Println(line)
	}
	// Output:
	// hello
	// hello
	// 2 knocks in inner
	// START
	// ENTRY_SIGNAL:outer
	// INIT_SIGNAL:outer
	// POST_FIFO:to_inner
	// <- Queued:(1) Deferred:(0)
	// to_inner:outer
	// ENTRY_SIGNAL:inner
	// INIT_SIGNAL:inner
	// <- Queued:(2) Deferred:(0)
	// knock:inner
	// EXIT_SIGNAL:inner
	// ENTRY_SIGNAL:inner
	// INIT_SIGNAL:inner
	// <- Queued:(1) Deferred:(0)
	// knock:inner
	// knock:outer
	// knock:outer:HOOK
	// <- Queued:(0) Deferred:(0)
}

// The same chart as flat Go source. The file goes into the package of the
// handlers, in place of the factory's code, the constants and the signals.
func ExampleFactory_Source() {
	source, err := ergodicFactory().Source(factory.SourceConfig{})
	if err != nil {
		fmt.Println(err)
	}
	fmt.Printf("%s", source)
	// Output:
	// package factory_test
	//
	// import "github.com/statemesh/statemesh/hsm"
	//
	// const (
	// 	outer hsm.State = iota + 1
	// 	inner
	// )
	//
	// var (
	// 	toInner = hsm.NewSignal("to_inner")
	// 	knock   = hsm.NewSignal("knock")
	// )
	//
	// var chart = hsm.MustCompile([]hsm.Spec[*ergodic]{
	// 	outer: {Name: "outer", Handle: outerState},
	// 	inner: {Name: "inner", Parent: outer, Handle: innerState},
	// })
	//
	// func outerState(c *ergodic, e hsm.Event) hsm.Status {
	// 	switch e.Signal {
	// 	case hsm.Init:
	// 		return passOn(c.outerInit(e))
	// 	case toInner:
	// 		return passOn(c.goInner(e))
	// 	case knock:
	// 		return passOn(c.count(e))
	// 	}
	// 	return hsm.Super
	// }
	//
	// func innerState(c *ergodic, e hsm.Event) hsm.Status {
	// 	switch e.Signal {
	// 	case hsm.Entry:
	// 		return passOn(c.hello(e))
	// 	case knock:
	// 		return passOn(c.onlyFirst(e))
	// 	}
	// 	return hsm.Super
	// }
	//
	// // passOn makes Super of Unhandled: where a guard says no, the spy of a chart
	// // that was built from callbacks has no EMPTY_SIGNAL line.
	// func passOn(status hsm.Status) hsm.Status {
	// 	if status == hsm.Unhandled {
	// 		return hsm.Super
	// 	}
	// 	return status
	// }
}
