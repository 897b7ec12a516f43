package simulation

import "strings"

// checkKept: each object has handled everything that was kept for its host's broker, in
// one of its lives, and nothing twice, but for the event in whose step it was killed.
func (w *world) checkKept() {
	handled := map[int]map[mark]int{} // by object
	killed := map[int]int{}
	for _, l := range w.lives {
		for _, e := range l.ears {
			if handled[e.index] == nil {
				handled[e.index] = map[mark]int{}
			}
			for _, h := range e.got {
				handled[e.index][h.mark]++
			}
		}
	}
	for _, m := range w.plan.moves {
		if m.kind == crashes {
			killed[m.host]++
		}
	}
	for index, events := range handled {
		again := 0
		for m, times := range events {
			if again += times - 1; times > 1 && again > killed[w.plan.objects[index].host] {
				w.broken("%s handled %+v %d times", w.plan.objects[index].name, m, times)
			}
		}
	}
	for _, sender := range w.lives {
		if w.current[sender.host] != sender && sender.stats.Peers.Events.Lost > 0 {
			continue // what it had was lost with it, and is counted
		}
		for _, s := range sender.ears {
			for i, brokers := range s.to {
				w.checkEach(s, i+1, brokers, handled)
			}
		}
	}
}

// checkEach checks that all who should have handled an event have.
func (w *world) checkEach(s *ear, number int, brokers []string, handled map[int]map[mark]int) {
	for index, r := range w.plan.objects {
		if index == s.index || !matches(r.pattern, s.plan.key) {
			continue
		}
		m := mark{s.index, s.life.number, number}
		for _, broker := range brokers {
			if strings.Contains(broker, address(r.host)+":") && handled[index][m] == 0 {
				w.broken("%s has not handled %+v of %s, which was kept for it", r.name, m, s.life.name)
			}
		}
	}
}
