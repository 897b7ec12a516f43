package director

import (
	"bytes"
	"errors"
	"io"
	"os"
	"time"

	"github.com/statemesh/statemesh/internal/faults/actor"
	"github.com/statemesh/statemesh/internal/faults/ledger"
)

// watch reads the ledgers of the newest lives while they are written.
type watch struct {
	nodes  []*node
	at     map[string]int64           // offsets in the ledgers, by life
	tried  map[ledger.Event]time.Time // when an event was sent
	heard  map[way]time.Time          // when the newest event heard was sent
	early  map[string][]ledger.Event  // by receiving life: heard before the sender's ledger was read
	newest time.Time                  // of the arrivals
}

// way is from a chart to a process.
type way struct{ life, chart, receiver string }

// newWatch begins at the ends of the ledgers, as they are now.
func newWatch(nodes []*node) *watch {
	w := &watch{
		nodes: nodes, at: make(map[string]int64), tried: make(map[ledger.Event]time.Time),
		heard: make(map[way]time.Time), early: make(map[string][]ledger.Event),
	}
	for _, n := range nodes {
		if info, err := os.Stat(n.life().Path); err == nil {
			w.at[n.life().Name] = info.Size()
		}
	}
	return w
}

// look reads what was written since.
func (w *watch) look() error {
	for _, n := range w.nodes {
		life := n.life()
		if err := n.running(); err != nil {
			return err
		}
		if err := w.read(life.Name, life.Path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	for life, events := range w.early {
		w.early[life] = nil
		for _, e := range events {
			w.note(life, e)
		}
	}
	return nil
}

func (w *watch) read(life, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	text, err := io.ReadAll(io.NewSectionReader(f, w.at[life], 1<<30))
	if err != nil {
		return err
	}
	// A line that is half written is for the next time.
	for len(text) > 0 && text[len(text)-1] != '\n' {
		text = text[:len(text)-1]
	}
	w.at[life] += int64(len(text))
	return ledger.Read(bytes.NewReader(text), life, func(l ledger.Line) {
		switch l.Kind {
		case ledger.Try:
			w.tried[l.Event] = l.At
		case ledger.Got:
			if l.At.After(w.newest) {
				w.newest = l.At
			}
			w.note(life, l.Event)
		}
	})
}

func (w *watch) note(receiver string, e ledger.Event) {
	at, ok := w.tried[e]
	if !ok {
		if e.Life != receiver && len(w.early[receiver]) < 10_000 {
			w.early[receiver] = append(w.early[receiver], e)
		}
		return
	}
	if to := (way{e.Life, e.Chart, receiver}); at.After(w.heard[to]) {
		w.heard[to] = at
	}
}

// meshed says whether every process has heard each at-most-once chart of every other one, of
// a time since when. From then on, whatever was lost before has left a gap.
func (w *watch) meshed(since time.Time) bool {
	for _, receiver := range w.nodes {
		for _, sender := range w.nodes {
			for _, chart := range sender.life().Charts {
				to := way{sender.life().Name, chart, receiver.life().Name}
				if receiver != sender && !actor.AtLeastOnce(chart) && !w.heard[to].After(since) {
					return false
				}
			}
		}
	}
	return true
}
