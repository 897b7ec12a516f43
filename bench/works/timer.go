package works

import (
	"context"
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/bench/measure"
	"github.com/statemesh/statemesh/hsm"
)

const (
	afterFunc = "AfterFunc+Stop"
	kept      = "Reset+Stop of a kept timer"
	far       = time.Hour // never comes
)

// timers is arming a timer and cancelling it.
func timers() []measure.Work {
	return []measure.Work{{
		Name: "timer/arm+cancel", About: "a timer is armed and cancelled before it is due",
		Contestants: []measure.Contestant{
			{Name: Ours, Begin: objectTimer},
			{Name: afterFunc, Begin: runtimeTimer},
			{Name: kept, Begin: keptTimer},
		},
		Goals: []measure.Goal{
			{Metric: measure.Time, Rival: afterFunc, Target: measure.Target{Kind: measure.AtMost, Value: 1.3}, NoAllocs: true},
			{Metric: measure.Time, Rival: kept},
		},
	}}
}

func objectTimer(ctx context.Context) (*measure.Session, error) {
	o := newObject(func() {})
	if err := o.Start(ctx, taking); err != nil {
		return nil, err
	}
	e := hsm.Event{Signal: press}
	return &measure.Session{
		Do: func(n int) (measure.Sample, error) {
			cancelled := 0
			for range n {
				id, err := o.PostFIFO(e, activeobject.Once(far))
				if err != nil {
					return nil, err
				}
				if o.CancelEvent(id) {
					cancelled++
				}
			}
			return nil, counted("timers", cancelled, n)
		},
		End: o.stop,
	}, nil
}

func runtimeTimer(context.Context) (*measure.Session, error) {
	return &measure.Session{Do: func(n int) (measure.Sample, error) {
		cancelled := 0
		for range n {
			if time.AfterFunc(far, func() {}).Stop() {
				cancelled++
			}
		}
		return nil, counted("timers", cancelled, n)
	}}, nil
}

func keptTimer(context.Context) (*measure.Session, error) {
	timer := time.AfterFunc(far, func() {})
	timer.Stop()
	return &measure.Session{Do: func(n int) (measure.Sample, error) {
		cancelled := 0
		for range n {
			timer.Reset(far)
			if timer.Stop() {
				cancelled++
			}
		}
		return nil, counted("timers", cancelled, n)
	}}, nil
}
