package charttest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
)

// fakeTB notes what is reported to it.
type fakeTB struct {
	testing.TB // for what must not be called
	name       string
	reported   []string
	cleanups   []func()
}

func (f *fakeTB) Helper()           {}
func (f *fakeTB) Name() string      { return f.name }
func (f *fakeTB) Cleanup(do func()) { f.cleanups = append(f.cleanups, do) }
func (f *fakeTB) Errorf(format string, args ...any) {
	f.reported = append(f.reported, fmt.Sprintf(format, args...))
}

func (f *fakeTB) Fatalf(format string, args ...any) {
	f.reported = append(f.reported, "fatal: "+fmt.Sprintf(format, args...))
	runtime.Goexit()
}

// reported runs a script as a test would, in a bubble of its own, and returns
// what it reports.
func reported(t *testing.T, name string, script func(testing.TB)) []string {
	t.Helper()
	f := &fakeTB{name: name}
	synctest.Test(t, func(t *testing.T) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer func() {
				for _, do := range slices.Backward(f.cleanups) {
					do()
				}
			}()
			script(f)
		}()
		<-done
	})
	return f.reported
}

const (
	off hsm.State = iota + 1
	on
	dim // inside on
)

var (
	press = hsm.NewSignal("press")
	bad   = hsm.NewSignal("bad")
	boom  = hsm.NewSignal("boom")
)

type lamp struct{ *activeobject.ActiveObject }

func (l *lamp) off(e hsm.Event) hsm.Status {
	switch e.Signal {
	case press:
		return hsm.Tran(on)
	case bad:
		return 0
	case boom:
		panic("boom")
	}
	return hsm.Super
}

func (l *lamp) on(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Init:
		return hsm.Tran(dim)
	case press:
		return hsm.Tran(off)
	}
	return hsm.Super
}

var lamps = hsm.MustCompile([]hsm.Spec[*lamp]{
	off: {Name: "off", Handle: (*lamp).off},
	on:  {Name: "on", Handle: (*lamp).on},
	dim: {Name: "dim", Parent: on, Handle: func(*lamp, hsm.Event) hsm.Status { return hsm.Super }},
})

// broken is a chart whose start fails.
var broken = hsm.MustCompile([]hsm.Spec[*lamp]{
	off: {Name: "off", Handle: func(*lamp, hsm.Event) hsm.Status { return 0 }},
})

func newLamp(c activeobject.Config) *lamp {
	l := &lamp{}
	l.ActiveObject = activeobject.New("lamp", hsm.NewMachine(lamps, l), c)
	return l
}

func newMachine(*hsm.Queue) *hsm.Machine[*lamp] { return hsm.NewMachine(lamps, &lamp{}) }

