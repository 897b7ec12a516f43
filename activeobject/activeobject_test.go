package activeobject_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

const (
	off hsm.State = iota + 1
	on
)

var (
	press = hsm.NewSignal("press")
	tick  = hsm.NewSignal("tick")
	boom  = hsm.NewSignal("boom")
)

type light struct {
	*activeobject.ActiveObject
	ticks int
	id    activeobject.TimerID
	times []time.Duration
	begin time.Time
}

func (l *light) off(e hsm.Event) hsm.Status {
	switch e.Signal {
	case press:
		return hsm.Tran(on)
	case boom:
		panic("short circuit")
	}
	return hsm.Super
}

func (l *light) on(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		l.id, _ = l.PostFIFO(hsm.Event{Signal: tick}, activeobject.Every(time.Second))
		return hsm.Handled
	case hsm.Exit:
		l.CancelEvent(l.id)
		return hsm.Handled
	case tick:
		l.ticks++
		l.times = append(l.times, time.Since(l.begin))
		return hsm.Handled
	case press:
		return hsm.Tran(off)
	}
	return hsm.Super
}

var lights = hsm.MustCompile([]hsm.Spec[*light]{
	off: {Name: "off", Handle: (*light).off},
	on:  {Name: "on", Handle: (*light).on},
})

func newLight(c activeobject.Config) *light {
	l := &light{begin: time.Now()}
	l.ActiveObject = activeobject.New("light", hsm.NewMachine(lights, l), c)
	return l
}

func TestTicksWhileOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLight(activeobject.Config{Instrument: instrument.Config{Spy: true, Trace: true}})
		if err := l.Start(t.Context(), off); err != nil {
			t.Fatal(err)
		}
		l.PostFIFO(hsm.Event{Signal: press})
		time.Sleep(3500 * time.Millisecond)
		l.PostFIFO(hsm.Event{Signal: press})
		time.Sleep(time.Hour)
		if err := l.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		want := []time.Duration{time.Second, 2 * time.Second, 3 * time.Second}
		if diff := cmp.Diff(want, l.times); diff != "" {
			t.Errorf("ticks at (-want +got):\n%s", diff)
		}
		wantTrace := []string{
			"[light] e->start_at() top->off",
			"[light] e->press() off->on",
			"[light] e->press() on->off",
		}
		if diff := cmp.Diff(wantTrace, instrument.Stripped(l.Recorder().TraceText())); diff != "" {
			t.Errorf("trace (-want +got):\n%s", diff)
		}
	})
}

func TestPanicStopsTheObject(t *testing.T) {
	l := newLight(activeobject.Config{})
	if err := l.Start(t.Context(), off); err != nil {
		t.Fatal(err)
	}
	l.PostFIFO(hsm.Event{Signal: boom})
	<-l.Done()
	var f *activeobject.Failure
	if !errors.As(l.Err(), &f) || !errors.Is(f, activeobject.ErrPanic) {
		t.Fatalf("Err is %v, want a Failure with ErrPanic", l.Err())
	}
	if f.State != "off" || f.Event.Signal != boom || !strings.Contains(f.Stack, "(*light).off") {
		t.Errorf("failure has state %q, event %v, stack:\n%s", f.State, f.Event, f.Stack)
	}
	if _, err := l.PostFIFO(hsm.Event{Signal: press}); !errors.Is(err, activeobject.ErrStopped) {
		t.Errorf("posting to a stopped object gives %v, want ErrStopped", err)
	}
	if err := l.Start(t.Context(), on); err != nil {
		t.Fatalf("starting again: %v", err)
	}
	l.PostFIFO(hsm.Event{Signal: press})
	if err := l.Drain(t.Context()); err != nil || l.State() != off {
		t.Errorf("after a restart in on and a press: %v in state %v, want off", err, l.State())
	}
}
