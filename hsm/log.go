package hsm

import (
	"sync"
	"sync/atomic"
	"time"
)

// LogConfig says what a Log keeps. The zero value keeps nothing.
type LogConfig struct {
	// Spy is how many records to keep at least, 0 for no spy. They hold every
	// call of a state and every queue action.
	Spy int
	// Trace is how many transitions to keep at least, 0 for no trace.
	Trace int
	// Live, if set, is called after every step with what the step did: its
	// records if there is a spy, and its transition if there is a trace and the
	// step made one, nil otherwise. It runs on the machine's goroutine and must
	// not keep or change the slice.
	Live func([]Record, *Transition)
	// Depths, if set, is asked at the end of every step of a spied machine how
	// many events wait. It runs on the machine's goroutine.
	Depths func() (queued, deferred int)
}

// Log is the memory of what one machine did: the newest records of the spy and
// the newest transitions of the trace, each in a ring. It is written by its
// machine, without allocation once the rings are full; any goroutine may read
// it at any time and sees whole steps.
type Log struct {
	spy, trace bool
	live       func([]Record, *Transition)
	depths     func() (queued, deferred int)

	records     ring[Record]
	transitions ring[Transition]
	mu          sync.Mutex // guards what ring says

	// published holds the lower halves of the two rings' totals, the records'
	// in the low bits, so that a step costs one atomic store.
	published atomic.Uint64

	// The rest belongs to the machine.
	clock clock
	from  uint64   // the records' total when the step began
	step  []Record // reused for live
}

// NewLog returns a log for one machine.
func NewLog(c LogConfig) *Log {
	l := &Log{spy: c.Spy > 0, trace: c.Trace > 0, live: c.Live, depths: c.Depths}
	l.records.init(max(c.Spy, 0), &l.mu)
	l.transitions.init(max(c.Trace, 0), &l.mu)
	l.clock.set()
	return l
}

// Spying reports whether the log keeps records.
func (l *Log) Spying() bool { return l != nil && l.spy }

// Tracing reports whether the log keeps transitions.
func (l *Log) Tracing() bool { return l != nil && l.trace }

// Records returns the newest records, oldest first, at most n of them.
func (l *Log) Records(n int) []Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.records.snapshot(nil, uint32(l.published.Load()), n)
}

// Transitions returns the newest transitions, oldest first, at most n of them.
func (l *Log) Transitions(n int) []Transition {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.transitions.snapshot(nil, uint32(l.published.Load()>>32), n)
}

// ClearRecords forgets the records so far.
func (l *Log) ClearRecords() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records.first = l.records.total(uint32(l.published.Load()))
}

// ClearTransitions forgets the transitions so far.
func (l *Log) ClearTransitions() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.transitions.first = l.transitions.total(uint32(l.published.Load() >> 32))
}

// Add writes a record of a queue or fabric action, or a scribble, into the
// spy. Only the machine's own goroutine may call it, and only within a step.
func (l *Log) Add(r Record) {
	if l.Spying() {
		p := l.record()
		p.Signal, p.Number, p.State, p.Kind, p.Handled = r.Signal, r.Number, r.State, r.Kind, r.Handled
	}
}

// record returns the place for the next record: next of the ring, but small
// enough to be inlined.
func (l *Log) record() *Record {
	if l.records.free == 0 {
		l.turn()
	}
	l.records.free--
	return &l.records.chunk[l.records.free]
}

//go:noinline
func (l *Log) turn() { l.records.turn() }

// end closes the step and shows it to readers.
func (l *Log) end(t *Transition) {
	if l.spy {
		var queued, deferred int
		if l.depths != nil {
			queued, deferred = l.depths()
		}
		l.record().set(KindEnd, Signal{}, Top, counts(queued, deferred))
	}
	records := l.records.written()
	l.published.Store(l.transitions.written()<<32 | uint64(uint32(records)))
	if l.live != nil {
		l.tell(t)
	}
	l.from = records
}

// tell calls live with what the step did.
func (l *Log) tell(t *Transition) {
	l.step = l.step[:0]
	for i := max(l.from, l.records.oldest()); i < l.records.written(); i++ {
		l.step = append(l.step, *l.records.at(i))
	}
	l.live(l.step, t)
}

// clock gives Unix time at the cost of a monotonic one. It looks at the wall
// clock once a minute, so that a clock that was set is followed.
type clock struct {
	base time.Time
	unix int64
}

func (c *clock) now() int64 {
	since := time.Since(c.base)
	if since > time.Minute {
		c.set()
		return c.unix
	}
	return c.unix + int64(since)
}

func (c *clock) set() {
	c.base = time.Now()
	c.unix = c.base.UnixNano()
}
