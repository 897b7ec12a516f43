package bulb

import (
	"fmt"

	"github.com/statemesh/statemesh/hsm"
)

func Example() {
	m := hsm.NewMachine(chart, &lamp{left: 1})
	if err := m.Start(plugged); err != nil {
		fmt.Println(err)
	}
	for range 4 {
		if err := m.Dispatch(hsm.Event{Signal: press}); err != nil {
			fmt.Println(err)
		}
		fmt.Println("the lamp is", m.Tree().Name(m.State()))
	}
	// Output:
	// the lamp is on
	// the lamp is off
	// click
	// the lamp is off
	// click
	// the lamp is off
}
