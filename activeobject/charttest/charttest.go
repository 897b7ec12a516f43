package charttest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

// Object is an active object: what embeds an *activeobject.ActiveObject.
type Object interface {
	Start(context.Context, hsm.State) error
	Stop(context.Context) error
	Err() error
	PostFIFO(hsm.Event, ...activeobject.Timing) (activeobject.TimerID, error)
	State() hsm.State
	Tree() *hsm.Tree
	SetInstrument(instrument.Config) error
	Recorder() *instrument.Recorder
}

// StateOrName names the state that a chart starts in.
type StateOrName interface{ hsm.State | string }

// Chart is a chart that runs in a test. It belongs to the goroutine of the
// script. What goes wrong is reported to the test at the line of the script: a
// Want method that does not get what it wants lets the script go on, all else
// ends the test.
type Chart[D any] struct {
	// Data is what makes the chart: the object that runs, or the data of the
	// machine. Between two steps of the script it is the script's.
	Data D

	tb      testing.TB
	subject subject
	bench   *bench
	failure error // of a handler, and not yet wanted by WantErr
	failed  error // the newest failure that was seen
}

// subject is a chart that runs, in one way or the other.
type subject interface {
	start(hsm.State) error
	post(hsm.Event) error
	// settle returns when nothing more happens at this moment, with what a
	// handler did wrong, if one did.
	settle() error
	// release is called by the script before the chart may go on.
	release()
	stop()
	state() hsm.State
	tree() *hsm.Tree
	recorder() *instrument.Recorder
}

// limit is how many transitions, and how many records of the spy, may come
// together before the script looks at them.
const limit = 1 << 16

// recording is what a chart in a test records.
var recording = instrument.Config{Trace: true, Spy: true, Size: limit, NoSearch: true}

// Run runs the script on an active object. It makes the object with newObject,
// in a bubble of virtual time, starts it in the state start, or in the one of
// that name, and stops it after the script. Whatever the object was to record,
// it records trace and spy; newObject need not use the config, but an object
// that publishes has to take its fabric from it, if tests run in parallel.
//
// newObject must not start the object, and the script must not call t.Run or
// t.Parallel.
func Run[O Object, S StateOrName](t *testing.T, newObject func(activeobject.Config) O, start S, script func(*Chart[O])) {
	t.Helper()
	inBubble(t, func(tb testing.TB, b *bench) {
		tb.Helper()
		script(startObject(tb, b, newObject, start))
	})
}

// RunMachine runs the script on a machine without a goroutine: on that of the
// test. It makes the machine with newMachine, which gets the queue that the
// handlers may post to, and starts it in the state start, or in the one of that
// name. Every step of the script runs the machine until its queue is empty.
//
// A mistake of a handler does not stop a machine; the script has to want it with
// WantErr all the same. A panic ends the test.
func RunMachine[C any, S StateOrName](t *testing.T, newMachine func(*hsm.Queue) *hsm.Machine[C], start S, script func(*Chart[C])) {
	t.Helper()
	inBubble(t, func(tb testing.TB, b *bench) {
		tb.Helper()
		script(startMachine(tb, b, newMachine, start))
	})
}

// inBubble runs f in a bubble, in which the test has the same name.
func inBubble(t *testing.T, f func(testing.TB, *bench)) {
	t.Helper()
	b := benchOf(t)
	synctest.Test(t, func(t *testing.T) {
		t.Helper()
		f(t, b)
	})
}

// Start is Run for a test that has a bubble already, and perhaps more objects in
// it: it makes and starts the object and returns it, to be driven step by step.
// The end of the test stops it. It must be called inside a bubble of package
// synctest; tb is the one that the bubble gives.
//
// A step of one chart ends when all goroutines of the bubble wait.
func Start[O Object, S StateOrName](tb testing.TB, newObject func(activeobject.Config) O, start S) *Chart[O] {
	tb.Helper()
	return startObject(tb, benchOf(tb), newObject, start)
}

// StartMachine is Start for a machine without a goroutine.
func StartMachine[C any, S StateOrName](tb testing.TB, newMachine func(*hsm.Queue) *hsm.Machine[C], start S) *Chart[C] {
	tb.Helper()
	return startMachine(tb, benchOf(tb), newMachine, start)
}

