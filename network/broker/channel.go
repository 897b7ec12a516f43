package broker

import (
	"cmp"
	"slices"
)

// channel is one channel of a connection. The reader of the connection owns the fields above the line.
type channel struct {
	c  *conn
	id uint16

	closing   bool   // the client was told that it closes and has not answered; all else is ignored
	lastQueue string // the queue declared last, which an empty name stands for
	prefetch  int    // of consumers to come
	content   content

	confirms  bool   // in confirm mode
	sequence  uint64 // messages published in confirm mode
	confirmed uint64 // those of them that have been answered

	// Guarded by conn.mu.
	gone      bool // takes no more messages
	lastTag   uint64
	unacked   unacked
	consumers map[string]*consumer
	limit     int         // deliveries of all consumers that may wait for their acknowledgement; 0 is no limit
	waiting   int         // deliveries that do
	stalled   []*consumer // had no credit left
}

// dispatch handles a frame of a channel.
func (c *conn) dispatch(f frame) error {
	ch := c.channels[f.channel]
	if ch == nil {
		return c.openChannel(f)
	}
	if ch.closing {
		c.dispatchClosing(ch, f)
		return nil
	}
	var e *exception
	switch f.kind {
	case frameMethod:
		if ch.content.state != awaitMethod {
			c.m.id = basicPublish
			return refuse(unexpectedFrame, "expected content of method 60.40, got a method instead")
		}
		if e := c.decode(f.payload); e != nil {
			return e
		}
		e = ch.handle(&c.m)
	case frameHeader:
		e = ch.header(f.payload)
	case frameBody:
		e = ch.body(f.payload)
	}
	switch {
	case e == nil:
		return nil
	case e.soft():
		ch.fail(e)
		return nil
	}
	return e
}

// openChannel opens the channel of the frame, which is not open yet.
func (c *conn) openChannel(f frame) error {
	c.m.id = 0
	if f.kind == frameMethod {
		if e := c.decode(f.payload); e != nil {
			return e
		}
	}
	switch {
	case c.m.id != channelOpen:
		return refuse(channelError, "expected 'channel.open'")
	case len(c.channels) >= c.channelMax:
		return refuse(notAllowed, "number of channels opened (%d) has reached the negotiated channel_max (%d)", len(c.channels), c.channelMax)
	}
	c.channels[f.channel] = &channel{c: c, id: f.channel, consumers: map[string]*consumer{}}
	c.server.channels.Add(1)
	c.reply(f.channel, channelOpenOk, args{}.longstr(""))
	return nil
}

// dispatchClosing handles a frame of a channel that waits for the answer to its close.
func (c *conn) dispatchClosing(ch *channel, f frame) {
	if f.kind != frameMethod || c.m.decode(f.payload) != methodOK {
		return
	}
	switch c.m.id {
	case channelClose: // both sides closed at once
		c.reply(ch.id, channelCloseOk, nil)
	case channelCloseOk:
		delete(c.channels, ch.id)
		c.server.channels.Add(-1)
	}
}

// fail closes the channel because of a mistake of the client.
func (ch *channel) fail(e *exception) {
	cause := ch.c.m.id
	ch.sendConfirms()
	ch.end()
	ch.closing = true
	ch.c.reply(ch.id, channelClose, e.closeArgs(cause))
}

// end gives back all the channel holds: its consumers, its unacknowledged messages, a body that is not complete.
func (ch *channel) end() {
	c := ch.c
	if ch.closing {
		return // it has been done
	}
	c.mu.Lock()
	ch.gone = true
	consumers := ch.consumers
	ch.consumers, ch.stalled = nil, nil
	left := ch.takeAll()
	c.mu.Unlock()

	ch.dropContent()
	c.server.consumers.Add(-int64(len(consumers)))
	var done []*queue
	for _, k := range consumers {
		if k.queue.unsubscribe(k) && k.queue.autoDelete {
			done = append(done, k.queue)
		}
	}
	c.giveBack(left)
	for _, q := range done {
		c.server.vhost.deleteQueue(q, true, false, &c.wakes)
	}
}

// takeAll removes all unacknowledged deliveries. The caller holds conn.mu.
func (ch *channel) takeAll() []delivery {
	left := ch.unacked.takeAll(nil)
	ch.uncount(left)
	return left
}

// uncount takes deliveries out of the sums. The caller holds conn.mu.
func (ch *channel) uncount(deliveries []delivery) {
	for i := range deliveries {
		d := &deliveries[i]
		ch.c.unackedBytes -= d.size()
		if d.consumer != nil {
			d.consumer.unacked--
			ch.waiting--
		}
	}
}

// giveBack requeues deliveries.
func (c *conn) giveBack(deliveries []delivery) {
	queues := map[*queue][]entry{}
	for _, d := range deliveries {
		queues[d.queue] = append(queues[d.queue], d.entry)
	}
	for q, entries := range queues {
		slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.place, b.place) })
		q.requeue(entries, &c.wakes)
	}
}

// handle does what a method asks for.
func (ch *channel) handle(m *method) *exception {
	switch m.id {
	case basicPublish:
		return ch.publish(m)
	case basicAck:
		return ch.ack(m.delivery, m.has(ackMultiple), handled)
	case basicNack:
		return ch.ack(m.delivery, m.has(ackMultiple), refusal(m.has(nackRequeue)))
	case basicReject:
		return ch.ack(m.delivery, false, refusal(m.has(onlyFlag)))
	case basicGet:
		return ch.get(m)
	case basicConsume:
		return ch.consume(m)
	case basicCancel:
		return ch.cancel(m)
	case basicQos:
		return ch.qos(m)
	case basicRecover, basicRecoverAsync:
		return ch.recover(m)
	case confirmSelect:
		ch.confirms = true
		ch.answer(m, onlyFlag, confirmSelectOk, nil)
		return nil
	case exchangeDeclare, exchangeDelete:
		return ch.handleExchange(m)
	case queueDeclare, queueBind, queueUnbind, queuePurge, queueDelete:
		return ch.handleQueue(m)
	case channelFlow:
		if !m.has(onlyFlag) {
			return refuse(notImplemented, "active=false")
		}
		ch.c.reply(ch.id, channelFlowOk, args{}.octet(1))
		return nil
	case channelClose:
		ch.sendConfirms()
		ch.end()
		delete(ch.c.channels, ch.id)
		ch.c.server.channels.Add(-1)
		ch.c.reply(ch.id, channelCloseOk, nil)
		return nil
	case channelOpen:
		return refuse(channelError, "second 'channel.open' seen")
	}
	return refuse(channelError, "unexpected method %d.%d on a channel", m.id.class(), m.id.method())
}

// answer replies to a method, unless its no-wait bit is set.
func (ch *channel) answer(m *method, noWait byte, id methodID, a args) {
	if !m.has(noWait) {
		ch.c.reply(ch.id, id, a)
	}
}
