package hsm

// Overflow says what a full queue does with one event more.
type Overflow int

const (
	// Reject refuses the new event with ErrQueueFull.
	Reject Overflow = iota
	// Drop takes the new event and drops another, as miros does: PostFIFO the
	// front one, PostLIFO the back one, Defer the oldest deferred one.
	Drop
)

// DefaultQueueSize is the capacity of a queue that asks for none.
const DefaultQueueSize = 500

// Queue holds the events that wait for a machine, and the events that it
// deferred. A handler's data embeds it, to post from inside a step. It belongs
// to the goroutine of its machine.
type Queue struct {
	size     int
	overflow Overflow
	waiting  Deque[Event]
	deferred Deque[Event]
	dropped  uint64
	// record writes what a handler did into the spy of its machine. What is
	// posted between steps is not in it.
	record func(Record)
}

// NewQueue returns an empty queue for size waiting and as many deferred events,
// DefaultQueueSize if size is not positive.
func NewQueue(size int, overflow Overflow) *Queue {
	if size <= 0 {
		size = DefaultQueueSize
	}
	return &Queue{size: size, overflow: overflow, record: func(Record) {}}
}

// PostFIFO puts the event behind all that wait. The error is ErrNoSignal, or a
// *SignalError that wraps ErrInnerSignal or, if the queue is full and rejects,
// ErrQueueFull; PostLIFO and Defer have the same.
func (q *Queue) PostFIFO(e Event) error {
	return q.put(&q.waiting, e, KindPostFIFO)
}

// PostLIFO puts the event in front of all that wait.
func (q *Queue) PostLIFO(e Event) error {
	return q.put(&q.waiting, e, KindPostLIFO)
}

// Defer puts the event aside, behind those put aside before, until Recall.
func (q *Queue) Defer(e Event) error {
	return q.put(&q.deferred, e, KindDefer)
}

// Recall moves the oldest deferred event behind all that wait, and reports
// whether there was one. If the queue is full and rejects, the event stays
// deferred and the error is ErrQueueFull.
func (q *Queue) Recall() (bool, error) {
	if q.deferred.Len() == 0 {
		return false, nil
	}
	e := q.deferred.Front()
	if q.overflow == Reject && q.waiting.Len() >= q.size {
		return true, q.reject(e)
	}
	q.deferred.PopFront()
	q.record(Record{Kind: KindRecall, Signal: e.Signal})
	return true, q.PostFIFO(e)
}

// Len returns how many events wait.
func (q *Queue) Len() int { return q.waiting.Len() }

// Deferred returns the deferred events, the oldest first.
func (q *Queue) Deferred() []Event { return q.deferred.Slice() }

// Lost returns how many events a full queue rejected or dropped.
func (q *Queue) Lost() uint64 { return q.dropped }

func (q *Queue) put(to *Deque[Event], e Event, kind Kind) error {
	if err := e.Signal.check(); err != nil {
		return err
	}
	full := to.Len() >= q.size
	if full && q.overflow == Reject {
		return q.reject(e)
	}
	if full {
		q.dropped++
	}
	if kind == KindPostLIFO {
		if full {
			to.PopBack()
		}
		to.PushFront(e)
	} else {
		if full {
			to.PopFront()
		}
		to.PushBack(e)
	}
	q.record(Record{Kind: kind, Signal: e.Signal})
	return nil
}

func (q *Queue) reject(e Event) error {
	q.dropped++
	q.record(Record{Kind: KindRejected, Signal: e.Signal})
	return &SignalError{Signal: e.Signal, Err: ErrQueueFull}
}
