package hsm

// Machine is one running instance of a chart. It belongs to one goroutine at a
// time; only what its Log gives may be read by others. Create it with
// NewMachine.
type Machine[C any] struct {
	data  C
	leaf  *state[C]
	log   *Log
	phase phase
	// attention says that the end of a step has more to do than most: there is a
	// log or a fault, or SetLog was called within the step.
	attention bool
	chart     *Chart[C]
	fault     *HandlerError // the first mistake a handler made in this step
	next      *Log          // what SetLog said, to take effect after the step

	// What a log needs of the step that runs.
	signal Signal
	origin Origin
	asked  int64 // when the handler had asked for a transition
}

type phase uint8

const (
	idle  phase = iota // not started
	ready              // between steps
	busy               // in a step, or a handler panicked in one
)

// NewMachine returns a machine that runs the chart on data and has not been
// started.
func NewMachine[C any](chart *Chart[C], data C) *Machine[C] {
	return &Machine[C]{chart: chart, leaf: &chart.states[Top], data: data}
}

// SetLog makes the machine record what it does in l, from its next step on; nil
// ends that. A log serves one machine.
func (m *Machine[C]) SetLog(l *Log) {
	m.next, m.attention = l, true
	if m.phase != busy {
		m.log = l
	}
}

// Log returns the machine's log, nil if it has none.
func (m *Machine[C]) Log() *Log { return m.log }

// Tree returns the shape of the machine's chart.
func (m *Machine[C]) Tree() *Tree { return &m.chart.Tree }

// Data returns the data that the machine's handlers get.
func (m *Machine[C]) Data() C { return m.data }

// State returns the current leaf; within a step the one that the step began
// with. It is Top before the first start.
func (m *Machine[C]) State() State { return m.leaf.id }

// In reports whether s is the current leaf or one of its superstates.
func (m *Machine[C]) In(s State) bool { return m.chart.Contains(s, m.leaf.id) }

// Child returns the state directly inside s on the way to the current leaf, or
// s itself if it is the leaf; ok is false if the machine is not in s.
func (m *Machine[C]) Child(s State) (child State, ok bool) {
	if !m.In(s) {
		return Top, false
	}
	if s == m.leaf.id {
		return s, true
	}
	return m.chart.Path(m.leaf.id)[len(m.chart.Path(s))], true
}

// Reset brings the machine back to where it was before its first start,
// without exiting anything. It is the way on after a handler panicked, and must
// not be called from inside a handler.
func (m *Machine[C]) Reset() {
	m.phase, m.leaf, m.fault, m.log = idle, &m.chart.states[Top], nil, m.next
}

// Start enters s from the outside and follows its initial transitions. On a
// machine that runs already it begins anew, without exiting anything. It
// returns ErrUnknown if s is no state of the chart, ErrBusy from inside a
// handler and after a panic, and a *HandlerError for a mistake of a handler.
func (m *Machine[C]) Start(s State) error { return m.StartFrom(s, Origin{}) }

// StartFrom is Start with an origin for the record of the start.
func (m *Machine[C]) StartFrom(s State, o Origin) error {
	if !m.chart.Has(s) {
		return &StateError{State: s, Detail: "cannot start in it", Err: ErrUnknown}
	}
	if m.phase == busy {
		return ErrBusy
	}
	m.phase = busy
	top, first := &m.chart.states[Top], &m.chart.states[s]
	if m.log != nil {
		m.signal, m.origin = Signal{}, o
		m.log.Add(Record{Kind: KindStart, State: s})
		m.ask()
	}
	return m.arrive(top, first, first.path)
}

// Dispatch runs one step: it offers the event to the current leaf and its
// superstates and makes the transition that the first answer asks for. An
// event that nobody handles is ignored. It returns ErrNotStarted, ErrBusy from
// inside a handler and after a panic, ErrNoSignal, a *SignalError for an inner signal, and a
// *HandlerError for a mistake of a handler. It does not allocate, and blocks
// as long as the handlers do. A panic of a handler goes through, and leaves the
// machine busy until it is reset.
func (m *Machine[C]) Dispatch(e Event) error { return m.DispatchFrom(e, Origin{}) }

// DispatchFrom is Dispatch for an event whose origin is known.
func (m *Machine[C]) DispatchFrom(e Event, o Origin) error {
	if m.phase != ready {
		if m.phase == busy {
			return ErrBusy
		}
		return ErrNotStarted
	}
	if e.Signal == (Signal{}) || e.Signal.IsInner() {
		return e.Signal.check()
	}
	m.phase = busy
	if m.log != nil {
		m.signal, m.origin = e.Signal, o
	}
	for s := m.leaf; s.handle != nil; s = s.parent {
		var answer Status
		if m.log == nil {
			answer = s.handle(m.data, e)
		} else {
			answer = m.spied(s, e)
		}
		switch answer {
		case Super:
		case Unhandled:
			if m.log != nil {
				m.log.Add(Record{Kind: KindCall, State: s.id, Signal: Empty})
			}
		case Handled:
			if m.log != nil {
				m.log.Add(Record{Kind: KindHook, State: s.id, Signal: e.Signal})
			}
			return m.end(nil)
		default:
			return m.transition(s, e.Signal, answer)
		}
	}
	return m.end(nil)
}

