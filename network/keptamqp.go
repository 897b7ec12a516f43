package network

import (
	"errors"
	"fmt"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Keep implements Link.
func (l *amqpLink) Keep(q KeptQueue) (s KeptState, err error) {
	if err := checkKey(q.Key); err != nil {
		return s, err
	}
	s.Volatile = l.ours()
	if s.Aside, err = l.declare(asidePrefix+q.Object, amqp.Table{
		"x-queue-type":       "quorum",
		"x-max-length":       int64(asideLength),
		"x-max-length-bytes": int64(asideBytes),
	}, &s.Differs); err != nil {
		return s, err
	}
	if _, err = l.declare(keptPrefix+q.Object, amqp.Table{
		"x-queue-type":              "quorum",
		"x-message-ttl":             q.KeepFor.Milliseconds(),
		"x-delivery-limit":          int64(q.MaxDeliveries - 1), // of redeliveries
		"x-overflow":                "reject-publish",           // where there is a limit, the publishers wait
		"x-dead-letter-exchange":    "",
		"x-dead-letter-routing-key": asidePrefix + q.Object,
		"x-dead-letter-strategy":    "at-least-once",
	}, &s.Differs); err != nil {
		return s, err
	}
	err = l.aside(func(ch *amqp.Channel) error {
		return ch.QueueBind(keptPrefix+q.Object, q.Key, ExchangeKept, false, nil)
	})
	return s, err
}

// declare makes sure of a durable queue and returns how many messages it has. If there
// is one with other arguments, that is the one.
func (l *amqpLink) declare(name string, args amqp.Table, differs *bool) (messages int, err error) {
	var q amqp.Queue
	err = l.aside(func(ch *amqp.Channel) (err error) {
		q, err = ch.QueueDeclare(name, true, false, false, false, args)
		return err
	})
	if refusal, ok := errors.AsType[*keptRefusal](err); ok && refusal.reply.Code == amqp.PreconditionFailed {
		*differs = true
		err = l.aside(func(ch *amqp.Channel) (err error) {
			q, err = ch.QueueDeclarePassive(name, true, false, false, false, nil)
			return err
		})
	}
	return q.Messages, err
}

// keptRefusal is a broker's refusal that has cost no more than a channel.
type keptRefusal struct {
	error
	reply *amqp.Error
}

func (r *keptRefusal) Unwrap() []error { return []error{r.error, r.reply} }

// aside does requests on a channel of their own, which is all they cost if the broker
// refuses. The link ends if it does not answer.
func (l *amqpLink) aside(requests func(*amqp.Channel) error) error {
	if !l.alive() {
		return l.ended()
	}
	timer := time.AfterFunc(orDefault(l.transport.ConnectTimeout, DefaultConnectTimeout), func() { abort(l.conn) })
	defer timer.Stop()
	ch, err := l.connection.Channel()
	if err == nil {
		defer ch.Close()
		err = requests(ch)
	}
	if err == nil {
		return nil
	}
	if reply, ok := errors.AsType[*amqp.Error](err); ok && reply.Server && !l.connection.IsClosed() {
		return &keptRefusal{brokerError(err, ErrTopology), reply}
	}
	l.end(brokerError(err, ErrTopology))
	return l.ended()
}

// amqpKept is a KeptConsumer of an amqpLink.
type amqpKept struct {
	link    *amqpLink
	channel *amqp.Channel
	out     chan KeptDelivery // closed by run
	cancel  chan struct{}     // closed by Cancel
	once    sync.Once
}

// ConsumeKept implements Link.
func (l *amqpLink) ConsumeKept(object string, prefetch int) (KeptConsumer, error) {
	l.mu.Lock() // so that Close finds the goroutine
	defer l.mu.Unlock()
	if !l.alive() {
		return nil, l.ended()
	}
	timer := time.AfterFunc(orDefault(l.transport.ConnectTimeout, DefaultConnectTimeout), func() { abort(l.conn) })
	defer timer.Stop()
	channel, err := l.connection.Channel()
	if err != nil {
		l.end(brokerError(err, ErrTopology))
		return nil, l.ended()
	}
	var in <-chan amqp.Delivery
	if err = channel.Qos(prefetch, 0, false); err == nil {
		in, err = channel.Consume(keptPrefix+object, consumerTag, false, false, false, false, nil)
	}
	if err != nil {
		channel.Close()
		return nil, brokerError(err, ErrTopology)
	}
	k := &amqpKept{link: l, channel: channel, out: make(chan KeptDelivery), cancel: make(chan struct{})}
	l.work.Go(func() { k.run(in) })
	return k, nil
}

// run passes deliveries on until there are no more, and lets the rest go back.
func (k *amqpKept) run(in <-chan amqp.Delivery) {
	defer close(k.out)
	for {
		var next KeptDelivery
		select {
		case d, ok := <-in:
			if !ok {
				return
			}
			next = KeptDelivery{
				Delivery: Delivery{Exchange: d.Exchange, Key: d.RoutingKey, Body: d.Body},
				Tag:      d.DeliveryTag, Redelivered: d.Redelivered, Count: deliveryCount(d.Headers),
			}
		case <-k.cancel:
			return
		case <-k.link.done:
			return
		}
		select {
		case k.out <- next:
		case <-k.cancel:
			return
		case <-k.link.done:
			return
		}
	}
}

// deliveryCount reads what a quorum queue says of earlier deliveries.
func deliveryCount(headers amqp.Table) int {
	var count int64
	switch n := headers["x-delivery-count"].(type) {
	case int64:
		count = n
	case int32:
		count = int64(n)
	case int16:
		count = int64(n)
	case int8:
		count = int64(n)
	case uint8:
		count = int64(n)
	}
	return int(min(max(count, 0), 1<<30))
}

// Deliveries implements KeptConsumer.
func (k *amqpKept) Deliveries() <-chan KeptDelivery { return k.out }

// Ack implements KeptConsumer.
func (k *amqpKept) Ack(tag uint64) error { return k.said(k.channel.Ack(tag, false)) }

// Nack implements KeptConsumer.
func (k *amqpKept) Nack(tag uint64, again bool) error {
	return k.said(k.channel.Nack(tag, false, again))
}

func (k *amqpKept) said(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrLost, err)
}

// Cancel implements KeptConsumer.
func (k *amqpKept) Cancel() {
	k.once.Do(func() {
		close(k.cancel)
		if !k.link.alive() {
			return
		}
		timer := time.AfterFunc(orDefault(k.link.transport.WriteTimeout, DefaultWriteTimeout), func() { abort(k.link.conn) })
		defer timer.Stop()
		_ = k.channel.Close()
	})
}
