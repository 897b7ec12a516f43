package instrument

import (
	"fmt"

	"github.com/statemesh/statemesh/hsm"
)

// Spy makes the spy's lines of records, in their order. The records may begin
// in the middle of a step.
func (s *Source) Spy(records []hsm.Record) []string {
	w := spyWriter{source: s, lines: make([]string, 0, len(records))}
	for _, r := range records {
		w.write(r)
	}
	w.flush()
	return w.lines
}

// spyWriter puts the search lines where the originals have them. Their engine
// asks a state for its superstate by calling it, ours knows, so these lines are
// made here from the transition and the tree alone.
type spyWriter struct {
	source *Source
	lines  []string

	// After an exit that was handled, the originals call the state once more to
	// learn its superstate, once its handler's own lines are written.
	exited hsm.State
	// The transition whose search lines are still to come: they stand after the
	// exits of the states inside its source.
	from, to  hsm.State
	searching bool
}

func (w *spyWriter) write(r hsm.Record) {
	tree := w.source.Tree
	name := tree.Name(r.State)
	switch r.Kind {
	case hsm.KindStart:
		w.add("START")
		w.climb(r.State, hsm.Top)
	case hsm.KindCall:
		w.flush()
		inside := r.Signal == hsm.Exit && r.State != w.from && tree.Contains(w.from, r.State)
		if w.searching && !inside {
			w.search()
		}
		w.add(r.Signal.String() + ":" + name)
		if r.Signal == hsm.Exit && r.Handled && r.State != w.from {
			w.exited = r.State
		}
	case hsm.KindHook:
		w.add(r.Signal.String() + ":" + name + ":HOOK")
	case hsm.KindTran:
		w.from, w.to, w.searching = r.State, r.Target(), true
	case hsm.KindInitTran:
		w.climb(r.Target(), r.State)
	case hsm.KindEnd:
		w.flush()
		w.from, w.to, w.searching = hsm.Top, hsm.Top, false
		queued, deferred := r.Counts()
		w.add(fmt.Sprintf("<- Queued:(%d) Deferred:(%d)", queued, deferred))
	default:
		w.add(actionLine(r))
	}
}

func actionLine(r hsm.Record) string {
	switch r.Kind {
	case hsm.KindPostFIFO:
		return "POST_FIFO:" + r.Signal.String()
	case hsm.KindPostLIFO:
		return "POST_LIFO:" + r.Signal.String()
	case hsm.KindDefer:
		return "POST_DEFERRED:" + r.Signal.String()
	case hsm.KindRecall:
		return "RECALL:" + r.Signal.String()
	case hsm.KindRejected:
		return "QUEUE_FULL:" + r.Signal.String()
	case hsm.KindSubscribe:
		return "SUBSCRIBING TO:(" + r.Signal.String() + ", TYPE:fifo)"
	case hsm.KindSubscribeLIFO:
		return "SUBSCRIBING TO:(" + r.Signal.String() + ", TYPE:lifo)"
	case hsm.KindUnsubscribe:
		return "UNSUBSCRIBING FROM:(" + r.Signal.String() + ")"
	case hsm.KindPublish:
		return fmt.Sprintf("PUBLISH:(%v, PRIORITY:%d)", r.Signal, r.Priority())
	case hsm.KindScribble:
		return r.Signal.String()
	}
	return fmt.Sprintf("UNKNOWN RECORD:%d", r.Kind)
}

func (w *spyWriter) add(line string) { w.lines = append(w.lines, line) }

func (w *spyWriter) addSearch(s hsm.State) {
	if !w.source.NoSearch {
		w.add(hsm.SearchForSuper.String() + ":" + w.source.Tree.Name(s))
	}
}

// flush writes the search that follows an exit.
func (w *spyWriter) flush() {
	if w.exited != hsm.Top {
		w.addSearch(w.exited)
		w.exited = hsm.Top
	}
}

// climb writes the search from s up to a superstate of it, that one excluded.
func (w *spyWriter) climb(s, end hsm.State) {
	for ; s != end && s != hsm.Top; s = w.source.Tree.Parent(s) {
		w.addSearch(s)
	}
}

// search writes how the originals look for the way from the source of a
// transition to its target: they try the cheap topologies one after the other,
// and each question is a call.
func (w *spyWriter) search() {
	w.searching = false
	tree, from, to := w.source.Tree, w.from, w.to
	if from == to {
		return
	}
	w.addSearch(to)
	if tree.Parent(to) == from {
		return
	}
	w.addSearch(from)
	if tree.Parent(from) == tree.Parent(to) || tree.Parent(from) == to {
		return
	}
	w.climb(tree.Parent(to), from)
}
