package main

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/examples/internal/local"
	"github.com/statemesh/statemesh/examples/internal/local/localtest"
	"github.com/statemesh/statemesh/hsm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestHeartbeat: the careless heart beats twice as often after it raced, and
// goes on when it has stopped; the careful one does neither, though both had
// beats waiting in the queue when they stopped.
func TestHeartbeat(t *testing.T) {
	localtest.Prints(t, program, `
		[careful] e->start_at() top->resting
		# careful, 0.30 s: beat 1
		# careful, 0.60 s: beat 2
		[careful] e->startle() resting->racing
		# careful, 0.80 s: beat 3
		# careful, 0.90 s: beat 4
		# careful, 1.00 s: beat 5
		[careful] e->calm_down() racing->resting
		# careful, 1.55 s: beat 6
		# careful, 1.85 s: beat 7
		[careful] e->stop() resting->stopped
		[careless] e->start_at() top->resting
		# careless, 0.30 s: beat 1
		# careless, 0.60 s: beat 2
		[careless] e->startle() resting->racing
		# careless, 0.80 s: beat 3
		# careless, 0.90 s: beat 4
		# careless, 0.90 s: beat 5
		# careless, 1.00 s: beat 6
		# careless, 1.20 s: beat 7
		[careless] e->calm_down() racing->resting
		# careless, 1.50 s: beat 8
		# careless, 1.55 s: beat 9
		# careless, 1.80 s: beat 10
		# careless, 1.85 s: beat 11
		[careless] e->stop() resting->stopped
		# careless, 2.50 s: a beat after it stopped
		# careless, 2.50 s: a beat after it stopped
		# careless, 2.50 s: a beat after it stopped
		# careless, 2.50 s: a beat after it stopped
		# careless, 2.70 s: a beat after it stopped
		# careless, 2.75 s: a beat after it stopped
	`)
}

// TestNoBleed: whenever the surgery begins, the careful heart has no beat after
// it stopped.
func TestNoBleed(t *testing.T) {
	p := program
	p.For = time.Hour
	for _, careless := range []bool{false, true} {
		late := 0
		_, err := localtest.Play(t, p, func(ctx context.Context, t *testing.T, stage *local.Stage) error {
			for after := 10 * time.Millisecond; after < 2*time.Second; after += 70 * time.Millisecond {
				h := &heart{stage: stage, careless: careless, born: time.Now()}
				h.ActiveObject = activeobject.New("heart", hsm.NewMachine(chart, h), activeobject.Config{})
				if err := h.Start(ctx, alive); err != nil {
					return err
				}
				h.PostFIFO(hsm.Event{Signal: startle}, activeobject.Every(350*time.Millisecond))
				h.PostFIFO(hsm.Event{Signal: surgery}, activeobject.Once(after))
				time.Sleep(after + 1500*time.Millisecond)
				if err := h.Stop(ctx); err != nil {
					return err
				}
				if h.State() != stopped {
					t.Errorf("surgery after %v: the heart has not stopped", after)
				}
				late += h.late
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		if bleeds := late > 0; bleeds != careless {
			t.Errorf("careless: %v, and %d beats after it stopped", careless, late)
		}
	}
}

// TestIDs: an id is that of one timer, and means nothing any more when that is
// over.
func TestIDs(t *testing.T) {
	_, err := localtest.Play(t, program, func(ctx context.Context, t *testing.T, stage *local.Stage) error {
		h := &heart{stage: stage}
		h.ActiveObject = activeobject.New("heart", hsm.NewMachine(chart, h), activeobject.Config{})
		first, _ := h.PostFIFO(hsm.Event{Signal: beat}, activeobject.Every(time.Minute))
		second, _ := h.PostFIFO(hsm.Event{Signal: beat}, activeobject.Every(time.Minute))
		if !h.CancelEvent(first) || h.CancelEvent(first) {
			t.Error("cancelled not at all, or twice")
		}
		third, _ := h.PostFIFO(hsm.Event{Signal: beat}, activeobject.Every(time.Minute))
		if third == first || third == second {
			t.Error("an id is used again")
		}
		if h.CancelEvent(first) {
			t.Error("an old id cancels a new timer")
		}
		if n := h.CancelEvents(beat); n != 2 {
			t.Errorf("%d timers cancelled, want 2", n)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
