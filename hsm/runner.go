package hsm

// Runner is a machine with a queue, run by whoever calls Next or Run: the way
// to use or test a chart without a goroutine. It belongs to one goroutine.
type Runner[C any] struct {
	*Machine[C]
	*Queue
}

// NewRunner joins the machine with the queue that its handlers post to, and
// with a log as c says; without Spy and Trace in c there is no log, and Live is
// never called.
func NewRunner[C any](m *Machine[C], q *Queue, c LogConfig) *Runner[C] {
	r := &Runner[C]{m, q}
	q.record = func(r Record) {
		if m.phase == busy {
			m.log.Add(r)
		}
	}
	if c.Spy > 0 || c.Trace > 0 {
		r.SetLog(NewLog(c))
	}
	return r
}

// SetLog is Machine.SetLog. A log that does not know how many events wait is
// told of the queue.
func (r *Runner[C]) SetLog(l *Log) {
	if l != nil && l.depths == nil {
		l.depths = func() (int, int) { return r.waiting.Len(), r.deferred.Len() }
	}
	r.Machine.SetLog(l)
}

// Next runs one step with the event in front, and reports whether one waited. The
// errors are those of Dispatch; the event of a failed step is gone, and what waits
// behind it stays.
func (r *Runner[C]) Next() (bool, error) {
	if r.phase != ready {
		return false, r.Dispatch(Event{})
	}
	if r.waiting.Len() == 0 {
		return false, nil
	}
	return true, r.Dispatch(r.waiting.PopFront())
}

// Run runs steps until no event waits, those included that handlers post
// meanwhile. It stops early at the first error, and may be called again.
func (r *Runner[C]) Run() error {
	for {
		more, err := r.Next()
		if !more || err != nil {
			return err
		}
	}
}
