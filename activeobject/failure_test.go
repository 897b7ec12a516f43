package activeobject_test

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

// failing returns a probe whose left does what fails when it gets that signal.
func failing(c activeobject.Config, on hsm.Signal, fail func() hsm.Status) *probe {
	p := newProbe("fuse", c)
	p.react = func(at hsm.State, e hsm.Event) hsm.Status {
		if at == left && e.Signal == on {
			return fail()
		}
		return 0
	}
	return p
}

// failures are all the ways in which a handler can fail.
var failures = []struct {
	name  string
	fail  func() hsm.Status
	err   error  // that the Failure wraps
	value any    // of a panic, as text
	text  string // of the Failure, for one on A
}{
	{
		"panic with text", func() hsm.Status { panic("short circuit") }, activeobject.ErrPanic, "short circuit",
		"activeobject: a handler panicked: fuse in state left on A: short circuit",
	},
	{
		"panic with an error", func() hsm.Status { panic(fmt.Errorf("opening: %w", fs.ErrNotExist)) },
		activeobject.ErrPanic, "opening: file does not exist",
		"activeobject: a handler panicked: fuse in state left on A: opening: file does not exist",
	},
	{
		"panic with nil", func() hsm.Status { panic(nil) },
		activeobject.ErrPanic, new(runtime.PanicNilError).Error(),
		"activeobject: a handler panicked: fuse in state left on A: " + new(runtime.PanicNilError).Error(),
	},
	{
		"index out of range", func() hsm.Status { return []hsm.Status{}[len(probes.Path(root))] },
		activeobject.ErrPanic, "runtime error: index out of range [1] with length 0",
		"activeobject: a handler panicked: fuse in state left on A: runtime error: index out of range [1] with length 0",
	},
	{
		"end of the goroutine", func() hsm.Status { runtime.Goexit(); return 0 }, activeobject.ErrExited, nil,
		"activeobject: a handler ended its goroutine: fuse in state left on A",
	},
	{
		"impossible status", func() hsm.Status { return -7 }, hsm.ErrStatus, nil,
		`hsm: a handler returned an impossible status: state "left" answered Status(-7) to A: fuse in state left on A`,
	},
	{
		"transition to nowhere", func() hsm.Status { return hsm.Tran(99) }, hsm.ErrTarget, nil,
		`hsm: a transition to a state that is not in the chart: state "left" answered Tran(99) to A: fuse in state left on A`,
	},
}

func TestFailureStopsTheObject(t *testing.T) {
	for _, test := range failures {
		t.Run(test.name, func(t *testing.T) {
			p := failing(activeobject.Config{}, sigA, test.fail)
			other := started(t, activeobject.Config{})
			p.start(t, left)
			release := p.hold(t)
			p.fifo(t, sigB, sigA, sigC)
			release()
			wait(t, p.Done())
			f := failureOf(t, p)
			checkFailure(t, p, f, test.err, test.value)
			if diff := cmp.Diff(test.text, f.Error()); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
			if f.State != "left" || f.Event.Signal != sigA {
				t.Errorf("state %q and event %v, want left and A", f.State, f.Event)
			}
			if diff := cmp.Diff([]string{"B"}, p.got); diff != "" {
				t.Errorf("handled (-want +got):\n%s", diff)
			}
			if n := p.Stats().Discarded; n != 1 {
				t.Errorf("%d discarded, want 1", n)
			}
			if _, err := p.PostFIFO(hsm.Event{Signal: sigB}); !errors.Is(err, activeobject.ErrStopped) {
				t.Errorf("posting after that gives %v, want ErrStopped", err)
			}
			if err := p.Stop(t.Context()); err != nil {
				t.Errorf("stopping it gives %v", err)
			}
			other.fifo(t, sigA)
			if diff := cmp.Diff([]string{"A"}, other.drained(t)); diff != "" {
				t.Errorf("another object handled (-want +got):\n%s", diff)
			}
		})
	}
}

