package activeobject_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	root  hsm.State = iota + 1
	left            // inside root
	right           // inside root
)

// The signals that tests give to probes. All but gate and run mean nothing.
var (
	gate = hsm.NewSignal("gate") // carries a *barrier
	run  = hsm.NewSignal("run")  // carries a func()

	sigA = hsm.NewSignal("A")
	sigB = hsm.NewSignal("B")
	sigC = hsm.NewSignal("C")
	sigD = hsm.NewSignal("D")
	sigU = hsm.NewSignal("U")
)

// probe is an object that notes what it handles. A test says what else its
// handlers do.
type probe struct {
	*activeobject.ActiveObject
	// react, if set, is asked first; an answer of zero means no opinion.
	react func(at hsm.State, e hsm.Event) hsm.Status
	// got has the events in the order of their handling, but for gate and run.
	// It belongs to the object's goroutine.
	got []string
}

// probes has no two states that differ: what they do is up to react.
var probes = hsm.MustCompile([]hsm.Spec[*probe]{
	root:  {Name: "root", Handle: func(p *probe, e hsm.Event) hsm.Status { return p.handle(root, e) }},
	left:  {Name: "left", Parent: root, Handle: func(p *probe, e hsm.Event) hsm.Status { return p.handle(left, e) }},
	right: {Name: "right", Parent: root, Handle: func(p *probe, e hsm.Event) hsm.Status { return p.handle(right, e) }},
})

func (p *probe) handle(at hsm.State, e hsm.Event) hsm.Status {
	switch does := e.Payload.(type) {
	case *barrier:
		close(does.entered)
		<-does.release
		return hsm.Handled
	case func():
		does()
		return hsm.Handled
	}
	if p.react != nil {
		if answer := p.react(at, e); answer != 0 {
			return answer
		}
	}
	if at != root || e.Signal.IsInner() {
		return hsm.Super
	}
	p.got = append(p.got, e.String())
	return hsm.Handled
}

func newProbe(name string, c activeobject.Config) *probe {
	p := &probe{}
	p.ActiveObject = activeobject.New(name, hsm.NewMachine(probes, p), c)
	return p
}

// started returns a probe that runs, in root, until the test ends.
func started(t testing.TB, c activeobject.Config) *probe {
	t.Helper()
	p := newProbe("probe", c)
	p.start(t, root)
	return p
}

func (p *probe) start(t testing.TB, s hsm.State) {
	t.Helper()
	if err := p.Start(t.Context(), s); err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(func() { p.Stop(context.Background()) })
}

func (p *probe) fifo(t testing.TB, signals ...hsm.Signal) {
	t.Helper()
	for _, s := range signals {
		if _, err := p.PostFIFO(hsm.Event{Signal: s}); err != nil {
			t.Fatalf("PostFIFO(%v): %v", s, err)
		}
	}
}

func (p *probe) lifo(t testing.TB, signals ...hsm.Signal) {
	t.Helper()
	for _, s := range signals {
		if _, err := p.PostLIFO(hsm.Event{Signal: s}); err != nil {
			t.Fatalf("PostLIFO(%v): %v", s, err)
		}
	}
}

// timed posts fifo with a timing.
func (p *probe) timed(t testing.TB, s hsm.Signal, when activeobject.Timing) activeobject.TimerID {
	t.Helper()
	id, err := p.PostFIFO(hsm.Event{Signal: s}, when)
	if err != nil || id == 0 {
		t.Fatalf("PostFIFO(%v, timing) = %d, %v", s, id, err)
	}
	return id
}

// drained ends the object once it has handled what waits, and returns what it
// handled. That may take a minute, or as long as is said.
func (p *probe) drained(t testing.TB, within ...time.Duration) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), append(within, time.Minute)[0])
	defer cancel()
	if err := p.Drain(ctx); err != nil {
		t.Fatalf("Drain: %v", err)
	}
	return p.got
}

// barrier is the payload of an event whose handler waits.
type barrier struct{ entered, release chan struct{} }

// hold posts an event whose handler waits for the returned function, and
// returns when the handler has begun.
func (p *probe) hold(t testing.TB) (release func()) {
	t.Helper()
	entered, release := p.gate(t)
	wait(t, entered)
	return release
}

// gate is hold that does not wait for the handler.
func (p *probe) gate(t testing.TB) (entered <-chan struct{}, release func()) {
	t.Helper()
	b := &barrier{make(chan struct{}), make(chan struct{})}
	if _, err := p.PostFIFO(hsm.Event{Signal: gate, Payload: b}); err != nil {
		t.Fatalf("posting the gate: %v", err)
	}
	release = sync.OnceFunc(func() { close(b.release) })
	t.Cleanup(release) // before the Stop of start
	return b.entered, release
}

// inside runs f in a handler of the object and waits for its end.
func (p *probe) inside(t testing.TB, f func()) {
	t.Helper()
	done := make(chan struct{})
	e := hsm.Event{Signal: run, Payload: func() { defer close(done); f() }}
	if _, err := p.PostFIFO(e); err != nil {
		t.Fatalf("posting the function to run: %v", err)
	}
	wait(t, done)
}

// wait waits for the channel to be closed, for a minute.
func wait(t testing.TB, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(time.Minute):
		t.Fatal("waited for a minute, in vain")
	}
}

// whenIdle returns when nothing waits any more and the steps of all that waited
// have ended.
func (p *probe) whenIdle(t testing.TB) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); p.Stats().Waiting > 0; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("events still wait after a minute: %+v", p.Stats())
		}
	}
	p.inside(t, func() {})
}

var background = context.Background()
