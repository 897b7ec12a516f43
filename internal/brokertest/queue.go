package brokertest

import (
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

var queueTests = []test{
	{"server-named", func(s *session) {
		ch := s.channel()
		one, err := ch.QueueDeclare("", false, false, true, false, nil)
		s.ok(err)
		two, err := ch.QueueDeclare("", false, false, true, false, nil)
		s.ok(err)
		if !strings.HasPrefix(one.Name, "amq.gen") || one.Name == two.Name {
			s.Fatalf("names %q and %q", one.Name, two.Name)
		}
		s.publish(ch, "", one.Name, "1")
		s.get(ch, one.Name, "1")
	}},
	{"the empty name is the queue declared last", func(s *session) {
		ch := s.channel()
		exchange := s.exchange(ch, amqp.ExchangeDirect)
		s.queue(ch, nil)
		last := s.queue(ch, nil)
		s.bind(ch, "", "a", exchange)
		s.bind(ch, "", "", exchange) // no key either: the name of the queue
		s.publish(ch, exchange, "a", "1")
		s.publish(ch, exchange, last, "2")
		s.publish(ch, exchange, "", "lost")
		deliveries := s.consume(ch, "", true)
		s.expect(deliveries, "1", "2")
		s.refuses(amqp.NotFound, func(ch *amqp.Channel) error { return ch.QueueBind("", "a", exchange, false, nil) })
	}},
	{"exclusive", func(s *session) {
		conn := s.connect()
		ch := s.on(conn)
		queue := s.queue(ch, nil)
		_, err := s.on(conn).QueueDeclare(queue, false, false, true, false, nil) // another channel is the same connection
		s.ok(err)
		for name, try := range map[string]func(ch *amqp.Channel) error{
			"declare": func(ch *amqp.Channel) error {
				_, err := ch.QueueDeclare(queue, false, false, true, false, nil)
				return err
			},
			"passive declare": func(ch *amqp.Channel) error {
				_, err := ch.QueueDeclarePassive(queue, false, false, true, false, nil)
				return err
			},
			"bind":   func(ch *amqp.Channel) error { return ch.QueueBind(queue, "a", "amq.direct", false, nil) },
			"purge":  func(ch *amqp.Channel) error { _, err := ch.QueuePurge(queue, false); return err },
			"delete": func(ch *amqp.Channel) error { _, err := ch.QueueDelete(queue, false, false, false); return err },
			"get":    func(ch *amqp.Channel) error { _, _, err := ch.Get(queue, true); return err },
			"consume": func(ch *amqp.Channel) error {
				_, err := ch.Consume(queue, "", true, false, false, false, nil)
				return err
			},
		} {
			s.Log(name)
			s.refuses(amqp.ResourceLocked, try)
		}
		s.published("", queue, "anybody may publish")
		s.get(ch, queue, "anybody may publish")
		s.ok(conn.Close())
		s.eventually("the queue goes with its connection", func() bool { return !s.exists(queue) })
	}},
	{"exclusive queues are never durable", func(s *session) {
		ch := s.channel()
		q, err := ch.QueueDeclare(s.name(), true, false, true, false, nil)
		s.ok(err)
		_, err = ch.QueueDeclare(q.Name, false, false, true, false, nil)
		s.ok(err)
	}},
	{"auto-delete goes with the last consumer", func(s *session) {
		ch := s.channel()
		q, err := ch.QueueDeclare(s.name(), false, true, false, false, nil)
		s.ok(err)
		s.removeQueue(q.Name)
		other := s.channel()
		must[<-chan amqp.Delivery](s)(ch.Consume(q.Name, "one", true, false, false, false, nil))
		must[<-chan amqp.Delivery](s)(other.Consume(q.Name, "two", true, false, false, false, nil))
		s.ok(ch.Cancel("one", false))
		if !s.exists(q.Name) {
			s.Fatal("the queue went before its last consumer")
		}
		s.ok(other.Close())
		s.eventually("the queue goes with its last consumer", func() bool { return !s.exists(q.Name) })
	}},
	{"auto-delete goes when the last consumer is cancelled", func(s *session) {
		ch := s.channel()
		q, err := ch.QueueDeclare(s.name(), false, true, false, false, nil)
		s.ok(err)
		s.removeQueue(q.Name)
		must[<-chan amqp.Delivery](s)(ch.Consume(q.Name, "one", true, false, false, false, nil))
		s.ok(ch.Cancel("one", false))
		s.eventually("the queue goes", func() bool { return !s.exists(q.Name) })
	}},
	{"passive declare", func(s *session) {
		ch := s.channel()
		queue := s.queue(ch, nil)
		s.published("", queue, "1", "2", "3")
		q, err := ch.QueueDeclarePassive(queue, true, true, false, false, amqp.Table{"x-max-length": 1}) // only the name counts
		s.ok(err)
		if q.Name != queue || q.Messages != 3 || q.Consumers != 0 {
			s.Fatalf("got %+v", q)
		}
		for _, name := range []string{s.name(), ""} {
			s.refuses(amqp.NotFound, func(ch *amqp.Channel) error {
				_, err := ch.QueueDeclarePassive(name, false, false, false, false, nil)
				return err
			})
		}
	}},
	{"declare again", func(s *session) {
		ch := s.channel()
		queue := s.sharedQueue(ch, amqp.Table{"x-max-length": 10, "x-statemesh": "a"}) // durable, nothing else
		s.published("", queue, "1")
		q, err := ch.QueueDeclare(queue, true, false, false, false, amqp.Table{"x-max-length": 10, "x-statemesh": "a"})
		s.ok(err)
		if q.Name != queue || q.Messages != 1 {
			s.Fatalf("got %+v", q)
		}
		type declaration struct {
			durable, autoDelete, exclusive bool
			args                           amqp.Table
		}
		same := amqp.Table{"x-max-length": 10}
		for code, cases := range map[int][]declaration{
			amqp.PreconditionFailed: {
				{durable: false, args: same},
				{durable: true, autoDelete: true, args: same},
				{durable: true},
				{durable: true, args: amqp.Table{"x-max-length": 11}},
				{durable: true, args: amqp.Table{"x-max-length": 10, "x-message-ttl": 1000}},
			},
			amqp.ResourceLocked: {{durable: true, exclusive: true, args: same}},
		} {
			for _, c := range cases {
				s.Logf("%+v", c)
				s.refuses(code, func(ch *amqp.Channel) error {
					_, err := ch.QueueDeclare(queue, c.durable, c.autoDelete, c.exclusive, false, c.args)
					return err
				})
			}
		}
	}},
	{"reserved names", func(s *session) {
		s.refuses(amqp.AccessRefused, func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare("amq."+s.name(), false, false, true, false, nil)
			return err
		})
	}},
	{"bind", func(s *session) {
		ch := s.channel()
		exchange, queue := s.exchange(ch, amqp.ExchangeDirect), s.sharedQueue(ch, nil)
		s.bind(ch, queue, "a", exchange)
		s.bind(ch, queue, "a", exchange)                                                // again: no second binding
		s.ok(ch.QueueBind(queue, "a", exchange, false, amqp.Table{"x-statemesh": "b"})) // other arguments: a second one
		s.publish(ch, exchange, "a", "1")
		s.ok(ch.QueueUnbind(queue, "a", exchange, nil))
		s.publish(ch, exchange, "a", "2")
		s.ok(ch.QueueUnbind(queue, "a", exchange, amqp.Table{"x-statemesh": "b"}))
		s.publish(ch, exchange, "a", "3")
		s.equal(s.drain(ch, queue), "1", "2")
		s.ok(ch.QueueUnbind(queue, "a", exchange, nil)) // what is not bound is not bound
		s.ok(ch.QueueUnbind(s.name(), "a", exchange, nil))
		s.ok(ch.QueueUnbind(queue, "a", s.name(), nil))
		s.refuses(amqp.NotFound, func(ch *amqp.Channel) error { return ch.QueueBind(s.name(), "a", exchange, false, nil) })
		s.refuses(amqp.NotFound, func(ch *amqp.Channel) error { return ch.QueueBind(queue, "a", s.name(), false, nil) })
	}},
	{"purge", func(s *session) {
		ch := s.channel()
		queue := s.queue(ch, nil)
		s.published("", queue, "1", "2", "3")
		s.get(ch, queue, "1") // what waits for its acknowledgement stays
		if n := must[int](s)(ch.QueuePurge(queue, false)); n != 2 {
			s.Fatalf("purged %d messages, want 2", n)
		}
		s.empty(ch, queue)
		s.ok(ch.Nack(0, true, true))
		s.get(ch, queue, "1")
		s.refuses(amqp.NotFound, func(ch *amqp.Channel) error { _, err := ch.QueuePurge(s.name(), false); return err })
	}},
	{"delete", func(s *session) {
		ch := s.channel()
		queue := s.sharedQueue(ch, nil)
		s.bind(ch, queue, queue, "amq.direct")
		s.published("", queue, "1", "2")
		if n := must[int](s)(ch.QueueDelete(queue, false, false, false)); n != 2 {
			s.Fatalf("deleted %d messages, want 2", n)
		}
		if n := must[int](s)(ch.QueueDelete(queue, false, false, false)); n != 0 {
			s.Fatalf("deleted %d messages of a queue that is gone", n)
		}
		// A new queue of the name starts empty and with no binding.
		_, err := ch.QueueDeclare(queue, true, false, false, false, nil)
		s.ok(err)
		s.publish(ch, "amq.direct", queue, "lost")
		s.empty(ch, queue)
	}},
	{"delete if unused, if empty", func(s *session) {
		ch := s.channel()
		queue := s.sharedQueue(ch, nil)
		s.published("", queue, "1")
		s.refuses(amqp.PreconditionFailed, func(ch *amqp.Channel) error { _, err := ch.QueueDelete(queue, false, true, false); return err })
		s.get(ch, queue, "1").Ack(false)
		must[<-chan amqp.Delivery](s)(ch.Consume(queue, "c", true, false, false, false, nil))
		s.refuses(amqp.PreconditionFailed, func(ch *amqp.Channel) error { _, err := ch.QueueDelete(queue, true, false, false); return err })
		s.ok(ch.Cancel("c", false))
		must[int](s)(ch.QueueDelete(queue, true, true, false))
		if s.exists(queue) {
			s.Fatal("the queue still exists")
		}
	}},
}