// TestFailureInStart comes back from Start.
func TestFailureInStart(t *testing.T) {
	for _, test := range failures {
		for _, on := range []hsm.Signal{hsm.Entry, hsm.Init} {
			t.Run(test.name+"/"+on.String(), func(t *testing.T) {
				p := failing(activeobject.Config{}, on, test.fail)
				err := p.Start(t.Context(), left)
				var f *activeobject.Failure
				if !errors.As(err, &f) {
					t.Fatalf("Start gives %v, want a Failure", err)
				}
				want := test.err
				if want == hsm.ErrTarget && on == hsm.Entry {
					want = hsm.ErrTranInside
				} else if want == hsm.ErrTarget {
					want = hsm.ErrInitLeaves
				}
				checkFailure(t, p, f, want, test.value)
				if f.State != "top" || f.Event.Signal != (hsm.Signal{}) || !strings.Contains(f.Error(), "fuse in state top on start_at") {
					t.Errorf("state %q, event %v, text %q", f.State, f.Event, f)
				}
				wait(t, p.Done())
				if failureOf(t, p) != f {
					t.Errorf("Err is %v, want what Start gave", p.Err())
				}
				p.react = nil
				p.start(t, left) // the object is good for another start
				if err := p.Err(); err != nil {
					t.Errorf("Err is %v, want nil: it runs", err)
				}
			})
		}
	}
}

func failureOf(t *testing.T, p *probe) *activeobject.Failure {
	t.Helper()
	var f *activeobject.Failure
	if !errors.As(p.Err(), &f) {
		t.Fatalf("Err is %v, want a Failure", p.Err())
	}
	return f
}

func checkFailure(t *testing.T, p *probe, f *activeobject.Failure, want error, value any) {
	t.Helper()
	if !errors.Is(f, want) {
		t.Errorf("the failure is %v, want one that is %v", f, want)
	}
	if f.Object != p.Name() || f.Object != "fuse" {
		t.Errorf("object %q, want fuse", f.Object)
	}
	var mistake *hsm.HandlerError
	isMistake := errors.As(f, &mistake)
	if isMistake != (f.Stack == "") || isMistake && mistake.State != "left" {
		t.Errorf("a mistake of %+v, with the stack:\n%s", mistake, f.Stack)
	}
	if !isMistake && !strings.Contains(f.Stack, "failure_test.go") {
		t.Errorf("the stack does not name the handler:\n%s", f.Stack)
	}
	if value == nil != (f.Value == nil) || value != nil && fmt.Sprint(f.Value) != value {
		t.Errorf("value %v, want %v", f.Value, value)
	}
	if err, ok := f.Value.(error); ok && !errors.Is(f, err) {
		t.Errorf("the failure is not %v", err)
	}
}

// TestFailureNamesTheLeaf that the step began in, whichever superstate's handler
// failed, and however far the step had come.
func TestFailureNamesTheLeaf(t *testing.T) {
	for name, fail := range map[string]func(at hsm.State, e hsm.Event) hsm.Status{
		"panic of a superstate": func(at hsm.State, e hsm.Event) hsm.Status {
			if at == root && e.Signal == sigA {
				panic(1)
			}
			return 0
		},
		"mistake of a superstate": func(at hsm.State, e hsm.Event) hsm.Status {
			if at == root && e.Signal == sigA {
				return -1
			}
			return 0
		},
		"panic on the way": func(at hsm.State, e hsm.Event) hsm.Status {
			switch {
			case at == left && e.Signal == sigA:
				return hsm.Tran(right)
			case at == right && e.Signal == hsm.Entry:
				panic(1)
			}
			return 0
		},
		"mistake on the way": func(at hsm.State, e hsm.Event) hsm.Status {
			switch {
			case at == left && e.Signal == sigA:
				return hsm.Tran(right)
			case at == right && e.Signal == hsm.Entry:
				return hsm.Tran(root)
			}
			return 0
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProbe("fuse", activeobject.Config{})
			p.react = fail
			p.start(t, left)
			p.fifo(t, sigA)
			wait(t, p.Done())
			if f := failureOf(t, p); f.State != "left" || f.Event.Signal != sigA {
				t.Errorf("state %q and event %v, want left and A", f.State, f.Event)
			}
		})
	}
}

