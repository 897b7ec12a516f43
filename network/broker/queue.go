package broker

import (
	"slices"
	"sync"
)

// queue holds messages in order and gives them to its consumers in turn.
type queue struct {
	// These never change.
	queueSettings
	name   string
	owner  *conn // whose exclusive queue it is, or nil
	server *Server

	exchanges map[*exchange]int // how many bindings it has with each; guarded by vhost.mu

	// mu guards all that follows. It is taken after vhost.mu and before conn.mu, and nothing blocks while it is held: giving
	// a message to a consumer only appends to the output of its connection.
	mu        sync.Mutex
	ready     ring
	bytes     int64  // the size of all ready messages
	body      int64  // the body octets of all ready messages
	nextPlace uint64 // of the next message published
	consumers []*consumer
	turn      int  // the consumer to ask next
	active    int  // how many consumers can take a message, as far as is known
	alone     bool // the only consumer wants no other
	deleted   bool
	usedAt    int64 // when it last had a consumer or was asked for, for x-expires
	timer     queueTimer
	ledger    ledger
	died      []deadLetter // since mu was taken; unlock passes them on
}

func newQueue(server *Server, name string, settings queueSettings, owner *conn) *queue {
	q := &queue{
		server: server, name: name, queueSettings: settings, owner: owner,
		exchanges: map[*exchange]int{}, usedAt: server.now(), ledger: ledger{total: &server.bytes},
	}
	if q.expires.set {
		q.mu.Lock()
		q.rest()
		q.mu.Unlock()
	}
	return q
}

// usableBy tells whether the connection may do more than publish to the queue.
func (q *queue) usableBy(c *conn) bool { return q.owner == nil || q.owner == c }

// bound and unbound count bindings. The caller holds vhost.mu.
func (q *queue) bound(e *exchange) { q.exchanges[e]++ }

func (q *queue) unbound(e *exchange, n int) {
	if q.exchanges[e] -= n; q.exchanges[e] <= 0 {
		delete(q.exchanges, e)
	}
}

// unlock releases mu and passes on the letters that died since it was taken. No other lock may be held.
func (q *queue) unlock(w *wakes) {
	died := q.died
	q.died = nil
	q.mu.Unlock()
	if died != nil {
		q.server.bury(q, died, w)
	}
}

// publish adds a message and gives it to a consumer if one can take it. It returns false if the queue refuses it.
func (q *queue) publish(m *message, w *wakes) bool {
	q.mu.Lock()
	defer q.unlock(w)
	return q.add(m, w)
}

// add is publish with mu held.
func (q *queue) add(m *message, w *wakes) bool {
	if q.deleted {
		return true
	}
	if q.overflow == rejectPublish && q.over(1, m) {
		q.server.dropped.Add(1)
		return false
	}
	e := entry{message: m, place: q.nextPlace}
	q.nextPlace++
	var now int64
	if q.ttl.set || m.hasTTL {
		now = q.server.now()
		e.expires = q.deadline(m, now)
	}
	q.ready.pushBack(e)
	q.count(m, 1)
	q.ledger.add(m.size())
	q.pump(now, w)
	q.trim()
	q.rest()
	return true
}

// deadline is when a message that comes now expires: the earlier of the queue's and its own.
func (q *queue) deadline(m *message, now int64) int64 {
	switch {
	case !m.hasTTL:
		return now + q.ttl.nanoseconds()
	case !q.ttl.set:
		return now + int64(m.ttl)
	}
	return now + min(int64(m.ttl), q.ttl.nanoseconds())
}

// count adds (n is 1) or takes away (n is -1) a ready message from the sums.
func (q *queue) count(m *message, n int64) {
	q.bytes += n * m.size()
	q.body += n * m.body()
}

// over tells whether the queue is beyond a limit, with n more messages like m.
func (q *queue) over(n int, m *message) bool {
	messages, bytes, body := int64(q.ready.n+n), q.bytes, q.body
	if n > 0 {
		bytes += m.size()
		body += m.body()
	}
	limits := &q.server.config.Limits
	return messages > int64(limits.QueueMessages) || bytes > int64(limits.QueueBytes) ||
		q.maxLength.set && messages > q.maxLength.value || q.maxBytes.set && body > q.maxBytes.value
}

// trim drops the oldest messages while the queue is beyond a limit. A queue that refuses what is too much keeps what it
// has: messages given back may take it beyond its limit, by as many as were delivered.
func (q *queue) trim() {
	for q.overflow == dropHead && q.ready.n > 0 && q.over(0, nil) {
		q.drop(reasonLength)
	}
}

// drop takes the first message out.
func (q *queue) drop(why reason) {
	e := q.ready.popFront()
	q.count(e.message, -1)
	q.ledger.add(-e.size())
	q.lose(e.message, why)
}

// lose makes a dead letter of a message that has left the queue, or forgets it if the queue has no place for those.
func (q *queue) lose(m *message, why reason) {
	if !q.dead.exchange.set || why == reasonNone {
		q.server.dropped.Add(1)
		return
	}
	q.died = append(q.died, deadLetter{m, why})
}

// expire drops the messages at the head whose time is over. A now of 0 stands for a time not yet asked for; it returns
// what it found.
func (q *queue) expire(now int64) int64 {
	for q.ready.n > 0 && q.ready.front().expires != 0 {
		if now == 0 {
			now = q.server.now()
		}
		if now <= q.ready.front().expires {
			break
		}
		q.drop(reasonExpired)
	}
	return now
}

