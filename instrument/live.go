package instrument

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/statemesh/statemesh/hsm"
)

// DefaultBacklog is how many steps may wait for the functions of a Live.
const DefaultBacklog = 4096

// LiveConfig says what a Live does with what it is told. The functions run one
// at a time on the Live's own goroutine. An error or a panic of one, or the end
// of its goroutine, is counted and goes no further.
type LiveConfig struct {
	// Trace, if set, gets every transition.
	Trace func(Trace) error
	// Spy, if set, gets every line of the spy, with the name of the object.
	Spy func(name, line string) error
	// Backlog is how many steps may wait while a function is slow, 0 for
	// DefaultBacklog. A step that finds it full is dropped and counted.
	Backlog int
}

// Live passes on what machines do, as they do it. Any number of objects may
// share one. Its goroutine is stopped by Close.
type Live struct {
	config LiveConfig
	done   chan struct{} // closed by the goroutine when it ends

	mu      sync.Mutex // guards what follows
	wake    sync.Cond
	waiting hsm.Deque[item]
	closed  bool
	stats   LiveStats
}

// LiveStats counts what became of the steps a Live was told.
type LiveStats struct {
	Delivered uint64 // lines that a function took
	Failed    uint64 // lines that a function failed on
	Dropped   uint64 // steps that found the backlog full, or the Live closed
	LastError error  // the newest failure, nil if there was none
}

// item is one step.
type item struct {
	source  *Source
	records []hsm.Record
	moved   bool
	step    hsm.Transition
}

// NewLive starts a Live.
func NewLive(c LiveConfig) *Live {
	if c.Backlog <= 0 {
		c.Backlog = DefaultBacklog
	}
	l := &Live{config: c, done: make(chan struct{})}
	l.wake.L = &l.mu
	go l.run()
	return l
}

// Stats returns the counts so far. It does not block.
func (l *Live) Stats() LiveStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stats
}

// Close hands on what waits, stops the goroutine and waits for it; so it blocks
// as long as the functions do. Steps told afterwards are dropped and counted. It
// must not be called from one of the functions; calling it again does no more
// than wait.
func (l *Live) Close() {
	l.mu.Lock()
	l.closed = true
	l.wake.Signal()
	l.mu.Unlock()
	<-l.done
}

// step is called by machines' logs, on the machines' goroutines.
func (l *Live) step(source *Source, records []hsm.Record, t *hsm.Transition) {
	it := item{source: source}
	if t != nil && l.config.Trace != nil {
		it.moved, it.step = true, *t
	}
	if l.config.Spy != nil {
		it.records = records
	}
	if !it.moved && len(it.records) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.waiting.Len() >= l.config.Backlog {
		l.stats.Dropped++
		return
	}
	it.records = slices.Clone(it.records)
	l.waiting.PushBack(it)
	if l.waiting.Len() == 1 {
		l.wake.Signal()
	}
}

// run is the Live's goroutine, and another one takes over when a function ends
// it. Close stops it.
func (l *Live) run() {
	ended := false
	defer func() {
		if ended {
			close(l.done)
			return
		}
		l.count(ErrExited)
		go l.run()
	}()
	for it, ok := l.next(); ok; it, ok = l.next() {
		l.deliver(it)
	}
	ended = true
}

// next waits for a step to hand on; there is none any more when the Live was
// closed.
func (l *Live) next() (item, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.waiting.Len() == 0 {
		if l.closed {
			return item{}, false
		}
		l.wake.Wait()
	}
	return l.waiting.PopFront(), true
}

// deliver hands on one step, the trace first, as the originals do.
func (l *Live) deliver(it item) {
	if it.moved {
		l.count(guard(func() error { return l.config.Trace(it.source.Trace(it.step)) }))
	}
	if len(it.records) == 0 {
		return
	}
	for _, line := range it.source.Spy(it.records) {
		l.count(guard(func() error { return l.config.Spy(it.source.Name, line) }))
	}
}

func (l *Live) count(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.stats.Delivered++
		return
	}
	l.stats.Failed++
	l.stats.LastError = err
}

// What LiveStats.LastError is when a function failed without an error.
var (
	ErrPanic  = errors.New("instrument: a live function panicked") // with the value of the panic
	ErrExited = errors.New("instrument: a live function ended its goroutine")
)

func guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", ErrPanic, r)
		}
	}()
	return f()
}
