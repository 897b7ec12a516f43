package instrument_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

// classical says what the originals' spy has of one transition, as they make it:
// by calling the states, one question after the other.
type classical struct {
	tree        *hsm.Tree
	exitHandled bool
	lines       []string
}

func (c *classical) call(signal string, s hsm.State) {
	if s != hsm.Top {
		c.lines = append(c.lines, signal+":"+c.tree.Name(s))
	}
}

// sup asks a state for its superstate.
func (c *classical) sup(s hsm.State) hsm.State {
	c.call("SEARCH_FOR_SUPER_SIGNAL", s)
	return c.tree.Parent(s)
}

func (c *classical) exit(s hsm.State) {
	c.call("EXIT_SIGNAL", s)
}

// leave is the exit of a state whose superstate is needed next.
func (c *classical) leave(s hsm.State) {
	if c.exit(s); c.exitHandled {
		c.sup(s)
	}
}

// tran runs the transition that source's handler asked for, up to the target.
func (c *classical) tran(leaf, source, target hsm.State) {
	for s := leaf; s != source; s = c.tree.Parent(s) {
		c.leave(s)
	}
	enter := c.path(source, target)
	for _, s := range slices.Backward(enter) {
		c.call("ENTRY_SIGNAL", s)
	}
}

// path exits what is to be exited and returns what is to be entered, the target
// first. Its cases have the letters of the golden data's description.
func (c *classical) path(source, target hsm.State) []hsm.State {
	if source == target { // a
		c.exit(source)
		return []hsm.State{target}
	}
	above := c.sup(target)
	if above == source { // b
		return []hsm.State{target}
	}
	outside := c.sup(source)
	if outside == above { // c
		c.exit(source)
		return []hsm.State{target}
	}
	if outside == target { // d
		c.exit(source)
		return nil
	}
	path := []hsm.State{target, above} // e
	for last := above; last != hsm.Top; {
		if last = c.sup(last); last == source {
			return path
		}
		path = append(path, last)
	}
	path = slices.DeleteFunc(path, func(s hsm.State) bool { return s == hsm.Top })
	c.exit(source)
	for s := outside; ; s = c.tree.Parent(s) { // f, g
		if i := slices.Index(path, s); i >= 0 {
			return path[:i]
		}
		if s == hsm.Top {
			return path
		}
		c.leave(s)
	}
}

// TestSpySearchLines compares every transition there can be with the classical
// one: from every leaf, asked for by each of its superstates, to every target.
func TestSpySearchLines(t *testing.T) {
	tree := &rooms.Tree
	n := 0
	for leaf := range tree.States() {
		for _, source := range tree.Path(leaf) {
			for target := range tree.States() {
				for _, handled := range []bool{true, false} {
					n++
					c := &classical{tree: tree, exitHandled: handled}
					for _, s := range slices.Backward(tree.Path(leaf)) {
						if c.call("A", s); s == source {
							break
						}
					}
					c.tran(leaf, source, target)
					c.lines = append(c.lines, "INIT_SIGNAL:"+tree.Name(target), "<- Queued:(0) Deferred:(0)")

					l := hsm.NewLog(hsm.LogConfig{Spy: 1000})
					m := hsm.NewMachine(rooms, &walker{react: func(at hsm.State, e hsm.Event) hsm.Status {
						switch {
						case e.Signal == sigA && at == source:
							return hsm.Tran(target)
						case e.Signal == hsm.Exit && !handled:
							return hsm.Super
						}
						return 0
					}})
					m.SetLog(l)
					if err := m.Start(leaf); err != nil {
						t.Fatal(err)
					}
					l.ClearRecords()
					dispatch(t, m, "A")
					s := instrument.Source{Tree: tree}
					if diff := cmp.Diff(c.lines, s.Spy(l.Records(1000))); diff != "" {
						t.Errorf("%s (-want +got):\n%s", fmt.Sprintf("in %s, from %s to %s, exit handled %v",
							tree.Name(leaf), tree.Name(source), tree.Name(target), handled), diff)
					}
				}
			}
		}
	}
	if n != 16*7*2 {
		t.Errorf("%d transitions compared, want %d", n, 16*7*2)
	}
}
