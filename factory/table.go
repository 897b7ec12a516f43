package factory

import "github.com/statemesh/statemesh/hsm"

// fewCatches is up to how many catches a state looks through one after the
// other; see BenchmarkTable.
const fewCatches = 10

// handler makes the one function of a state of its callbacks.
func handler[C any](catches []catch[C]) func(C, hsm.Event) hsm.Status {
	if len(catches) <= fewCatches {
		return look(catches)
	}
	return index(catches)
}

// look is the function of a state with few catches.
func look[C any](catches []catch[C]) func(C, hsm.Event) hsm.Status {
	type row struct {
		signal hsm.Signal
		handle func(C, hsm.Event) hsm.Status
	}
	rows := make([]row, len(catches))
	for i, c := range catches {
		rows[i] = row{c.signal, c.handle}
	}
	return func(c C, e hsm.Event) hsm.Status {
		for i := range rows {
			if rows[i].signal == e.Signal {
				return passOn(rows[i].handle(c, e))
			}
		}
		return hsm.Super
	}
}

// index is the function of a state with many catches.
func index[C any](catches []catch[C]) func(C, hsm.Event) hsm.Status {
	handlers := make(map[hsm.Signal]func(C, hsm.Event) hsm.Status, len(catches))
	for _, c := range catches {
		handlers[c.signal] = c.handle
	}
	return func(c C, e hsm.Event) hsm.Status {
		if handle := handlers[e.Signal]; handle != nil {
			return passOn(handle(c, e))
		}
		return hsm.Super
	}
}

// passOn makes Super of Unhandled, which the machine would write to the spy.
func passOn(status hsm.Status) hsm.Status {
	if status == hsm.Unhandled {
		return hsm.Super
	}
	return status
}
