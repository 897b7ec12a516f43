package hsm_test

import (
	"fmt"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

var (
	coinIn = hsm.NewSignal("coin")
	pushed = hsm.NewSignal("push")
)

// A state that says what it catches is not called with anything else: locked not
// with Exit, gate never. The spy is the same as without the lists.
func ExampleSpec_catches() {
	const (
		gate hsm.State = iota + 1
		locked
		open
	)
	handle := func(name string, answers map[hsm.Signal]hsm.Status) func(struct{}, hsm.Event) hsm.Status {
		return func(_ struct{}, e hsm.Event) hsm.Status {
			fmt.Println(name, "is called with", e.Signal)
			if answer, ok := answers[e.Signal]; ok {
				return answer
			}
			return hsm.Super
		}
	}
	chart := hsm.MustCompile([]hsm.Spec[struct{}]{
		gate: {Name: "gate", Init: locked, Handle: handle("gate", nil), Catches: []hsm.Signal{}},
		locked: {Name: "locked", Parent: gate, Handle: handle("locked", map[hsm.Signal]hsm.Status{hsm.Entry: hsm.Handled, coinIn: hsm.Tran(open)}),
			Catches: []hsm.Signal{hsm.Entry, coinIn}},
		open: {Name: "open", Parent: gate, Handle: handle("open", map[hsm.Signal]hsm.Status{pushed: hsm.Tran(locked)}), Catches: []hsm.Signal{pushed}},
	})
	m := hsm.NewMachine(chart, struct{}{})
	source := instrument.Source{Tree: m.Tree(), NoSearch: true}
	m.SetLog(hsm.NewLog(hsm.LogConfig{Spy: 100, Live: func(records []hsm.Record, _ *hsm.Transition) {
		fmt.Println(" ", source.Spy(records))
	}}))
	if err := m.Start(gate); err != nil {
		fmt.Println(err)
	}
	for _, signal := range []hsm.Signal{coinIn, coinIn} {
		if err := m.Dispatch(hsm.Event{Signal: signal}); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// locked is called with ENTRY_SIGNAL
	//   [START ENTRY_SIGNAL:gate INIT_SIGNAL:gate ENTRY_SIGNAL:locked INIT_SIGNAL:locked <- Queued:(0) Deferred:(0)]
	// locked is called with coin
	//   [coin:locked EXIT_SIGNAL:locked ENTRY_SIGNAL:open INIT_SIGNAL:open <- Queued:(0) Deferred:(0)]
	//   [coin:open coin:gate <- Queued:(0) Deferred:(0)]
}
