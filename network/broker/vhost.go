package broker

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// vhost is the virtual host: all exchanges, queues and bindings.
type vhost struct {
	name   string
	limits *Limits

	// mu guards the maps, the number of bindings, and the bindings of each exchange and queue. It is taken before the lock
	// of a queue. Routing holds it for two look-ups only: matching is done on what was found, without it.
	mu        sync.RWMutex
	exchanges map[string]*exchange
	queues    map[string]*queue
	bindings  int

	// generation counts the changes of all that mu guards. It is written under mu, and what was found before it changed is
	// out of date.
	generation atomic.Uint64
}

func newVHost(name string, limits *Limits) *vhost {
	v := &vhost{name: name, limits: limits, exchanges: map[string]*exchange{}, queues: map[string]*queue{}}
	for _, e := range []*exchange{
		{name: "amq.direct", kind: direct}, {name: "amq.fanout", kind: fanout}, {name: "amq.topic", kind: topic},
	} {
		e.durable = true
		v.exchanges[e.name] = e
	}
	return v
}

// route finds the queues for a message that a client publishes.
func (v *vhost) route(exchangeName, key string) (*route, *exception) {
	return v.find(exchangeName, key, false)
}

// find finds the queues for a message. The default exchange, whose name is empty, sends to the queue named by the key.
// Internal exchanges are only for the broker itself.
func (v *vhost) find(exchangeName, key string, internal bool) (*route, *exception) {
	r := &route{exchange: exchangeName, key: key}
	v.mu.RLock()
	r.generation = v.generation.Load()
	if exchangeName == "" {
		if q := v.queues[key]; q != nil {
			r.queues = []*queue{q}
		}
		v.mu.RUnlock()
		return r, nil
	}
	e := v.exchanges[exchangeName]
	var bindings []*binding
	if e != nil {
		bindings = e.candidates(key)
	}
	v.mu.RUnlock()
	switch {
	case e == nil:
		return nil, v.noExchange(exchangeName)
	case e.internal && !internal:
		return nil, refuse(accessRefused, "cannot publish to internal exchange '%s' in vhost '%s'", exchangeName, v.name)
	}
	r.queues = targets(e.kind, bindings, key)
	return r, nil
}

func (v *vhost) noExchange(name string) *exception {
	return refuse(notFound, "no exchange '%s' in vhost '%s'", name, v.name)
}

func (v *vhost) noQueue(name string) *exception {
	return refuse(notFound, "no queue '%s' in vhost '%s'", name, v.name)
}

// unequal refuses to declare again with another value. kind is "exchange" or "queue".
func (v *vhost) unequal(arg, kind, name string, received, current any) *exception {
	return refuse(preconditionFailed, "inequivalent arg '%s' for %s '%s' in vhost '%s': received '%v' but current is '%v'",
		arg, kind, name, v.name, received, current)
}

// reserved refuses names only the broker may give.
func reserved(kind, name string) *exception {
	if strings.HasPrefix(name, "amq.") {
		return refuse(accessRefused, "%s name '%s' contains reserved prefix 'amq.*'", kind, name)
	}
	return nil
}

// notDefault refuses to change the default exchange.
func notDefault(name string) *exception {
	if name == "" {
		return refuse(accessRefused, "operation not permitted on the default exchange")
	}
	return nil
}

