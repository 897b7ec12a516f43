package brokertest

import (
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

var connectionTests = []test{
	{"what was published before close arrives", func(s *session) {
		ch := s.channel()
		queue := s.sharedQueue(ch, nil)
		conn := s.connect()
		out := s.on(conn)
		const n = 2000
		for i := range n {
			s.publish(out, "", queue, fmt.Sprint(i))
		}
		s.ok(conn.Close())
		deliveries := s.consume(ch, queue, true)
		for i := range n {
			s.expect(deliveries, fmt.Sprint(i))
		}
	}},
	{"close with deliveries on their way", func(s *session) {
		conn := s.connect()
		ch := s.on(conn)
		queue := s.queue(ch, nil)
		for range 2000 {
			s.publish(ch, "", queue, "x")
		}
		deliveries := s.consume(ch, queue, true)
		next(s, deliveries)
		closed := make(chan error, 1)
		go func() { closed <- conn.Close() }()
		ended(s, deliveries)
		s.ok(next(s, closed))
	}},
	{"an error on one channel leaves the others alone", func(s *session) {
		conn := s.connect()
		ch := s.on(conn)
		queue := s.queue(ch, nil)
		deliveries := s.consume(ch, queue, true)
		for range 20 {
			bad := s.on(conn)
			_, err := bad.QueueDeclarePassive(s.name(), false, false, false, false, nil)
			s.refused(err, amqp.NotFound)
			if _, err := bad.QueueDeclare("", false, false, true, false, nil); !errors.Is(err, amqp.ErrClosed) {
				s.Fatalf("the channel still works: %v", err)
			}
			s.publish(ch, "", queue, "x")
			s.expect(deliveries, "x")
		}
	}},
	{"an error on a connection leaves the others alone", func(s *session) {
		ch := s.channel()
		queue := s.queue(ch, nil)
		deliveries := s.consume(ch, queue, true)
		s.breaks(amqp.NotImplemented, func(bad *amqp.Channel) error { return bad.Qos(0, 1, false) })
		s.publish(ch, "", queue, "x")
		s.expect(deliveries, "x")
	}},
	{"channels come and go", func(s *session) {
		conn := s.connect()
		queue := s.queue(s.on(conn), nil)
		for range 100 {
			ch := s.on(conn)
			s.publish(ch, "", queue, "x")
			s.get(ch, queue, "x") // goes back, and is delivered to the next
			s.ok(ch.Close())
			ch = s.on(conn)
			s.ok(s.get(ch, queue, "x").Ack(false))
			s.ok(ch.Close())
		}
	}},
	{"many channels", func(s *session) {
		conn := s.connect()
		var channels []*amqp.Channel
		queue := s.queue(s.on(conn), nil)
		for range 200 {
			channels = append(channels, s.on(conn))
		}
		for _, ch := range channels {
			s.publish(ch, "", queue, "x")
			s.ok(s.get(ch, queue, "x").Ack(false))
		}
	}},
	{"channel-max", func(s *session) {
		conn := s.dial(amqp.Config{ChannelMax: 3})
		if conn.Config.ChannelMax != 3 {
			s.Fatalf("negotiated %d channels, want 3", conn.Config.ChannelMax)
		}
		for range 3 {
			s.on(conn)
		}
		if _, err := conn.Channel(); err == nil {
			s.Fatal("got a fourth channel")
		}
	}},
}
