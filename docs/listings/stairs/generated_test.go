package stairs

// These tests were made of a recorded trace. What a trace does not tell:
//
//   - Events that made no transition are not in it. Post those that matter.
//   - Nor are payloads: use PostEvent where a handler needs one.
//   - An object that is started in a state with an initial transition has to be
//     started there, and not in the state that it arrives in.

import (
	"testing"
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/activeobject/charttest"
	"github.com/statemesh/statemesh/hsm"
)

// newTracedStairs makes the object that the trace calls "stairs".
func newTracedStairs(c activeobject.Config) charttest.Object { return newLight(c) }

func TestStairsTrace(t *testing.T) {
	charttest.Run(t, newTracedStairs, "off", func(c *charttest.Chart[charttest.Object]) {
		c.After(20 * time.Second)
		c.Post(hsm.NewSignal("press"))
		c.After(20 * time.Second)
		c.Post(hsm.NewSignal("press"))
		c.After(time.Minute) // the chart itself posts time_up
		c.WantTrace(`
			e->start_at() top->off
			e->press() off->on
			e->press() on->on
			e->time_up() on->off
		`)
	})
}
