package door

import (
	"testing"
	"time"

	"github.com/statemesh/statemesh/activeobject/charttest"
)

func TestDoor(t *testing.T) {
	charttest.Run(t, newDoor, closed, func(c *charttest.Chart[*door]) {
		c.Post(turn, push, turn, push)
		c.After(3 * time.Second)
		c.GoldenTrace()
	})
}
