package brokertest

import amqp "github.com/rabbitmq/amqp091-go"

var exchangeTests = []test{
	{"passive declare", func(s *session) {
		exchange := s.exchange(s.channel(), amqp.ExchangeTopic)
		s.ok(s.channel().ExchangeDeclarePassive(exchange, amqp.ExchangeTopic, false, false, false, false, nil))
		s.refuses(amqp.NotFound, func(ch *amqp.Channel) error {
			return ch.ExchangeDeclarePassive(s.name(), amqp.ExchangeTopic, false, false, false, false, nil)
		})
	}},
	{"declare again", func(s *session) {
		ch := s.channel()
		exchange := s.exchange(ch, amqp.ExchangeTopic)
		s.ok(ch.ExchangeDeclare(exchange, amqp.ExchangeTopic, false, false, false, false, nil))
		s.refuses(amqp.PreconditionFailed, func(ch *amqp.Channel) error {
			return ch.ExchangeDeclare(exchange, amqp.ExchangeDirect, false, false, false, false, nil)
		})
		s.refuses(amqp.PreconditionFailed, func(ch *amqp.Channel) error {
			return ch.ExchangeDeclare(exchange, amqp.ExchangeTopic, true, false, false, false, nil)
		})
		s.refuses(amqp.PreconditionFailed, func(ch *amqp.Channel) error {
			return ch.ExchangeDeclare(exchange, amqp.ExchangeTopic, false, true, false, false, nil)
		})
		s.refuses(amqp.PreconditionFailed, func(ch *amqp.Channel) error {
			return ch.ExchangeDeclare(exchange, amqp.ExchangeTopic, false, false, true, false, nil)
		})
	}},
	{"unknown type", func(s *session) {
		s.breaks(amqp.CommandInvalid, func(ch *amqp.Channel) error {
			return ch.ExchangeDeclare(s.name(), "x-statemesh", false, false, false, false, nil)
		})
	}},
	{"reserved names", func(s *session) {
		s.refuses(amqp.AccessRefused, func(ch *amqp.Channel) error {
			return ch.ExchangeDeclare("amq."+s.name(), amqp.ExchangeTopic, false, false, false, false, nil)
		})
		s.refuses(amqp.AccessRefused, func(ch *amqp.Channel) error { return ch.ExchangeDelete("amq.topic", false, false) })
	}},
	{"the default exchange is fixed", func(s *session) {
		queue := s.sharedQueue(s.channel(), nil)
		s.refuses(amqp.AccessRefused, func(ch *amqp.Channel) error {
			return ch.ExchangeDeclare("", amqp.ExchangeDirect, true, false, false, false, nil)
		})
		s.refuses(amqp.AccessRefused, func(ch *amqp.Channel) error { return ch.ExchangeDelete("", false, false) })
		s.refuses(amqp.AccessRefused, func(ch *amqp.Channel) error { return ch.QueueBind(queue, "a", "", false, nil) })
		s.refuses(amqp.AccessRefused, func(ch *amqp.Channel) error { return ch.QueueUnbind(queue, queue, "", nil) })
	}},
	{"delete", func(s *session) {
		ch := s.channel()
		exchange, queue := s.exchange(ch, amqp.ExchangeFanout), s.queue(ch, nil)
		s.bind(ch, queue, "", exchange)
		s.ok(ch.ExchangeDelete(exchange, false, false))
		s.ok(ch.ExchangeDelete(exchange, false, false))
		s.refuses(amqp.NotFound, func(ch *amqp.Channel) error {
			s.publish(ch, exchange, "", "nobody")
			return nil
		})
		// A new exchange of the name starts with no binding.
		s.ok(ch.ExchangeDeclare(exchange, amqp.ExchangeFanout, false, false, false, false, nil))
		s.publish(ch, exchange, "", "lost")
		s.empty(ch, queue)
	}},
	{"delete if unused", func(s *session) {
		ch := s.channel()
		exchange, queue := s.exchange(ch, amqp.ExchangeFanout), s.queue(ch, nil)
		s.bind(ch, queue, "", exchange)
		s.refuses(amqp.PreconditionFailed, func(ch *amqp.Channel) error { return ch.ExchangeDelete(exchange, true, false) })
		s.ok(ch.QueueUnbind(queue, "", exchange, nil))
		s.ok(ch.ExchangeDelete(exchange, true, false))
	}},
	{"auto-delete goes with the last binding", func(s *session) {
		ch := s.channel()
		exchange, one, two := s.name(), s.queue(ch, nil), s.queue(ch, nil)
		s.ok(ch.ExchangeDeclare(exchange, amqp.ExchangeFanout, false, true, false, false, nil))
		s.bind(ch, one, "", exchange)
		s.bind(ch, two, "", exchange)
		s.ok(ch.QueueUnbind(one, "", exchange, nil))
		s.ok(ch.ExchangeDeclarePassive(exchange, amqp.ExchangeFanout, false, true, false, false, nil))
		_, err := ch.QueueDelete(two, false, false, false)
		s.ok(err)
		s.refused(ch.ExchangeDeclarePassive(exchange, amqp.ExchangeFanout, false, true, false, false, nil), amqp.NotFound)
	}},
	{"internal", func(s *session) {
		ch := s.channel()
		exchange := s.name()
		s.ok(ch.ExchangeDeclare(exchange, amqp.ExchangeFanout, false, false, true, false, nil))
		s.removeExchange(exchange)
		s.refuses(amqp.AccessRefused, func(ch *amqp.Channel) error {
			s.publish(ch, exchange, "", "no")
			return nil
		})
	}},
	{"no-wait", func(s *session) {
		ch := s.channel()
		exchange, queue := s.name(), s.name()
		s.ok(ch.ExchangeDeclare(exchange, amqp.ExchangeFanout, false, false, false, true, nil))
		_, err := ch.QueueDeclare(queue, false, false, true, true, nil)
		s.ok(err)
		s.ok(ch.QueueBind(queue, "", exchange, true, nil))
		s.publish(ch, exchange, "", "1", "2")
		_, err = ch.QueuePurge(queue, true)
		s.ok(err)
		s.publish(ch, exchange, "", "3")
		s.equal(s.drain(ch, queue), "3")
		_, err = ch.QueueDelete(queue, false, false, true)
		s.ok(err)
		s.ok(ch.ExchangeDelete(exchange, false, true))
		s.refused(ch.ExchangeDeclarePassive(exchange, amqp.ExchangeFanout, false, false, false, false, nil), amqp.NotFound)
	}},
}
