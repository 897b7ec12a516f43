package broker

// outcome is what became of a delivery.
type outcome int

const (
	handled  outcome = iota
	rejected         // nobody wants it
	returned         // it goes back to its queue
)

func refusal(requeue bool) outcome {
	if requeue {
		return returned
	}
	return rejected
}

// ack handles basic.ack, nack and reject.
func (ch *channel) ack(tag uint64, multiple bool, what outcome) *exception {
	c := ch.c
	c.mu.Lock()
	deliveries, found := ch.unacked.take(tag, multiple, c.scratch[:0])
	if found {
		ch.uncount(deliveries)
		ch.revive()
	}
	c.mu.Unlock()
	if !found {
		return refuse(preconditionFailed, "unknown delivery tag %d", tag)
	}
	if what == returned {
		c.giveBack(deliveries)
	} else {
		for i := range deliveries {
			c.settled.add(-deliveries[i].size())
		}
	}
	if what == rejected {
		c.reject(deliveries)
	}
	clear(deliveries)
	if cap(deliveries) <= ringKeep {
		c.scratch = deliveries[:0]
	}
	return nil
}

// recover handles basic.recover: all deliveries go back to their queues.
func (ch *channel) recover(m *method) *exception {
	if !m.has(onlyFlag) {
		return refuse(notImplemented, "requeue=false")
	}
	c := ch.c
	c.mu.Lock()
	deliveries := ch.takeAll()
	ch.revive()
	c.mu.Unlock()
	c.giveBack(deliveries)
	if m.id == basicRecover {
		c.reply(ch.id, basicRecoverOk, nil)
	}
	return nil
}

// qos handles basic.qos: as with RabbitMQ, global is for the channel, and otherwise it is for each consumer to come.
func (ch *channel) qos(m *method) *exception {
	if m.prefetchSize != 0 {
		return refuse(notImplemented, "prefetch_size!=0 (%d)", m.prefetchSize)
	}
	if m.has(onlyFlag) {
		ch.c.mu.Lock()
		ch.limit = int(m.prefetch)
		ch.revive()
		ch.c.mu.Unlock()
	} else {
		ch.prefetch = int(m.prefetch)
	}
	ch.c.reply(ch.id, basicQosOk, nil)
	return nil
}

// get handles basic.get.
func (ch *channel) get(m *method) *exception {
	c := ch.c
	name, e := ch.queueName(m.name)
	if e != nil {
		return e
	}
	q, e := c.server.vhost.queue(c, name)
	if e != nil {
		return e
	}
	noAck := m.has(onlyFlag)
	found, e := q.get(noAck, &c.wakes, func(e *entry, left int) *exception {
		c.mu.Lock()
		defer c.mu.Unlock()
		limits := &c.server.config.Limits
		if !noAck && (ch.unacked.live >= limits.UnackedMessages || !c.mayHold(e.message)) {
			return refuse(preconditionFailed, "too many messages wait for their acknowledgement (%d)", ch.unacked.live)
		}
		ch.lastTag++
		if !noAck {
			ch.keep(delivery{entry: *e, tag: ch.lastTag, queue: q})
		}
		c.delivered++
		before := len(c.out.pending)
		b := args{}.longlong(ch.lastTag)
		b = appendBool(b, e.redelivered)
		b = b.shortstr(e.exchange).shortstr(e.key).long(uint32(left))
		c.out.pending = appendContent(appendMethod(c.out.pending, ch.id, basicGetOk, b), ch.id, e.message, e.header(c.frameMax), c.frameMax)
		c.replied(before)
		return nil
	})
	if e == nil && !found {
		c.reply(ch.id, basicGetEmpty, args{}.shortstr(""))
	}
	return e
}
