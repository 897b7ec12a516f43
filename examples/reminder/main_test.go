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

// TestReminder: the fourth sample comes because the reminder of the third was
// ignored while the sensor was busy.
func TestReminder(t *testing.T) {
	localtest.Prints(t, program, `
		[sensor] e->start_at() top->idle
		[sensor] e->data_ready() idle->busy
		# 3 samples to process
		[sensor] e->processed() busy->idle
		[sensor] e->data_ready() idle->busy
		# 4 samples to process
		[sensor] e->processed() busy->idle
		[sensor] e->data_ready() idle->busy
		# 4 samples to process
		[sensor] e->processed() busy->idle
		[sensor] e->data_ready() idle->busy
		# 4 samples to process
		[sensor] e->processed() busy->idle
		[sensor] e->data_ready() idle->busy
		# 4 samples to process
		# 19 samples processed, 0 not yet
	`)
}

// TestNoSampleLost: whatever the sensor does meanwhile, it takes a sample at
// each tick, and a minute has 599 of them and a bit.
func TestNoSampleLost(t *testing.T) {
	p := program
	p.For = time.Minute - 50*time.Millisecond
	_, err := localtest.Play(t, p, func(ctx context.Context, t *testing.T, stage *local.Stage) error {
		s := &sensor{delay: stage.Delay}
		s.ActiveObject = activeobject.New("sensor", hsm.NewMachine(chart, s), activeobject.Config{})
		if err := s.Start(ctx, polling); err != nil {
			return err
		}
		err := stage.Until(ctx, s.ActiveObject)
		if got := s.total + s.samples; got != 599 || s.samples > 4 {
			t.Errorf("%d samples, %d of them not processed; want 599, few of them not processed", got, s.samples)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
