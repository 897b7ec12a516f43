package lamp

import (
	"fmt"

	"github.com/statemesh/statemesh/hsm"
)

func Example() {
	m := hsm.NewMachine(chart, &lamp{})
	if err := m.Start(plugged); err != nil {
		fmt.Println(err)
	}
	fmt.Println("it starts", m.Tree().Name(m.State()))
	for _, signal := range []hsm.Signal{press, pull, press, plug, press} {
		fmt.Println(signal)
		if err := m.Dispatch(hsm.Event{Signal: signal}); err != nil {
			fmt.Println(err)
		}
		fmt.Println("  now", m.Tree().Name(m.State()))
	}
	// Output:
	// it starts off
	// press
	//   it becomes light
	//   now on
	// pull
	//   it becomes dark
	//   now unplugged
	// press
	//   now unplugged
	// plug
	//   now off
	// press
	//   it becomes light
	//   now on
}
