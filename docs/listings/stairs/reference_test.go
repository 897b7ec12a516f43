package stairs

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/statemesh/statemesh/activeobject/charttest"
)

// TestReference: the light is on if the last press is less than a minute ago.
func TestReference(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		waits := rapid.SliceOf(rapid.IntRange(0, 90)).Draw(rt, "seconds between presses")
		charttest.Run(t, newLight, off, func(c *charttest.Chart[*light]) {
			ago := time.Hour // since the last press
			for _, seconds := range waits {
				wait := time.Duration(seconds) * time.Second
				c.After(wait)
				ago += wait
				if want := ago < time.Minute; (c.State() == on) != want {
					rt.Errorf("%v after the last press: in state %d, want on: %v", ago, c.State(), want)
				}
				c.Post(press)
				ago = 0
			}
		})
	})
}
