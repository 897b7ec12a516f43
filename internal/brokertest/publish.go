package brokertest

import (
	"bytes"
	"fmt"
	"slices"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"
)

var publishTests = []test{
	{"unknown exchange", func(s *session) {
		s.refuses(amqp.NotFound, func(ch *amqp.Channel) error {
			s.publish(ch, s.name(), "a", "nobody")
			return nil
		})
	}},
	{"confirms", func(s *session) {
		ch := s.channel()
		s.ok(ch.Confirm(false))
		s.ok(ch.Confirm(false)) // again does nothing
		const n = 300
		confirms := ch.NotifyPublish(make(chan amqp.Confirmation, n))
		queue := s.queue(ch, nil)
		for i := range n {
			key := queue
			if i%3 == 0 {
				key = s.name() // goes nowhere, and that is confirmed too
			}
			s.publish(ch, "", key, "x")
		}
		for i := range n {
			if c := next(s, confirms); c.DeliveryTag != uint64(i+1) || !c.Ack {
				s.Fatalf("confirmation %d: %+v", i, c)
			}
		}
		s.ready(ch, queue, n*2/3)
	}},
	{"mandatory", func(s *session) {
		ch := s.channel()
		returns := ch.NotifyReturn(make(chan amqp.Return, 10))
		exchange, queue := s.exchange(ch, amqp.ExchangeDirect), s.queue(ch, nil)
		s.bind(ch, queue, "a", exchange)
		publish := func(key, body string) {
			s.Helper()
			s.ok(ch.PublishWithContext(s.Context(), exchange, key, true, false,
				amqp.Publishing{Body: []byte(body), MessageId: body, Headers: amqp.Table{"h": "v"}}))
		}
		publish("a", "1")
		publish("b", "2")
		publish("a", "3")
		publish("c", "")
		for _, want := range []struct{ key, body string }{{"b", "2"}, {"c", ""}} {
			r := next(s, returns)
			if r.ReplyCode != amqp.NoRoute || r.ReplyText != "NO_ROUTE" || r.Exchange != exchange || r.RoutingKey != want.key ||
				string(r.Body) != want.body || r.MessageId != want.body || r.Headers["h"] != "v" {
				s.Fatalf("got %+v", r)
			}
		}
		s.equal(s.drain(ch, queue), "1", "3")
	}},
	{"the return comes before the confirm", func(s *session) {
		ch := s.channel()
		s.ok(ch.Confirm(false))
		const n = 50
		returns := ch.NotifyReturn(make(chan amqp.Return, n))
		for range n {
			c := must[*amqp.DeferredConfirmation](s)(
				ch.PublishWithDeferredConfirmWithContext(s.Context(), "", s.name(), true, false, amqp.Publishing{}))
			if !s.confirmed(c) {
				s.Fatal("not confirmed")
			}
			select {
			case <-returns:
			default:
				s.Fatal("the confirm came before the return")
			}
		}
	}},
	{"immediate", func(s *session) {
		s.breaks(amqp.NotImplemented, func(ch *amqp.Channel) error {
			return ch.PublishWithContext(s.Context(), "", s.queue(ch, nil), false, true, amqp.Publishing{})
		})
	}},
	{"user-id", func(s *session) {
		ch := s.channel()
		queue := s.queue(ch, nil)
		uri, err := amqp.ParseURI(s.url)
		s.ok(err)
		s.send(ch, "", queue, amqp.Publishing{UserId: uri.Username, Body: []byte("1")})
		s.get(ch, queue, "1")
		s.refuses(amqp.PreconditionFailed, func(ch *amqp.Channel) error {
			s.send(ch, "", s.name(), amqp.Publishing{UserId: uri.Username + "x"})
			return nil
		})
	}},
	{"bodies of all sizes", func(s *session) {
		for _, frameMax := range []int{0, 4096} {
			ch := s.on(s.dial(amqp.Config{FrameSize: frameMax}))
			queue := s.queue(ch, nil)
			deliveries := s.consume(ch, queue, true)
			for _, size := range []int{0, 1, 4087, 4088, 4089, 8176, 8177, 131064, 131065, 1 << 20, 5<<20 + 7} {
				body := make([]byte, size)
				for i := range body {
					body[i] = byte(i * 31)
				}
				s.send(ch, "", queue, amqp.Publishing{Body: body})
				if d := next(s, deliveries); !bytes.Equal(d.Body, body) {
					s.Fatalf("frame-max %d: body of %d bytes came as %d bytes", frameMax, size, len(d.Body))
				}
			}
		}
	}},
	{"large and small bodies on many channels of one connection", func(s *session) {
		conn := s.connect()
		queue := s.queue(s.on(conn), nil)
		deliveries := s.consume(s.on(conn), queue, true)
		const publishers, each = 8, 30
		var group sync.WaitGroup
		for p := range publishers {
			ch := s.on(conn)
			group.Go(func() {
				for i := range each {
					body := slices.Concat(fmt.Appendf(nil, "%d %d ", p, i), bytes.Repeat([]byte{byte(p)}, i%3*150_000))
					if err := ch.PublishWithContext(s.Context(), "", queue, false, false, amqp.Publishing{Body: body}); err != nil {
						s.Error(err)
					}
				}
			})
		}
		var count [publishers]int
		for range publishers * each {
			d := next(s, deliveries)
			var p, i int
			_, err := fmt.Sscanf(string(d.Body[:min(len(d.Body), 20)]), "%d %d ", &p, &i)
			s.ok(err)
			want := slices.Concat(fmt.Appendf(nil, "%d %d ", p, i), bytes.Repeat([]byte{byte(p)}, i%3*150_000))
			if i != count[p] || !bytes.Equal(d.Body, want) {
				s.Fatalf("publisher %d: message %d came in place %d with %d bytes", p, i, count[p], len(d.Body))
			}
			count[p]++
		}
		group.Wait()
	}},
	{"many connections at once", func(s *session) {
		main := s.channel()
		exchange := s.exchange(main, amqp.ExchangeTopic)
		const nodes, each = 6, 100
		var ready, group sync.WaitGroup
		ready.Add(nodes)
		for n := range nodes {
			conn := s.connect()
			group.Go(func() {
				in, out := s.on(conn), s.on(conn)
				queue := s.queue(in, nil)
				s.bind(in, queue, "#.all", exchange)
				deliveries := s.consume(in, queue, n%2 == 0)
				ready.Done()
				ready.Wait()
				for range each {
					s.publish(out, exchange, fmt.Sprintf("%d.all", n), "x")
				}
				for range nodes * each {
					d := next(s, deliveries)
					if n%2 != 0 {
						s.ok(d.Ack(false))
					}
				}
			})
		}
		group.Wait()
	}},
}