// declareExchange adds the exchange, or checks that the one of its name is equal. Passive only asks whether there is one.
func (v *vhost) declareExchange(want *exchange, passive bool) *exception {
	if !passive {
		switch want.kind {
		case direct, fanout, topic:
		case "headers":
			return refuse(notImplemented, "exchange type 'headers'")
		default:
			return refuse(commandInvalid, "unknown exchange type '%s'", want.kind)
		}
		if e := notDefault(want.name); e != nil {
			return e
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	have := v.exchanges[want.name]
	switch {
	case have == nil && passive:
		return v.noExchange(want.name)
	case have == nil:
		if e := reserved("exchange", want.name); e != nil {
			return e
		}
		if len(v.exchanges) >= v.limits.Exchanges {
			return refuse(preconditionFailed, "cannot declare exchange '%s' in vhost '%s': exchange limit (%d) is reached",
				want.name, v.name, v.limits.Exchanges)
		}
		v.exchanges[want.name] = want
		v.generation.Add(1)
		return nil
	case passive:
		return nil
	case have.kind != want.kind:
		return v.unequal("type", "exchange", want.name, want.kind, have.kind)
	case have.durable != want.durable:
		return v.unequal("durable", "exchange", want.name, want.durable, have.durable)
	case have.autoDelete != want.autoDelete:
		return v.unequal("auto_delete", "exchange", want.name, want.autoDelete, have.autoDelete)
	case have.internal != want.internal:
		return v.unequal("internal", "exchange", want.name, want.internal, have.internal)
	}
	return nil
}

// deleteExchange removes the exchange and its bindings. That it is not there is no mistake.
func (v *vhost) deleteExchange(name string, ifUnused bool) *exception {
	if e := notDefault(name); e != nil {
		return e
	}
	if e := reserved("exchange", name); e != nil {
		return e
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	e := v.exchanges[name]
	if e == nil {
		return nil
	}
	if ifUnused && len(e.bindings) > 0 {
		return refuse(preconditionFailed, "exchange '%s' in vhost '%s' in use", name, v.name)
	}
	for _, b := range e.bindings {
		b.queue.unbound(e, 1)
	}
	v.removeExchange(e)
	return nil
}

// removeExchange forgets the exchange. The caller holds mu.
func (v *vhost) removeExchange(e *exchange) {
	v.bindings -= len(e.bindings)
	e.bindings, e.byKey = nil, nil
	delete(v.exchanges, e.name)
	v.generation.Add(1)
}

// bind binds the queue of the name to the exchange. A binding that is there already stays one.
func (v *vhost) bind(owner *conn, queueName, exchangeName, key string, args table) *exception {
	if len(args) > maxBindingArguments {
		return refuse(preconditionFailed, "binding arguments of %d bytes, more than %d", len(args), maxBindingArguments)
	}
	if e := notDefault(exchangeName); e != nil {
		return e
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	q := v.queues[queueName]
	e := v.exchanges[exchangeName]
	switch {
	case q == nil:
		return v.noQueue(queueName)
	case !q.usableBy(owner):
		return v.locked(queueName)
	case e == nil:
		return v.noExchange(exchangeName)
	}
	b := &binding{exchange: e, queue: q, key: key, args: args.canonical()}
	if e.find(b) != nil {
		return nil
	}
	if v.bindings >= v.limits.Bindings {
		return refuse(preconditionFailed, "cannot bind queue '%s' in vhost '%s': binding limit (%d) is reached",
			queueName, v.name, v.limits.Bindings)
	}
	e.add(b)
	q.bound(e)
	v.bindings++
	v.generation.Add(1)
	return nil
}

// unbind removes a binding. That it is not there is no mistake.
func (v *vhost) unbind(owner *conn, queueName, exchangeName, key string, args table) *exception {
	if e := notDefault(exchangeName); e != nil {
		return e
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	q := v.queues[queueName]
	e := v.exchanges[exchangeName]
	if q == nil || e == nil {
		return nil
	}
	if !q.usableBy(owner) {
		return v.locked(queueName)
	}
	b := &binding{exchange: e, queue: q, key: key, args: args.canonical()}
	v.removeBindings(e, q, b.same)
	return nil
}

// removeBindings removes bindings between exchange and queue, and an auto-delete exchange that so lost its last one. The
// caller holds mu.
func (v *vhost) removeBindings(e *exchange, q *queue, gone func(*binding) bool) {
	n := e.remove(gone)
	if n == 0 {
		return
	}
	v.bindings -= n
	q.unbound(e, n)
	v.generation.Add(1)
	if e.autoDelete && len(e.bindings) == 0 {
		v.removeExchange(e)
	}
}

func (v *vhost) locked(name string) *exception {
	return refuse(resourceLocked, "cannot obtain exclusive access to locked queue '%s' in vhost '%s'. It could be originally "+
		"declared on another connection or the exclusive property value does not match that of the original declaration.", name, v.name)
}

// queue returns the queue of the name, if the connection may use it.
func (v *vhost) queue(user *conn, name string) (*queue, *exception) {
	v.mu.RLock()
	q := v.queues[name]
	v.mu.RUnlock()
	switch {
	case q == nil:
		return nil, v.noQueue(name)
	case !q.usableBy(user):
		return nil, v.locked(name)
	}
	return q, nil
}

// declareQueue returns the queue of the name, after checking that it is equal, or the new one that create makes.
func (v *vhost) declareQueue(user *conn, name string, want queueSettings, create func() *queue) (*queue, *exception) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if q := v.queues[name]; q != nil {
		if !q.usableBy(user) || want.exclusive != q.exclusive {
			return nil, v.locked(name)
		}
		return q, v.equal(name, want, q.queueSettings)
	}
	if len(v.queues) >= v.limits.Queues {
		return nil, refuse(preconditionFailed, "cannot declare queue '%s' in vhost '%s': queue limit (%d) is reached",
			name, v.name, v.limits.Queues)
	}
	q := create()
	v.queues[name] = q
	if q.owner != nil {
		if q.owner.owns == nil {
			q.owner.owns = map[*queue]struct{}{}
		}
		q.owner.owns[q] = struct{}{}
	}
	v.generation.Add(1)
	return q, nil
}

// equal checks that a queue is declared as it was the first time.
func (v *vhost) equal(name string, want, have queueSettings) *exception {
	for _, c := range []struct {
		arg        string
		want, have any
	}{
		{"durable", want.durable, have.durable},
		{"auto_delete", want.autoDelete, have.autoDelete},
		{"x-message-ttl", want.ttl, have.ttl},
		{"x-expires", want.expires, have.expires},
		{"x-max-length", want.maxLength, have.maxLength},
		{"x-max-length-bytes", want.maxBytes, have.maxBytes},
		{"x-overflow", want.overflow, have.overflow},
		{"x-queue-type", want.queueType(), have.queueType()},
		{"x-delivery-limit", want.deliveryLimit, have.deliveryLimit},
		{"x-dead-letter-exchange", want.dead.exchange, have.dead.exchange},
		{"x-dead-letter-routing-key", want.dead.key, have.dead.key},
	} {
		if c.want != c.have {
			return v.unequal(c.arg, "queue", name, c.want, c.have)
		}
	}
	return nil
}

// deleteQueue removes the queue with its bindings and messages, tells its consumers, and returns how many messages were
// ready. That it is gone already is no mistake.
func (v *vhost) deleteQueue(q *queue, ifUnused, ifEmpty bool, w *wakes) (int, *exception) {
	v.mu.Lock()
	if v.queues[q.name] != q {
		v.mu.Unlock()
		return 0, nil
	}
	consumers, messages, reason := q.delete(ifUnused, ifEmpty)
	if reason != "" {
		v.mu.Unlock()
		q.mu.Lock()
		q.unlock(w) // what has expired
		return 0, refuse(preconditionFailed, "queue '%s' in vhost '%s' %s", q.name, v.name, reason)
	}
	delete(v.queues, q.name)
	if q.owner != nil {
		delete(q.owner.owns, q)
	}
	v.generation.Add(1)
	for e := range q.exchanges {
		v.removeBindings(e, q, func(b *binding) bool { return b.queue == q })
	}
	v.mu.Unlock()
	for _, k := range consumers {
		k.cancelled(w)
	}
	return messages, nil
}

// ownedBy returns the exclusive queues of the connection.
func (v *vhost) ownedBy(c *conn) []*queue {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return slices.Collect(maps.Keys(c.owns))
}

// all returns all queues.
func (v *vhost) all() []*queue {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return slices.Collect(maps.Values(v.queues))
}
