package hsm

import "math/bits"

// catches says which signals a state is called with.
type catches struct {
	// filter has the bit of each event that the state may be called with; all bits
	// if that is every one. It lets a machine pass by most states on the way up
	// with a single test.
	filter uint64
	// events is a hash table of the signals that are not inner ones, with open
	// addressing; its length is a power of two, and at least half of it is empty.
	// nil stands for every signal.
	events            []Signal
	entry, exit, init bool
}

// newCatches makes a table of signals, nil for all.
func newCatches(signals []Signal) catches {
	if signals == nil {
		return catches{filter: ^uint64(0), entry: true, exit: true, init: true}
	}
	c := catches{events: make([]Signal, 1<<bits.Len(uint(2*len(signals))))}
	for _, s := range signals {
		switch s {
		case Entry:
			c.entry = true
		case Exit:
			c.exit = true
		case Init:
			c.init = true
		default:
			c.filter |= s.bit()
			c.events[c.place(s)] = s
		}
	}
	return c
}

// place is where in events a signal stands or, if it is not there, an empty
// place. events must not be nil.
func (c *catches) place(s Signal) int {
	i := int(s.label.Value().hash) & (len(c.events) - 1)
	for c.events[i] != s && c.events[i] != (Signal{}) {
		i = (i + 1) & (len(c.events) - 1)
	}
	return i
}

// event reports whether the state is called with an event of that signal, whose
// bit is in filter.
func (c *catches) event(s Signal) bool {
	return len(c.events) == 0 || c.events[c.place(s)] == s
}

// bit is the signal's in the filter of a state.
func (s Signal) bit() uint64 { return 1 << (s.label.Value().hash >> 26) }
