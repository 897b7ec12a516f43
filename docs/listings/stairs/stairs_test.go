package stairs

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/activeobject/charttest"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

func TestLight(t *testing.T) {
	charttest.Run(t, newLight, off, func(c *charttest.Chart[*light]) {
		c.Post(press)
		c.After(40 * time.Second)
		c.Post(press)
		c.After(59 * time.Second)
		c.WantState(on)
		c.After(time.Second)
		c.WantState(off)
		c.WantTrace(`
			e->start_at() top->off
			e->press() off->on
			e->press() on->on
			e->time_up() on->off
		`)
	})
}

func Example() {
	ctx := context.Background()
	l := newLight(activeobject.Config{Instrument: instrument.Config{Trace: true}})
	if err := l.Start(ctx, off); err != nil {
		fmt.Println(err)
		return
	}
	l.PostFIFO(hsm.Event{Signal: press}) // from any goroutine
	if err := l.Drain(ctx); err != nil { // handle what waits, then stop
		fmt.Println(err)
	}
	for _, line := range instrument.Stripped(l.Recorder().TraceText()) {
		fmt.Println(line)
	}
	// Output:
	// [stairs] e->start_at() top->off
	// [stairs] e->press() off->on
}
