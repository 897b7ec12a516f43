package charttest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/activeobject/charttest"
	"github.com/statemesh/statemesh/hsm"
)

// A script posts, lets time pass and says what it wants. Between two steps it may
// look into the chart's own data.
func ExampleChart() {
	var t *testing.T // of the test function

	charttest.Run(t, newDoor, "closed", func(c *charttest.Chart[*door]) {
		c.PostEvent(hsm.Event{Signal: push, Payload: "gently"})
		c.WantIn(open)
		c.After(time.Minute) // takes no time
		c.WantState(closed)
		if c.Data.opened != 1 {
			t.Errorf("opened %d times", c.Data.opened)
		}
		c.WantTrace(`
			e->start_at() top->closed
			e->push() closed->open
			e->shut() open->closed
		`)
		c.Post(push)
		c.WantTrace(`e->push() closed->open`) // since the script last looked
	})
}

// A handler that is meant to fail: without WantErr the failure fails the test.
func ExampleChart_WantErr() {
	var t *testing.T // of the test function

	charttest.Run(t, newDoor, closed, func(c *charttest.Chart[*door]) {
		c.Post(kick)
		c.WantErr(activeobject.ErrPanic)
	})
}

// The trace is kept in testdata, written by go test -charttest.update.
func ExampleChart_GoldenTrace() {
	var t *testing.T // of the test function

	charttest.Run(t, newDoor, closed, func(c *charttest.Chart[*door]) {
		c.Post(push)
		c.After(time.Minute)
		c.GoldenTrace() // testdata/TestName.trace
		c.GoldenSpy()   // testdata/TestName.spy
	})
}

// Two objects in one bubble of virtual time. A step ends when both are idle.
func ExampleStart() {
	var t *testing.T // of the test function

	synctest.Test(t, func(t *testing.T) {
		front := charttest.Start(t, newDoor, closed)
		back := charttest.Start(t, newDoor, closed)
		front.Post(push)
		front.After(2 * time.Second)
		back.Post(push)
		back.After(time.Second)
		front.WantState(closed) // it shuts after three seconds
		back.WantState(open)
	})
}

// A machine and an object in one bubble.
func ExampleStartMachine() {
	var t *testing.T // of the test function

	newLight := func(*hsm.Queue) *hsm.Machine[*light] { return hsm.NewMachine(lights, &light{}) }
	synctest.Test(t, func(t *testing.T) {
		lamp := charttest.StartMachine(t, newLight, off)
		gate := charttest.Start(t, newDoor, closed)
		gate.Post(push)
		lamp.Post(press)
		gate.WantState(open)
		lamp.WantState(on)
	})
}