func startObject[O Object, S StateOrName](tb testing.TB, b *bench, newObject func(activeobject.Config) O, start S) *Chart[O] {
	tb.Helper()
	checkBubble(tb)
	if newObject == nil {
		tb.Fatalf("charttest: there is no function that makes the object: fill it in")
	}
	o := newObject(activeobject.Config{Fabric: activeobject.NewFabric(), Instrument: recording})
	if err := o.SetInstrument(recording); err != nil {
		tb.Fatalf("charttest: the function that makes the object must not start it: %v", err)
	}
	c := &Chart[O]{Data: o, tb: tb, bench: b, subject: object{o}}
	c.begin(start)
	return c
}

func startMachine[C any, S StateOrName](tb testing.TB, b *bench, newMachine func(*hsm.Queue) *hsm.Machine[C], start S) *Chart[C] {
	tb.Helper()
	checkBubble(tb)
	if newMachine == nil {
		tb.Fatalf("charttest: there is no function that makes the machine: fill it in")
	}
	queue := hsm.NewQueue(0, hsm.Reject)
	m := newMachine(queue)
	r := hsm.NewRunner(m, queue, hsm.LogConfig{})
	rec := instrument.NewRecorder(instrument.Source{Tree: m.Tree()}, recording, nil)
	r.SetLog(rec.Log())
	c := &Chart[C]{Data: m.Data(), tb: tb, bench: b, subject: &machine[C]{r, rec}}
	c.begin(start)
	return c
}

// checkBubble ends the test if it is not in a bubble.
func checkBubble(tb testing.TB) {
	tb.Helper()
	defer func() {
		tb.Helper()
		if r := recover(); r != nil {
			tb.Fatalf("charttest: virtual time needs a bubble: use Run, or synctest.Test around this (%v)", r)
		}
	}()
	synctest.Wait()
}

// begin starts the chart and arranges for its end.
func (c *Chart[D]) begin(start any) {
	c.tb.Helper()
	state, _ := start.(hsm.State)
	if name, ok := start.(string); ok {
		if state, ok = c.subject.tree().Lookup(name); !ok {
			c.tb.Fatalf("charttest: no state %q to start in", name)
		}
	}
	c.bench.add(c.subject)
	c.tb.Cleanup(c.end)
	err := c.subject.start(state)
	if errors.Is(err, hsm.ErrUnknown) || errors.Is(err, activeobject.ErrRunning) {
		c.tb.Fatalf("charttest: cannot start: %v", err)
	}
	c.note(err)
	c.note(c.subject.settle())
}

// end runs when the test has ended.
func (c *Chart[D]) end() {
	c.tb.Helper()
	c.subject.stop()
	if c.failure != nil {
		c.tb.Errorf("charttest: a handler failed: %v", c.failure)
	}
}

// object is an active object that runs.
type object struct{ Object }

func (o object) start(s hsm.State) error        { return o.Start(context.Background(), s) }
func (o object) stop()                          { _ = o.Stop(context.Background()) }
func (o object) state() hsm.State               { return o.State() }
func (o object) tree() *hsm.Tree                { return o.Tree() }
func (o object) recorder() *instrument.Recorder { return o.Recorder() }

// release takes the lock that the object takes before its next step.
func (o object) release() { _ = o.Err() }

func (o object) post(e hsm.Event) error {
	_, err := o.PostFIFO(e)
	return err
}

func (o object) settle() error {
	synctest.Wait()
	return o.Err()
}

// machine is a machine that runs on the goroutine of the test.
type machine[C any] struct {
	*hsm.Runner[C]
	rec *instrument.Recorder
}

func (m *machine[C]) start(s hsm.State) error        { return m.Start(s) }
func (m *machine[C]) post(e hsm.Event) error         { return m.PostFIFO(e) }
func (m *machine[C]) release()                       {}
func (m *machine[C]) stop()                          {}
func (m *machine[C]) state() hsm.State               { return m.State() }
func (m *machine[C]) tree() *hsm.Tree                { return m.Tree() }
func (m *machine[C]) recorder() *instrument.Recorder { return m.rec }

func (m *machine[C]) settle() error {
	synctest.Wait() // for what the handlers may have begun
	var errs []error
	for err := m.Run(); err != nil; err = m.Run() {
		errs = append(errs, err) // the machine goes on with what waits
	}
	return errors.Join(errs...)
}

func (c *Chart[D]) name(s hsm.State) string {
	if name := c.subject.tree().Name(s); name != "" {
		return name
	}
	return fmt.Sprintf("state %d", s)
}
