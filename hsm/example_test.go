package hsm_test

import (
	"fmt"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

// A light switch: two states inside a third one, which handles what both have
// in common.
const (
	lamp hsm.State = iota + 1 // hsm.Top is 0
	off
	on
)

var (
	press    = hsm.NewSignal("press")
	powerCut = hsm.NewSignal("power_cut")
)

// light is the chart's own data.
type light struct{ presses int }

var lightChart = hsm.MustCompile([]hsm.Spec[*light]{
	lamp: {Name: "lamp", Handle: (*light).lamp, Init: off},
	off:  {Name: "off", Parent: lamp, Handle: (*light).off},
	on:   {Name: "on", Parent: lamp, Handle: (*light).on},
})

func (l *light) lamp(e hsm.Event) hsm.Status {
	switch e.Signal {
	case powerCut:
		return hsm.Tran(off)
	}
	return hsm.Super
}

func (l *light) off(e hsm.Event) hsm.Status {
	switch e.Signal {
	case press:
		l.presses++
		return hsm.Tran(on)
	}
	return hsm.Super
}

func (l *light) on(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		fmt.Println("light")
		return hsm.Handled
	case hsm.Exit:
		fmt.Println("dark")
		return hsm.Handled
	case press:
		l.presses++
		return hsm.Tran(off)
	}
	return hsm.Super
}

// The smallest way to run a chart: start a machine, give it events.
func Example_lightSwitch() {
	l := &light{}
	m := hsm.NewMachine(lightChart, l)
	if err := m.Start(lamp); err != nil {
		fmt.Println(err)
	}
	for _, signal := range []hsm.Signal{press, press, press, powerCut} {
		if err := m.Dispatch(hsm.Event{Signal: signal}); err != nil {
			fmt.Println(err)
		}
		fmt.Println("now", m.Tree().Name(m.State()))
	}
	fmt.Println("pressed", l.presses, "times")
	// Output:
	// light
	// now on
	// dark
	// now off
	// light
	// now on
	// dark
	// now off
	// pressed 3 times
}

// A Runner has the queue that handlers post to, and a log whose text says all
// that happened. The text is made only when it is asked for.
func ExampleRunner() {
	queue := hsm.NewQueue(0, hsm.Reject)
	r := hsm.NewRunner(hsm.NewMachine(lightChart, &light{}), queue, hsm.LogConfig{Spy: 100})
	if err := r.Start(on); err != nil {
		fmt.Println(err)
	}
	for range 2 {
		if err := r.PostFIFO(hsm.Event{Signal: press}); err != nil {
			fmt.Println(err)
		}
	}
	if err := r.Run(); err != nil {
		fmt.Println(err)
	}
	source := instrument.Source{Tree: r.Tree(), NoSearch: true}
	for _, line := range source.Spy(r.Log().Records(100)) {
		fmt.Println(line)
	}
	// Output:
	// light
	// dark
	// light
	// START
	// ENTRY_SIGNAL:lamp
	// ENTRY_SIGNAL:on
	// INIT_SIGNAL:on
	// <- Queued:(0) Deferred:(0)
	// press:on
	// EXIT_SIGNAL:on
	// ENTRY_SIGNAL:off
	// INIT_SIGNAL:off
	// <- Queued:(1) Deferred:(0)
	// press:off
	// EXIT_SIGNAL:off
	// ENTRY_SIGNAL:on
	// INIT_SIGNAL:on
	// <- Queued:(0) Deferred:(0)
}