// TestOnFailure starts the object again, as a supervisor does: here until the
// third failure, one of them in the start itself.
func TestOnFailure(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		var told []string
		fabric := activeobject.NewFabric()
		p := newProbe("fuse", activeobject.Config{Fabric: fabric, OnFailure: func(o *activeobject.ActiveObject, f *activeobject.Failure) {
			select {
			case <-o.Done():
			default:
				t.Error("Done is not closed yet")
			}
			if o.Err() != f {
				t.Errorf("Err is %v, want what OnFailure gets", o.Err())
			}
			told = append(told, f.Error())
			if len(told) < 3 {
				time.Sleep(time.Second)
				// Its failure is told to another call of this function.
				_ = o.Start(background, right)
			}
		}})
		entries := 0
		p.react = func(at hsm.State, e hsm.Event) hsm.Status {
			switch {
			case e.Signal == sigA:
				panic("handling")
			case at == right && e.Signal == hsm.Entry:
				if entries++; entries == 1 {
					panic("entering")
				}
			}
			return 0
		}
		p.start(t, left)
		p.fifo(t, sigA)
		time.Sleep(time.Minute)
		synctest.Wait()
		p.fifo(t, sigB) // it runs again
		synctest.Wait()
		p.fifo(t, sigA)
		time.Sleep(time.Minute)
		synctest.Wait()
		want := []string{
			"activeobject: a handler panicked: fuse in state left on A: handling",
			"activeobject: a handler panicked: fuse in state top on start_at: entering",
			"activeobject: a handler panicked: fuse in state right on A: handling",
		}
		if diff := cmp.Diff(want, told); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"B"}, p.got); diff != "" {
			t.Errorf("handled (-want +got):\n%s", diff)
		}
		if _, err := p.PostFIFO(hsm.Event{Signal: sigB}); !errors.Is(err, activeobject.ErrStopped) {
			t.Errorf("in the end it is stopped, but posting gives %v", err)
		}
	})
}

// TestOnFailureIsNoStep: what it does is in nobody's spy, though it runs on the
// goroutine of the handler that failed.
func TestOnFailureIsNoStep(t *testing.T) {
	told := make(chan struct{})
	p := failing(activeobject.Config{
		Instrument: instrument.Config{Spy: true, NoSearch: true},
		OnFailure: func(o *activeobject.ActiveObject, _ *activeobject.Failure) {
			defer close(told)
			o.Unsubscribe(sigB)
			o.PostFIFO(hsm.Event{Signal: sigB})
			o.Publish(hsm.Event{Signal: sigB}, 1)
		},
	}, sigA, func() hsm.Status { panic(1) })
	p.start(t, left)
	p.fifo(t, sigA)
	wait(t, told)
	p.Recorder().ClearSpy()
	p.start(t, root)
	p.drained(t)
	// The step that failed was never ended; its beginning stands before the next.
	want := []string{"A:left", "START", "ENTRY_SIGNAL:root", "INIT_SIGNAL:root", "<- Queued:(0) Deferred:(0)"}
	if diff := cmp.Diff(want, p.Recorder().Spy()); diff != "" {
		t.Errorf("spy (-want +got):\n%s", diff)
	}
}

// TestStopIsNoFailure, nor is it when the last step fails after Stop was asked:
// that one is told.
func TestStopIsNoFailure(t *testing.T) {
	var told []*activeobject.Failure
	p := failing(activeobject.Config{OnFailure: func(_ *activeobject.ActiveObject, f *activeobject.Failure) {
		told = append(told, f)
	}}, sigA, func() hsm.Status { panic(1) })
	p.start(t, left)
	if err := p.Stop(t.Context()); err != nil || p.Err() != nil || len(told) != 0 {
		t.Errorf("Stop gives %v, Err is %v, told were %v", err, p.Err(), told)
	}
	p.start(t, left)
	p.fifo(t, sigA)
	if err := p.Drain(t.Context()); err != nil {
		t.Errorf("Drain gives %v", err)
	}
	failureOf(t, p)
}
