package broker

import (
	"crypto/rand"
	"strings"
)

// handleExchange does what the methods of class exchange ask for.
func (ch *channel) handleExchange(m *method) *exception {
	v := ch.c.server.vhost
	name := entityName(m.name)
	if m.id == exchangeDelete {
		if e := v.deleteExchange(name, m.has(exchangeIfUnused)); e != nil {
			return e
		}
		ch.answer(m, exchangeDeleteNoWait, exchangeDeleteOk, nil)
		return nil
	}
	if e := refuseArguments(m.table, refusedExchangeArguments); e != nil {
		return e
	}
	want := &exchange{
		name: name, kind: exchangeKind(m.kind),
		durable: m.has(exchangeDurable), autoDelete: m.has(exchangeAutoDelete), internal: m.has(exchangeInternal),
	}
	if e := v.declareExchange(want, m.has(exchangePassive)); e != nil {
		return e
	}
	ch.answer(m, exchangeNoWait, exchangeDeclareOk, nil)
	return nil
}

var lineEnds = strings.NewReplacer("\r", "", "\n", "")

// entityName returns a name without line ends, which RabbitMQ removes too.
func entityName(b []byte) string { return lineEnds.Replace(string(b)) }

// queueName returns the name of a queue, where an empty one is the queue this channel declared last.
func (ch *channel) queueName(b []byte) (string, *exception) {
	if len(b) > 0 {
		return entityName(b), nil
	}
	if ch.lastQueue == "" {
		return "", refuse(notFound, "no previously declared queue")
	}
	return ch.lastQueue, nil
}

// handleQueue does what the methods of class queue ask for.
func (ch *channel) handleQueue(m *method) *exception {
	if m.id == queueDeclare {
		return ch.declareQueue(m)
	}
	c := ch.c
	v := c.server.vhost
	name, e := ch.queueName(m.name)
	if e != nil {
		return e
	}
	switch m.id {
	case queueBind, queueUnbind:
		key := string(m.key)
		if len(m.name) == 0 && key == "" {
			key = name
		}
		if m.id == queueUnbind {
			if e := v.unbind(c, name, string(m.exchange), key, m.table); e != nil {
				return e
			}
			c.reply(ch.id, queueUnbindOk, nil)
			return nil
		}
		if e := v.bind(c, name, string(m.exchange), key, m.table); e != nil {
			return e
		}
		ch.answer(m, onlyFlag, queueBindOk, nil)
		return nil
	}

	q, e := v.queue(c, name)
	switch {
	case m.id == queuePurge:
		if e != nil {
			return e
		}
		ch.answer(m, onlyFlag, queuePurgeOk, args{}.long(uint32(q.purge(&c.wakes))))
		return nil
	case e != nil && e.code == notFound:
		ch.answer(m, queueDeleteNoWait, queueDeleteOk, args{}.long(0))
		return nil
	case e != nil:
		return e
	}
	n, e := v.deleteQueue(q, m.has(queueIfUnused), m.has(queueIfEmpty), &c.wakes)
	if e != nil {
		return e
	}
	ch.answer(m, queueDeleteNoWait, queueDeleteOk, args{}.long(uint32(n)))
	return nil
}

func (ch *channel) declareQueue(m *method) *exception {
	c := ch.c
	v := c.server.vhost
	name := entityName(m.name)
	if m.has(queuePassive) {
		q, e := v.queue(c, name)
		if e != nil {
			return e
		}
		ch.declared(m, q, false)
		return nil
	}
	want := queueSettings{
		durable: m.has(queueDurable) && !m.has(queueExclusive), exclusive: m.has(queueExclusive), autoDelete: m.has(queueAutoDelete),
	}
	if e := want.parse(m.table); e != nil {
		return e
	}
	if e := reserved("queue", name); e != nil {
		return e
	}
	if name == "" {
		name = "amq.gen-" + rand.Text()
	}
	q, e := v.declareQueue(c, name, want, func() *queue {
		var owner *conn
		if want.exclusive {
			owner = c
		}
		return newQueue(c.server, name, want, owner)
	})
	if e != nil {
		return e
	}
	ch.declared(m, q, true)
	return nil
}

// declared answers the declaration of a queue.
func (ch *channel) declared(m *method, q *queue, touch bool) {
	ch.lastQueue = q.name
	messages, consumers := q.status(touch, &ch.c.wakes)
	ch.answer(m, queueNoWait, queueDeclareOk, args{}.shortstr(q.name).long(uint32(messages)).long(uint32(consumers)))
}
