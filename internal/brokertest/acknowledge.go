package brokertest

import amqp "github.com/rabbitmq/amqp091-go"

var acknowledgeTests = []test{
	{"ack", func(s *session) {
		conn := s.connect()
		ch := s.on(conn)
		queue := s.queue(ch, nil)
		s.publish(ch, "", queue, "1", "2", "3", "4", "5")
		deliveries := s.consume(ch, queue, false)
		s.expect(deliveries, "1", "2")
		third := s.expect(deliveries, "3")
		s.expect(deliveries, "4")
		fifth := s.expect(deliveries, "5")
		s.ok(fifth.Ack(false))
		s.ok(third.Ack(true)) // 1 to 3
		s.ok(ch.Close())
		s.equal(s.drain(s.on(conn), queue), "4")
	}},
	{"ack all", func(s *session) {
		conn := s.connect()
		ch := s.on(conn)
		queue := s.queue(ch, nil)
		s.publish(ch, "", queue, "1", "2", "3")
		s.expect(s.consume(ch, queue, false), "1", "2", "3")
		s.ok(ch.Ack(0, true))
		s.ok(ch.Ack(0, true)) // nothing is all there is
		s.ok(ch.Close())
		s.empty(s.on(conn), queue)
	}},
	{"unknown delivery tag", func(s *session) {
		for name, try := range map[string]func(ch *amqp.Channel) error{
			"ack 0":         func(ch *amqp.Channel) error { return ch.Ack(0, false) },
			"ack":           func(ch *amqp.Channel) error { return ch.Ack(7, false) },
			"ack multiple":  func(ch *amqp.Channel) error { return ch.Ack(7, true) },
			"nack":          func(ch *amqp.Channel) error { return ch.Nack(7, false, true) },
			"nack multiple": func(ch *amqp.Channel) error { return ch.Nack(7, true, false) },
			"reject":        func(ch *amqp.Channel) error { return ch.Reject(7, true) },
			"ack twice": func(ch *amqp.Channel) error {
				queue := s.queue(ch, nil)
				s.publish(ch, "", queue, "1")
				d := s.get(ch, queue, "1")
				s.ok(d.Ack(false))
				return d.Ack(false)
			},
			"ack of a delivery that needs none": func(ch *amqp.Channel) error {
				queue := s.queue(ch, nil)
				s.publish(ch, "", queue, "1")
				return s.expect(s.consume(ch, queue, true), "1").Ack(false)
			},
		} {
			s.Log(name)
			s.refuses(amqp.PreconditionFailed, try)
		}
	}},
	{"delivery tags belong to their channel", func(s *session) {
		conn := s.connect()
		ch := s.on(conn)
		queue := s.queue(ch, nil)
		s.publish(ch, "", queue, "1")
		d := s.get(ch, queue, "1")
		other := s.on(conn)
		gone := other.NotifyClose(make(chan *amqp.Error, 1))
		s.ok(other.Ack(d.DeliveryTag, false))
		s.refused(next(s, gone), amqp.PreconditionFailed)
		s.ok(d.Ack(false))
	}},
	{"nack", func(s *session) {
		ch := s.channel()
		queue := s.queue(ch, nil)
		s.publish(ch, "", queue, "1", "2", "3", "4", "5")
		s.get(ch, queue, "1")
		second := s.get(ch, queue, "2")
		third := s.get(ch, queue, "3")
		s.ok(third.Nack(false, false)) // dropped
		s.ok(second.Nack(true, true))  // back, both
		for _, body := range []string{"1", "2"} {
			if d := s.get(ch, queue, body); !d.Redelivered {
				s.Fatalf("message %s is not marked as redelivered", body)
			}
		}
		if d := s.get(ch, queue, "4"); d.Redelivered {
			s.Fatal("message 4 is marked as redelivered")
		}
		s.ok(ch.Nack(0, true, false)) // all dropped
		s.equal(s.drain(ch, queue), "5")
	}},
	{"reject", func(s *session) {
		ch := s.channel()
		queue := s.queue(ch, nil)
		s.publish(ch, "", queue, "1", "2")
		s.ok(s.get(ch, queue, "1").Reject(true))
		d := s.get(ch, queue, "1")
		if !d.Redelivered {
			s.Fatal("not marked as redelivered")
		}
		s.ok(d.Reject(false))
		s.get(ch, queue, "2")
		s.empty(ch, queue)
	}},
	{"a message goes back to its place", func(s *session) {
		ch := s.channel()
		queue := s.queue(ch, nil)
		s.publish(ch, "", queue, "1", "2", "3", "4", "5", "6")
		var got []amqp.Delivery
		for _, body := range []string{"1", "2", "3", "4"} {
			got = append(got, s.get(ch, queue, body))
		}
		s.ok(got[3].Nack(false, true))
		s.ok(got[0].Nack(false, true))
		s.ok(got[2].Nack(false, true))
		s.equal(s.drain(ch, queue), "1", "3", "4", "5", "6")
	}},
	{"requeued messages reach a waiting consumer", func(s *session) {
		ch, other := s.channel(), s.channel()
		queue := s.sharedQueue(ch, nil)
		s.published("", queue, "1", "2")
		s.get(ch, queue, "1")
		deliveries := s.consume(other, queue, true)
		s.expect(deliveries, "2")
		s.ok(ch.Nack(0, true, true))
		if d := s.expect(deliveries, "1"); !d.Redelivered {
			s.Fatal("not marked as redelivered")
		}
	}},
	{"a channel that closes gives back its messages", func(s *session) {
		conn := s.connect()
		ch := s.on(conn)
		queue := s.queue(ch, nil)
		s.publish(ch, "", queue, "1", "2", "3")
		s.expect(s.consume(ch, queue, false), "1", "2", "3")
		s.ok(ch.Close())
		ch = s.on(conn)
		for _, body := range []string{"1", "2", "3"} {
			if d := s.get(ch, queue, body); !d.Redelivered {
				s.Fatalf("message %s is not marked as redelivered", body)
			}
		}
	}},
	{"a connection that closes gives back its messages", func(s *session) {
		ch, conn := s.channel(), s.connect()
		queue := s.sharedQueue(ch, nil)
		s.publish(ch, "", queue, "1", "2")
		s.expect(s.consume(s.on(conn), queue, false), "1", "2")
		deliveries := s.consume(ch, queue, false)
		s.ok(conn.Close())
		s.expect(deliveries, "1", "2")
	}},
	{"recover", func(s *session) {
		ch := s.channel()
		queue := s.queue(ch, nil)
		s.ok(ch.Qos(2, 0, false))
		s.publish(ch, "", queue, "1", "2", "3")
		deliveries := s.consume(ch, queue, false)
		s.expect(deliveries, "1", "2")
		//lint:ignore SA1019 deprecated and still in use
		s.ok(ch.Recover(true))
		if d := s.expect(deliveries, "1", "2"); !d.Redelivered {
			s.Fatal("not marked as redelivered")
		}
		//lint:ignore SA1019 as above
		s.breaks(amqp.NotImplemented, func(ch *amqp.Channel) error { return ch.Recover(false) })
	}},
}
