package activeobject_test

import (
	"context"
	"errors"
	"fmt"
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

// always restarts at once, as often as it takes.
var always = activeobject.Supervision{Policy: activeobject.Restart, MaxRestarts: -1, Backoff: -1}

// TestRestartAfterFailure, of each kind: in the state of the start, with what
// waits and what is deferred, with the subscriptions, without the event that
// failed.
func TestRestartAfterFailure(t *testing.T) {
	for _, test := range failures {
		t.Run(test.name, func(t *testing.T) {
			var told []*activeobject.Failure
			c := activeobject.Config{Fabric: activeobject.NewFabric(), Supervise: always}
			c.Supervise.OnRestart = func(_ *activeobject.ActiveObject, f *activeobject.Failure) { told = append(told, f) }
			c.OnFailure = func(_ *activeobject.ActiveObject, f *activeobject.Failure) { t.Errorf("OnFailure got %v", f) }
			p := failing(c, sigA, test.fail)
			fail, entries := p.react, 0
			p.react = func(at hsm.State, e hsm.Event) hsm.Status {
				switch {
				case at == left && e.Signal == hsm.Entry:
					if entries++; entries == 1 {
						p.Defer(hsm.Event{Signal: sigD})
						break
					}
					if was, err := p.Recall(); !was || err != nil {
						t.Errorf("recalling in the restart gives %v, %v", was, err)
					}
				case at == right && e.Signal == sigA:
					return fail(left, e)
				case at == left && e.Signal == sigB:
					return hsm.Tran(right)
				}
				return fail(at, e)
			}
			p.start(t, left)
			p.subscribe(t, activeobject.FIFO, sigU)
			release := p.hold(t)
			p.fifo(t, sigB, sigA, sigC)
			p.lifo(t, sigC)
			release()
			p.whenIdle(t)
			publish(t, p, sigU, 1)
			if err := p.Err(); err != nil {
				t.Errorf("Err is %v, want nil: it runs", err)
			}
			select {
			case <-p.Done():
				t.Error("Done is closed")
			default:
			}
			if diff := cmp.Diff([]string{"C", "C", "D", "U"}, p.drained(t)); diff != "" {
				t.Errorf("handled (-want +got):\n%s", diff)
			}
			if p.State() != left {
				t.Errorf("state %v, want left", p.State())
			}
			if diff := cmp.Diff(activeobject.Stats{Restarts: 1}, p.Stats()); diff != "" {
				t.Errorf("stats (-want +got):\n%s", diff)
			}
			if len(told) != 1 {
				t.Fatalf("OnRestart was called for %v, want one failure", told)
			}
			f := told[0]
			if f.State != "right" || f.Event.Signal != sigA || f.GaveUp || !errors.Is(f, test.err) || errors.Is(f, activeobject.ErrGaveUp) {
				t.Errorf("OnRestart got %+v", f)
			}
		})
	}
}

// TestRestartOfTheFirstStart: Start waits until the object runs, or gives up.
func TestRestartOfTheFirstStart(t *testing.T) {
	for _, test := range failures {
		for _, fails := range []int{2, 3} {
			inBubble(t, fmt.Sprint(test.name, "/", fails), func(t *testing.T) {
				var restarts, ends []string
				note := func(to *[]string) func(*activeobject.ActiveObject, *activeobject.Failure) {
					return func(_ *activeobject.ActiveObject, f *activeobject.Failure) { *to = append(*to, f.State) }
				}
				c := activeobject.Config{OnFailure: note(&ends)}
				c.Supervise = activeobject.Supervision{Policy: activeobject.Restart, MaxRestarts: 2, Backoff: time.Second, OnRestart: note(&restarts)}
				entries := 0
				p := failing(c, hsm.Entry, func() hsm.Status {
					if entries++; entries <= fails {
						return test.fail()
					}
					return hsm.Handled
				})
				p.fifo(t, sigB)
				err := p.Start(t.Context(), left)
				if p.Stats().Restarts != 2 || len(restarts) != 2 {
					t.Errorf("%d restarts, OnRestart was called %d times; want 2", p.Stats().Restarts, len(restarts))
				}
				if fails == 2 {
					if err != nil || len(ends) != 0 {
						t.Errorf("Start gives %v, OnFailure got %v, want none", err, ends)
					}
					if diff := cmp.Diff([]string{"B"}, p.drained(t)); diff != "" {
						t.Errorf("handled (-want +got):\n%s", diff)
					}
					return
				}
				if !errors.Is(err, activeobject.ErrGaveUp) || !errors.Is(p.Err(), activeobject.ErrGaveUp) || p.Stats().Discarded != 1 {
					t.Errorf("Start gives %v, Err is %v, stats %+v; want ErrGaveUp, and B discarded", err, p.Err(), p.Stats())
				}
				synctest.Wait()
				if diff := cmp.Diff([]string{"top"}, ends); diff != "" {
					t.Errorf("OnFailure got (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestEscalate asks Decide; whatever is not Restart stops the object, and
// Decide may do itself what it likes.
func TestEscalate(t *testing.T) {
	type object = activeobject.ActiveObject
	type failure = activeobject.Failure
	for _, test := range []struct {
		name   string
		decide func(*object, *failure) activeobject.Policy
		goesOn bool
		text   string // what the failure that ends it has, beside that of the handler
	}{
		{"nobody", nil, false, ""},
		{"Stop", func(*object, *failure) activeobject.Policy { return activeobject.Stop }, false, ""},
		{"Escalate", func(*object, *failure) activeobject.Policy { return activeobject.Escalate }, false, ""},
		{"Restart", func(*object, *failure) activeobject.Policy { return activeobject.Restart }, true, ""},
		{"by kind", func(_ *object, f *failure) activeobject.Policy {
			if errors.Is(f, activeobject.ErrPanic) && f.State == "left" && f.Event.Signal == sigA {
				return activeobject.Restart
			}
			return activeobject.Stop
		}, true, ""},
		{"panic", func(*object, *failure) activeobject.Policy { panic("at a loss") }, false, "Decide panicked with at a loss"},
		{"end of the goroutine", func(*object, *failure) activeobject.Policy { runtime.Goexit(); return activeobject.Restart }, false, ""},
		{"Stop called, and then Restart", func(o *object, _ *failure) activeobject.Policy {
			o.Stop(background) // would wait for itself for ever
			return activeobject.Restart
		}, false, ""},
	} {
		inBubble(t, test.name, func(t *testing.T) {
			var ends, restarts []*failure
			c := activeobject.Config{
				Supervise: activeobject.Supervision{
					Policy: activeobject.Escalate, Decide: test.decide,
					OnRestart: func(_ *object, f *failure) { restarts = append(restarts, f) },
				},
				OnFailure: func(_ *object, f *failure) { ends = append(ends, f) },
			}
			p := failing(c, sigA, func() hsm.Status { panic("short circuit") })
			p.start(t, left)
			release := p.hold(t)
			p.fifo(t, sigA, sigB)
			release()
			time.Sleep(time.Minute)
			synctest.Wait()
			if test.goesOn {
				if len(ends) != 0 || len(restarts) != 1 || p.Err() != nil || p.Stats().Restarts != 1 {
					t.Errorf("ends %v, restarts %v, Err %v; want a restart", ends, restarts, p.Err())
				}
				if diff := cmp.Diff([]string{"B"}, p.drained(t)); diff != "" {
					t.Errorf("handled (-want +got):\n%s", diff)
				}
				return
			}
			<-p.Done()
			if len(ends) != 1 || len(restarts) != 0 || p.Err() != ends[0] {
				t.Fatalf("ends %v, restarts %v, Err %v; want the failure once", ends, restarts, p.Err())
			}
			if f := ends[0]; !errors.Is(f, activeobject.ErrPanic) || f.GaveUp || !strings.Contains(f.Error(), test.text) || f.Value != "short circuit" {
				t.Errorf("the end is %+v", f)
			}
			if diff := cmp.Diff(activeobject.Stats{Discarded: 1}, p.Stats()); diff != "" {
				t.Errorf("stats (-want +got):\n%s", diff)
			}
		})
	}
}

// waiting returns a probe, in a bubble, that has failed and waits for an hour at
// most before it is restarted in left. It has B waiting and D deferred, and fails
// on A.
func waiting(t *testing.T, c activeobject.Config) *probe {
	t.Helper()
	c.Supervise.Policy, c.Supervise.Backoff, c.Supervise.MaxBackoff = activeobject.Restart, time.Hour, time.Hour
	p := failing(c, sigA, func() hsm.Status { panic("short circuit") })
	p.start(t, left)
	p.inside(t, func() { p.Defer(hsm.Event{Signal: sigD}) })
	release := p.hold(t)
	p.fifo(t, sigA, sigB)
	release()
	synctest.Wait()
	if want := p.Name() + " (restarting)"; p.String() != want {
		t.Fatalf("it is %v, want %s", p, want)
	}
	return p
}

// TestWaitForRestart: the queue takes posts, within its bound, timers run, and
// the object counts as running.
func TestWaitForRestart(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		p := waiting(t, activeobject.Config{QueueSize: 3})
		p.lifo(t, sigC)
		p.timed(t, sigU, activeobject.Once(time.Minute))
		if err := p.Start(t.Context(), root); !errors.Is(err, activeobject.ErrRunning) {
			t.Errorf("Start gives %v, want ErrRunning", err)
		}
		if err := p.SetInstrument(instrument.Config{}); !errors.Is(err, activeobject.ErrRunning) {
			t.Errorf("SetInstrument gives %v, want ErrRunning", err)
		}
		if p.Err() != nil {
			t.Errorf("Err is %v, want nil", p.Err())
		}
		time.Sleep(2 * time.Minute)
		if _, err := p.PostFIFO(hsm.Event{Signal: sigD}); !errors.Is(err, hsm.ErrQueueFull) {
			t.Errorf("one more than fit gives %v, want ErrQueueFull", err)
		}
		if diff := cmp.Diff(activeobject.Stats{Waiting: 3, Rejected: 1}, p.Stats()); diff != "" {
			t.Errorf("stats (-want +got):\n%s", diff)
		}
		if time.Sleep(25 * time.Minute); p.Stats().Waiting != 3 { // half of the hour, or more
			t.Error("it did not wait")
		}
		time.Sleep(time.Hour)
		p.inside(t, func() {
			if p.Deferred() != 1 {
				t.Errorf("%d are deferred, want 1", p.Deferred())
			}
		})
		if want := "fuse (running)"; p.String() != want {
			t.Errorf("it is %v, want %s", p, want)
		}
		if diff := cmp.Diff([]string{"C", "B", "U"}, p.drained(t)); diff != "" {
			t.Errorf("handled (-want +got):\n%s", diff)
		}
	})
}

// TestStopDuringWait ends it at once, by the failure that it waited after.
func TestStopDuringWait(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		var told []*activeobject.Failure
		p := waiting(t, activeobject.Config{OnFailure: func(_ *activeobject.ActiveObject, f *activeobject.Failure) { told = append(told, f) }})
		begin := time.Now()
		if err := p.Stop(t.Context()); err != nil || time.Since(begin) != 0 {
			t.Errorf("Stop gives %v after %v, want none at once", err, time.Since(begin))
		}
		synctest.Wait()
		if len(told) != 1 || p.Err() != told[0] || told[0].GaveUp || told[0].Event.Signal != sigA {
			t.Errorf("OnFailure got %v, Err is %v", told, p.Err())
		}
		if diff := cmp.Diff(activeobject.Stats{Discarded: 2}, p.Stats()); diff != "" {
			t.Errorf("stats (-want +got):\n%s", diff)
		}
		p.react = nil
		p.start(t, right)
		p.fifo(t, sigC)
		if diff := cmp.Diff([]string{"C"}, p.drained(t)); diff != "" || p.Err() != nil {
			t.Errorf("after another start Err is %v, handled (-want +got):\n%s", p.Err(), diff)
		}
	})
}

// TestDrainDuringWait waits, restarts and handles the rest; and becomes Stop when
// its context ends first.
func TestDrainDuringWait(t *testing.T) {
	inBubble(t, "in time", func(t *testing.T) {
		p := waiting(t, activeobject.Config{})
		go func() {
			time.Sleep(time.Minute)
			if _, err := p.PostFIFO(hsm.Event{Signal: sigC}); !errors.Is(err, activeobject.ErrStopped) {
				t.Errorf("posting meanwhile gives %v, want ErrStopped", err)
			}
		}()
		if diff := cmp.Diff([]string{"B"}, p.drained(t, 2*time.Hour)); diff != "" {
			t.Errorf("handled (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(activeobject.Stats{Discarded: 1, Restarts: 1}, p.Stats()); diff != "" || p.Err() != nil {
			t.Errorf("Err is %v, stats (-want +got):\n%s", p.Err(), diff)
		}
	})
	inBubble(t, "too late", func(t *testing.T) {
		p := waiting(t, activeobject.Config{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := p.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Drain gives %v, want DeadlineExceeded", err)
		}
		<-p.Done()
		failureOf(t, p)
		if diff := cmp.Diff(activeobject.Stats{Discarded: 2}, p.Stats()); diff != "" {
			t.Errorf("stats (-want +got):\n%s", diff)
		}
	})
}

// TestTimersOfAFailedRun are cancelled, with their events that wait; or kept.
// Those set later are others.
func TestTimersOfAFailedRun(t *testing.T) {
	for _, keep := range []bool{false, true} {
		inBubble(t, fmt.Sprint("keep ", keep), func(t *testing.T) {
			c := activeobject.Config{Supervise: always}
			c.Supervise.KeepTimers = keep
			p := failing(c, sigA, func() hsm.Status { panic("short circuit") })
			fail := p.react
			p.react = func(at hsm.State, e hsm.Event) hsm.Status {
				if at == left && e.Signal == hsm.Entry {
					p.timed(t, sigB, activeobject.Once(10*time.Second))
				}
				return fail(at, e)
			}
			p.start(t, left)
			release := p.hold(t)
			p.fifo(t, sigA)
			periodic := p.timed(t, sigC, activeobject.Every(3*time.Second).AtOnce())
			late := p.timed(t, sigD, activeobject.Once(time.Second))
			p.fifo(t, sigU)
			time.Sleep(7 * time.Second) // C, U, D, C, C wait behind A
			release()
			synctest.Wait()
			if got := p.CancelEvent(late); got {
				t.Error("the timer of D has something to come, or to be handled")
			}
			time.Sleep(10500 * time.Millisecond)
			if got := p.CancelEvent(periodic); got != keep {
				t.Errorf("cancelling the periodic timer gives %v, want %v", got, keep)
			}
			want, stats := []string{"U", "B"}, activeobject.Stats{Restarts: 1, Discarded: 4}
			if keep {
				want = []string{"C", "U", "D", "C", "C", "C", "B", "C", "C", "B"}
				stats.Discarded = 0
			}
			if diff := cmp.Diff(want, p.drained(t)); diff != "" {
				t.Errorf("handled (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(stats, p.Stats()); diff != "" {
				t.Errorf("stats (-want +got):\n%s", diff)
			}
		})
	}
}

// TestOnRestart is the beginning of the step: it makes the chart's data good
// before the entry actions, may fail itself, and may end the object.
func TestOnRestart(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		broken, calls := false, 0
		var p *probe
		c := activeobject.Config{Supervise: always}
		c.Supervise.OnRestart = func(o *activeobject.ActiveObject, f *activeobject.Failure) {
			if o != p.ActiveObject || o.State() != hsm.Top {
				t.Errorf("called for %v in state %v", o, o.State())
			}
			p.got = append(p.got, "restart after "+f.State)
			switch calls++; calls {
			case 1:
				panic("no repair")
			case 2:
				runtime.Goexit()
			}
			broken = false
			o.PostLIFO(hsm.Event{Signal: sigC})
		}
		p = failing(c, sigA, func() hsm.Status { broken = true; panic(1) })
		fail := p.react
		p.react = func(at hsm.State, e hsm.Event) hsm.Status {
			if broken && e.Signal == hsm.Entry {
				t.Error("the data is broken")
			}
			return fail(at, e)
		}
		p.start(t, left)
		p.fifo(t, sigA, sigB)
		synctest.Wait()
		want := []string{"restart after left", "restart after top", "restart after top", "C", "B"}
		if diff := cmp.Diff(want, p.drained(t)); diff != "" {
			t.Errorf("handled (-want +got):\n%s", diff)
		}
		if n := p.Stats().Restarts; n != 3 {
			t.Errorf("%d restarts, want 3", n)
		}
	})
	t.Run("Stop", func(t *testing.T) {
		c := activeobject.Config{Supervise: always}
		c.Supervise.OnRestart = func(o *activeobject.ActiveObject, _ *activeobject.Failure) {
			if err := o.Stop(background); err != nil {
				t.Errorf("Stop gives %v", err)
			}
		}
		p := failing(c, sigA, func() hsm.Status { panic(1) })
		p.start(t, left)
		release := p.hold(t)
		p.fifo(t, sigA, sigB)
		release()
		wait(t, p.Done())
		if p.Err() != nil || p.Stats().Discarded != 1 {
			t.Errorf("Err is %v, stats %+v; want B discarded", p.Err(), p.Stats())
		}
	})
}

// TestRestartInSpyAndTrace: the failure has a line, the restart is a start, and
// its cause is the event that failed.
func TestRestartInSpyAndTrace(t *testing.T) { inBubble(t, "", restartInSpyAndTrace) }

func restartInSpyAndTrace(t *testing.T) {
	c := activeobject.Config{Causes: true, Supervise: always, Instrument: instrument.Config{Spy: true, Trace: true, NoSearch: true}}
	c.Supervise.OnRestart = func(o *activeobject.ActiveObject, _ *activeobject.Failure) { o.PostFIFO(hsm.Event{Signal: sigB}) }
	p := newProbe("fuse", c)
	starts := 0
	p.react = func(at hsm.State, e hsm.Event) hsm.Status {
		switch {
		case at == root && e.Signal == hsm.Init:
			return hsm.Tran(left)
		case at == left && e.Signal == sigA:
			return hsm.Tran(right)
		case at == left && e.Signal == sigB:
			return hsm.Tran(right)
		case at == right && e.Signal == hsm.Entry && starts == 0:
			starts++
			panic("short circuit")
		}
		return 0
	}
	p.start(t, root)
	p.fifo(t, sigA)
	synctest.Wait()
	p.drained(t)
	spy := p.Recorder().Spy()
	want := []string{
		"START", "ENTRY_SIGNAL:root", "INIT_SIGNAL:root", "ENTRY_SIGNAL:left", "INIT_SIGNAL:left", "<- Queued:(0) Deferred:(0)",
		"A:left", "EXIT_SIGNAL:left", "ENTRY_SIGNAL:right", "A:left:FAILURE",
		"POST_FIFO:B", "START", "ENTRY_SIGNAL:root", "INIT_SIGNAL:root", "ENTRY_SIGNAL:left", "INIT_SIGNAL:left", "<- Queued:(1) Deferred:(0)",
		"B:left", "EXIT_SIGNAL:left", "ENTRY_SIGNAL:right", "INIT_SIGNAL:right", "<- Queued:(0) Deferred:(0)",
	}
	if diff := cmp.Diff(want, spy); diff != "" {
		t.Errorf("spy (-want +got):\n%s", diff)
	}
	wantTrace := []string{"[fuse] e->start_at() top->left", "[fuse] e->start_at() top->left", "[fuse] e->B() left->right"}
	if diff := cmp.Diff(wantTrace, instrument.Stripped(p.Recorder().TraceText())); diff != "" {
		t.Errorf("trace (-want +got):\n%s", diff)
	}
	if trace := p.Recorder().Trace(); len(trace) == 3 {
		start, restart, b := trace[0], trace[1], trace[2]
		if restart.Cause == 0 || restart.Cause == start.Event || b.Cause != restart.Event {
			t.Errorf("the start is %d, the restart %d by %d, B by %d; want it by A, and B by it", start.Event, restart.Event, restart.Cause, b.Cause)
		}
	}
}
