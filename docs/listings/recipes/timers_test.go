package recipes

import (
	"slices"
	"testing"
	"time"

	"github.com/statemesh/statemesh/activeobject/charttest"
	"github.com/statemesh/statemesh/hsm"
)

func TestTimers(t *testing.T) {
	for _, tt := range []struct {
		name  string
		posts []hsm.Signal
		after time.Duration
		rings int
	}{
		{"once, not yet", []hsm.Signal{once}, 3*time.Second - 1, 0},
		{"once", []hsm.Signal{once}, time.Hour, 1},
		{"several", []hsm.Signal{several}, time.Hour, 3},
		{"for ever", []hsm.Signal{forEver}, 10 * time.Second, 11},
		{"cancelled by id", []hsm.Signal{once, forEver, end}, time.Hour, 2},
		{"cancelled by signal", []hsm.Signal{once, several, forEver, endAll}, time.Hour, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			charttest.Run(t, newClock, idle, func(c *charttest.Chart[*clock]) {
				c.Post(tt.posts...)
				c.After(tt.after)
				if c.Data.rings != tt.rings {
					t.Errorf("%d rings, want %d", c.Data.rings, tt.rings)
				}
			})
		})
	}
}

func TestRestart(t *testing.T) {
	charttest.Run(t, newClock, idle, func(c *charttest.Chart[*clock]) {
		c.Post(watch)
		for range 5 {
			c.After(9 * time.Second)
			c.Post(alive)
		}
		c.After(10*time.Second - 1)
		c.WantState(watched)
		c.After(1)
		c.WantState(idle)
	})
}

func TestUrgent(t *testing.T) {
	charttest.Run(t, newClock, idle, func(c *charttest.Chart[*clock]) {
		c.Post(urgent)
		if want := []string{"alive", "ring"}; !slices.Equal(c.Data.order, want) {
			t.Errorf("in the order %q, want %q", c.Data.order, want)
		}
	})
}
