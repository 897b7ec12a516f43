package charttest_test

import (
	"flag"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/activeobject/charttest"
	"github.com/statemesh/statemesh/hsm"
)

const (
	off hsm.State = iota + 1
	on
)

var (
	press = hsm.NewSignal("press")
	again = hsm.NewSignal("again")
	odd   = hsm.NewSignal("odd")
)

type light struct {
	*hsm.Queue
	presses int
	since   time.Time
}

var lights = hsm.MustCompile([]hsm.Spec[*light]{
	off: {Name: "off", Handle: (*light).off},
	on:  {Name: "on", Handle: (*light).on},
})

func (l *light) off(e hsm.Event) hsm.Status {
	switch e.Signal {
	case press:
		l.presses++
		return hsm.Tran(on)
	case again:
		if err := l.PostFIFO(hsm.Event{Signal: press}); err != nil {
			panic(err)
		}
		return hsm.Handled
	case odd:
		return 0
	}
	return hsm.Super
}

func (l *light) on(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		l.since = time.Now()
		return hsm.Handled
	case press:
		l.presses++
		return hsm.Tran(off)
	}
	return hsm.Super
}

func newLight(q *hsm.Queue) *hsm.Machine[*light] { return hsm.NewMachine(lights, &light{Queue: q}) }

// TestMachine: what handlers post is done too, and time passes.
func TestMachine(t *testing.T) {
	charttest.RunMachine(t, newLight, off, func(c *charttest.Chart[*light]) {
		c.Post(again)
		c.WantState(on)
		c.After(time.Hour)
		if lit := time.Since(c.Data.since); lit != time.Hour {
			t.Errorf("lit for %v", lit)
		}
		c.WantTrace("e->start_at() top->off\ne->press() off->on")
		c.PostEvent(hsm.Event{Signal: press, Payload: 1})
		c.WantTrace("e->press() on->off")
		c.WantSpy(`
			START
			ENTRY_SIGNAL:off
			INIT_SIGNAL:off
			<- Queued:(0) Deferred:(0)
			again:off
			POST_FIFO:press
			again:off:HOOK
			<- Queued:(1) Deferred:(0)
			press:off
			EXIT_SIGNAL:off
			ENTRY_SIGNAL:on
			INIT_SIGNAL:on
			<- Queued:(0) Deferred:(0)
			press:on
			EXIT_SIGNAL:on
			ENTRY_SIGNAL:off
			INIT_SIGNAL:off
			<- Queued:(0) Deferred:(0)
		`)
	})
}

// TestMistakeOfMachine: a machine goes on after a mistake, with what waited
// behind it too.
func TestMistakeOfMachine(t *testing.T) {
	charttest.RunMachine(t, newLight, "off", func(c *charttest.Chart[*light]) {
		if err := c.Data.PostFIFO(hsm.Event{Signal: odd}); err != nil {
			t.Fatal(err)
		}
		c.Post(press)
		c.WantErr(hsm.ErrStatus)
		c.WantState(on)
	})
}

// TestPastedTrace: a piece of a log will do.
func TestPastedTrace(t *testing.T) {
	charttest.Run(t, newDoor, closed, func(c *charttest.Chart[*door]) {
		c.Post(push)
		c.WantTrace(`
[+t] [2026-11-21 23:52:08.586666] [cd2a4_ao] e->start_at() top->closed

     [2026-11-21 23:52:09.586666] [other name] e->push() closed->open
`)
		c.After(3 * time.Second)
		c.WantTrace("[door] e->shut() open->closed")
		c.WantTrace("")
	})
}

// TestFailureOfObject: what a handler does wrong can be wanted.
func TestFailureOfObject(t *testing.T) {
	charttest.Run(t, newDoor, closed, func(c *charttest.Chart[*door]) {
		c.Post(kick)
		c.WantErr(activeobject.ErrPanic)
		c.WantState(closed)
	})
}

// TestSettle: the script may use the data as the chart does.
func TestSettle(t *testing.T) {
	charttest.Run(t, newDoor, closed, func(c *charttest.Chart[*door]) {
		c.Data.opened = 10
		for range 2 {
			if _, err := c.Data.PostFIFO(hsm.Event{Signal: push}, activeobject.Once(time.Second)); err != nil {
				t.Fatal(err)
			}
		}
		c.Settle()
		c.WantState(closed)
		c.After(time.Second)
		c.WantState(open)
		if c.Data.opened != 11 {
			t.Errorf("opened %d times, want 11", c.Data.opened)
		}
	})
}

// TestSeveral: two charts of one bubble, on one fabric.
func TestSeveral(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fabric := activeobject.NewFabric()
		newOne := func(c activeobject.Config) *door {
			c.Fabric = fabric
			return newDoor(c)
		}
		a := charttest.Start(t, newOne, closed)
		b := charttest.Start(t, newOne, closed)
		l := charttest.StartMachine(t, newLight, off)
		if err := b.Data.Subscribe(push, activeobject.FIFO); err != nil {
			t.Fatal(err)
		}
		if err := a.Data.Publish(hsm.Event{Signal: push}, activeobject.DefaultPriority); err != nil {
			t.Fatal(err)
		}
		b.Settle()
		b.WantState(open)
		a.WantState(closed)
		l.Post(press)
		l.After(3 * time.Second)
		b.WantState(closed)
		l.WantState(on)

		// While one is driven, the data of the other is the script's between the steps.
		if _, err := b.Data.PostFIFO(hsm.Event{Signal: push}, activeobject.Every(4*time.Second)); err != nil {
			t.Fatal(err)
		}
		before := b.Data.opened
		for range 40 {
			b.Data.opened++
			l.After(time.Second)
		}
		if got := b.Data.opened - before; got != 50 {
			t.Errorf("opened %d times and counted up 40 times: %d, want 50", got-40, got)
		}
	})
}

// TestParallel: tests in parallel do not hear each other.
func TestParallel(t *testing.T) {
	for _, name := range []string{"a", "b", "c", "d"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			charttest.Run(t, newDoor, closed, func(c *charttest.Chart[*door]) {
				if err := c.Data.Subscribe(push, activeobject.FIFO); err != nil {
					t.Fatal(err)
				}
				for range 100 {
					if err := c.Data.Publish(hsm.Event{Signal: push}, activeobject.DefaultPriority); err != nil {
						t.Fatal(err)
					}
					c.After(3 * time.Second)
				}
				if c.Data.opened != 100 {
					t.Errorf("opened %d times, want 100", c.Data.opened)
				}
				c.GoldenTrace()
			})
		})
	}
}

// A flag of the tests' own, which must not be in the way of the package's.
var _ = flag.Bool("update", false, "write the golden files")

// TestOwnUpdateFlag: it makes golden files too.
func TestOwnUpdateFlag(t *testing.T) {
	t.Chdir(t.TempDir())
	was := flag.Lookup("update").Value.String()
	if err := flag.Set("update", "true"); err != nil {
		t.Fatal(err)
	}
	charttest.Run(t, newDoor, closed, func(c *charttest.Chart[*door]) { c.GoldenTrace() })
	if err := flag.Set("update", was); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile("testdata/TestOwnUpdateFlag.trace")
	if err != nil || string(b) != "e->start_at() top->closed\n" {
		t.Errorf("the file has %q, %v", b, err)
	}
}
