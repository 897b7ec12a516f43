package hsm

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ErrCatches is a mistake in a chart, found by Compile.
var ErrCatches = errors.New("hsm: no state is ever called with this signal")

// Description says what a chart is, for people and for pictures: its states,
// and the transitions that were seen. What a chart does on a signal is code, so
// a description has of the reactions only the signals, where they are declared;
// where they lead to comes from a recorded trace, through Add. A Description
// belongs to one goroutine at a time.
type Description struct {
	// States has the states in the order of their numbers: state n at n-1.
	States []DescribedState
	// Seen has what Add was told, each transition once, ordered by the numbers
	// of From and To, then by Signal.
	Seen []SeenTransition

	tree *Tree
}

// DescribedState is one state of a chart.
type DescribedState struct {
	State  State
	Name   string
	Parent State // Top for an outermost one
	// Init is the declared target of the initial transition, Top if there is
	// none. One that only the handler knows is not here.
	Init State
	// Catches are the declared signals, each once: Entry and Init first, Exit
	// last, the others as they were declared. It is empty if nothing is declared.
	Catches []Signal
}

// SeenTransition is a transition that a trace tells of: from the leaf before the
// step to the leaf after it.
type SeenTransition struct {
	Signal string
	From   State // Top for a start
	To     State
	Count  int // how often it was added
}

// startSignal is what a trace writes in place of the signal of a start.
const startSignal = "start_at"

// Describe returns a new description of the chart, without transitions.
func (t *Tree) Describe() *Description {
	d := &Description{tree: t, States: make([]DescribedState, 0, t.Len())}
	for s := range t.States() {
		d.States = append(d.States, DescribedState{
			State: s, Name: t.names[s], Parent: t.parent[s], Init: t.inits[s], Catches: inOrder(t.catches[s]),
		})
	}
	return d
}

// inOrder returns the signals as a Description has them.
func inOrder(signals []Signal) []Signal {
	place := func(s Signal) int {
		switch s {
		case Entry:
			return 0
		case Init:
			return 1
		case Exit:
			return 3
		}
		return 2
	}
	var each []Signal
	for _, s := range signals {
		if !slices.Contains(each, s) {
			each = append(each, s)
		}
	}
	slices.SortStableFunc(each, func(a, b Signal) int { return place(a) - place(b) })
	return each
}

// Add notes a transition, with the names that a line of the trace has. A start
// has the signal start_at and comes from top. A signal without a name is
// ErrNoSignal; a state that is not in the chart gives a *StateError with its
// name, which wraps ErrUnknown. Then nothing is noted.
func (d *Description) Add(signal, from, to string) error {
	if signal == "" {
		return ErrNoSignal
	}
	seen := SeenTransition{Signal: signal, Count: 1}
	var err error
	if signal != startSignal || from != "top" {
		if seen.From, err = d.lookup(from); err != nil {
			return err
		}
	}
	if seen.To, err = d.lookup(to); err != nil {
		return err
	}
	at, found := slices.BinarySearchFunc(d.Seen, seen, func(a, b SeenTransition) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), strings.Compare(a.Signal, b.Signal))
	})
	if found {
		d.Seen[at].Count++
	} else {
		d.Seen = slices.Insert(d.Seen, at, seen)
	}
	return nil
}

func (d *Description) lookup(name string) (State, error) {
	if d.tree != nil {
		if s, ok := d.tree.Lookup(name); ok {
			return s, nil
		}
	}
	return Top, &StateError{Name: name, Detail: "a transition was seen with it", Err: ErrUnknown}
}

// Name returns the name of a state, "top" for Top, "" for what is not in the
// description.
func (d *Description) Name(s State) string {
	if s == Top {
		return "top"
	}
	if s < 0 || int(s) > len(d.States) {
		return ""
	}
	return d.States[s-1].Name
}

// String prints the states as a tree, one line each, indented by two blanks a
// level, with what is known of each, and then the transitions that were seen:
//
//	door: catches knock
//	  closed: init locked; catches ENTRY_SIGNAL, open
//	    locked
//	    unlocked
//	  open
//	seen
//	  start_at: top -> locked
//	  open: unlocked -> open, 3 times
//
// A name that would not stand out as one word is quoted, as Go does it. The
// text is the same for the same chart, so that it can be compared.
func (d *Description) String() string {
	// By parent, so that a large chart is walked once.
	inside := make(map[State][]DescribedState)
	for _, s := range d.States {
		inside[s.Parent] = append(inside[s.Parent], s)
	}
	var b strings.Builder
	var write func(s State, indent string)
	write = func(parent State, indent string) {
		for _, s := range inside[parent] {
			b.WriteString(indent + word(s.Name))
			separator := ": "
			if s.Init != Top {
				b.WriteString(separator + "init " + word(d.Name(s.Init)))
				separator = "; "
			}
			for i, signal := range s.Catches {
				if i == 0 {
					b.WriteString(separator + "catches ")
				} else {
					b.WriteString(", ")
				}
				b.WriteString(word(signal.String()))
			}
			b.WriteByte('\n')
			write(s.State, indent+"  ")
		}
	}
	write(Top, "")
	if len(d.Seen) > 0 {
		b.WriteString("seen\n")
	}
	for _, t := range d.Seen {
		fmt.Fprintf(&b, "  %s: %s -> %s", word(t.Signal), word(d.Name(t.From)), word(d.Name(t.To)))
		if t.Count > 1 {
			fmt.Fprintf(&b, ", %d times", t.Count)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// word quotes a name that has blanks or marks in it which part words, or what
// cannot be printed.
func word(name string) string {
	quoted := strconv.Quote(name)
	if len(quoted) == len(name)+2 && name != "" && !strings.ContainsAny(name, " ,;:`") {
		return name
	}
	return quoted
}
