package recipes

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

// logged says that what goes wrong is logged.
func logged(log *slog.Logger) activeobject.Config {
	return activeobject.Config{
		OnFailure: func(o *activeobject.ActiveObject, f *activeobject.Failure) {
			log.Error("a chart stopped", "object", f.Object, "state", f.State, "signal", f.Event.Signal, "error", f.Err)
		},
	}
}

// restarted starts an object that failed again, at most three times in ten minutes, and
// tells of steps that take longer than a second.
func restarted(log *slog.Logger) activeobject.Config {
	return activeobject.Config{
		Supervise: activeobject.Supervision{
			Policy:      activeobject.Restart,
			MaxRestarts: 3,
			Within:      10 * time.Minute,
			OnRestart: func(o *activeobject.ActiveObject, f *activeobject.Failure) {
				log.Warn("starting again", "object", f.Object, "error", f.Err)
			},
		},
		Watchdog: time.Second,
		OnSlow: func(_ *activeobject.ActiveObject, s *activeobject.Slow) {
			log.Warn("a step takes long", "object", s.Object, "handler", s.Handler, "stack", s.Stack)
		},
	}
}

// traced says that every transition goes to the log of the program.
func traced(log *slog.Logger) (c activeobject.Config, stop func()) {
	live := instrument.NewLive(instrument.LiveConfig{
		Trace: func(t instrument.Trace) error {
			log.Info("transition", "object", t.Name, "signal", t.Signal, "from", t.From, "to", t.To)
			return nil
		},
	})
	c.Instrument = instrument.Config{Trace: true, Live: []*instrument.Live{live}}
	return c, live.Close
}

// small is an object in whose queue 16 events may wait, and no more.
func small(c activeobject.Config) *clock {
	c.QueueSize = 16
	return newClock(c)
}

// offer posts an event, if there is room for it.
func offer(o *clock, e hsm.Event) (taken bool, err error) {
	_, err = o.PostFIFO(e)
	if errors.Is(err, hsm.ErrQueueFull) {
		return false, nil // and o.Stats().Rejected counts it
	}
	return err == nil, err
}

// newest is an object whose full queue gives up the oldest event for a new one.
func newest(c activeobject.Config) *clock {
	c.QueueSize, c.Overflow = 16, hsm.Drop
	return newClock(c)
}

// serve runs an object until ctx ends or the object fails. It gives the events
// that wait then two seconds.
func serve(ctx context.Context, o *clock) error {
	if err := o.Start(ctx, idle); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case <-o.Done():
	}
	last, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return errors.Join(o.Drain(last), o.Err())
}
