package charttest_test

import (
	"testing"
	"time"

	"github.com/statemesh/statemesh/activeobject/charttest"
	"github.com/statemesh/statemesh/hsm"
)

// The test of an active object, with its timers. The state machine of newDoor
// arms a timer of three seconds when the door is opened.
func ExampleRun() {
	var t *testing.T // of the test function

	charttest.Run(t, newDoor, closed, func(c *charttest.Chart[*door]) {
		c.Post(push)
		c.After(3*time.Second - 1)
		c.WantState(open)
		c.After(1)
		c.WantState(closed)
		c.WantTrace(`
			e->start_at() top->closed
			e->push() closed->open
			e->shut() open->closed
		`)
	})
}

// The test of a machine that has no goroutine.
func ExampleRunMachine() {
	var t *testing.T // of the test function

	newLight := func(*hsm.Queue) *hsm.Machine[*light] { return hsm.NewMachine(lights, &light{}) }
	charttest.RunMachine(t, newLight, off, func(c *charttest.Chart[*light]) {
		c.Post(press, press, press)
		c.WantState(on)
		if c.Data.presses != 3 {
			t.Errorf("pressed %d times", c.Data.presses)
		}
	})
}
