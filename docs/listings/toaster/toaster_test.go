package toaster

import (
	"slices"
	"testing"
	"time"

	"github.com/statemesh/statemesh/activeobject/charttest"
	"github.com/statemesh/statemesh/hsm"
)

func TestToaster(t *testing.T) {
	charttest.Run(t, newToaster, idle, func(c *charttest.Chart[*toaster]) {
		c.PostEvent(
			hsm.Event{Signal: slice, Payload: "rye"},
			hsm.Event{Signal: slice, Payload: "wheat"},
		)
		c.After(4 * time.Minute)
		if want := []string{"rye", "wheat"}; !slices.Equal(c.Data.done, want) {
			t.Errorf("done: %q, want %q", c.Data.done, want)
		}
		c.WantTrace(`
			e->start_at() top->idle
			e->slice() idle->toasting
			e->popped() toasting->idle
			e->slice() idle->toasting
			e->popped() toasting->idle
		`)
	})
}
