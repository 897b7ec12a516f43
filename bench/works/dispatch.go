package works

import (
	"context"
	"time"

	"github.com/statemesh/statemesh/bench/measure"
	"github.com/statemesh/statemesh/hsm"
)

// dispatch is one of the works W1 to W4.
type dispatch struct {
	name    string
	signal  hsm.Signal
	start   hsm.State
	actions int // an event
	number  int // of the work, for those who have no signals
	about   string
}

var dispatching = []dispatch{
	{"W1", w1, stateS211, 1, 1, "an event that is handled three levels up, without a transition"},
	{"W2", w2, stateS11, 2, 2, "a transition to the sibling"},
	{"W3", w3, stateS11, 5, 3, "a transition across the tree"},
	{"W4", w4, stateS11, 5, 4, "a transition across that superstates handle, with initial transitions"},
}

const (
	oursUndeclared = Ours + ", Catches not declared"

	nestedSwitch = "nested switch"
	looplab      = "looplab/fsm"
	qmuntal      = "qmuntal/stateless"
)

// dispatches are W1 to W4 with nothing recorded. The chart declares what it can,
// Catches and Init; the same chart without is a rival, so that it can be seen what
// that gives.
func dispatches() []measure.Work {
	switchTargets := map[string]float64{"W1": 3.6, "W2": 4.4, "W3": 4.7, "W4": 4.4}
	var all []measure.Work
	for _, d := range dispatching {
		w := measure.Work{
			Name: "dispatch/" + d.name, About: d.about,
			Contestants: []measure.Contestant{
				{Name: Ours, Begin: d.machine(tallying, func() *hsm.Log { return nil })},
				{Name: oursUndeclared, Begin: d.machine(undeclared, func() *hsm.Log { return nil })},
				{Name: nestedSwitch, Begin: d.nested},
				{Name: qmuntal, Begin: d.stateless},
			},
			Goals: []measure.Goal{
				{Metric: measure.Time, Rival: nestedSwitch, Target: measure.Target{Kind: measure.AtMost, Value: switchTargets[d.name]}, Aim: 3, NoAllocs: true},
				{Metric: measure.Time, Rival: oursUndeclared, Note: "nor Init"},
				{Metric: measure.Time, Rival: qmuntal},
			},
		}
		if d.name != "W1" {
			w.Goals[2].Target = measure.Target{Kind: measure.AtLeast, Value: 20}
		}
		if d.name != "W4" {
			w.Contestants = append(w.Contestants, measure.Contestant{Name: looplab, Begin: d.looplab})
			w.Goals = append(w.Goals, measure.Goal{Metric: measure.Time, Rival: looplab, Note: "a flat machine"})
		}
		all = append(all, w)
	}
	return all
}

// clockName is the contestant that does nothing but read the clock.
const clockName = "time.Since"

// clockThere is what time.Since takes on the machine that the targets in ns were
// made for.
const clockThere = 23

// recordings are W1 to W4 with the trace, the spy or both kept in rings that nobody
// reads.
func recordings() []measure.Work {
	var all []measure.Work
	for _, l := range []struct {
		name   string
		config hsm.LogConfig
		target float64
	}{
		{"trace", hsm.LogConfig{Trace: 500}, 35},
		{"spy", hsm.LogConfig{Spy: 500}, 40},
		{"trace+spy", hsm.LogConfig{Trace: 500, Spy: 500}, 40},
	} {
		for _, d := range dispatching {
			all = append(all, measure.Work{
				Name: l.name + "/" + d.name, About: d.about + ", recorded",
				Contestants: []measure.Contestant{
					{Name: Ours, Begin: d.machine(tallying, func() *hsm.Log { return hsm.NewLog(l.config) })},
					{Name: clockName, Begin: clock},
				},
				Goals: []measure.Goal{{
					Metric: measure.Time, Target: measure.Target{Kind: measure.AtMost, Value: l.target}, NoAllocs: true,
					ScaleBy: &measure.Scale{Contestant: clockName, There: clockThere},
				}},
			})
		}
	}
	return all
}

// machine is ours.
func (d dispatch) machine(chart *hsm.Chart[*tally], log func() *hsm.Log) func(context.Context) (*measure.Session, error) {
	return func(context.Context) (*measure.Session, error) {
		c := &tally{}
		m := hsm.NewMachine(chart, c)
		m.SetLog(log())
		if err := m.Start(d.start); err != nil {
			return nil, err
		}
		e := hsm.Event{Signal: d.signal}
		return &measure.Session{Do: func(n int) (measure.Sample, error) {
			c.actions = 0
			for range n {
				if err := m.Dispatch(e); err != nil {
					return nil, err
				}
			}
			return nil, counted("actions", c.actions, n*d.actions)
		}}, nil
	}
}

// clock reads the clock.
func clock(context.Context) (*measure.Session, error) {
	return &measure.Session{Do: func(n int) (measure.Sample, error) {
		base, back := time.Now(), 0
		var last time.Duration
		for range n {
			since := time.Since(base)
			if since < last {
				back++
			}
			last = since
		}
		return nil, counted("steps back of the clock", back, 0)
	}}, nil
}
