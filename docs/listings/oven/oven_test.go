package oven

import (
	"testing"
	"time"

	"github.com/statemesh/statemesh/activeobject/charttest"
)

func TestOven(t *testing.T) {
	charttest.Run(t, newOven, doorClosed, func(c *charttest.Chart[*oven]) {
		c.WantState(off)
		c.Post(bake)
		c.After(10 * time.Minute)
		c.Post(open)
		if c.Data.heater || !c.Data.lamp {
			t.Errorf("the door is open; heater %v, lamp %v", c.Data.heater, c.Data.lamp)
		}
		c.After(time.Hour) // nothing ends while the door is open
		c.Post(shut)
		c.WantState(baking)
		c.WantIn(heating)
		c.After(30 * time.Minute)
		c.WantTrace(`
			e->start_at() top->off
			e->bake() off->baking
			e->open() baking->door_open
			e->shut() door_open->baking
			e->time_up() baking->off
		`)
	})
}
