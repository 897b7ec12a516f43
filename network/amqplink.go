package network

import (
	"errors"
	"net"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/statemesh/statemesh/network/broker"
)

// amqpLink is a Link of the AMQP transport.
type amqpLink struct {
	relay
	transport  *AMQP
	conn       net.Conn // closing it ends all that might hang
	connection *amqp.Connection
	publishing *amqp.Channel

	done chan struct{}  // closed by end
	once sync.Once      // ends the link
	err  error          // why; written before done is closed
	work sync.WaitGroup // the goroutines of this link, all of which end after done

	mu        sync.Mutex // serializes Consume and Bind, and guards what follows
	consuming *amqp.Channel
	queue     string
}

func newAMQPLink(t *AMQP, conn net.Conn, connection *amqp.Connection) *amqpLink {
	l := &amqpLink{
		relay:      newRelay(),
		transport:  t,
		conn:       conn,
		connection: connection,
		done:       make(chan struct{}),
	}
	l.work.Go(func() { l.relay.run(l.done) })
	return l
}

// ours says whether the broker is one that a node hosts.
func (l *amqpLink) ours() bool {
	name, _ := l.connection.Properties["product"].(string)
	return name == broker.Product
}

// serve makes the channel the one that publishes. amqp091-go waits for whom it
// notifies, so there is a goroutine that does nothing but listen until the last channel
// is closed.
func (l *amqpLink) serve(channel *amqp.Channel) {
	l.publishing = channel
	confirms := channel.NotifyPublish(make(chan amqp.Confirmation, 256))
	closed := channel.NotifyClose(make(chan *amqp.Error, 1)) // also told of the connection's end
	blocks := l.connection.NotifyBlocked(make(chan amqp.Blocking, 8))
	l.work.Go(func() {
		for confirms != nil || closed != nil || blocks != nil {
			select {
			case c, ok := <-confirms:
				if !ok {
					confirms = nil
					continue
				}
				l.relay.confirm(c.DeliveryTag, !c.Ack)
			case b, ok := <-blocks:
				if !ok {
					blocks = nil
					continue
				}
				l.relay.block(b.Active)
			case reply, ok := <-closed:
				if !ok {
					closed = nil
				}
				l.end(closeError(reply))
			}
		}
	})
}

// closeError says why a channel was closed; nil is amqp091-go's word for a farewell.
func closeError(reply *amqp.Error) error {
	if reply == nil {
		return ErrLost
	}
	return brokerError(reply, ErrLost)
}

// end makes the link a dead one, once. err is nil when that is what the user wants.
func (l *amqpLink) end(err error) {
	l.once.Do(func() {
		l.err = err
		close(l.done)
		l.work.Go(func() {
			patience := orDefault(l.transport.WriteTimeout, DefaultWriteTimeout)
			// Whatever the farewell may wait for, such as a Publish that hangs.
			timer := time.AfterFunc(patience, func() { abort(l.conn) })
			defer timer.Stop()
			_ = l.connection.CloseDeadline(time.Now().Add(patience))
			abort(l.conn)
		})
	})
}

// Publish implements Link.
func (l *amqpLink) Publish(exchange, key string, body []byte) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if !l.alive() {
		return l.ended()
	}
	message := amqp.Publishing{Body: body}
	if exchange == ExchangeKept {
		message.DeliveryMode = amqp.Persistent
	}
	err := l.publishing.Publish(exchange, key, false, false, message)
	if err == nil {
		return nil
	}
	if errors.Is(err, amqp.ErrClosed) {
		// Closed by somebody else, who is about to tell us why.
		select {
		case <-l.done:
		case <-time.After(orDefault(l.transport.WriteTimeout, DefaultWriteTimeout)):
		}
	}
	l.end(brokerError(err, ErrLost))
	return l.ended()
}

func (l *amqpLink) alive() bool {
	select {
	case <-l.done:
		return false
	default:
		return true
	}
}

// ended returns the error of a method called on a dead link.
func (l *amqpLink) ended() error {
	<-l.done
	if l.err == nil {
		return ErrClosed
	}
	return l.err
}

