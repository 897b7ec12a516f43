package works

import (
	"context"
	"errors"
	"fmt"
	"net"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/statemesh/statemesh/bench/measure"
	"github.com/statemesh/statemesh/network/broker"
)

const (
	rabbit = "RabbitMQ"
	// bodySize is that of a message.
	bodySize = 256
	// ahead is how many messages may be on their way: a flood would measure memory.
	ahead = 8192
	// prefetch is how many messages a broker sends before they are acknowledged.
	prefetch = 256
)

var errNoRabbitMQ = &measure.Absent{Why: "no RabbitMQ here"}

// brokers are works of one and the same client, amqp091-go, at the embedded broker
// and at a RabbitMQ.
func brokers(env Env) []measure.Work {
	var all []measure.Work
	for _, w := range []struct {
		name, about string
		do          func(*client, int) error
		step        int
	}{
		{"auto-ack", "a message of 256 bytes, without confirms and acknowledgements", (*client).stream, 1},
		{"confirms", "the same, with confirms in batches of 256", (*client).confirmed, prefetch},
		{"manual ack", "the same, each message acknowledged, prefetch 256", (*client).acknowledged, 1},
		{"round trip", "one message at a time", (*client).trips, 1},
	} {
		begin := func(url func() (string, func(), error)) func(context.Context) (*measure.Session, error) {
			return func(context.Context) (*measure.Session, error) {
				address, end, err := url()
				if err != nil {
					return nil, err
				}
				c, err := dial(address, w.name == "manual ack", w.name == "confirms")
				if err != nil {
					end()
					return nil, err
				}
				return &measure.Session{
					Do:  func(n int) (measure.Sample, error) { return nil, w.do(c, n) },
					End: func() { c.close(); end() },
				}, nil
			}
		}
		all = append(all, measure.Work{
			Name: "broker/" + w.name, About: w.about, Step: w.step, Longer: longer,
			Contestants: []measure.Contestant{
				{Name: Ours, Begin: begin(embedded)},
				{Name: rabbit, Begin: begin(env.rabbitMQ)},
			},
			Goals: []measure.Goal{{Metric: measure.Time, Rival: rabbit, Target: measure.Target{Kind: measure.Over, Value: 1}}},
		})
	}
	return all
}

// rabbitMQ is the URL of the RabbitMQ there is.
func (e Env) rabbitMQ() (url string, end func(), err error) {
	if e.RabbitMQ == "" {
		return "", nil, errNoRabbitMQ
	}
	return e.RabbitMQ, func() {}, nil
}

// embedded is the URL of an embedded broker of its own, which end ends.
func embedded() (url string, end func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := broker.New(broker.Config{})
	go server.Serve(listener) // ended by Close
	return fmt.Sprintf("amqp://guest:guest@%s/", listener.Addr()), func() { server.Close() }, nil
}

// client is two connections, one that publishes and one that consumes.
type client struct {
	in, out     *amqp.Channel
	connections []*amqp.Connection
	queue       string
	deliveries  <-chan amqp.Delivery
	confirms    chan amqp.Confirmation
}

// dial connects a client and makes a queue for it.
func dial(url string, ack, confirm bool) (*client, error) {
	c := &client{}
	err := func() (err error) {
		if c.in, err = c.channel(url); err != nil {
			return err
		}
		if c.out, err = c.channel(url); err != nil {
			return err
		}
		queue, err := c.in.QueueDeclare("", false, true, true, false, nil)
		if err != nil {
			return err
		}
		c.queue = queue.Name
		if ack {
			if err := c.in.Qos(prefetch, 0, false); err != nil {
				return err
			}
		}
		if confirm {
			c.confirms = c.out.NotifyPublish(make(chan amqp.Confirmation, prefetch))
			if err := c.out.Confirm(false); err != nil {
				return err
			}
		}
		c.deliveries, err = c.in.Consume(c.queue, "", !ack, true, false, false, nil)
		return err
	}()
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// channel opens a channel on a connection of its own.
func (c *client) channel(url string) (*amqp.Channel, error) {
	connection, err := amqp.Dial(url)
	if err != nil {
		return nil, err
	}
	c.connections = append(c.connections, connection)
	return connection.Channel()
}

func (c *client) close() {
	for _, connection := range c.connections {
		connection.Close()
	}
}

var body = make([]byte, bodySize)

func (c *client) publish() error {
	return c.out.PublishWithContext(context.Background(), "", c.queue, false, false, amqp.Publishing{Body: body})
}

// errEnded says that the broker closed the connection.
var errEnded = errors.New("works: the deliveries have ended")

// receive takes n deliveries, and what done does with each of them.
func (c *client) receive(n int, done func(amqp.Delivery) error) error {
	for range n {
		d, open := <-c.deliveries
		if !open {
			return errEnded
		}
		if err := counted("bytes", len(d.Body), bodySize); err != nil {
			return err
		}
		if err := done(d); err != nil {
			return err
		}
	}
	return nil
}

// flow publishes n messages while they are received, after each with what after
// does.
func (c *client) flow(n int, done func(amqp.Delivery) error, after func(i int) error) error {
	window := make(chan struct{}, ahead)
	received := make(chan error, 1)
	go func() { // ends when all have come, or the connection is closed
		received <- c.receive(n, func(d amqp.Delivery) error { <-window; return done(d) })
	}()
	for i := range n {
		select {
		case window <- struct{}{}:
		case err := <-received:
			return errors.Join(errEnded, err)
		}
		if err := c.publish(); err != nil {
			return err
		}
		if err := after(i); err != nil {
			return err
		}
	}
	return <-received
}

func (c *client) stream(n int) error {
	return c.flow(n, func(amqp.Delivery) error { return nil }, func(int) error { return nil })
}

func (c *client) acknowledged(n int) error {
	return c.flow(n, func(d amqp.Delivery) error { return d.Ack(false) }, func(int) error { return nil })
}

// confirmed waits for the confirms after every batch.
func (c *client) confirmed(n int) error {
	return c.flow(n, func(amqp.Delivery) error { return nil }, func(i int) error {
		if (i+1)%prefetch != 0 {
			return nil
		}
		for range prefetch {
			if confirm, open := <-c.confirms; !open || !confirm.Ack {
				return errors.New("works: a message was not confirmed")
			}
		}
		return nil
	})
}

func (c *client) trips(n int) error {
	for range n {
		if err := c.publish(); err != nil {
			return err
		}
		if err := c.receive(1, func(amqp.Delivery) error { return nil }); err != nil {
			return err
		}
	}
	return nil
}
