package hsm

// Machine is one running instance of a chart. It belongs to one goroutine at a
// time; only what its Log gives may be read by others. Create it with
// NewMachine.
type Machine[C any] struct {
	data  C
	leaf  *state[C]
	phase phase
	// spied says that the log takes records. Without, a step costs the same as
	// without a log, but for the transition.
	spied bool
	// attention says that the end of the step has something to do whatever the step
	// did: the log takes more than transitions, a handler made a mistake, or SetLog
	// was called within the step.
	attention bool
	chart     *Chart[C]
	log       *Log
	next      *Log          // what SetLog said, to take effect after the step
	fault     *HandlerError // the first mistake a handler made in this step
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
		m.useLog()
	}
}

// useLog makes what SetLog said take effect.
func (m *Machine[C]) useLog() {
	m.log, m.spied = m.next, m.next.Spying()
	m.attention = m.spied || m.next != nil && m.next.live != nil
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
	m.phase, m.leaf, m.fault = idle, &m.chart.states[Top], nil
	m.useLog()
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
	if m.spied {
		m.log.record().set(KindStart, Signal{}, s, 0)
	}
	top := &m.chart.states[Top]
	return m.transition(top, top, &m.chart.states[s], Signal{}, &o)
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
	if m.spied {
		return m.dispatchSpied(e, o)
	}
	s, bit := m.leaf, e.Signal.bit()
	for {
		for s.catches.filter&bit == 0 { // at the latest Top's is not
			s = s.parent
		}
		if s.handle == nil {
			return m.end()
		}
		if s.catches.event(e.Signal) {
			answer := s.handle(m.data, e)
			if answer == Handled {
				return m.end()
			}
			if answer != Super && answer != Unhandled {
				return m.follow(s, answer, e.Signal, &o)
			}
		}
		s = s.parent
	}
}

// end closes a step that made no transition. It is small enough to be inlined.
func (m *Machine[C]) end() error {
	m.phase = ready
	if !m.attention {
		return nil
	}
	return m.attend(nil)
}

// attend closes a step after which there is something to do. t is its
// transition, nil if there is none or no trace.
func (m *Machine[C]) attend(t *Transition) error {
	m.phase = ready
	if m.log != nil {
		m.log.end(t)
	}
	if m.fault != nil || m.next != m.log || m.attention && !m.spied {
		return m.settle()
	}
	return nil
}

// settle does what is seldom there to do after a step.
func (m *Machine[C]) settle() error {
	fault := m.fault
	m.fault = nil
	m.useLog()
	if fault == nil { // a nil *HandlerError is no nil error
		return nil
	}
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