// Consume implements Link.
func (l *amqpLink) Consume(bindings []Binding) (<-chan Delivery, error) {
	out := make(chan Delivery, consumerBuffer)
	if err := l.consume(bindings, out, nil); err != nil {
		return nil, err
	}
	return out, nil
}

// handOver implements handing.
func (l *amqpLink) handOver(bindings []Binding, handle func(Delivery)) error {
	return l.consume(bindings, nil, handle)
}

// consume begins to consume, into one of the two.
func (l *amqpLink) consume(bindings []Binding, out chan Delivery, handle func(Delivery)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.consuming != nil {
		return errConsuming
	}
	for _, b := range bindings {
		if err := checkKey(b.Key); err != nil {
			return err
		}
	}
	if !l.alive() {
		return l.ended()
	}
	var in <-chan amqp.Delivery
	cancelled, closed := make(chan string, 1), make(chan *amqp.Error, 1)
	requests := []func() error{
		func() (err error) {
			if l.consuming, err = l.connection.Channel(); err == nil {
				l.consuming.NotifyCancel(cancelled)
				l.consuming.NotifyClose(closed)
			}
			return err
		},
		func() error { return l.consuming.Qos(l.prefetch(), 0, false) },
		func() error {
			queue, err := l.consuming.QueueDeclare("", false, true, true, false, amqp.Table{
				"x-message-ttl":      orDefault(l.transport.TTL, DefaultTTL).Milliseconds(),
				"x-max-length":       int64(orDefault(l.transport.QueueLength, DefaultQueueLength)),
				"x-max-length-bytes": int64(queueBytes),
			})
			l.queue = queue.Name
			return err
		},
	}
	for _, b := range bindings {
		requests = append(requests, func() error { return l.consuming.QueueBind(l.queue, b.Key, b.Exchange, false, nil) })
	}
	requests = append(requests, func() (err error) {
		in, err = l.consuming.Consume(l.queue, consumerTag, false, true, false, false, nil)
		return err
	})
	if err := l.ask(requests...); err != nil {
		return err
	}
	channel := l.consuming
	c := &consumer{
		in:        in,
		cancelled: cancelled,
		closed:    closed,
		handle:    handle,
		out:       out,
		done:      l.done,
		ack:       func(tag uint64) error { return channel.Ack(tag, true) },
		every:     max(1, l.prefetch()/4),
	}
	l.work.Go(func() { l.end(c.run()) })
	return nil
}

func (l *amqpLink) prefetch() int {
	return min(orDefault(l.transport.Prefetch, DefaultPrefetch), 65535)
}

// Bind implements Link.
func (l *amqpLink) Bind(b Binding) error {
	if err := checkKey(b.Key); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.alive() {
		return l.ended()
	}
	if l.queue == "" {
		return errNotConsuming
	}
	return l.ask(func() error { return l.consuming.QueueBind(l.queue, b.Key, b.Exchange, false, nil) })
}

// ask runs requests that the broker has to answer, one after the other, and ends the link
// if it refuses one or does not answer it in time. There may be many, so each has its own
// time: a slow broker would otherwise be asked again and again, and never get to the end.
func (l *amqpLink) ask(requests ...func() error) error {
	patience := orDefault(l.transport.ConnectTimeout, DefaultConnectTimeout)
	timer := time.AfterFunc(patience, func() { abort(l.conn) })
	defer timer.Stop()
	for _, request := range requests {
		timer.Reset(patience)
		if err := request(); err != nil {
			l.end(brokerError(err, ErrTopology))
			return l.ended()
		}
	}
	return nil
}

// Done implements Link.
func (l *amqpLink) Done() <-chan struct{} { return l.done }

// Err implements Link.
func (l *amqpLink) Err() error {
	if l.alive() {
		return nil
	}
	return l.err
}

// Close implements Link.
func (l *amqpLink) Close() error {
	l.end(nil)
	l.mu.Lock() // a Consume under way is about to fail, or to add a goroutine
	defer l.mu.Unlock()
	l.work.Wait()
	return nil
}