// TestReports: what is reported when something is wrong, and that nothing else is.
func TestReports(t *testing.T) {
	lampDoes := func(script func(*Chart[*lamp])) func(testing.TB) {
		return func(tb testing.TB) { script(Start(tb, newLamp, off)) }
	}
	for _, tt := range []struct {
		name   string
		script func(testing.TB)
		want   []string // each a part of one report
	}{
		{"nothing wrong", lampDoes(func(c *Chart[*lamp]) {
			c.Post(press)
			c.WantState(dim)
			c.WantIn(on)
			c.WantTrace("e->start_at() top->off\ne->press() off->dim")
		}), nil},
		{"another state", lampDoes(func(c *Chart[*lamp]) { c.Post(press); c.WantState(on) }), []string{
			"charttest: in dim, want on\nthe trace so far:\n  e->start_at() top->off\n  e->press() off->dim"}},
		{"another state and no trace left", lampDoes(func(c *Chart[*lamp]) { c.Trace(); c.WantState(on) }), []string{"charttest: in off, want on"}},
		{"the end of a long trace", lampDoes(func(c *Chart[*lamp]) {
			for range 20 {
				c.Post(press)
			}
			c.WantState(dim)
		}), []string{"in off, want dim\nthe end of the trace so far:\n  e->press() off->dim\n"}},
		{"a state that is none", lampDoes(func(c *Chart[*lamp]) { c.WantState(9) }), []string{"in off, want state 9"}},
		{"not inside", lampDoes(func(c *Chart[*lamp]) { c.WantIn(on); c.WantIn(hsm.Top) }), []string{"in off, want to be inside on"}},
		{"another trace", lampDoes(func(c *Chart[*lamp]) {
			c.Post(press)
			c.WantTrace("e->start_at() top->off\ne->press() off->on")
		}), []string{"charttest: the trace differs (-want +got):\n  e->start_at() top->off\n- e->press() off->on\n+ e->press() off->dim"}},
		{"a trace that was looked at", lampDoes(func(c *Chart[*lamp]) { c.Trace(); c.WantTrace("e->start_at() top->off") }), []string{"- e->start_at() top->off"}},
		{"another spy", lampDoes(func(c *Chart[*lamp]) { c.WantSpy("START") }), []string{"the spy differs (-want +got):\n  START\n+ ENTRY_SIGNAL:off\n+ INIT_SIGNAL:off\n+ <- Queued:(0) Deferred:(0)"}},
		{"an inner signal", lampDoes(func(c *Chart[*lamp]) { c.Post(hsm.Entry) }), []string{"fatal: charttest: cannot post ENTRY_SIGNAL: "}},
		{"back in time", lampDoes(func(c *Chart[*lamp]) { c.After(-time.Second) }), []string{"fatal: charttest: time does not go back by 1s"}},
		{"a panic, and the next step", lampDoes(func(c *Chart[*lamp]) { c.Post(boom); c.Post(press) }), []string{
			"fatal: charttest: a handler failed: activeobject: a handler panicked: lamp in state off on boom: boom"}},
		{"a panic at the end", lampDoes(func(c *Chart[*lamp]) { c.Post(boom) }), []string{"charttest: a handler failed: activeobject: a handler panicked"}},
		{"a failure that was wanted, and time goes on", lampDoes(func(c *Chart[*lamp]) { c.Post(boom); c.WantErr(activeobject.ErrPanic); c.After(1); c.Settle() }), nil},
		{"a spy that was looked at", lampDoes(func(c *Chart[*lamp]) { c.Spy(); c.WantSpy("") }), nil},
		{"another failure", lampDoes(func(c *Chart[*lamp]) { c.Post(boom); c.WantErr(hsm.ErrStatus); c.WantState(off) }), []string{
			"charttest: a handler's failure is activeobject: a handler panicked: lamp in state off on boom: boom, want hsm: a handler returned"}},
		{"no failure", lampDoes(func(c *Chart[*lamp]) { c.WantErr(hsm.ErrStatus) }), []string{"failure is <nil>, want hsm: a handler returned"}},
		{"no failure wanted", lampDoes(func(c *Chart[*lamp]) { c.WantErr(nil) }), []string{"failure is <nil>, want <nil>"}},
		{"posting after the end", lampDoes(func(c *Chart[*lamp]) { c.Post(boom); c.WantErr(activeobject.ErrPanic); c.Post(press) }), []string{
			"fatal: charttest: cannot post press: activeobject: the object is stopped"}},
		{"a mistake of a machine", func(tb testing.TB) { StartMachine(tb, newMachine, off).Post(bad) }, []string{"charttest: a handler failed: hsm: a handler returned"}},
		{"an unknown state", func(tb testing.TB) { Start(tb, newLamp, hsm.State(7)) }, []string{"fatal: charttest: cannot start: "}},
		{"an unknown name", func(tb testing.TB) { Start(tb, newLamp, "of") }, []string{`fatal: charttest: no state "of" to start in`}},
		{"an unknown state of a machine", func(tb testing.TB) { StartMachine(tb, newMachine, hsm.Top) }, []string{"fatal: charttest: cannot start: "}},
		{"a start that fails", func(tb testing.TB) {
			Start(tb, func(c activeobject.Config) *activeobject.ActiveObject {
				return activeobject.New("broken", hsm.NewMachine(broken, &lamp{}), c)
			}, off).WantErr(hsm.ErrTranInside)
		}, []string{"want hsm: entry and exit"}},
		{"a start of a machine that fails", func(tb testing.TB) {
			StartMachine(tb, func(*hsm.Queue) *hsm.Machine[*lamp] { return hsm.NewMachine(broken, &lamp{}) }, off).WantErr(hsm.ErrStatus)
		}, nil},
		{"no function for the object", func(tb testing.TB) { Start[Object](tb, nil, off) }, []string{"fatal: charttest: there is no function that makes the object: fill it in"}},
		{"no function for the machine", func(tb testing.TB) { StartMachine[*lamp](tb, nil, off) }, []string{"fatal: charttest: there is no function that makes the machine"}},
		{"an object that runs", func(tb testing.TB) {
			var l *lamp
			defer func() { _ = l.Stop(tb.Context()) }()
			Start(tb, func(c activeobject.Config) *lamp {
				l = newLamp(c)
				_ = l.Start(tb.Context(), off)
				return l
			}, off)
		}, []string{"fatal: charttest: the function that makes the object must not start it: activeobject: the object is running"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := reported(t, t.Name(), tt.script)
			if len(got) != len(tt.want) {
				t.Fatalf("%d reports, want %d:\n%q", len(got), len(tt.want), got)
			}
			for i, want := range tt.want {
				if !strings.Contains(got[i], want) {
					t.Errorf("report %d is\n%s\nwant\n%s", i, got[i], want)
				}
			}
		})
	}
}

