package goldentest

import "github.com/statemesh/statemesh/hsm"

// Poster is what a golden chart acts on: an object, or a queue.
type Poster interface {
	Post(e hsm.Event, lifo bool)
	Defer(e hsm.Event) error
	Recall() (bool, error)
}

// Queue is a Poster.
type Queue struct{ *hsm.Queue }

// Post puts an event into the queue, which may refuse it.
func (q Queue) Post(e hsm.Event, lifo bool) {
	if lifo {
		q.PostLIFO(e)
	} else {
		q.PostFIFO(e)
	}
}

// Post posts all of it.
func (s Stimulus) Post(p Poster) {
	for _, post := range s {
		if post[0] != "fifo" && post[0] != "lifo" {
			panic("unknown way to post " + post[0])
		}
		p.Post(hsm.Event{Signal: hsm.NewSignal(post[1])}, post[0] == "lifo")
	}
}

func (a *Action) run(p Poster) {
	if a.Limit--; a.Limit < 0 {
		return
	}
	e := hsm.Event{Signal: hsm.NewSignal(a.Signal)}
	switch a.Op {
	case "post_fifo", "post_lifo":
		p.Post(e, a.Op == "post_lifo")
	case "defer":
		p.Defer(e)
	case "recall":
		p.Recall()
	default:
		panic("unknown op " + a.Op)
	}
}

// Numbers returns the states by their names.
func (c *Chart) Numbers() map[string]hsm.State {
	states := make(map[string]hsm.State)
	for i, s := range c.States {
		states[s.Name] = hsm.State(i + 1)
	}
	return states
}

// Answer does what the reaction says, as a handler. Each call counts for its guard and for
// the limits of its actions.
func (r *Reaction) Answer(p Poster, states map[string]hsm.State) hsm.Status {
	if r.Kind == "unhandled" {
		return hsm.Unhandled
	}
	if r.asked++; r.Guard > 0 && (r.asked-1)%r.Guard != 0 {
		return hsm.Unhandled
	}
	for _, a := range r.Actions {
		a.run(p)
	}
	if r.Target != "" {
		return hsm.Tran(states[r.Target])
	}
	return hsm.Handled
}

// On returns the reaction to a signal, nil for none.
func (s *State) On(signal hsm.Signal) *Reaction {
	inner := &s.Init
	switch signal {
	case hsm.Entry:
		inner = &s.Entry
	case hsm.Exit:
		inner = &s.Exit
	case hsm.Init:
	default:
		return s.Reactions[signal.String()]
	}
	if !inner.Handled {
		return nil
	}
	return &inner.Reaction
}

// Catches lists what a state has something to do on.
func (s *State) Catches() []hsm.Signal {
	list := []hsm.Signal{}
	for _, signal := range []hsm.Signal{hsm.Entry, hsm.Exit, hsm.Init} {
		if s.On(signal) != nil {
			list = append(list, signal)
		}
	}
	for signal := range s.Reactions {
		list = append(list, hsm.NewSignal(signal))
	}
	return list
}

// Specs makes the chart's states of handlers, which say with Catches what they handle, or
// say nothing. called, if not nil, hears of each call of a handler.
func Specs[D Poster](c *Chart, catches bool, called func(D, *State, hsm.Signal)) []hsm.Spec[D] {
	states := c.Numbers()
	specs := make([]hsm.Spec[D], len(c.States)+1)
	for i := range c.States {
		s := &c.States[i]
		spec := &specs[i+1]
		spec.Name, spec.Parent = s.Name, states[s.Parent]
		if catches {
			spec.Catches = s.Catches()
		}
		spec.Handle = func(d D, e hsm.Event) hsm.Status {
			if called != nil {
				called(d, s, e.Signal)
			}
			if r := s.On(e.Signal); r != nil {
				return r.Answer(d, states)
			}
			return hsm.Super
		}
	}
	return specs
}

// Spy returns the lines that the step is to write.
func (c *Chart) Spy(s Step) []string {
	var lines []string
	for _, i := range s.Spy {
		lines = append(lines, c.Expected.Spies[i])
	}
	return lines
}

// Transition returns what the step is to trace: signal, from and to.
func (s Step) Transition() (line [3]string, traced bool) {
	if s.Trace == nil {
		return line, false
	}
	line = [3]string{"start_at", *s.Trace[1], *s.Trace[2]}
	if s.Trace[0] != nil {
		line[0] = *s.Trace[0]
	}
	return line, true
}
