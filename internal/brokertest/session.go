package brokertest

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// patience is how long a test waits for something that has to happen.
const patience = 20 * time.Second

// session is one test with its broker. It closes what it opened when the test ends.
type session struct {
	*testing.T
	url string
}

// name returns a name nobody has used.
func (s *session) name() string { return "statemesh-test-" + rand.Text() }

// dial opens a connection with the given configuration.
func (s *session) dial(config amqp.Config) *amqp.Connection {
	s.Helper()
	if config.Heartbeat == 0 {
		config.Heartbeat = 30 * time.Second
	}
	if config.Locale == "" {
		config.Locale = "en_US"
	}
	conn, err := amqp.DialConfig(s.url, config)
	if err != nil {
		s.Fatalf("dial: %v", err)
	}
	s.Cleanup(func() { conn.CloseDeadline(time.Now().Add(patience)) })
	return conn
}

// connect opens a connection.
func (s *session) connect() *amqp.Connection {
	s.Helper()
	return s.dial(amqp.Config{})
}

// channel opens a channel on a connection of its own.
func (s *session) channel() *amqp.Channel {
	s.Helper()
	return s.on(s.connect())
}

// on opens a channel on the connection.
func (s *session) on(conn *amqp.Connection) *amqp.Channel {
	s.Helper()
	ch, err := conn.Channel()
	if err != nil {
		s.Fatalf("open a channel: %v", err)
	}
	return ch
}

// ok fails the test on an error.
func (s *session) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// must returns v, or fails the test on an error.
func must[V any](s *session) func(v V, err error) V {
	return func(v V, err error) V {
		s.Helper()
		if err != nil {
			s.Fatal(err)
		}
		return v
	}
}

// queue declares a queue that goes with the connection of the channel.
func (s *session) queue(ch *amqp.Channel, args amqp.Table) string {
	s.Helper()
	q, err := ch.QueueDeclare(s.name(), false, false, true, false, args)
	s.ok(err)
	return q.Name
}

// sharedQueue declares a queue that every connection may use and that goes with the test.
func (s *session) sharedQueue(ch *amqp.Channel, args amqp.Table) string {
	s.Helper()
	q, err := ch.QueueDeclare(s.name(), true, false, false, false, args)
	s.ok(err)
	s.removeQueue(q.Name)
	return q.Name
}

// removeQueue deletes the queue when the test ends.
func (s *session) removeQueue(name string) {
	s.Cleanup(func() {
		_, err := s.on(s.connect()).QueueDelete(name, false, false, false)
		s.ok(err)
	})
}

// exchange declares an exchange that goes with the test.
func (s *session) exchange(ch *amqp.Channel, kind string) string {
	s.Helper()
	name := s.name()
	s.ok(ch.ExchangeDeclare(name, kind, false, false, false, false, nil))
	s.removeExchange(name)
	return name
}

// removeExchange deletes the exchange when the test ends.
func (s *session) removeExchange(name string) {
	s.Cleanup(func() { s.ok(s.on(s.connect()).ExchangeDelete(name, false, false)) })
}

// bind binds the queue.
func (s *session) bind(ch *amqp.Channel, queue, key, exchange string) {
	s.Helper()
	s.ok(ch.QueueBind(queue, key, exchange, false, nil))
}

// publish publishes the bodies in order.
func (s *session) publish(ch *amqp.Channel, exchange, key string, bodies ...string) {
	s.Helper()
	for _, body := range bodies {
		s.send(ch, exchange, key, amqp.Publishing{Body: []byte(body)})
	}
}

// send publishes one message.
func (s *session) send(ch *amqp.Channel, exchange, key string, message amqp.Publishing) {
	s.Helper()
	s.ok(ch.PublishWithContext(s.Context(), exchange, key, false, false, message))
}

// published publishes the bodies on a channel of its own and returns when the broker has confirmed them all.
func (s *session) published(exchange, key string, bodies ...string) {
	s.Helper()
	ch := s.channel()
	s.ok(ch.Confirm(false))
	for _, body := range bodies {
		s.confirmed(s.deferred(ch, exchange, key, amqp.Publishing{Body: []byte(body)}))
	}
}

// deferred publishes one message on a channel in confirm mode.
func (s *session) deferred(ch *amqp.Channel, exchange, key string, message amqp.Publishing) *amqp.DeferredConfirmation {
	s.Helper()
	return must[*amqp.DeferredConfirmation](s)(
		ch.PublishWithDeferredConfirmWithContext(s.Context(), exchange, key, false, false, message))
}

// confirmed waits for the confirmation and tells whether it is positive.
func (s *session) confirmed(confirmation *amqp.DeferredConfirmation) bool {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	return must[bool](s)(confirmation.WaitContext(ctx))
}

