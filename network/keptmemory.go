package network

import (
	"bytes"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/statemesh/statemesh/network/broker"
)

// memoryQueue is a durable queue of a memoryBroker, as a quorum queue of RabbitMQ is one.
// Its Memory's lock guards it.
type memoryQueue struct {
	KeptQueue
	broker    *memoryBroker
	keys      []string
	ready     []keptMessage // those given back before all others
	aside     int
	consumers []*memoryKept
	turn      int // the consumer to ask next
}

type keptMessage struct {
	queuedMessage
	count int // of deliveries that came to nothing
}

// memoryKept is a KeptConsumer of a memoryLink.
type memoryKept struct {
	link   *memoryLink
	queue  *memoryQueue
	most   int
	out    chan KeptDelivery // closed by run
	woken  chan struct{}     // of length 1
	cancel chan struct{}     // closed by Cancel
	once   sync.Once

	// The memory's lock guards what follows.
	gone    bool
	tag     uint64
	unacked map[uint64]keptMessage
	waiting []KeptDelivery // for run, also in unacked
}

// Keep implements Link.
func (l *memoryLink) Keep(q KeptQueue) (KeptState, error) {
	if err := checkKey(q.Key); err != nil {
		return KeptState{}, err
	}
	l.memory.mu.Lock()
	defer l.memory.mu.Unlock()
	if err := l.ended(); err != nil {
		return KeptState{}, err
	}
	there := l.broker.kept[q.Object]
	if there == nil {
		there = &memoryQueue{KeptQueue: q, broker: l.broker}
		if l.broker.kept == nil {
			l.broker.kept = map[string]*memoryQueue{}
		}
		l.broker.kept[q.Object] = there
	}
	if !slices.Contains(there.keys, q.Key) {
		there.keys = append(there.keys, q.Key)
	}
	there.expire()
	differs := there.KeepFor != q.KeepFor || there.MaxDeliveries != q.MaxDeliveries
	return KeptState{Aside: there.aside, Differs: differs, Volatile: l.memory.Volatile}, nil
}

// ConsumeKept implements Link.
func (l *memoryLink) ConsumeKept(object string, prefetch int) (KeptConsumer, error) {
	l.memory.mu.Lock()
	defer l.memory.mu.Unlock()
	if err := l.ended(); err != nil {
		return nil, err
	}
	q := l.broker.kept[object]
	if q == nil {
		return nil, ErrTopology
	}
	k := &memoryKept{
		link: l, queue: q, most: prefetch, out: make(chan KeptDelivery), woken: make(chan struct{}, 1),
		cancel: make(chan struct{}), unacked: map[uint64]keptMessage{},
	}
	q.consumers = append(q.consumers, k)
	l.consumers = append(l.consumers, k)
	q.pump()
	l.work.Go(k.run)
	return k, nil
}

// routeKept puts a message into the durable queues that it is for. The lock is held.
func (m *Memory) routeKept(b *memoryBroker, d Delivery) {
	if d.Exchange != ExchangeKept {
		return
	}
	for _, q := range b.kept {
		if slices.ContainsFunc(q.keys, func(key string) bool { return broker.MatchTopic(key, d.Key) }) {
			q.ready = append(q.ready, keptMessage{queuedMessage: queuedMessage{d, time.Now()}})
			q.pump()
		}
	}
}

// expire puts aside what has waited for too long. The lock is held.
func (q *memoryQueue) expire() {
	oldest := time.Now().Add(-q.KeepFor)
	q.ready = slices.DeleteFunc(q.ready, func(m keptMessage) bool {
		if m.at.After(oldest) {
			return false
		}
		q.aside++
		return true
	})
}

// pump gives messages to consumers in turn. The lock is held.
func (q *memoryQueue) pump() {
	q.expire()
	for len(q.ready) > 0 && !q.broker.down {
		var to *memoryKept
		for range q.consumers {
			q.turn = (q.turn + 1) % len(q.consumers)
			if k := q.consumers[q.turn]; len(k.unacked) < k.most {
				to = k
				break
			}
		}
		if to == nil {
			return
		}
		m := q.ready[0]
		q.ready = q.ready[1:]
		to.tag++
		to.unacked[to.tag] = m
		d := KeptDelivery{Delivery: m.Delivery, Tag: to.tag, Redelivered: m.count > 0, Count: m.count}
		d.Body = bytes.Clone(d.Body)
		to.waiting = append(to.waiting, d)
		to.wake()
	}
}

// giveBack takes messages that were delivered in vain. The lock is held.
func (q *memoryQueue) giveBack(messages []keptMessage) {
	var again []keptMessage
	for _, m := range messages {
		if m.count++; m.count >= q.MaxDeliveries {
			q.aside++
		} else {
			again = append(again, m)
		}
	}
	q.ready = append(again, q.ready...)
}

func (k *memoryKept) wake() {
	select {
	case k.woken <- struct{}{}:
	default:
	}
}

// run passes deliveries on.
func (k *memoryKept) run() {
	defer close(k.out)
	for {
		k.link.memory.mu.Lock()
		var next KeptDelivery
		ok := len(k.waiting) > 0
		if ok {
			next = k.waiting[0]
			k.waiting = k.waiting[1:]
		}
		k.link.memory.mu.Unlock()
		out := k.out
		if !ok {
			out = nil
		}
		select {
		case out <- next:
		case <-k.wokenUnless(ok):
		case <-k.cancel:
			return
		case <-k.link.done:
			return
		}
	}
}

// wokenUnless is what to wait on for another message.
func (k *memoryKept) wokenUnless(busy bool) <-chan struct{} {
	if busy {
		return nil
	}
	return k.woken
}

// leave gives back what was not acknowledged. The lock is held.
func (k *memoryKept) leave() {
	if k.gone {
		return
	}
	k.gone, k.waiting = true, nil
	q := k.queue
	q.consumers = slices.DeleteFunc(q.consumers, func(other *memoryKept) bool { return other == k })
	q.turn = 0
	var back []keptMessage
	for _, tag := range slices.Sorted(maps.Keys(k.unacked)) {
		back = append(back, k.unacked[tag])
	}
	k.unacked = nil
	q.giveBack(back)
	q.pump()
}

// Deliveries implements KeptConsumer.
func (k *memoryKept) Deliveries() <-chan KeptDelivery { return k.out }

// Ack implements KeptConsumer.
func (k *memoryKept) Ack(tag uint64) error { return k.end(tag, func(keptMessage) {}) }

// Nack implements KeptConsumer.
func (k *memoryKept) Nack(tag uint64, again bool) error {
	return k.end(tag, func(m keptMessage) {
		if again {
			k.queue.giveBack([]keptMessage{m})
		} else {
			k.queue.aside++
		}
	})
}

// end takes a message off the consumer and does the rest.
func (k *memoryKept) end(tag uint64, rest func(keptMessage)) error {
	k.link.memory.mu.Lock()
	defer k.link.memory.mu.Unlock()
	m, there := k.unacked[tag]
	if !there {
		return ErrLost
	}
	delete(k.unacked, tag)
	rest(m)
	k.queue.pump()
	return nil
}

// Cancel implements KeptConsumer.
func (k *memoryKept) Cancel() {
	k.once.Do(func() {
		close(k.cancel)
		k.link.memory.mu.Lock()
		defer k.link.memory.mu.Unlock()
		k.leave()
		k.link.consumers = slices.DeleteFunc(k.link.consumers, func(other *memoryKept) bool { return other == k })
	})
}
