package hsm

// follow makes the transition that answer of the handler of source asks for, and
// ends the step.
func (m *Machine[C]) follow(source *state[C], answer Status, signal Signal, o *Origin) error {
	states := m.chart.states
	id := uint64(answer - tran)
	if id-1 >= uint64(len(states)-1) {
		m.mistake(source, signal, answer, ErrTarget)
		return m.end()
	}
	target := &states[id]
	if m.spied {
		m.log.record().set(KindTran, Signal{}, source.id, int64(id))
	}
	if m.log != nil {
		return m.transition(m.leaf, source, target, signal, o)
	}
	m.move(m.leaf, source, target)
	return m.end()
}

// transition is move with a transition of the trace, if there is one.
func (m *Machine[C]) transition(from, source, target *state[C], signal Signal, o *Origin) error {
	log := m.log
	tracing := log.Tracing()
	var unix int64
	if tracing {
		unix = log.clock.now()
	}
	if m.spied {
		m.moveSpied(from, source, target)
	} else {
		m.move(from, source, target)
	}
	if !tracing {
		return m.end()
	}
	t := log.transitions.next()
	t.Signal, t.From, t.To, t.Unix, t.Origin.ID, t.Origin.Cause = signal, from.id, m.leaf.id, unix, o.ID, o.Cause
	return m.attend(t)
}

// move leaves from for target, as the handler of source asked:
//
//  1. going up from source, the first state on the way to target is their least
//     common ancestor; that of a state with itself counts as its superstate;
//  2. the states from from up to there are exited;
//  3. those from there down to target are entered;
//  4. initial transitions are followed from there. Each leads further down, so
//     this ends.
func (m *Machine[C]) move(from, source, target *state[C]) {
	ancestor := source
	if source == target {
		ancestor = source.parent
	}
	for int(ancestor.depth) >= len(target.path) || target.path[ancestor.depth] != ancestor {
		ancestor = ancestor.parent
	}
	for s := from; s != ancestor; s = s.parent {
		if s.catches.exit {
			if answer := s.handle(m.data, Event{Signal: Exit}); !answer.stays() {
				m.mistake(s, Exit, answer, ErrTranInside)
			}
		}
	}
	depth := int(ancestor.depth)
	for {
		for i := depth + 1; i < len(target.path); i++ {
			if s := target.path[i]; s.catches.entry {
				if answer := s.handle(m.data, Event{Signal: Entry}); !answer.stays() {
					m.mistake(s, Entry, answer, ErrTranInside)
				}
			}
		}
		next := target.init
		if target.catches.init {
			if answer := target.handle(m.data, Event{Signal: Init}); !answer.stays() {
				next = m.initial(target, answer)
			}
		}
		if next == nil {
			break
		}
		depth = int(target.depth)
		target = next
	}
	m.leaf = target
}

// initial returns the target of the initial transition that the handler of s
// asked for, the declared one if the answer cannot be followed.
func (m *Machine[C]) initial(s *state[C], answer Status) *state[C] {
	id, ok := answer.Target()
	if !ok {
		m.mistake(s, Init, answer, ErrStatus)
		return s.init
	}
	depth := int(s.depth)
	if m.chart.Has(id) && (s.init == nil || s.init.id == id) {
		if target := &m.chart.states[id]; len(target.path) > depth+1 && target.path[depth] == s {
			return target
		}
	}
	m.mistake(s, Init, answer, ErrInitLeaves)
	return s.init
}