// consume starts a consumer.
func (s *session) consume(ch *amqp.Channel, queue string, autoAck bool) <-chan amqp.Delivery {
	s.Helper()
	return must[<-chan amqp.Delivery](s)(ch.Consume(queue, "", autoAck, false, false, false, nil))
}

// next waits for the next value of c.
func next[V any](s *session, c <-chan V) V {
	s.Helper()
	select {
	case v, open := <-c:
		if !open {
			s.Fatal("the channel was closed")
		}
		return v
	case <-time.After(patience):
		s.Fatal("nothing came")
	}
	panic("unreachable")
}

// ended waits till c is closed.
func ended[V any](s *session, c <-chan V) {
	s.Helper()
	late := time.After(patience)
	for {
		select {
		case _, open := <-c:
			if !open {
				return
			}
		case <-late:
			s.Fatal("the channel was not closed")
		}
	}
}

// expect waits for the next deliveries and checks their bodies.
func (s *session) expect(deliveries <-chan amqp.Delivery, bodies ...string) (last amqp.Delivery) {
	s.Helper()
	for _, want := range bodies {
		last = next(s, deliveries)
		if got := string(last.Body); got != want {
			s.Fatalf("got message %q, want %q", got, want)
		}
	}
	return last
}

// drain gets all messages of the queue and returns their bodies.
func (s *session) drain(ch *amqp.Channel, queue string) []string {
	s.Helper()
	var bodies []string
	for {
		d, found, err := ch.Get(queue, true)
		s.ok(err)
		if !found {
			return bodies
		}
		bodies = append(bodies, string(d.Body))
	}
}

// get gets one message, which must be there and have the body.
func (s *session) get(ch *amqp.Channel, queue, body string) amqp.Delivery {
	s.Helper()
	d, found, err := ch.Get(queue, false)
	s.ok(err)
	if !found {
		s.Fatalf("queue is empty, want message %q", body)
	}
	if string(d.Body) != body {
		s.Fatalf("got message %q, want %q", d.Body, body)
	}
	return d
}

// empty checks that the queue holds no message that is ready.
func (s *session) empty(ch *amqp.Channel, queue string) {
	s.Helper()
	d, found, err := ch.Get(queue, true)
	s.ok(err)
	if found {
		s.Fatalf("got message %q from a queue that should be empty", d.Body)
	}
}

// exists tells whether the queue exists.
func (s *session) exists(queue string) bool {
	s.Helper()
	conn := s.connect()
	defer conn.Close()
	_, err := s.on(conn).QueueDeclarePassive(queue, false, false, false, false, nil)
	var reply *amqp.Error
	switch {
	case err == nil:
		return true
	case errors.As(err, &reply) && reply.Code == amqp.ResourceLocked:
		return true
	case errors.As(err, &reply) && reply.Code == amqp.NotFound:
		return false
	}
	s.Fatalf("passive declare: %v", err)
	return false
}

// eventually asks again and again till the answer is yes.
func (s *session) eventually(what string, ask func() bool) {
	s.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for !ask() {
		select {
		case <-tick.C:
		case <-late:
			s.Fatalf("waited in vain for: %s", what)
		}
	}
}

// refused checks that err is a reply of the broker with the code.
func (s *session) refused(err error, code int) {
	s.Helper()
	var reply *amqp.Error
	if !errors.As(err, &reply) {
		s.Fatalf("got error %v, want code %d", err, code)
	}
	if reply.Code != code || !reply.Server {
		s.Fatalf("got %v, want code %d from the server", reply, code)
	}
}

// refuses runs the function on a channel of its own and checks that the broker closes the channel, and only the
// channel, with the code.
func (s *session) refuses(code int, try func(ch *amqp.Channel) error) {
	s.Helper()
	conn := s.connect()
	ch := s.on(conn)
	gone := ch.NotifyClose(make(chan *amqp.Error, 1))
	err := try(ch)
	reply := next(s, gone)
	if reply.Code != code {
		s.Fatalf("channel closed with %v, want code %d", reply, code)
	}
	if err != nil {
		s.refused(err, code)
	}
	s.ok(s.on(conn).Close())
}

// breaks runs the function on a connection of its own and checks that the broker closes the connection with the code.
func (s *session) breaks(code int, try func(ch *amqp.Channel) error) {
	s.Helper()
	conn := s.connect()
	gone := conn.NotifyClose(make(chan *amqp.Error, 1))
	ch := s.on(conn)
	if err := try(ch); err != nil {
		s.refused(err, code)
	}
	if reply := next(s, gone); reply.Code != code {
		s.Fatalf("connection closed with %v, want code %d", reply, code)
	}
}
