package factory

import "github.com/statemesh/statemesh/hsm"

// Factory builds charts whose own data is a C, usually a pointer. It never
// fails while it is told what to build: Compile reports all mistakes at once.
// Create it with New.
type Factory[C any] struct {
	created []*State[C]
	missing []hsm.State             // asked for and not found
	nested  map[hsm.State]hsm.State // parents
}

// New returns a factory without states.
func New[C any]() *Factory[C] {
	return &Factory[C]{nested: make(map[hsm.State]hsm.State)}
}

// State is one state of a chart that is being built. It has the methods of its
// factory too, so that a chart can be built in a single expression.
type State[C any] struct {
	*Factory[C]
	number  hsm.State
	name    string
	catches []catch[C] // in the order in which the signals were first caught
}

// catch is a signal with its handler.
type catch[C any] struct {
	signal hsm.Signal
	handle func(C, hsm.Event) hsm.Status // what the chart calls; nil is a mistake
	given  any                           // the function that was given, for Source
}

// Create adds a state to the chart and returns it. The number is a constant of
// the user's, so that handlers can name the state; the numbers of a chart are 1
// to the number of its states, in any order. The name is what trace and spy
// print, unique in the chart. Until it is nested the state is an outermost one.
func (f *Factory[C]) Create(number hsm.State, name string) *State[C] {
	s := &State[C]{Factory: f, number: number, name: name}
	f.created = append(f.created, s)
	return s
}

// State returns a state that was created before, to have it catch more, or
// otherwise: that is how a chart is varied.
func (f *Factory[C]) State(number hsm.State) *State[C] {
	for _, s := range f.created {
		if s.number == number {
			return s
		}
	}
	f.missing = append(f.missing, number)
	return &State[C]{Factory: f, number: number}
}

// Nest puts a state inside another one, its superstate, in place of the one
// that it was in before; hsm.Top makes it an outermost one again. Both states
// may be created later.
func (f *Factory[C]) Nest(state, parent hsm.State) *Factory[C] {
	f.nested[state] = parent
	return f
}

// Catch gives the state a handler for a signal, in place of the one that it had
// for it before. The handler is a method expression such as (*ergodic).goInner,
// or a function. It is called as hsm.Spec says of Handle, with this signal only.
// The signal is one that machines take, or hsm.Entry, hsm.Exit or hsm.Init.
func (s *State[C]) Catch(signal hsm.Signal, handler func(C, hsm.Event) hsm.Status) *State[C] {
	return s.catch(catch[C]{signal, handler, handler})
}

// CatchBound is Catch for a handler that needs only the event: a method value
// such as pump.tick, which brings its own data, or a plain function. Such a
// handler is shared by all machines that run the chart, so what it brings must
// stand being used from all their goroutines.
func (s *State[C]) CatchBound(signal hsm.Signal, handler func(hsm.Event) hsm.Status) *State[C] {
	if handler == nil {
		return s.catch(catch[C]{signal: signal})
	}
	return s.catch(catch[C]{signal, func(_ C, e hsm.Event) hsm.Status { return handler(e) }, handler})
}

func (s *State[C]) catch(c catch[C]) *State[C] {
	for i := range s.catches {
		if s.catches[i].signal == c.signal {
			s.catches[i] = c
			return s
		}
	}
	s.catches = append(s.catches, c)
	return s
}