// transition leaves the leaf for the target of answer, which the handler of
// source gave.
func (m *Machine[C]) transition(source *state[C], signal Signal, answer Status) error {
	id, ok := answer.Target()
	if !ok {
		m.mistake(source, signal, answer, ErrStatus)
		return m.end(nil)
	}
	if !m.chart.Has(id) {
		m.mistake(source, signal, answer, ErrTarget)
		return m.end(nil)
	}
	target := &m.chart.states[id]
	if m.log != nil {
		m.ask()
		m.log.Add(Record{Kind: KindTran, State: source.id, Number: int64(id)})
	}
	// Going up from source, the first state on the way to target is their least
	// common ancestor; that of a state with itself counts as its superstate.
	ancestor, depth := source, len(source.path)
	if source == target {
		ancestor, depth = source.parent, depth-1
	}
	for depth > 0 && (depth > len(target.path) || target.path[depth-1] != ancestor) {
		ancestor, depth = ancestor.parent, depth-1
	}
	from := m.leaf
	if m.log == nil {
		data := m.data
		for s := from; s != ancestor; s = s.parent {
			if answer := s.handle(data, Event{Signal: Exit}); uint64(answer-Super) > uint64(Unhandled-Super) {
				m.mistake(s, Exit, answer, ErrTranInside)
			}
		}
	} else {
		for s := from; s != ancestor; s = s.parent {
			if answer := m.spied(s, Event{Signal: Exit}); uint64(answer-Super) > uint64(Unhandled-Super) {
				m.mistake(s, Exit, answer, ErrTranInside)
			}
		}
	}
	return m.arrive(from, target, target.path[depth:])
}

// arrive enters the states of path, outermost first, of which s is the last,
// follows initial transitions down from there, and ends the step. Each initial
// transition leads further down, so this ends.
func (m *Machine[C]) arrive(from, s *state[C], path []*state[C]) error {
	for {
		m.enter(path)
		var answer Status
		if m.log == nil {
			answer = s.handle(m.data, Event{Signal: Init})
		} else {
			answer = m.spied(s, Event{Signal: Init})
		}
		target := s.init
		if uint64(answer-Super) > uint64(Unhandled-Super) {
			target = m.initial(s, answer)
		}
		if target == nil {
			break
		}
		if m.log != nil {
			m.log.Add(Record{Kind: KindInitTran, State: s.id, Number: int64(target.id)})
		}
		path = target.path[len(s.path):]
		s = target
	}
	m.leaf = s
	if !m.log.Tracing() {
		return m.end(nil)
	}
	return m.end(m.log.tran(m.signal, from.id, s.id, m.asked, &m.origin))
}

// enter enters the states of path, outermost first.
func (m *Machine[C]) enter(path []*state[C]) {
	if m.log == nil {
		data := m.data
		for _, s := range path {
			if answer := s.handle(data, Event{Signal: Entry}); uint64(answer-Super) > uint64(Unhandled-Super) {
				m.mistake(s, Entry, answer, ErrTranInside)
			}
		}
		return
	}
	for _, s := range path {
		if answer := m.spied(s, Event{Signal: Entry}); uint64(answer-Super) > uint64(Unhandled-Super) {
			m.mistake(s, Entry, answer, ErrTranInside)
		}
	}
}

// initial returns the target of the initial transition that the handler of s
// asked for, the declared one if the answer cannot be followed.
func (m *Machine[C]) initial(s *state[C], answer Status) *state[C] {
	id, ok := answer.Target()
	if !ok {
		m.mistake(s, Init, answer, ErrStatus)
		return s.init
	}
	depth := len(s.path)
	if m.chart.Has(id) && (s.init == nil || s.init.id == id) {
		if target := &m.chart.states[id]; len(target.path) > depth && target.path[depth-1] == s {
			return target
		}
	}
	m.mistake(s, Init, answer, ErrInitLeaves)
	return s.init
}

// spied is a call of a handler with the log's record of it. The callers test
// for a log themselves: that saves a call on every one of a machine without.
func (m *Machine[C]) spied(s *state[C], e Event) Status {
	if !m.log.spy {
		return s.handle(m.data, e)
	}
	records := &m.log.records
	if records.n == len(records.chunk) { // next, by hand: the compiler does not inline it here
		records.turn()
	}
	records.n++
	r := &records.chunk[records.n-1]
	turns := records.turns
	// Field by field: a Record that is put together elsewhere and copied here costs
	// more than the rest of the spy.
	r.Signal, r.Number, r.State, r.Kind, r.Handled = e.Signal, 0, s.id, KindCall, false
	answer := s.handle(m.data, e)
	// After a step that is longer than the ring, something else stands there.
	if answer != Super && answer != Unhandled && records.turns-turns < uint64(cap(records.chunks)) {
		r.Handled = true
	}
	return answer
}

// ask takes the time of a transition, once a step.
func (m *Machine[C]) ask() {
	if m.log.trace {
		m.asked = m.log.clock.now()
	}
}

// end closes the step. It is small enough to be inlined.
func (m *Machine[C]) end(t *Transition) error {
	m.phase = ready
	if !m.attention {
		return nil
	}
	return m.attend(t)
}

func (m *Machine[C]) attend(t *Transition) error {
	if m.log != nil {
		m.log.end(t)
	}
	m.log, m.attention = m.next, m.next != nil
	if m.fault == nil {
		return nil
	}
	fault := m.fault
	m.fault = nil
	return fault
}

// mistake notes what a handler did wrong, if it is the step's first mistake. An
// answer that is none at all is ErrStatus whatever else it might be.
//
//go:noinline
func (m *Machine[C]) mistake(s *state[C], signal Signal, answer Status, err error) {
	if _, ok := answer.Target(); !ok {
		err = ErrStatus
	}
	m.attention = true
	if m.fault == nil {
		m.fault = &HandlerError{State: m.chart.Name(s.id), Leaf: m.chart.Name(m.leaf.id), Signal: signal, Status: answer, Err: err}
	}
}
