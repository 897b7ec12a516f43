package brokertest

import (
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// limitTests are about what bounds a queue: its arguments x-message-ttl, x-expires, x-max-length, x-max-length-bytes and
// x-overflow, and the expiration of a message.
var limitTests = []test{
	{"x-message-ttl", func(s *session) {
		ch := s.channel()
		short, long := s.queue(ch, amqp.Table{"x-message-ttl": 50}), s.queue(ch, amqp.Table{"x-message-ttl": 3600_000})
		start := time.Now()
		s.published("", short, "1", "2")
		s.published("", long, "1")
		s.eventually("the messages expire", func() bool {
			return must[amqp.Queue](s)(ch.QueueDeclarePassive(short, false, false, true, false, nil)).Messages == 0
		})
		if took := time.Since(start); took < 40*time.Millisecond {
			s.Fatalf("the messages lived for %v, want 50ms", took)
		}
		s.empty(ch, short)
		s.get(ch, long, "1")
	}},
	{"x-message-ttl of 0 needs a waiting consumer", func(s *session) {
		ch := s.channel()
		queue := s.queue(ch, amqp.Table{"x-message-ttl": 0})
		s.publish(ch, "", queue, "lost")
		s.empty(ch, queue)
		deliveries := s.consume(ch, queue, true)
		s.publish(ch, "", queue, "1")
		s.expect(deliveries, "1")
	}},
	{"expiration", func(s *session) {
		ch := s.channel()
		queue := s.queue(ch, nil)
		s.ok(ch.Confirm(false))
		s.send(ch, "", queue, amqp.Publishing{Body: []byte("1"), Expiration: "30"})
		s.send(ch, "", queue, amqp.Publishing{Body: []byte("2"), Expiration: "3600000"})
		s.confirmed(s.deferred(ch, "", queue, amqp.Publishing{Body: []byte("3")}))
		s.eventually("the first message expires", func() bool {
			return must[amqp.Queue](s)(ch.QueueDeclarePassive(queue, false, false, true, false, nil)).Messages == 2
		})
		s.equal(s.drain(ch, queue), "2", "3")
	}},
	{"the shorter of two times counts", func(s *session) {
		ch := s.channel()
		queue := s.queue(ch, amqp.Table{"x-message-ttl": 30})
		s.ok(ch.Confirm(false))
		s.confirmed(s.deferred(ch, "", queue, amqp.Publishing{Expiration: "3600000"}))
		s.eventually("the message expires", func() bool {
			return must[amqp.Queue](s)(ch.QueueDeclarePassive(queue, false, false, true, false, nil)).Messages == 0
		})
	}},
	{"what was delivered does not expire", func(s *session) {
		ch := s.channel()
		queue := s.queue(ch, amqp.Table{"x-message-ttl": 200})
		deliveries := s.consume(ch, queue, false)
		s.publish(ch, "", queue, "1")
		d := s.expect(deliveries, "1")
		other := s.queue(ch, amqp.Table{"x-message-ttl": 220})
		s.published("", other, "clock")
		s.eventually("the time is over", func() bool {
			return must[amqp.Queue](s)(ch.QueueDeclarePassive(other, false, false, true, false, nil)).Messages == 0
		})
		s.ok(d.Ack(false))
		s.publish(ch, "", queue, "2")
		s.expect(deliveries, "2")
	}},
	{"expiration that is no number", func(s *session) {
		for _, expiration := range []string{"soon", "-1", "1.5", "10 ", "315360000001"} {
			s.Logf("%q", expiration)
			s.refuses(amqp.PreconditionFailed, func(ch *amqp.Channel) error {
				s.send(ch, "", s.queue(ch, nil), amqp.Publishing{Expiration: expiration})
				return nil
			})
		}
	}},
	{"x-expires", func(s *session) {
		ch := s.channel()
		q, err := ch.QueueDeclare(s.name(), false, false, false, false, amqp.Table{"x-expires": 150})
		s.ok(err)
		used, err := ch.QueueDeclare(s.name(), false, false, false, false, amqp.Table{"x-expires": 150})
		s.ok(err)
		deliveries := s.consume(ch, used.Name, true)
		probe := s.connect()
		gone := func(name string) func() bool {
			return func() bool {
				ch := s.on(probe)
				defer ch.Close()
				return ch.QueueBind(name, "a", "amq.direct", false, nil) != nil // asks without using the queue
			}
		}
		s.eventually("the unused queue goes", gone(q.Name))
		if gone(used.Name)() {
			s.Fatal("a queue with a consumer went")
		}
		s.publish(ch, "", used.Name, "1")
		s.expect(deliveries, "1")
		s.ok(ch.Close())
		s.eventually("the queue that lost its consumer goes", gone(used.Name))
	}},
	{"x-max-length", func(s *session) {
		ch := s.channel()
		queue := s.queue(ch, amqp.Table{"x-max-length": 3})
		s.publish(ch, "", queue, "1", "2", "3", "4", "5")
		s.equal(s.drain(ch, queue), "3", "4", "5")
		s.publish(ch, "", queue, "1", "2", "3")
		s.get(ch, queue, "1") // what waits for its acknowledgement does not count
		s.publish(ch, "", queue, "4", "5")
		s.equal(s.drain(ch, queue), "3", "4", "5")
	}},
	{"x-max-length of 0 needs a waiting consumer", func(s *session) {
		ch := s.channel()
		queue := s.queue(ch, amqp.Table{"x-max-length": 0})
		s.publish(ch, "", queue, "lost")
		deliveries := s.consume(ch, queue, true)
		s.publish(ch, "", queue, "1")
		s.expect(deliveries, "1")
	}},
	{"x-max-length-bytes", func(s *session) {
		ch := s.channel()
		queue := s.queue(ch, amqp.Table{"x-max-length-bytes": 10})
		s.publish(ch, "", queue, "aaaa", "bbbb", "cccc")
		s.equal(s.drain(ch, queue), "bbbb", "cccc")
		s.publish(ch, "", queue, "1", strings.Repeat("x", 11))
		s.equal(s.drain(ch, queue))
	}},
	{"x-overflow", func(s *session) {
		ch := s.channel()
		s.ok(ch.Confirm(false))
		queue := s.queue(ch, amqp.Table{"x-max-length": 2, "x-overflow": "reject-publish"})
		for _, c := range []struct {
			body string
			ack  bool
		}{{"1", true}, {"2", true}, {"3", false}, {"4", false}} {
			if got := s.confirmed(s.deferred(ch, "", queue, amqp.Publishing{Body: []byte(c.body)})); got != c.ack {
				s.Fatalf("message %s: confirmed is %v, want %v", c.body, got, c.ack)
			}
		}
		s.equal(s.drain(ch, queue), "1", "2")
		queue = s.queue(ch, amqp.Table{"x-max-length": 1, "x-overflow": "drop-head"})
		for _, body := range []string{"1", "2"} {
			if !s.confirmed(s.deferred(ch, "", queue, amqp.Publishing{Body: []byte(body)})) {
				s.Fatalf("message %s was not confirmed", body)
			}
		}
		s.equal(s.drain(ch, queue), "2")
	}},
	{"arguments of the wrong kind", func(s *session) {
		for _, args := range []amqp.Table{
			{"x-message-ttl": "soon"},
			{"x-message-ttl": -1},
			{"x-expires": 0},
			{"x-max-length": -1},
			{"x-max-length": "many"},
			{"x-max-length": true},
			{"x-max-length-bytes": 1.5},
			{"x-overflow": "explode"},
			{"x-overflow": 1},
		} {
			s.Logf("%v", args)
			s.refuses(amqp.PreconditionFailed, func(ch *amqp.Channel) error {
				_, err := ch.QueueDeclare(s.name(), false, false, true, false, args)
				return err
			})
		}
	}},
	{"unknown arguments are ignored", func(s *session) {
		ch := s.channel()
		queue := s.queue(ch, amqp.Table{"x-statemesh": "a", "whatever": amqp.Table{"b": int64(1)}})
		_, err := ch.QueueDeclare(queue, false, false, true, false, nil)
		s.ok(err)
		s.ok(ch.ExchangeDeclare(s.name(), amqp.ExchangeTopic, false, true, false, false, amqp.Table{"x-statemesh": "a"}))
		must[<-chan amqp.Delivery](s)(ch.Consume(queue, "", true, false, false, false, amqp.Table{"x-statemesh": "a"}))
	}},
}