// pump gives messages to consumers, in turn, until there is no message or no consumer that can take one.
func (q *queue) pump(now int64, w *wakes) {
	for q.active > 0 {
		if now = q.expire(now); q.ready.n == 0 {
			return
		}
		if q.turn >= len(q.consumers) {
			q.turn = 0
		}
		k := q.consumers[q.turn]
		q.turn++
		if !k.active {
			continue
		}
		e := q.ready.front()
		if !k.offer(e, w) {
			k.active = false
			q.active--
			continue
		}
		q.count(e.message, -1)
		if k.noAck {
			q.ledger.add(-e.size())
		}
		q.ready.popFront()
	}
}

// resume tells that the consumer can take messages again.
func (q *queue) resume(k *consumer, w *wakes) {
	q.mu.Lock()
	defer q.unlock(w)
	if !k.subscribed || k.active {
		return
	}
	k.active = true
	q.active++
	q.pump(0, w)
	q.rest()
}

// subscribe adds the consumer, says so by calling started, and gives it what is ready.
func (q *queue) subscribe(k *consumer, exclusive bool, w *wakes, started func()) *exception {
	q.mu.Lock()
	defer q.unlock(w)
	switch {
	case q.deleted:
		return q.server.vhost.noQueue(q.name)
	case q.alone, exclusive && len(q.consumers) > 0:
		return refuse(accessRefused, "queue '%s' in vhost '%s' in exclusive use", q.name, q.server.vhost.name)
	}
	started()
	q.alone = exclusive
	q.consumers = append(q.consumers, k)
	k.subscribed, k.active = true, true
	q.active++
	q.pump(0, w)
	q.rest()
	return nil
}

// unsubscribe removes the consumer and tells whether it was the last one.
func (q *queue) unsubscribe(k *consumer) (last bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !k.subscribed {
		return false
	}
	q.consumers = slices.DeleteFunc(q.consumers, func(o *consumer) bool { return o == k })
	q.alone = false
	q.forget(k)
	if len(q.consumers) > 0 {
		return false
	}
	q.usedAt = q.server.now()
	q.rest()
	return true
}

// forget marks a consumer that was taken from the list.
func (q *queue) forget(k *consumer) {
	if k.active {
		q.active--
	}
	k.subscribed, k.active = false, false
}

// get gives the first message to take, which may refuse it. It tells whether there was one.
func (q *queue) get(noAck bool, w *wakes, take func(e *entry, left int) *exception) (bool, *exception) {
	q.mu.Lock()
	defer q.unlock(w)
	q.usedAt = q.server.now()
	q.expire(q.usedAt)
	defer q.rest()
	if q.ready.n == 0 {
		return false, nil
	}
	e := q.ready.front()
	if err := take(e, q.ready.n-1); err != nil {
		return true, err
	}
	q.count(e.message, -1)
	if noAck {
		q.ledger.add(-e.size())
	}
	q.ready.popFront()
	return true, nil
}

// requeue gives back messages that were delivered, to their old places. They are ordered by place.
func (q *queue) requeue(entries []entry, w *wakes) {
	q.mu.Lock()
	defer q.unlock(w)
	if q.quorum && !q.deleted {
		entries = q.counted(entries)
		if len(entries) == 0 {
			return
		}
	}
	for i := range entries {
		entries[i].redelivered = true
		q.count(entries[i].message, 1)
	}
	if q.deleted {
		q.ledger.add(-q.bytes)
		q.ledger.flush()
		q.bytes, q.body = 0, 0
		return
	}
	q.ready.merge(entries)
	q.pump(0, w)
	q.trim()
	q.rest()
}

// counted counts one more delivery that came to nothing for each message, and takes out those that had as many as they may.
func (q *queue) counted(entries []entry) []entry {
	left := entries[:0]
	for _, e := range entries {
		e.returns++
		if q.deliveryLimit.set && int64(e.returns) > q.deliveryLimit.value {
			q.ledger.add(-e.size())
			q.lose(e.message, reasonDeliveryLimit)
			continue
		}
		left = append(left, e)
	}
	return left
}

// purge drops all ready messages and returns how many they were.
func (q *queue) purge(w *wakes) int {
	q.mu.Lock()
	defer q.unlock(w)
	q.expire(0)
	return q.clear()
}

func (q *queue) clear() int {
	n := q.ready.n
	q.ledger.add(-q.bytes)
	q.ready, q.bytes, q.body = ring{}, 0, 0
	return n
}

// shed drops the oldest messages until the queue holds at most that many bytes.
func (q *queue) shed(bytes int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.ready.n > 0 && q.bytes > bytes {
		q.drop(reasonNone) // a dead letter would need the room that is wanted
	}
	q.ledger.flush()
}

// held returns the bytes of the ready messages.
func (q *queue) held() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.bytes
}

// status returns the number of ready messages and of consumers. touch counts as use.
func (q *queue) status(touch bool, w *wakes) (messages, consumers int) {
	q.mu.Lock()
	defer q.unlock(w)
	now := q.expire(0)
	if touch && q.expires.set {
		if now == 0 {
			now = q.server.now()
		}
		q.usedAt = now
	}
	q.rest()
	return q.ready.n, len(q.consumers)
}

// delete ends the queue, unless it is used or not empty and must not be; then it returns the reason. It returns the
// consumers, which the caller tells, and the number of messages lost.
func (q *queue) delete(ifUnused, ifEmpty bool) (consumers []*consumer, messages int, reason string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.expire(0)
	switch {
	case ifUnused && len(q.consumers) > 0:
		return nil, 0, "in use"
	case ifEmpty && q.ready.n > 0:
		return nil, 0, "is not empty"
	}
	q.server.dropped.Add(uint64(len(q.died)))
	q.deleted, q.died = true, nil
	consumers, q.consumers = q.consumers, nil
	for _, k := range consumers {
		q.forget(k)
	}
	messages = q.clear()
	q.ledger.flush()
	q.timer.stop(q.server)
	return consumers, messages, ""
}
