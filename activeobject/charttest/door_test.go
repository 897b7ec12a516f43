package charttest_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/activeobject/charttest"
	"github.com/statemesh/statemesh/hsm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A door that shuts by itself, unless it is held.
const (
	closed hsm.State = iota + 1
	open
	held
)

var (
	push    = hsm.NewSignal("push")
	hold    = hsm.NewSignal("hold")
	release = hsm.NewSignal("release")
	shut    = hsm.NewSignal("shut")
	kick    = hsm.NewSignal("kick")
)

type door struct {
	*activeobject.ActiveObject
	opened int
	timer  activeobject.TimerID
}

var doors = hsm.MustCompile([]hsm.Spec[*door]{
	closed: {Name: "closed", Handle: (*door).closed},
	open:   {Name: "open", Handle: (*door).open},
	held:   {Name: "held", Parent: open, Handle: (*door).held},
})

func (d *door) closed(e hsm.Event) hsm.Status {
	switch e.Signal {
	case push:
		return hsm.Tran(open)
	case kick:
		panic("it breaks")
	}
	return hsm.Super
}

func (d *door) open(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		d.opened++
		id, err := d.PostFIFO(hsm.Event{Signal: shut}, activeobject.Once(3*time.Second))
		if err != nil {
			panic(err)
		}
		d.timer = id
		return hsm.Handled
	case hsm.Exit:
		d.CancelEvent(d.timer)
		return hsm.Handled
	case hold:
		return hsm.Tran(held)
	case shut:
		return hsm.Tran(closed)
	}
	return hsm.Super
}

func (d *door) held(e hsm.Event) hsm.Status {
	switch e.Signal {
	case shut:
		if err := d.Defer(e); err != nil {
			panic(err)
		}
		return hsm.Handled
	case release:
		if _, err := d.Recall(); err != nil {
			panic(err)
		}
		return hsm.Tran(open)
	}
	return hsm.Super
}

func newDoor(c activeobject.Config) *door {
	d := &door{}
	d.ActiveObject = activeobject.New("door", hsm.NewMachine(doors, d), c)
	return d
}

func TestDoor(t *testing.T) {
	t.Parallel()
	charttest.Run(t, newDoor, closed, func(c *charttest.Chart[*door]) {
		c.Post(push)
		c.After(3 * time.Second) // the door shuts by itself
		c.WantState(closed)
		c.WantTrace(`
			e->start_at() top->closed
			e->push() closed->open
			e->shut() open->closed
		`)
	})
}

// A door that is held shuts when it is released, and not before.
func TestHeldDoor(t *testing.T) {
	t.Parallel()
	charttest.Run(t, newDoor, "closed", func(c *charttest.Chart[*door]) {
		c.Post(push, hold)
		c.After(time.Minute)
		c.WantState(held)
		c.WantIn(open)
		if c.Data.opened != 1 || c.Data.Deferred() != 1 {
			t.Errorf("opened %d times, %d events deferred; want 1 and 1", c.Data.opened, c.Data.Deferred())
		}
		c.Post(release)
		c.WantState(closed)
		c.GoldenTrace()
		c.GoldenSpy()
	})
}
