package hsm

// What a spied machine does: the same as others, and it records every call. The
// calls of states that do not catch the signal are among them, as if they had
// been made and answered with Super.

// dispatchSpied is the loop of DispatchFrom.
func (m *Machine[C]) dispatchSpied(e Event, o Origin) error {
	log, bit := m.log, e.Signal.bit()
	for s := m.leaf; s.handle != nil; s = s.parent {
		if s.catches.filter&bit == 0 || !s.catches.event(e.Signal) {
			log.record().set(KindCall, e.Signal, s.id, 0)
			continue
		}
		switch answer := m.call(s, e); answer {
		case Super:
		case Unhandled:
			log.record().set(KindCall, Empty, s.id, 0)
		case Handled:
			log.record().set(KindHook, e.Signal, s.id, 0)
			return m.end()
		default:
			return m.follow(s, answer, e.Signal, &o)
		}
	}
	return m.end()
}

// moveSpied is move.
func (m *Machine[C]) moveSpied(from, source, target *state[C]) {
	log := m.log
	ancestor := source
	if source == target {
		ancestor = source.parent
	}
	for int(ancestor.depth) >= len(target.path) || target.path[ancestor.depth] != ancestor {
		ancestor = ancestor.parent
	}
	for s := from; s != ancestor; s = s.parent {
		if !s.catches.exit {
			log.record().set(KindCall, Exit, s.id, 0)
		} else if answer := m.call(s, Event{Signal: Exit}); !answer.stays() {
			m.mistake(s, Exit, answer, ErrTranInside)
		}
	}
	depth := int(ancestor.depth)
	for {
		for i := depth + 1; i < len(target.path); i++ {
			if s := target.path[i]; !s.catches.entry {
				log.record().set(KindCall, Entry, s.id, 0)
			} else if answer := m.call(s, Event{Signal: Entry}); !answer.stays() {
				m.mistake(s, Entry, answer, ErrTranInside)
			}
		}
		next := target.init
		if !target.catches.init {
			log.record().set(KindCall, Init, target.id, 0)
		} else if answer := m.call(target, Event{Signal: Init}); !answer.stays() {
			next = m.initial(target, answer)
		}
		if next == nil {
			break
		}
		log.record().set(KindInitTran, Signal{}, target.id, int64(next.id))
		depth = int(target.depth)
		target = next
	}
	m.leaf = target
}

// call calls the handler of s and records that.
func (m *Machine[C]) call(s *state[C], e Event) Status {
	log := m.log
	r := log.record()
	r.set(KindCall, e.Signal, s.id, 0)
	turns := log.records.turns
	answer := s.handle(m.data, e)
	// After a step that is longer than the ring, something else stands there.
	if answer != Super && answer != Unhandled && log.records.turns-turns < uint64(cap(log.records.chunks)) {
		r.Handled = true
	}
	return answer
}
