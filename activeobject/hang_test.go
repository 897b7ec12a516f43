package activeobject_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
)

// TestStopOfAHangingHandler: Stop and Drain return by their deadline, Start is
// refused until the handler has returned, and then the object ends, whatever the
// step came to: it is not restarted, and a failure is told.
func TestStopOfAHangingHandler(t *testing.T) {
	for _, test := range []struct {
		name  string
		end   func(*probe, context.Context) error
		fails bool
	}{
		{"Stop", (*probe).Stop, false},
		{"Drain", (*probe).Drain, false},
		{"Stop, and a panic", (*probe).Stop, true},
		{"Drain, and a panic", (*probe).Drain, true},
	} {
		inBubble(t, test.name, func(t *testing.T) {
			var told []*activeobject.Failure
			c := activeobject.Config{
				Fabric: activeobject.NewFabric(), Supervise: activeobject.Supervision{Policy: activeobject.Escalate, Backoff: -1},
				OnFailure: func(_ *activeobject.ActiveObject, f *activeobject.Failure) { told = append(told, f) },
			}
			c.Supervise.Decide = func(*activeobject.ActiveObject, *activeobject.Failure) activeobject.Policy {
				t.Error("Decide was asked")
				return activeobject.Restart
			}
			c.Supervise.OnRestart = func(*activeobject.ActiveObject, *activeobject.Failure) { t.Error("it was restarted") }
			p := failing(c, sigB, func() hsm.Status {
				time.Sleep(time.Hour)
				if test.fails {
					panic("awake")
				}
				return hsm.Handled
			})
			p.start(t, left)
			p.subscribe(t, activeobject.FIFO, sigD)
			p.timed(t, sigC, activeobject.Every(time.Minute))
			p.fifo(t, sigB, sigA)
			synctest.Wait()
			for range 2 { // the second time it is told already
				begin := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
				if err := test.end(p, ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != 90*time.Second {
					t.Errorf("it gives %v after %v, want DeadlineExceeded after 90 s", err, time.Since(begin))
				}
				cancel()
				if err := p.Start(t.Context(), left); !errors.Is(err, activeobject.ErrRunning) {
					t.Errorf("Start gives %v, want ErrRunning", err)
				}
				if _, err := p.PostFIFO(hsm.Event{Signal: sigA}); !errors.Is(err, activeobject.ErrStopped) {
					t.Errorf("posting gives %v, want ErrStopped", err)
				}
				if s := p.String(); s != "fuse (stopping)" {
					t.Errorf("it is %s", s)
				}
				select {
				case <-p.Done():
					t.Error("Done is closed while the handler runs")
				default:
				}
			}
			<-p.Done()
			synctest.Wait()
			if test.fails != (p.Err() != nil) || test.fails != (len(told) == 1) {
				t.Errorf("Err is %v, OnFailure got %v", p.Err(), told)
			}
			// What was posted before, and by the timer until it was told to stop.
			discarded := p.Stats().Discarded
			if discarded != 1 && discarded != 2 || p.Stats().Waiting != 0 {
				t.Errorf("stats %+v", p.Stats())
			}
			p.react, p.got = nil, nil
			p.start(t, left)
			publish(t, p, sigD, 1)
			p.fifo(t, sigA)
			time.Sleep(time.Hour)
			if diff := cmp.Diff([]string{"A"}, p.drained(t)); diff != "" || p.Stats().Discarded != discarded {
				t.Errorf("after another start, stats %+v, handled (-want +got):\n%s", p.Stats(), diff)
			}
		})
	}
}

// TestStopOfAHangingHook returns by its deadline too.
func TestStopOfAHangingHook(t *testing.T) {
	hang := make(chan struct{})
	for name, s := range map[string]activeobject.Supervision{
		"Decide": {Policy: activeobject.Escalate, Decide: func(*activeobject.ActiveObject, *activeobject.Failure) activeobject.Policy {
			<-hang
			return activeobject.Restart
		}},
		"OnRestart": {Policy: activeobject.Restart, Backoff: -1, OnRestart: func(*activeobject.ActiveObject, *activeobject.Failure) { <-hang }},
	} {
		inBubble(t, name, func(t *testing.T) {
			hang = make(chan struct{})
			p := failing(activeobject.Config{Supervise: s}, sigA, func() hsm.Status { panic(1) })
			p.start(t, left)
			p.fifo(t, sigA, sigB)
			synctest.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if err := p.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Stop gives %v, want DeadlineExceeded", err)
			}
			if err := p.Start(t.Context(), left); !errors.Is(err, activeobject.ErrRunning) {
				t.Errorf("Start gives %v, want ErrRunning", err)
			}
			close(hang)
			<-p.Done()
			if len(p.got) != 0 || p.Stats().Discarded != 1 {
				t.Errorf("handled %v, stats %+v; want B discarded", p.got, p.Stats())
			}
		})
	}
}
