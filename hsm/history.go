package hsm

// History remembers what was active inside a composite state when that state
// was last left, so that a transition can lead back there: the history
// pseudostates of UML (2.5.1, section 14.2.3), made by hand in the way of
// Samek's book (Practical UML Statecharts in C/C++, chapter 5, "Transition to
// History"). It is data of the chart, one History a composite state:
//
//	type oven struct {
//		*activeobject.ActiveObject // or *hsm.Runner[*oven]; says State
//		closed hsm.History
//	}
//
//	o := &oven{closed: hsm.NewHistory(chart, doorClosed)}
//
//	// in doorClosed
//	case hsm.Exit:
//		o.closed.Save(o.State())
//		return hsm.Handled
//
//	// in doorOpen
//	case shut:
//		return hsm.Tran(o.closed.Deep(off))
//
// What it does:
//
//  1. Save, called by the composite state's handler of Exit with the leaf that
//     the step began in, notes that leaf. A local transition that does not leave
//     the composite state does not exit it, so it notes nothing.
//  2. [History.Deep] is the leaf that was noted: its superstates are entered, and
//     what was active is active again.
//  3. [History.Shallow] is the state directly inside the composite one that was
//     active: it is entered in the ordinary way, through its own initial
//     transition.
//  4. If nothing was noted yet both give the state that the caller names, UML's
//     default history state, or the composite state itself if that one is not
//     inside it; the composite state's initial transition then says where to go.
//  5. Both give the composite state itself if it was the leaf, which happens
//     when it has no initial transition. Init of the composite state may lead to
//     its own history, but cannot follow this answer.
//
// So the way never leads out of the composite state, whatever Save was told.
// While the composite state is active both say what they said when it was
// entered: a transition from inside it to its own history goes back to what was
// active before it was last left.
//
// A History is as old as the data that it is part of: Machine.Reset and another
// start keep it, Forget empties it. The zero History belongs to no state and
// leads to Top, which a machine refuses with ErrTarget; create it with
// NewHistory. Nothing in it allocates or blocks. It belongs to the goroutine of
// its machine; a copy is a History of its own.
type History struct {
	tree      *Tree
	composite State
	leaf      State // Top if none was noted
}

// NewHistory returns the history of a composite state of the chart, in which
// nothing is noted. Of a state that is not in the chart it leads to that state,
// which a machine refuses with ErrTarget.
func NewHistory[C any](chart *Chart[C], composite State) History {
	return History{tree: &chart.Tree, composite: composite}
}

// Save notes the leaf that was active. A leaf that is not inside the composite
// state, nor that state itself, changes nothing.
func (h *History) Save(leaf State) {
	if h.inside(leaf) {
		h.leaf = leaf
	}
}

// Deep returns the leaf that was active, or otherwise.
func (h *History) Deep(otherwise State) State {
	switch {
	case h.leaf != Top:
		return h.leaf
	case h.inside(otherwise):
		return otherwise
	}
	return h.composite
}

// Shallow returns the state directly inside the composite one that was active,
// or otherwise.
func (h *History) Shallow(otherwise State) State {
	if h.leaf == Top || h.leaf == h.composite {
		return h.Deep(otherwise)
	}
	return h.tree.Path(h.leaf)[len(h.tree.Path(h.composite))]
}

// Forget empties the history.
func (h *History) Forget() { h.leaf = Top }

func (h *History) inside(s State) bool {
	return h.tree != nil && h.tree.Contains(h.composite, s)
}
