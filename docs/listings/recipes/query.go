package recipes

import (
	"context"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
)

// howMany carries the channel for the reply; it has room for one.
var howMany = hsm.MustBind[chan int](hsm.NewSignal("how_many"))

type counter struct {
	*activeobject.ActiveObject
	count int
}

var counters = hsm.MustCompile([]hsm.Spec[*counter]{
	idle: {Name: "idle", Handle: (*counter).idle},
})

func (c *counter) idle(e hsm.Event) hsm.Status {
	switch e.Signal {
	case ring:
		c.count++
		return hsm.Handled
	case howMany:
		if reply, ok := hsm.Payload[chan int](e); ok {
			reply <- c.count
		}
		return hsm.Handled
	}
	return hsm.Super
}

// ask may be called from any goroutine but a handler's.
func (c *counter) ask(ctx context.Context) (int, error) {
	reply := make(chan int, 1)
	if _, err := c.PostFIFO(hsm.Event{Signal: howMany, Payload: reply}); err != nil {
		return 0, err
	}
	select {
	case n := <-reply:
		return n, nil
	case <-c.Done():
		return 0, activeobject.ErrStopped
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}