func (f *fakeTB) Context() context.Context { return context.Background() }

// TestOutsideBubble: without a bubble there is no virtual time.
func TestOutsideBubble(t *testing.T) {
	f := &fakeTB{name: "TestX"}
	done := make(chan struct{})
	go func() {
		defer close(done)
		Start(f, newLamp, off)
	}()
	<-done
	if len(f.reported) != 1 || !strings.Contains(f.reported[0], "fatal: charttest: virtual time needs a bubble: use Run") {
		t.Errorf("reported %q", f.reported)
	}
}

// TestTooLong: what the recorder may have lost is not compared.
func TestTooLong(t *testing.T) {
	got := reported(t, "TestX", func(tb testing.TB) {
		c := StartMachine(tb, newMachine, off)
		for range limit {
			if err := c.subject.post(hsm.Event{Signal: press}); err != nil {
				tb.Fatalf("%v", err)
			}
			if err := c.subject.settle(); err != nil {
				tb.Fatalf("%v", err)
			}
		}
		defer c.Trace()
		c.Spy()
	})
	if len(got) != 2 || !strings.Contains(got[0], "more than 65535 records") || !strings.Contains(got[1], "more than 65535 transitions") {
		t.Errorf("reported %q", got)
	}
}

// TestGoldenFiles: they are missed, written, compared and numbered.
func TestGoldenFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	script := func(tb testing.TB) {
		c := Start(tb, newLamp, off)
		c.GoldenTrace()
		c.Post(press)
		c.GoldenTrace()
		c.GoldenSpy()
	}
	const name = "TestX/sub_test:../é"
	if got := reported(t, name, script); len(got) != 1 ||
		!strings.Contains(got[0], filepath.Join("testdata", "TestX", "sub_test%3A%2E%2E", "%C3%A9.trace")+": -charttest.update writes it; the trace is:\n  e->start_at() top->off") {
		t.Fatalf("without files it reports %q", got)
	}
	*update = true
	defer func() { *update = false }()
	if got := reported(t, name, script); len(got) != 0 {
		t.Fatalf("writing files it reports %q", got)
	}
	*update = false
	if got := reported(t, name, script); len(got) != 0 {
		t.Fatalf("with the files it reports %q", got)
	}
	want := map[string]string{
		"%C3%A9.trace":   "e->start_at() top->off\n",
		"%C3%A9.2.trace": "e->press() off->dim\n",
		"%C3%A9.spy":     "START\nENTRY_SIGNAL:off\nINIT_SIGNAL:off\n<- Queued:(0) Deferred:(0)\npress:off\nEXIT_SIGNAL:off\nENTRY_SIGNAL:on\nINIT_SIGNAL:on\nENTRY_SIGNAL:dim\nINIT_SIGNAL:dim\n<- Queued:(0) Deferred:(0)\n",
	}
	dir := filepath.Join("testdata", "TestX", "sub_test%3A%2E%2E")
	got := make(map[string]string)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got[e.Name()] = string(b)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if err := os.WriteFile(filepath.Join(dir, "%C3%A9.2.trace"), []byte("e->press() off->on\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := reported(t, name, script); len(got) != 1 || !strings.Contains(got[0], "- e->press() off->on\n+ e->press() off->dim") {
		t.Errorf("with another file it reports %q", got)
	}
}

// TestRunsOfOneTest: the golden files of two runs in one test differ.
func TestRunsOfOneTest(t *testing.T) {
	for _, want := range []string{filepath.Join("testdata", "TestRunsOfOneTest.trace"), filepath.Join("testdata", "TestRunsOfOneTest.2.trace")} {
		Run(t, newLamp, off, func(c *Chart[*lamp]) {
			if got := c.bench.next(t.Name(), "trace"); got != want {
				t.Errorf("the file is %s, want %s", got, want)
			}
		})
	}
	benches.Lock()
	defer benches.Unlock()
	if benches.of[t] == nil {
		t.Error("the test has no bench")
	}
}
