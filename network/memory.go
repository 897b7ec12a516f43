package network

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/statemesh/statemesh/network/broker"
)

// Memory is a Transport to brokers that are nothing but queues in this process, for
// tests without sockets. Nodes that are to meet share one Memory. Every address has its
// own broker, which is there and empty when it is first used. It works in virtual time
// (testing/synctest): a Memory has no goroutines, a Link has some until it dies.
//
// Brokers are known by host and port: "10.0.0.1" and "amqp://10.0.0.1:5672/" are the
// same. User, password and virtual host are not looked at.
//
// The fields may be set before the first use. All methods may be called from any
// goroutine.
type Memory struct {
	// TTL is how long a message waits in a queue before it is dropped. Default: 50 s.
	TTL time.Duration

	// QueueLength is how many messages a queue holds before the oldest are dropped.
	// Default: 10,000.
	QueueLength int

	// WriteTimeout is how long Publish waits for a blocked broker before the Link dies.
	// Default: 2 s.
	WriteTimeout time.Duration

	// Volatile makes brokers that go Down lose their durable queues too, as one that a
	// node hosts does. By default those are kept, as RabbitMQ does.
	Volatile bool

	mu      sync.Mutex // guards what follows, and all that is inside
	brokers map[string]*memoryBroker
}

// NewMemory returns a Memory with its defaults. So is the zero Memory.
func NewMemory() *Memory { return &Memory{} }

// memoryBroker is one broker; its Memory's lock guards it.
type memoryBroker struct {
	down    bool
	refusal error
	links   []*memoryLink // alive, in the order of dialling
	blocked chan struct{} // nil if it takes messages; closed when it does again
	kept    map[string]*memoryQueue
}

// broker returns the broker at the address. The lock is held.
func (m *Memory) broker(address string) *memoryBroker {
	name := address
	if a, err := parseAddress(address, Address{}); err == nil {
		name = a.HostPort()
	}
	b := m.brokers[name]
	if b == nil {
		b = &memoryBroker{}
		if m.brokers == nil {
			m.brokers = map[string]*memoryBroker{}
		}
		m.brokers[name] = b
	}
	return b
}

// Dial implements Transport. It does not block.
func (m *Memory) Dial(ctx context.Context, a Address) (Link, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	a = a.complete()
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.broker(a.HostPort())
	switch {
	case b.refusal != nil:
		return nil, fmt.Errorf("%w: %s", b.refusal, a.HostPort())
	case b.down:
		return nil, fmt.Errorf("%w: nobody listens at %s", ErrRefused, a.HostPort())
	}
	l := newMemoryLink(m, b)
	b.links = append(b.links, l)
	return l, nil
}

// Down ends the broker at the address: its links die, what its queues held is lost but for
// those of Keep, and dialling it ends in ErrRefused until Up.
func (m *Memory) Down(address string) {
	m.mu.Lock()
	b := m.broker(address)
	b.down = true
	if m.Volatile {
		b.kept = nil
	}
	links := slices.Clone(b.links)
	m.mu.Unlock()
	for _, l := range links {
		l.end(fmt.Errorf("%w: the broker went down", ErrLost))
	}
}

// Up brings back a broker that was Down.
func (m *Memory) Up(address string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.broker(address).down = false
}

// Refuse makes dialling the address end in err, for example ErrUnreachable or
// ErrCredentials, whether the broker is up or not; nil ends that. Links that are
// there stay.
func (m *Memory) Refuse(address string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.broker(address).refusal = err
}

// Block makes the broker take no more messages, as RabbitMQ does when it is short of
// memory, or take them again. Like there, a connection takes some more before Publish
// blocks, and they are confirmed when the broker is no longer blocked. Consumers are
// served all the time.
func (m *Memory) Block(address string, blocked bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.broker(address)
	if blocked == (b.blocked != nil) {
		return
	}
	if blocked {
		b.blocked = make(chan struct{})
	} else {
		close(b.blocked)
		b.blocked = nil
	}
	for _, l := range b.links {
		l.relay.block(blocked)
		if !blocked {
			l.takeHeld()
		}
	}
}

// Links returns how many links to the broker at the address are alive.
func (m *Memory) Links(address string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.broker(address).links)
}

// route puts a message into the queues of the broker that it is for. The lock is held.
func (m *Memory) route(b *memoryBroker, d Delivery) {
	queued := queuedMessage{d, time.Now()}
	for _, l := range b.links {
		if slices.ContainsFunc(l.bindings, func(bound Binding) bool {
			return bound.Exchange == d.Exchange && broker.MatchTopic(bound.Key, d.Key)
		}) {
			l.queue = append(l.queue, queued)
			if surplus := len(l.queue) - orDefault(m.QueueLength, DefaultQueueLength); surplus > 0 {
				l.queue = l.queue[surplus:]
			}
			l.signal()
		}
	}
	m.routeKept(b, d)
}

type queuedMessage struct {
	Delivery
	at time.Time
}
