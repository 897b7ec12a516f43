package instrument_test

import (
	"errors"
	"fmt"
	"os"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

const (
	closed hsm.State = iota + 1
	open
)

var push = hsm.NewSignal("push")

// gate is the data of a chart of two states.
type gate struct{ pushed int }

var gates = hsm.MustCompile([]hsm.Spec[*gate]{
	closed: {Name: "closed", Handle: func(g *gate, e hsm.Event) hsm.Status {
		if e.Signal != push {
			return hsm.Super
		}
		if g.pushed++; g.pushed < 2 {
			return hsm.Handled // it needs more than that
		}
		return hsm.Tran(open)
	}},
	open: {Name: "open", Handle: func(*gate, hsm.Event) hsm.Status { return hsm.Super }},
})

// A recorder remembers what one machine did.
func ExampleRecorder() {
	m := hsm.NewMachine(gates, &gate{})
	r := instrument.NewRecorder(instrument.Source{Name: "gate", Tree: m.Tree()},
		instrument.Config{Spy: true, Trace: true, NoSearch: true}, nil)
	m.SetLog(r.Log())
	if err := errors.Join(m.Start(closed), m.Dispatch(hsm.Event{Signal: push}), m.Dispatch(hsm.Event{Signal: push})); err != nil {
		fmt.Println(err)
	}
	for _, line := range r.Spy() {
		fmt.Println(line)
	}
	for _, line := range instrument.Stripped(r.TraceText()) {
		fmt.Println(line)
	}
	// Output:
	// START
	// ENTRY_SIGNAL:closed
	// INIT_SIGNAL:closed
	// <- Queued:(0) Deferred:(0)
	// push:closed
	// push:closed:HOOK
	// <- Queued:(0) Deferred:(0)
	// push:closed
	// EXIT_SIGNAL:closed
	// ENTRY_SIGNAL:open
	// INIT_SIGNAL:open
	// <- Queued:(0) Deferred:(0)
	// [gate] e->start_at() top->closed
	// [gate] e->push() closed->open
}

// A Live is told what machines do while they do it.
func ExampleLive() {
	p := instrument.NewPrinter(os.Stdout, instrument.Colours(os.Stdout))
	live := instrument.NewLive(instrument.LiveConfig{
		Trace: func(t instrument.Trace) error { // or p.Trace, for the time too
			_, err := fmt.Println(instrument.Stripped(t.String())[0])
			return err
		},
		Spy: p.Spy,
	})
	m := hsm.NewMachine(gates, &gate{pushed: 1})
	r := instrument.NewRecorder(instrument.Source{Name: "gate", Tree: m.Tree()},
		instrument.Config{Spy: true, Trace: true, NoSearch: true, Live: []*instrument.Live{live}}, nil)
	m.SetLog(r.Log())
	if err := errors.Join(m.Start(closed), m.Dispatch(hsm.Event{Signal: push})); err != nil {
		fmt.Println(err)
	}
	live.Close() // hands on what waits
	// Output:
	// [gate] e->start_at() top->closed
	// gate START
	// gate ENTRY_SIGNAL:closed
	// gate INIT_SIGNAL:closed
	// gate <- Queued:(0) Deferred:(0)
	// [gate] e->push() closed->open
	// gate push:closed
	// gate EXIT_SIGNAL:closed
	// gate ENTRY_SIGNAL:open
	// gate INIT_SIGNAL:open
	// gate <- Queued:(0) Deferred:(0)
}

// What a chart did is compared without the times at which it did it.
func ExampleStripped() {
	trace := `
		[2018-05-04 08:02:40.594301] [0ca32_ao] e->start_at() top->outer
		[2018-05-04 08:02:40.594417] [0ca32_ao] e->to_inner() outer->inner
	`
	for _, line := range instrument.Stripped(trace) {
		fmt.Println(line)
	}
	// Output:
	// [0ca32_ao] e->start_at() top->outer
	// [0ca32_ao] e->to_inner() outer->inner
}
