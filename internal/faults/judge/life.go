// Package judge says which promises were held in a fault run, from what its processes
// have written down.
package judge

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/statemesh/statemesh/internal/faults/ledger"
	"github.com/statemesh/statemesh/internal/faults/schedule"
)

// Life is a process from its start to its end.
type Life struct {
	Name   string // h1a-0
	Node   string // h1a
	Host   string // h1
	At     string // the address of the host
	Charts []string
	Path   string // of the ledger
	Began  time.Time
	Killed time.Time // zero if it ended as it should

	base, end *ledger.Report
	sent      map[string][]sent // by chart, the number less 1
	made      map[string]time.Time
	peers     []peering
	got       map[route][]arrival
}

// sent is what became of an event as its sender knows.
type sent struct {
	tried    time.Time
	returned time.Time
	took     time.Duration
	kind     ledger.Kind // Try if the call has not returned
	err      string
}

// peering is when a broker had another state for the process.
type peering struct {
	at     time.Time
	broker string // and its state, see ledger.Peering
}

// knew says whether the process published to a broker of that host's address.
func (l *Life) knew(address string, at time.Time) bool {
	return slices.ContainsFunc(l.peers, func(p peering) bool {
		return !p.at.After(at) && strings.Contains(p.broker, address+":")
	})
}

// route is the way from one chart to another one of this life.
type route struct{ life, chart, by string }

type arrival struct {
	number uint64
	at     time.Time
}

// Load reads the ledger.
func (l *Life) Load() error {
	l.sent, l.got, l.made = make(map[string][]sent), make(map[route][]arrival), make(map[string]time.Time)
	var failed error
	err := ledger.ReadFile(l.Path, l.Name, 0, func(line ledger.Line) {
		switch line.Kind {
		case ledger.Base:
			l.base = line.Report
		case ledger.End:
			l.end = line.Report
		case ledger.Made:
			l.made[line.Chart] = line.At
		case ledger.Peering:
			l.peers = append(l.peers, peering{line.At, line.Err})
		case ledger.Got:
			r := route{line.Life, line.Chart, line.By}
			l.got[r] = append(l.got[r], arrival{line.Number, line.At})
		case ledger.Try:
			if line.Number != uint64(len(l.sent[line.Chart]))+1 {
				failed = fmt.Errorf("judge: %s of %s tries event %d after %d", line.Chart, l.Name, line.Number, len(l.sent[line.Chart]))
			}
			l.sent[line.Chart] = append(l.sent[line.Chart], sent{tried: line.At, kind: ledger.Try})
		default:
			if line.Number < 1 || line.Number > uint64(len(l.sent[line.Chart])) {
				failed = fmt.Errorf("judge: %s of %s: %s of event %d, which it has not tried: %s", line.Chart, l.Name, line.Kind, line.Number, line.Err)
				return
			}
			s := &l.sent[line.Chart][line.Number-1]
			s.returned, s.kind, s.took, s.err = line.At, line.Kind, line.Took, line.Err
		}
	})
	if err == nil {
		err = failed
	}
	if err == nil && l.end == nil && l.Killed.IsZero() {
		err = fmt.Errorf("judge: %s was not killed and has not told its end", l.Name)
	}
	return err
}

// Happened is a fault as it was made.
type Happened struct {
	schedule.Fault
	Began, Ended time.Time
	Node         string // that was hit: h1a, or the host's name
	Hosted       bool   // it was a process with a broker in its memory, and was killed
}

// Run is a fault run that is over. All lives are loaded.
type Run struct {
	Lives  []*Life
	Faults []Happened
	Ready  time.Time // when all had settled for the first time
	Healed time.Time // when the last fault had been put right
	Silent time.Time // when nobody transmitted any more
	// Volatile says that a broker which is killed loses what it holds.
	Volatile bool
	// Shared says that all nodes have one broker, or a cluster that is as one.
	Shared bool
	Bounds
}

// Bounds are how much is allowed.
type Bounds struct {
	Blocked time.Duration // of a call of Transmit
	Again   time.Duration // until all hear all
	Heap    int           // more bytes than in the beginning
}

// Promise is one that was held, or not.
type Promise struct {
	Name     string
	Held     bool
	Figures  string
	Evidence []string // of what broke it
}

// String returns one line.
func (p Promise) String() string {
	word := "held  "
	if !p.Held {
		word = "BROKEN"
	}
	return fmt.Sprintf("%s  %s: %s", word, p.Name, p.Figures)
}

// brokeBy is for what breaks a promise. Only the first lines are kept.
func (p *Promise) brokeBy(format string, args ...any) {
	const most = 12
	p.Held = false
	if len(p.Evidence) < most {
		p.Evidence = append(p.Evidence, fmt.Sprintf(format, args...))
	}
}

// Judge returns all promises.
func (r *Run) Judge() []Promise {
	return []Promise{r.atMostOnce(), r.atLeastOnce(), r.nothingLeft(), r.notBlocked(), r.allHearAll()}
}

// life returns the life of that name, or nil.
func (r *Run) life(name string) *Life {
	for _, l := range r.Lives {
		if l.Name == name {
			return l
		}
	}
	return nil
}

// whole returns the lives that ended as they should.
func (r *Run) whole() []*Life {
	var whole []*Life
	for _, l := range r.Lives {
		if l.end != nil {
			whole = append(whole, l)
		}
	}
	return whole
}

// stopped says whether the node's process was stopped at some time between the two.
func (r *Run) stopped(node string, from, to time.Time) bool {
	const around = 500 * time.Millisecond
	for _, f := range r.Faults {
		if f.Kind == schedule.StopNode && f.Node == node && f.Began.Add(-around).Before(to) && f.Ended.Add(around).After(from) {
			return true
		}
	}
	return false
}
