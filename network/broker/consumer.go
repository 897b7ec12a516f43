package broker

import (
	"crypto/rand"
	"encoding/binary"
)

// consumer gets the messages of one queue on one channel.
type consumer struct {
	ch       *channel
	queue    *queue
	tag      string
	noAck    bool
	prefetch int // deliveries that may wait for their acknowledgement; 0 is no limit

	// Guarded by queue.mu.
	subscribed bool // is in the list of the queue
	active     bool // can take a message, as far as is known; when not, it is in channel.stalled or output.waiting, or ends

	unacked int // deliveries that wait for their acknowledgement; guarded by conn.mu
}

// offer delivers a message, unless the consumer cannot take one now. The caller holds queue.mu.
func (k *consumer) offer(e *entry, w *wakes) bool {
	ch, c := k.ch, k.ch.c
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ending || c.out.dead || ch.gone:
		return false
	case !k.credit():
		ch.stalled = append(ch.stalled, k)
		return false
	case len(c.out.pending) >= c.server.config.Limits.OutputBytes || !k.noAck && !c.mayHold(e.message):
		c.out.waiting = append(c.out.waiting, k)
		return false
	}
	ch.lastTag++
	if !k.noAck {
		k.unacked++
		ch.waiting++
		ch.keep(delivery{entry: *e, tag: ch.lastTag, queue: k.queue, consumer: k})
	}
	c.delivered++
	before := len(c.out.pending)
	b, start := openMethod(c.out.pending, ch.id, basicDeliver)
	b = append(append(b, byte(len(k.tag))), k.tag...)
	b = binary.BigEndian.AppendUint64(b, ch.lastTag)
	b = appendBool(b, e.redelivered)
	b = append(append(b, byte(len(e.exchange))), e.exchange...)
	b = append(append(b, byte(len(e.key))), e.key...)
	b = closeFrame(b, start)
	c.out.pending = appendContent(b, ch.id, e.message, e.header(c.frameMax), c.frameMax)
	c.grown(before, w)
	return true
}

// credit tells whether prefetch lets the consumer have one more delivery. The caller holds conn.mu.
func (k *consumer) credit() bool {
	ch := k.ch
	return k.noAck || (k.prefetch == 0 || k.unacked < k.prefetch) && (ch.limit == 0 || ch.waiting < ch.limit) &&
		ch.unacked.live < ch.c.server.config.Limits.UnackedMessages
}

// mayHold tells whether the connection may have one more message wait for its acknowledgement. One it may always. The
// caller holds conn.mu.
func (c *conn) mayHold(m *message) bool {
	return c.unackedBytes == 0 || c.unackedBytes+m.size() <= int64(c.server.config.Limits.TotalBytes/4)
}

// keep remembers a delivery until it is acknowledged. The caller holds conn.mu.
func (ch *channel) keep(d delivery) {
	ch.unacked.add(d)
	ch.c.unackedBytes += d.size()
}

// revive finds the consumers of the channel that can take messages again; settle gives them some. The caller holds
// conn.mu.
func (ch *channel) revive() {
	c := ch.c
	n := 0
	for _, k := range ch.stalled {
		if k.credit() {
			c.resumed = append(c.resumed, k)
		} else {
			ch.stalled[n] = k
			n++
		}
	}
	clear(ch.stalled[n:])
	ch.stalled = ch.stalled[:n]
	// These may wait for acknowledged bytes, and the writer will not ask them if it has nothing to write.
	if len(c.out.pending) == 0 && len(c.out.waiting) > 0 {
		c.resumed = append(c.resumed, c.out.waiting...)
		c.out.waiting = nil
	}
}

// consume handles basic.consume.
func (ch *channel) consume(m *method) *exception {
	c := ch.c
	if e := refuseArguments(m.table, refusedConsumerArguments); e != nil {
		return e
	}
	name, e := ch.queueName(m.name)
	if e != nil {
		return e
	}
	q, e := c.server.vhost.queue(c, name)
	if e != nil {
		return e
	}
	k := &consumer{ch: ch, queue: q, tag: string(m.tag), noAck: m.has(consumeNoAck), prefetch: ch.prefetch}
	if k.tag == "" {
		k.tag = "amq.ctag-" + rand.Text()
	}
	c.mu.Lock()
	_, taken := ch.consumers[k.tag]
	c.mu.Unlock()
	if taken {
		return refuse(notAllowed, "attempt to reuse consumer tag '%s'", k.tag)
	}
	if most := c.server.config.Limits.Consumers; c.server.consumers.Add(1) > int64(most) {
		c.server.consumers.Add(-1)
		return refuse(notAllowed, "reached maximum (%d) of consumers", most)
	}
	// The answer goes out before the first delivery, and a queue that is deleted at once finds a consumer to tell.
	e = q.subscribe(k, m.has(consumeExclusive), &c.wakes, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		ch.consumers[k.tag] = k
		if !m.has(consumeNoWait) {
			c.replyLocked(ch.id, basicConsumeOk, args{}.shortstr(k.tag))
		}
	})
	if e != nil {
		c.server.consumers.Add(-1)
	}
	return e
}

// remove takes a consumer from the list of its channel, and tells whether it was there.
func (ch *channel) remove(k *consumer) bool {
	if k == nil || ch.consumers[k.tag] != k {
		return false
	}
	delete(ch.consumers, k.tag)
	ch.c.server.consumers.Add(-1)
	return true
}

// cancel handles basic.cancel. That there is no such consumer is no mistake.
func (ch *channel) cancel(m *method) *exception {
	c := ch.c
	tag := string(m.tag)
	c.mu.Lock()
	k := ch.consumers[tag]
	ch.remove(k)
	c.mu.Unlock()
	last := k != nil && k.queue.unsubscribe(k)
	ch.answer(m, onlyFlag, basicCancelOk, args{}.shortstr(tag))
	if last && k.queue.autoDelete {
		c.server.vhost.deleteQueue(k.queue, true, false, &c.wakes)
	}
	return nil
}

// cancelled ends the consumer because its queue is gone, and tells a client that wants to know.
func (k *consumer) cancelled(w *wakes) {
	c := k.ch.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if !k.ch.remove(k) || !c.notifyCancel {
		return
	}
	before := len(c.out.pending)
	c.out.pending = appendMethod(c.out.pending, k.ch.id, basicCancel, args{}.shortstr(k.tag).octet(1))
	c.grown(before, w)
}

// appendContent appends the header and body frames of a message.
func appendContent(b []byte, channel uint16, m *message, header []byte, frameMax int) []byte {
	b = appendFrame(b, frameHeader, channel, header)
	for body := m.data[m.header:]; len(body) > 0; {
		n := min(len(body), frameMax-frameOverhead)
		b = appendFrame(b, frameBody, channel, body[:n])
		body = body[n:]
	}
	return b
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}
