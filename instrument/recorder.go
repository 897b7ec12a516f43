package instrument

import "github.com/statemesh/statemesh/hsm"

// DefaultSize is how many records or transitions a Recorder keeps that is asked
// to keep some.
const DefaultSize = 500

// Config says what a Recorder records.
type Config struct {
	// Trace keeps the transitions. Each one costs the time it takes to read the
	// clock.
	Trace bool
	// Spy keeps every call of a state and every queue action.
	Spy bool
	// Size is how many records and how many transitions are kept at least, 0
	// for DefaultSize. The memory is taken as it fills.
	Size int
	// NoSearch leaves the classical SEARCH_FOR_SUPER_SIGNAL lines out of the spy.
	NoSearch bool
	// Live are told every step: those of them with a function for the spy get
	// it only if Spy is set, likewise for the trace.
	Live []*Live
}

// Recorder remembers what one machine did. Any goroutine may read it.
type Recorder struct {
	source Source
	log    *hsm.Log
	size   int
}

// NewRecorder returns a recorder for the machine of an object; depths, if not
// nil, is asked on the machine's goroutine how many events wait. Config.NoSearch goes
// before that of source. Give its Log to the machine.
func NewRecorder(source Source, c Config, depths func() (queued, deferred int)) *Recorder {
	if c.Size <= 0 {
		c.Size = DefaultSize
	}
	source.NoSearch = c.NoSearch
	r := &Recorder{source: source, size: c.Size}
	l := hsm.LogConfig{Depths: depths}
	if c.Trace {
		l.Trace = c.Size
	}
	if c.Spy {
		l.Spy = c.Size
	}
	if len(c.Live) > 0 {
		lives := c.Live
		l.Live = func(records []hsm.Record, t *hsm.Transition) {
			for _, live := range lives {
				live.step(&r.source, records, t)
			}
		}
	}
	r.log = hsm.NewLog(l)
	return r
}

// Log returns what the machine writes to.
func (r *Recorder) Log() *hsm.Log { return r.log }

// Source returns the names that go into the lines.
func (r *Recorder) Source() *Source { return &r.source }

// Spy returns the newest lines of the spy, oldest first.
func (r *Recorder) Spy() []string { return r.source.Spy(r.log.Records(r.size)) }

// Trace returns the newest lines of the trace, oldest first.
func (r *Recorder) Trace() []Trace {
	transitions := r.log.Transitions(r.size)
	lines := make([]Trace, len(transitions))
	for i, t := range transitions {
		lines[i] = r.source.Trace(t)
	}
	return lines
}

// TraceText returns the newest lines of the trace as text, each with a newline.
func (r *Recorder) TraceText() string {
	var b []byte
	for _, t := range r.Trace() {
		b = append(t.AppendText(b), '\n')
	}
	return string(b)
}

// ClearSpy forgets the spy so far.
func (r *Recorder) ClearSpy() { r.log.ClearRecords() }

// ClearTrace forgets the trace so far.
func (r *Recorder) ClearTrace() { r.log.ClearTransitions() }
