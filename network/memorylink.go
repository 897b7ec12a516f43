package network

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"time"
)

// memoryHeld is how many messages a link takes for a blocked broker; the buffers of a
// connection do the like.
const memoryHeld = 64

// memoryLink is a Link of the Memory transport.
type memoryLink struct {
	relay
	memory *Memory
	broker *memoryBroker

	done chan struct{}  // closed by end
	once sync.Once      // ends the link
	err  error          // why; written before done is closed
	work sync.WaitGroup // goroutines, all of which end after done

	// The memory's lock guards what follows.
	published uint64
	held      []Delivery // taken and not confirmed, while the broker is blocked
	consuming bool
	bindings  []Binding
	queue     []queuedMessage
	queued    chan struct{} // woken when the queue gets one
	consumers []*memoryKept
}

// newMemoryLink returns a link and starts it. The lock is held.
func newMemoryLink(m *Memory, b *memoryBroker) *memoryLink {
	l := &memoryLink{
		relay:  newRelay(),
		memory: m,
		broker: b,
		done:   make(chan struct{}),
		queued: make(chan struct{}, 1),
	}
	if b.blocked != nil {
		l.relay.block(true)
	}
	l.work.Go(func() { l.relay.run(l.done) })
	return l
}

// end makes the link a dead one, once. The lock is not held.
func (l *memoryLink) end(err error) {
	l.once.Do(func() {
		l.memory.mu.Lock()
		defer l.memory.mu.Unlock()
		l.broker.links = slices.DeleteFunc(l.broker.links, func(other *memoryLink) bool { return other == l })
		l.queue, l.held = nil, nil
		for _, k := range l.consumers {
			k.leave()
		}
		l.consumers = nil
		l.err = err
		close(l.done)
	})
}

// ended returns the error of a method called on a dead link, nil if it is alive.
func (l *memoryLink) ended() error {
	select {
	case <-l.done:
	default:
		return nil
	}
	if l.err == nil {
		return ErrClosed
	}
	return l.err
}

// Publish implements Link.
func (l *memoryLink) Publish(exchange, key string, body []byte) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if !slices.Contains(exchanges, exchange) {
		l.end(fmt.Errorf("%w: no exchange %q", ErrLost, exchange))
		return l.ended()
	}
	d := Delivery{exchange, key, bytes.Clone(body)}
	var late <-chan time.Time
	for {
		wait, err := l.take(d)
		if wait == nil {
			return err
		}
		if late == nil {
			timer := time.NewTimer(orDefault(l.memory.WriteTimeout, DefaultWriteTimeout))
			defer timer.Stop()
			late = timer.C
		}
		select {
		case <-wait:
		case <-l.done:
		case <-late:
			l.end(fmt.Errorf("%w: the broker takes nothing", ErrLost))
		}
	}
}

// take takes a message, or returns what to wait for before the next try.
func (l *memoryLink) take(d Delivery) (wait <-chan struct{}, err error) {
	l.memory.mu.Lock()
	defer l.memory.mu.Unlock()
	if err := l.ended(); err != nil {
		return nil, err
	}
	switch {
	case l.broker.blocked == nil:
		l.published++
		l.memory.route(l.broker, d)
		l.relay.confirm(l.published, false)
	case len(l.held) < memoryHeld:
		l.held = append(l.held, d)
	default:
		return l.broker.blocked, nil
	}
	return nil, nil
}

// takeHeld publishes what was held back. The lock is held.
func (l *memoryLink) takeHeld() {
	for _, d := range l.held {
		l.published++
		l.memory.route(l.broker, d)
		l.relay.confirm(l.published, false)
	}
	l.held = nil
}

// Consume implements Link.
func (l *memoryLink) Consume(bindings []Binding) (<-chan Delivery, error) {
	l.memory.mu.Lock()
	defer l.memory.mu.Unlock()
	if err := l.ended(); err != nil {
		return nil, err
	}
	if l.consuming {
		return nil, errConsuming
	}
	for _, b := range bindings {
		if err := checkKey(b.Key); err != nil {
			return nil, err
		}
	}
	l.consuming = true
	l.bindings = slices.Clone(bindings)
	out := make(chan Delivery, consumerBuffer)
	l.work.Go(func() { l.deliver(out) })
	return out, nil
}

// Bind implements Link.
func (l *memoryLink) Bind(b Binding) error {
	if err := checkKey(b.Key); err != nil {
		return err
	}
	l.memory.mu.Lock()
	defer l.memory.mu.Unlock()
	if err := l.ended(); err != nil {
		return err
	}
	if !l.consuming {
		return errNotConsuming
	}
	if !slices.Contains(l.bindings, b) {
		l.bindings = append(l.bindings, b)
	}
	return nil
}

// deliver gives the reader what is in the queue until the link dies.
func (l *memoryLink) deliver(out chan<- Delivery) {
	defer close(out)
	for {
		d, ok := l.next()
		if !ok {
			select {
			case <-l.queued:
				continue
			case <-l.done:
				return
			}
		}
		select {
		case out <- d:
		case <-l.done:
			return
		}
	}
}

// next takes the oldest message that is not too old.
func (l *memoryLink) next() (d Delivery, ok bool) {
	l.memory.mu.Lock()
	defer l.memory.mu.Unlock()
	oldest := time.Now().Add(-orDefault(l.memory.TTL, DefaultTTL))
	for len(l.queue) > 0 {
		m := l.queue[0]
		l.queue = l.queue[1:]
		if m.at.After(oldest) {
			m.Body = bytes.Clone(m.Body) // other queues have it too
			return m.Delivery, true
		}
	}
	return Delivery{}, false
}

// signal tells deliver that there is something.
func (l *memoryLink) signal() {
	select {
	case l.queued <- struct{}{}:
	default:
	}
}

// Done implements Link.
func (l *memoryLink) Done() <-chan struct{} { return l.done }

// Err implements Link.
func (l *memoryLink) Err() error {
	select {
	case <-l.done:
		return l.err
	default:
		return nil
	}
}

// Close implements Link.
func (l *memoryLink) Close() error {
	l.end(nil)
	l.work.Wait()
	return nil
}
