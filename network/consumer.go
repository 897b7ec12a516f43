package network

import (
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	consumerTag    = "c"                   // the only one of its channel, and part of every delivery
	consumerBuffer = 64                    // deliveries ready for the reader
	ackDelay       = 10 * time.Millisecond // an acknowledgement waits for more
)

// consumer passes deliveries on to the reader, or to a function, and acknowledges what the
// reader, or the buffer before it, has taken: many at once, so that acknowledging costs next
// to nothing, and late enough for the broker to send at most its prefetch ahead. Nothing
// else bounds what amqp091-go would buffer.
type consumer struct {
	in        <-chan amqp.Delivery
	cancelled <-chan string      // gets a value if the broker ended the consumer
	closed    <-chan *amqp.Error // why the channel was closed
	handle    func(Delivery)     // called by run; nil if there is a reader
	out       chan Delivery      // to the reader, closed by run
	done      <-chan struct{}
	ack       func(tag uint64) error // all up to the tag
	every     int                    // deliveries an acknowledgement
}

// run works until done is closed, or returns why it cannot go on.
func (c *consumer) run() error {
	if c.out != nil {
		defer close(c.out)
	}
	timer := time.NewTimer(ackDelay)
	defer timer.Stop()
	var (
		next  Delivery
		tag   uint64 // of next, 0 for none
		taken uint64 // the newest tag that the reader has
		count int    // deliveries the reader has that are not acknowledged
	)
	acknowledge := func() error {
		if count == 0 {
			return nil
		}
		count = 0
		if err := c.ack(taken); err != nil {
			return brokerError(err, ErrLost)
		}
		return nil
	}
	take := func() error {
		next, taken, tag = Delivery{}, tag, 0
		if count++; count == 1 {
			timer.Reset(ackDelay)
		}
		if count < c.every {
			return nil
		}
		return acknowledge()
	}
	for {
		in, out := c.in, c.out
		if tag == 0 {
			out = nil
		} else {
			in = nil
		}
		var err error
		select {
		case d, ok := <-in:
			if !ok {
				return c.reason()
			}
			next, tag = Delivery{Exchange: d.Exchange, Key: d.RoutingKey, Body: d.Body}, d.DeliveryTag
			if c.handle != nil {
				c.handle(next)
				err = take()
			}
		case out <- next:
			err = take()
		case <-timer.C:
			err = acknowledge()
		case <-c.done:
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// reason says why there are no more deliveries.
func (c *consumer) reason() error {
	// Cancelled by the broker, which is an extension of RabbitMQ's: the channel is as alive
	// as before. If it is not, both channels are closed.
	if _, cancelled := <-c.cancelled; cancelled {
		return errQueueGone
	}
	return closeError(<-c.closed)
}
