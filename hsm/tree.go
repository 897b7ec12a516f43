package hsm

import "iter"

// State numbers a state of a chart. Declare states as constants beginning at
// iota + 1, so that handlers can name each other.
type State int32

// Top is the implicit state outside all others. It handles nothing.
const Top State = 0

// Tree is the shape of a chart: its states, their names and who is inside
// whom. It is immutable and may be read by any goroutine.
type Tree struct {
	names  []string // by state; "top" for Top
	parent []State  // by state
	paths  [][]State
	byName map[string]State

	// What Describe tells and a machine has elsewhere or does not need.
	inits   []State // by state; Top if none is declared
	catches [][]Signal
}

// Len returns the number of states, Top not counted.
func (t *Tree) Len() int { return len(t.names) - 1 }

// Has reports whether s is a state of the chart other than Top.
func (t *Tree) Has(s State) bool { return s > Top && int(s) < len(t.names) }

// Name returns the name of s: "top" for Top, "" for what is not in the chart.
func (t *Tree) Name(s State) string {
	if s != Top && !t.Has(s) {
		return ""
	}
	return t.names[s]
}

// Lookup returns the state of that name, and whether there is one.
func (t *Tree) Lookup(name string) (State, bool) {
	s, ok := t.byName[name]
	return s, ok
}

// Parent returns the superstate of s, Top for the outermost ones, for Top and
// for what is not in the chart.
func (t *Tree) Parent(s State) State {
	if !t.Has(s) {
		return Top
	}
	return t.parent[s]
}

// Path returns the states from the outermost one down to s. It must not be
// changed. Top, and what is not in the chart, have an empty path.
func (t *Tree) Path(s State) []State {
	if !t.Has(s) {
		return nil
	}
	return t.paths[s]
}

// Contains reports whether inner is outer or inside it. Top contains all.
func (t *Tree) Contains(outer, inner State) bool {
	if outer == Top {
		return inner == Top || t.Has(inner)
	}
	in, out := t.Path(inner), t.Path(outer)
	return len(out) > 0 && len(in) >= len(out) && in[len(out)-1] == outer
}

// States walks all states but Top, in the order of their numbers.
func (t *Tree) States() iter.Seq[State] {
	return func(yield func(State) bool) {
		for s := State(1); int(s) < len(t.names); s++ {
			if !yield(s) {
				return
			}
		}
	}
}
