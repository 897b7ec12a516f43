package activeobject_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
)

// stepNoter defers, recalls or fails as its events say.
type stepNoter struct{ *activeobject.ActiveObject }

const stepping hsm.State = 1

var (
	stepPlain  = hsm.NewSignal("step_plain")
	stepDefer  = hsm.NewSignal("step_defer")
	stepOther  = hsm.NewSignal("step_other")
	stepRecall = hsm.NewSignal("step_recall")
	stepPanic  = hsm.NewSignal("step_panic")
)

func (s *stepNoter) stepping(e hsm.Event) hsm.Status {
	switch e.Signal {
	case stepDefer:
		if s.Deferred() == 0 && e.Payload == nil {
			_ = s.Defer(hsm.Event{Signal: stepDefer, Payload: "again"})
		}
	case stepOther:
		_ = s.Defer(hsm.Event{Signal: stepPlain})
	case stepRecall:
		_, _ = s.Recall()
	case stepPanic:
		_ = s.Defer(e)
		panic("as asked")
	}
	return hsm.Handled
}

func TestAfterStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		s := &stepNoter{}
		chart := hsm.MustCompile([]hsm.Spec[*stepNoter]{stepping: {Name: "stepping", Handle: (*stepNoter).stepping}})
		s.ActiveObject = activeobject.New("s", hsm.NewMachine(chart, s), activeobject.Config{
			Supervise: activeobject.Supervision{Policy: activeobject.Restart, Backoff: -1},
			AfterStep: func(step activeobject.Step) {
				name := "start"
				if step.Event.Signal != (hsm.Signal{}) {
					name = step.Event.Signal.String()
				}
				line := fmt.Sprintf("%s %d", name, step.Origin.ID)
				if name == "start" || step.Origin.ID > 1000 {
					line = name
				}
				if step.Deferred {
					line += " deferred"
				}
				if step.Failure != nil {
					line += " failed"
					if !errors.Is(step.Failure, activeobject.ErrPanic) {
						t.Errorf("the failure is %v", step.Failure)
					}
				}
				got = append(got, line)
			},
		})
		if err := s.Start(t.Context(), stepping); err != nil {
			t.Fatal(err)
		}
		for i, signal := range []hsm.Signal{stepPlain, stepDefer, stepPlain, stepRecall, stepOther, stepRecall, stepPanic, stepRecall, stepPlain} {
			if err := s.Deliver(hsm.Event{Signal: signal}, hsm.Origin{ID: uint64(i + 1)}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := []string{
			"start",
			"step_plain 1",
			"step_defer 2 deferred",
			"step_plain 3",
			"step_recall 4",
			"step_defer 2", // after its recall
			"step_other 5", // what it deferred is another event
			"step_recall 6",
			"step_plain",
			"step_panic 7 deferred failed",
			"start",
			"step_recall 8",
			"step_panic 7 deferred failed",
			"start",
			"step_plain 9",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestAfterStepOfAFailedStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var steps []activeobject.Step
		s := &stepNoter{}
		chart := hsm.MustCompile([]hsm.Spec[*stepNoter]{stepping: {Name: "stepping", Handle: func(*stepNoter, hsm.Event) hsm.Status { panic("at once") }}})
		s.ActiveObject = activeobject.New("s", hsm.NewMachine(chart, s), activeobject.Config{
			AfterStep: func(step activeobject.Step) { steps = append(steps, step) },
		})
		if err := s.Start(t.Context(), stepping); err == nil {
			t.Fatal("it has started")
		}
		if len(steps) != 1 || steps[0].Failure == nil || steps[0].Event.Signal != (hsm.Signal{}) {
			t.Errorf("%+v", steps)
		}
	})
}
