package network

import (
	"slices"
	"sync"
	"time"

	"github.com/statemesh/statemesh/hsm"
)

// kept is the lane of events that are kept until the broker has confirmed them. In the
// counts they are events.
const kept = control + 1

func (l lane) counted() lane {
	if l == kept {
		return events
	}
	return l
}

// keptBox is what an outbox has of kept events. They have bounds of their own, as large
// as those of the others, never expire, and give way to nobody. The outbox's lock guards
// it.
type keptBox struct {
	waiting hsm.Deque[outMessage]
	held    int // that wait or are not confirmed
	bytes   int // of those
	resting *time.Timer
	lost    func(int) // told by end how many, if set
}

// keptRest is how long an outbox waits with kept events when the broker has refused one,
// because it has no room or not enough of its cluster.
const keptRest = time.Second

func (b *keptBox) fits(m *outMessage, size int) bool {
	return b.held < size && (b.bytes+m.size() <= outboxBytes || b.held == 0)
}

func (b *keptBox) add(m outMessage) {
	b.held++
	b.bytes += m.size()
	b.waiting.PushBack(m)
}

func (b *keptBox) drop(m outMessage) {
	b.held--
	b.bytes -= m.size()
}

// inFlight is how many are with the broker.
func (b *keptBox) inFlight() int { return b.held - b.waiting.Len() }

// ready says whether there is one to be sent.
func (b *keptBox) ready() bool { return b.waiting.Len() > 0 && b.resting == nil }

// refused takes one back that the broker refused. The caller holds the outbox's lock.
func (o *outbox) refused(m outMessage) {
	o.stats[events].Retried++
	o.kept.waiting.PushBack(m)
	if o.kept.resting != nil {
		return
	}
	o.kept.resting = time.AfterFunc(keptRest, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.kept.resting = nil
		o.wake()
	})
}

// endKept gives up all that wait. The caller holds the
// outbox's lock, and has dropped those in flight.
func (o *outbox) endKept() {
	for o.kept.waiting.Len() > 0 {
		m := o.kept.waiting.PopFront()
		o.drop(m, func(t *Traffic) { t.Lost++ })
		m.ticket.settle(o, false)
	}
	if o.kept.resting != nil {
		o.kept.resting.Stop()
	}
}

// ticket waits for the brokers that one kept event is for. All methods may be called on
// nil, which waits for nobody.
type ticket struct {
	mu   sync.Mutex // guards what follows
	open []*outbox
	lost []*outbox // gave the event up
	done chan struct{}
}

func newTicket(brokers []*outbox) *ticket {
	return &ticket{open: slices.Clone(brokers), done: make(chan struct{})}
}

// settle notes that a broker has confirmed the event, or that it was given up.
func (t *ticket) settle(o *outbox, confirmed bool) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.Index(t.open, o)
	if i < 0 {
		return
	}
	t.open = slices.Delete(t.open, i, i+1)
	if !confirmed {
		t.lost = append(t.lost, o)
	}
	if len(t.open) == 0 {
		close(t.done)
	}
}

// missing says whether a broker has not confirmed the event.
func (t *ticket) missing(o *outbox) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Contains(t.open, o) || slices.Contains(t.lost, o)
}
