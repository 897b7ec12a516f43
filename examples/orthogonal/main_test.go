package main

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/statemesh/statemesh/examples/internal/local"
	"github.com/statemesh/statemesh/examples/internal/local/localtest"
	"github.com/statemesh/statemesh/hsm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestOrthogonal: the trace of the reactor and of one piston.
func TestOrthogonal(t *testing.T) {
	localtest.Prints(t, program, `
		[piston_1] e->start_at() top->back
		[reactor] e->start_at() top->cold
		[reactor] e->ignite() cold->fusing
		[piston_1] e->pulse() back->rammed
		[piston_1] e->pulse() rammed->back
		[piston_1] e->pulse() back->rammed
		[piston_1] e->pulse() rammed->back
		[piston_1] e->pulse() back->rammed
		[piston_1] e->pulse() rammed->worn
		[reactor] e->worn_out() fusing->cold
		# all pistons are worn out
		# 765 strokes; the pistons are map[worn:255]
	`)
}

// TestPistons looks at all pistons after every pulse: each is where its own life
// says, whatever the others do.
func TestPistons(t *testing.T) {
	lines, err := localtest.Play(t, program, func(ctx context.Context, t *testing.T, stage *local.Stage) error {
		r, err := newReactor(stage)
		if err != nil {
			return err
		}
		r.delay = func(time.Duration) time.Duration { return time.Hour } // the test gives the pulses
		if err := r.Start(ctx, fusing); err != nil {
			return err
		}
		for pulses := range 10 {
			synctest.Wait()
			for i, p := range r.pistons {
				number := i + 1
				life := 2 + number%3
				state, strokes := back, (pulses+1)/2
				switch {
				case pulses >= 2*life:
					state, strokes = worn, life
				case pulses%2 == 1:
					state = rammed
				}
				if p.State() != state || p.strokes != strokes || p.number != number {
					t.Errorf("after %d pulses piston %d is in %d with %d strokes, want %d with %d", pulses, number, p.State(), p.strokes, state, strokes)
				}
				if p.Len() > 0 {
					t.Errorf("after %d pulses %d events wait for piston %d", pulses, p.Len(), number)
				}
			}
			if _, err := r.PostFIFO(hsm.Event{Signal: pulse}); err != nil {
				return err
			}
		}
		err = stage.Until(ctx, r.ActiveObject)
		if r.worn != len(r.pistons) {
			t.Errorf("%d pistons said that they are worn, want %d", r.worn, len(r.pistons))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if want := "[reactor] e->worn_out() fusing->cold"; !slices.Contains(lines, want) {
		t.Errorf("no %s in %q", want, lines)
	}
}

// TestScram: a piston that fails is a reason for a transition of its owner.
func TestScram(t *testing.T) {
	lines, err := localtest.Play(t, program, func(ctx context.Context, t *testing.T, stage *local.Stage) error {
		r, err := newReactor(stage)
		if err != nil {
			return err
		}
		r.pistons[100].Reset() // not started any more
		if err := r.Start(ctx, fusing); err != nil {
			return err
		}
		err = stage.Until(ctx, r.ActiveObject)
		if !errors.Is(r.failure, hsm.ErrNotStarted) {
			t.Errorf("the failure is %v, want %v", r.failure, hsm.ErrNotStarted)
		}
		if first, after := r.pistons[99].State(), r.pistons[101].State(); first != rammed || after != back {
			t.Errorf("the neighbours of the failed piston are in %d and %d, want %d and %d", first, after, rammed, back)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if want := "[reactor] e->pulse() fusing->scram"; !slices.Contains(lines, want) {
		t.Errorf("no %s in %q", want, lines)
	}
}
