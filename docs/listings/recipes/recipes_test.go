package recipes

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/activeobject/charttest"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFabric(t *testing.T) {
	var fabric *activeobject.Fabric
	newDisplay := func(c activeobject.Config) *display {
		fabric = c.Fabric
		d := &display{}
		d.ActiveObject = activeobject.New("display", hsm.NewMachine(displays, d), c)
		return d
	}
	charttest.Run(t, newDisplay, idle, func(c *charttest.Chart[*display]) {
		thermometer := newClock(activeobject.Config{Fabric: fabric})
		for _, degrees := range []float64{20, 20.5} {
			if err := measured(thermometer.ActiveObject, degrees); err != nil {
				t.Error(err)
			}
		}
		c.Settle()
		if want := []float64{20, 20.5}; !slices.Equal(c.Data.shown, want) {
			t.Errorf("shows %v, want %v", c.Data.shown, want)
		}
	})
}

func TestQuery(t *testing.T) {
	newCounter := func(c activeobject.Config) *counter {
		o := &counter{}
		o.ActiveObject = activeobject.New("counter", hsm.NewMachine(counters, o), c)
		return o
	}
	charttest.Run(t, newCounter, idle, func(c *charttest.Chart[*counter]) {
		c.Post(ring, ring, ring)
		if n, err := c.Data.ask(context.Background()); n != 3 || err != nil {
			t.Errorf("it says %d, %v; want 3", n, err)
		}
		if err := c.Data.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		if _, err := c.Data.ask(context.Background()); !errors.Is(err, activeobject.ErrStopped) {
			t.Errorf("a stopped one says %v", err)
		}
	})
}

func TestWork(t *testing.T) {
	newWorker := func(c activeobject.Config) *worker {
		w := &worker{ctx: context.Background(), do: func(ctx context.Context) string {
			select {
			case <-time.After(time.Minute):
				return "done"
			case <-ctx.Done():
				return "given up"
			}
		}}
		w.ActiveObject = activeobject.New("worker", hsm.NewMachine(workers, w), c)
		return w
	}
	charttest.Run(t, newWorker, resting, func(c *charttest.Chart[*worker]) {
		c.Post(begin)
		c.After(time.Minute - 1)
		c.WantState(working)
		c.After(1)
		c.WantState(resting)
		if c.Data.result != "done" {
			t.Errorf("the result is %q", c.Data.result)
		}
		c.Post(begin)
		c.Spy()
		c.Post(giveUp)
		c.WantSpy(`
			give_up:working
			EXIT_SIGNAL:working
			ENTRY_SIGNAL:resting
			INIT_SIGNAL:resting
			<- Queued:(0) Deferred:(0)
			finished:resting
			<- Queued:(0) Deferred:(0)
		`)
	})
}

// breaking fails whenever it rings.
type breaking struct{ *activeobject.ActiveObject }

var breakings = hsm.MustCompile([]hsm.Spec[*breaking]{
	idle: {Name: "idle", Handle: func(_ *breaking, e hsm.Event) hsm.Status {
		if e.Signal == ring {
			panic("it breaks")
		}
		return hsm.Super
	}},
})

func newBreaking(t *testing.T, c activeobject.Config) *breaking {
	b := &breaking{}
	b.ActiveObject = activeobject.New("breaking", hsm.NewMachine(breakings, b), c)
	if err := b.Start(t.Context(), idle); err != nil {
		t.Fatal(err)
	}
	if _, err := b.PostFIFO(hsm.Event{Signal: ring}); err != nil {
		t.Fatal(err)
	}
	return b
}

// plainLog writes without times.
func plainLog(b *bytes.Buffer) *slog.Logger {
	return slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

func TestLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		b := newBreaking(t, logged(plainLog(&out)))
		<-b.Done()
		synctest.Wait()
		want := `level=ERROR msg="a chart stopped" object=breaking state=idle signal=ring error="activeobject: a handler panicked"` + "\n"
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("the log (-want +got):\n%s", diff)
		}
	})
}

func TestRestarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		b := newBreaking(t, restarted(plainLog(&out)))
		time.Sleep(time.Second)
		synctest.Wait()
		want := `level=WARN msg="starting again" object=breaking error="activeobject: a handler panicked"` + "\n"
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("the log (-want +got):\n%s", diff)
		}
		for range 3 {
			if _, err := b.PostFIFO(hsm.Event{Signal: ring}); err != nil {
				t.Error(err)
			}
			time.Sleep(20 * time.Second)
			synctest.Wait()
		}
		<-b.Done()
		if !errors.Is(b.Err(), activeobject.ErrGaveUp) {
			t.Errorf("after four failures: %v", b.Err())
		}
	})
}

func TestTraced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		c, stop := traced(plainLog(&out))
		o := newClock(c)
		if err := o.Start(t.Context(), idle); err != nil {
			t.Fatal(err)
		}
		if err := o.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		stop()
		want := "level=INFO msg=transition object=clock signal=start_at from=top to=idle\n"
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("the log (-want +got):\n%s", diff)
		}
	})
}

func TestBounded(t *testing.T) {
	for _, tt := range []struct {
		name              string
		new               func(activeobject.Config) *clock
		taken             int
		rejected, dropped uint64
	}{
		{"reject", small, 16, 4, 0},
		{"drop", newest, 20, 0, 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := tt.new(activeobject.Config{}) // not started, so events wait
			taken := 0
			for range 20 {
				ok, err := offer(o, hsm.Event{Signal: ring})
				if err != nil {
					t.Error(err)
				}
				if ok {
					taken++
				}
			}
			s := o.Stats()
			if taken != tt.taken || s.Rejected != tt.rejected || s.Dropped != tt.dropped || s.Waiting != 16 {
				t.Errorf("%d taken, %+v", taken, s)
			}
		})
	}
}

func TestServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		o := newClock(activeobject.Config{Instrument: instrument.Config{Spy: true}})
		if _, err := o.PostFIFO(hsm.Event{Signal: forEver}); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		if err := serve(ctx, o); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took != time.Minute || o.rings < 60 {
			t.Errorf("it took %v and rang %d times", took, o.rings)
		}
		if spy := strings.Join(o.Recorder().Spy(), "\n"); !strings.Contains(spy, "ring:idle:HOOK") {
			t.Errorf("the spy is\n%s", spy)
		}
	})
}

func TestMatching(t *testing.T) {
	newLogger := func(*hsm.Queue) *hsm.Machine[*logger] { return hsm.NewMachine(loggers, &logger{}) }
	charttest.RunMachine(t, newLogger, idle, func(c *charttest.Chart[*logger]) {
		c.Post(hsm.NewSignal("error.disk"), hsm.NewSignal("hello"), hsm.NewSignal("error.disk.full"))
		if got := *c.Data; got != (logger{errors: 2, others: 1}) {
			t.Errorf("counted %+v", got)
		}
	})
}
