package brokertest

import (
	"fmt"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

// durableTests are about queues that keep messages for consumers that come and go, and put those aside that nobody can
// handle: x-queue-type, x-delivery-limit, x-dead-letter-exchange and x-dead-letter-routing-key.
var durableTests = []test{
	{"a durable queue outlives its consumers", func(s *session) {
		for _, kind := range []string{"classic", "quorum"} {
			conn, ch := s.connect(), s.channel()
			queue := s.sharedQueue(s.on(conn), amqp.Table{"x-queue-type": kind})
			s.published("", queue, "1", "2", "3")
			s.ok(s.expect(s.consume(s.on(conn), queue, false), "1").Ack(false))
			s.ok(conn.Close())
			s.expect(s.consume(ch, queue, false), "2", "3")
			s.published("", queue, "4")
		}
	}},
	{"x-delivery-count", func(s *session) {
		conn := s.connect()
		queue := s.sharedQueue(s.on(conn), amqp.Table{"x-queue-type": "quorum"})
		message := amqp.Publishing{Body: []byte("1"), ContentType: "text/plain", Headers: amqp.Table{"a": "b"}}
		s.send(s.on(conn), "", queue, message)
		deliveries := s.consume(s.on(conn), queue, false)
		first := s.expect(deliveries, "1")
		s.counted(first, 0)
		s.ok(first.Nack(false, true))
		second := s.expect(deliveries, "1")
		s.counted(second, 1)
		s.ok(second.Reject(true))
		s.counted(s.expect(deliveries, "1"), 2)
		s.ok(conn.Close())
		last := s.expect(s.consume(s.channel(), queue, false), "1")
		s.counted(last, 3)
		if last.ContentType != "text/plain" || last.Headers["a"] != "b" {
			s.Fatalf("the properties are %q and %v", last.ContentType, last.Headers)
		}
		s.ok(last.Ack(false))
	}},
	{"a classic queue counts no deliveries", func(s *session) {
		ch := s.channel()
		queue := s.queue(ch, nil)
		s.publish(ch, "", queue, "1")
		s.ok(s.get(ch, queue, "1").Nack(false, true))
		if d := s.get(ch, queue, "1"); !d.Redelivered || d.Headers["x-delivery-count"] != nil {
			s.Fatalf("redelivered is %v, with headers %v", d.Redelivered, d.Headers)
		}
	}},
	{"x-delivery-limit", func(s *session) {
		for limit := range 3 {
			ch := s.channel()
			aside := s.sharedQueue(ch, nil)
			queue := s.sharedQueue(ch, amqp.Table{"x-queue-type": "quorum", "x-delivery-limit": limit,
				"x-dead-letter-exchange": "", "x-dead-letter-routing-key": aside})
			s.published("", queue, "1")
			deliveries := s.consume(ch, queue, false)
			for range limit + 1 {
				s.ok(s.expect(deliveries, "1").Nack(false, true))
			}
			s.died(s.arrives(ch, aside, "1"), queue, "delivery_limit", "", queue)
			s.published("", queue, "2") // goes on
			s.ok(s.expect(deliveries, "2").Ack(false))
		}
	}},
	{"x-delivery-limit counts connections that die", func(s *session) {
		ch := s.channel()
		aside := s.sharedQueue(ch, nil)
		queue := s.sharedQueue(ch, amqp.Table{"x-queue-type": "quorum", "x-delivery-limit": 1,
			"x-dead-letter-exchange": "", "x-dead-letter-routing-key": aside})
		s.published("", queue, "1")
		for range 2 {
			conn := s.connect()
			s.expect(s.consume(s.on(conn), queue, false), "1")
			s.ok(conn.Close())
		}
		s.died(s.arrives(ch, aside, "1"), queue, "delivery_limit", "", queue)
	}},
	{"a message beyond x-delivery-limit that nobody wants", func(s *session) {
		ch := s.channel()
		queue := s.sharedQueue(ch, amqp.Table{"x-queue-type": "quorum", "x-delivery-limit": 0})
		s.published("", queue, "1", "2")
		deliveries := s.consume(ch, queue, false)
		s.ok(s.expect(deliveries, "1").Nack(false, true))
		s.ok(s.expect(deliveries, "2").Ack(false))
		s.ok(ch.Close())
		s.empty(s.channel(), queue)
	}},
	{"dead letters that were rejected", func(s *session) {
		for _, kind := range []string{"classic", "quorum"} {
			ch := s.channel()
			exchange, aside := s.exchange(ch, "topic"), s.sharedQueue(ch, nil)
			s.bind(ch, aside, "dead.#", exchange)
			queue := s.sharedQueue(ch, amqp.Table{"x-queue-type": kind, "x-dead-letter-exchange": exchange, "x-dead-letter-routing-key": "dead.letter"})
			s.published("", queue, "1", "2")
			deliveries := s.consume(ch, queue, false)
			s.ok(s.expect(deliveries, "1").Reject(false))
			d := s.arrives(ch, aside, "1")
			if d.Exchange != exchange || d.RoutingKey != "dead.letter" || d.Headers["x-delivery-count"] != nil {
				s.Fatalf("it came by %q with key %q and %v", d.Exchange, d.RoutingKey, d.Headers)
			}
			s.died(d, queue, "rejected", "", queue)
			s.ok(s.expect(deliveries, "2").Nack(false, false))
			s.arrives(ch, aside, "2")
		}
	}},
	{"dead letters keep their key if the queue has none for them", func(s *session) {
		ch := s.channel()
		exchange, dead, aside := s.exchange(ch, "topic"), s.exchange(ch, "topic"), s.sharedQueue(ch, nil)
		s.bind(ch, aside, "a.b", dead)
		queue := s.queue(ch, amqp.Table{"x-dead-letter-exchange": dead})
		s.bind(ch, queue, "#", exchange)
		s.published(exchange, "a.b", "1")
		s.ok(s.get(ch, queue, "1").Reject(false))
		s.died(s.arrives(ch, aside, "1"), queue, "rejected", exchange, "a.b")
	}},
	{"dead letters that expired", func(s *session) {
		ch := s.channel()
		aside := s.queue(ch, nil)
		queue := s.queue(ch, amqp.Table{"x-message-ttl": 20, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": aside})
		s.published("", queue, "1")
		s.died(s.arrives(ch, aside, "1"), queue, "expired", "", queue)

		long := s.queue(ch, amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": aside})
		s.send(ch, "", long, amqp.Publishing{Body: []byte("2"), Expiration: "20"})
		d := s.arrives(ch, aside, "2")
		death := s.died(d, long, "expired", "", long)
		if d.Expiration != "" || death["original-expiration"] != "20" {
			s.Fatalf("it expires in %q, and %v", d.Expiration, death)
		}
	}},
	{"dead letters of a queue that is full", func(s *session) {
		ch := s.channel()
		aside := s.queue(ch, nil)
		queue := s.queue(ch, amqp.Table{"x-max-length": 1, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": aside})
		s.published("", queue, "1", "2")
		s.died(s.arrives(ch, aside, "1"), queue, "maxlen", "", queue)
		s.equal(s.drain(ch, queue), "2")
	}},
	{"what is purged or goes with its queue is no dead letter", func(s *session) {
		ch := s.channel()
		aside := s.queue(ch, nil)
		queue := s.queue(ch, amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": aside})
		s.published("", queue, "1")
		_, err := ch.QueuePurge(queue, false)
		s.ok(err)
		s.published("", queue, "2")
		_, err = ch.QueueDelete(queue, false, false, false)
		s.ok(err)
		s.empty(ch, aside)
	}},
	{"a dead letter dies again", func(s *session) {
		ch := s.channel()
		last := s.queue(ch, nil)
		second := s.queue(ch, amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": last})
		first := s.queue(ch, amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": second})
		s.published("", first, "1")
		s.ok(s.get(ch, first, "1").Reject(false))
		d := s.arrives(ch, second, "1")
		s.ok(d.Reject(false))
		d = s.arrives(ch, last, "1")
		s.died(d, second, "rejected", "", second)
		if deaths := d.Headers["x-death"].([]any); len(deaths) != 2 || deaths[1].(amqp.Table)["queue"] != first {
			s.Fatalf("x-death is %v", deaths)
		}
		if d.Headers["x-first-death-queue"] != first {
			s.Fatalf("it died first in %v, want %s", d.Headers["x-first-death-queue"], first)
		}
	}},
	{"a dead letter that is rejected comes round again", func(s *session) {
		ch := s.channel()
		name := s.name()
		_, err := ch.QueueDeclare(name, false, false, true, false, amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": name})
		s.ok(err)
		s.published("", name, "1")
		for i := range 3 {
			d := s.arrives(ch, name, "1")
			if i > 0 && s.died(d, name, "rejected", "", name)["count"] != int64(i) {
				s.Fatalf("after %d deaths it has %v", i, d.Headers)
			}
			s.ok(d.Reject(false))
		}
	}},
	{"dead letters that would go in circles", func(s *session) {
		ch := s.channel()
		name := s.name()
		_, err := ch.QueueDeclare(name, false, false, true, false, amqp.Table{"x-message-ttl": 10, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": name})
		s.ok(err)
		s.published("", name, "1")
		s.eventually("it is gone", func() bool {
			return must[amqp.Queue](s)(ch.QueueDeclarePassive(name, false, false, true, false, nil)).Messages == 0
		})
	}},
	{"poison whose dead letters come back to its own queue", func(s *session) {
		for _, limit := range []int{0, 2} {
			ch := s.channel()
			name := s.name()
			_, err := ch.QueueDeclare(name, true, false, false, false, amqp.Table{"x-queue-type": "quorum", "x-delivery-limit": limit,
				"x-dead-letter-exchange": "", "x-dead-letter-routing-key": name})
			s.ok(err)
			s.removeQueue(name)
			s.published("", name, "poison")
			deliveries := s.consume(ch, name, false)
			for range limit + 1 { // the limit is not evaded
				s.ok(s.expect(deliveries, "poison").Nack(false, true))
			}
			s.published("", name, "next")
			s.ok(s.expect(deliveries, "next").Ack(false))
			s.ok(ch.Close())
			s.empty(s.channel(), name)
		}
	}},
	{"poison that goes in a circle of two queues", func(s *session) {
		ch := s.channel()
		one, two := s.name(), s.name()
		for _, q := range [][2]string{{one, two}, {two, one}} {
			_, err := ch.QueueDeclare(q[0], true, false, false, false, amqp.Table{"x-queue-type": "quorum", "x-delivery-limit": 0,
				"x-dead-letter-exchange": "", "x-dead-letter-routing-key": q[1]})
			s.ok(err)
			s.removeQueue(q[0])
		}
		s.published("", one, "poison")
		s.ok(s.arrives(ch, one, "poison").Nack(false, true))
		s.ok(s.arrives(ch, two, "poison").Nack(false, true))
		s.eventually("it is gone", func() bool {
			n := 0
			for _, name := range []string{one, two} {
				n += must[amqp.Queue](s)(ch.QueueDeclarePassive(name, true, false, false, false, nil)).Messages
			}
			return n == 0
		})
	}},
	{"dead letters for an exchange that is not there", func(s *session) {
		ch := s.channel()
		queue := s.queue(ch, amqp.Table{"x-dead-letter-exchange": s.name()})
		s.published("", queue, "1")
		s.ok(s.get(ch, queue, "1").Reject(false))
		s.publish(ch, "", queue, "2")
		s.get(ch, queue, "2")
	}},
	{"a full queue that refuses keeps what it has", func(s *session) {
		ch := s.channel()
		queue := s.sharedQueue(ch, amqp.Table{"x-queue-type": "quorum", "x-max-length": 1, "x-overflow": "reject-publish"})
		s.published("", queue, "1")
		s.ok(ch.Confirm(false))
		s.eventually("it refuses", func() bool { // a quorum queue takes a few more
			return !s.confirmed(s.deferred(ch, "", queue, amqp.Publishing{Body: []byte("more")}))
		})
		s.get(ch, queue, "1")
	}},
	{"declared as it was", func(s *session) {
		args := amqp.Table{"x-queue-type": "quorum", "x-delivery-limit": 4, "x-message-ttl": 86400000, "x-overflow": "reject-publish",
			"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "aside", "x-dead-letter-strategy": "at-least-once"}
		queue := s.sharedQueue(s.channel(), args)
		for _, c := range []struct {
			arg   string
			value any
		}{
			{"", nil},
			{"x-queue-type", "classic"},
			{"x-delivery-limit", 5},
			{"x-message-ttl", 5},
			{"x-dead-letter-exchange", "amq.topic"},
			{"x-dead-letter-routing-key", "b"},
		} {
			again := amqp.Table{}
			for k, v := range args {
				again[k] = v
			}
			if c.arg == "" {
				_, err := s.channel().QueueDeclare(queue, true, false, false, false, again)
				s.ok(err)
				continue
			}
			s.Log(c.arg)
			again[c.arg] = c.value
			if c.value == "classic" {
				delete(again, "x-delivery-limit")
				delete(again, "x-dead-letter-strategy")
			}
			s.refuses(amqp.PreconditionFailed, func(ch *amqp.Channel) error {
				_, err := ch.QueueDeclare(queue, true, false, false, false, again)
				return err
			})
		}
	}},
	{"what no such queue can be", func(s *session) {
		for _, c := range []struct {
			name                           string
			durable, autoDelete, exclusive bool
			args                           amqp.Table
		}{
			{"not durable", false, false, false, amqp.Table{"x-queue-type": "quorum"}},
			{"exclusive", true, false, true, amqp.Table{"x-queue-type": "quorum"}},
			{"auto-delete", true, true, false, amqp.Table{"x-queue-type": "quorum"}},
			{"an unknown type", true, false, false, amqp.Table{"x-queue-type": "marvellous"}},
			{"a type that is no text", true, false, false, amqp.Table{"x-queue-type": 1}},
			{"an exchange that is no text", false, false, true, amqp.Table{"x-dead-letter-exchange": 1}},
			{"a key that is no text", false, false, true, amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": 1}},
			{"a key without an exchange", false, false, true, amqp.Table{"x-dead-letter-routing-key": "a"}},
		} {
			s.Log(c.name)
			s.refuses(amqp.PreconditionFailed, func(ch *amqp.Channel) error {
				_, err := ch.QueueDeclare(s.name(), c.durable, c.autoDelete, c.exclusive, false, c.args)
				return err
			})
		}
	}},
	{"dead letters are as large as they were", func(s *session) {
		ch := s.channel()
		aside := s.queue(ch, nil)
		queue := s.queue(ch, amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": aside})
		body := strings.Repeat("x", 300_000)
		s.published("", queue, body)
		s.ok(s.get(ch, queue, body).Reject(false))
		s.arrives(ch, aside, body)
	}},
	{"competing consumers get each message once", func(s *session) {
		ch := s.channel()
		queue := s.sharedQueue(ch, amqp.Table{"x-queue-type": "quorum"})
		var from []<-chan amqp.Delivery
		for range 3 {
			one := s.channel()
			s.ok(one.Qos(1, 0, false))
			from = append(from, s.consume(one, queue, false))
		}
		s.published("", queue, "1", "2", "3")
		got := map[string]bool{}
		for _, deliveries := range from {
			got[string(next(s, deliveries).Body)] = true
		}
		if len(got) != 3 {
			s.Fatalf("got %v", got)
		}
	}},
}

// counted checks how often a message was delivered before.
func (s *session) counted(d amqp.Delivery, before int) {
	s.Helper()
	var got int
	if count, found := d.Headers["x-delivery-count"]; found {
		if _, err := fmt.Sscan(fmt.Sprint(count), &got); err != nil {
			s.Fatalf("x-delivery-count is %v", count)
		}
	}
	if got != before || d.Redelivered != (before > 0) {
		s.Fatalf("delivered %d times before, and redelivered is %v; want %d", got, d.Redelivered, before)
	}
}

// arrives waits for the message, which must be the next of the queue.
func (s *session) arrives(ch *amqp.Channel, queue, body string) amqp.Delivery {
	s.Helper()
	var got amqp.Delivery
	s.eventually("the message arrives", func() bool {
		d, found, err := ch.Get(queue, false)
		s.ok(err)
		got = d
		return found
	})
	if string(got.Body) != body {
		s.Fatalf("got message %.20q, want %.20q", got.Body, body)
	}
	return got
}

// died checks where and why a message died last, and returns what the message says of that.
func (s *session) died(d amqp.Delivery, queue, reason, exchange, key string) amqp.Table {
	s.Helper()
	deaths, _ := d.Headers["x-death"].([]any)
	if len(deaths) == 0 {
		s.Fatalf("no x-death in %v", d.Headers)
	}
	death, _ := deaths[0].(amqp.Table)
	keys, _ := death["routing-keys"].([]any)
	if death["queue"] != queue || death["reason"] != reason || death["exchange"] != exchange || len(keys) != 1 || keys[0] != key {
		s.Fatalf("died as %v, want queue %s, reason %s, exchange %q and key %q", death, queue, reason, exchange, key)
	}
	if _, isTime := death["time"].(interface{ Unix() int64 }); !isTime || death["count"] == nil {
		s.Fatalf("no time or count in %v", death)
	}
	if len(deaths) == 1 && (d.Headers["x-first-death-queue"] != queue || d.Headers["x-first-death-reason"] != reason ||
		d.Headers["x-first-death-exchange"] != exchange) {
		s.Fatalf("the first death is %v", d.Headers)
	}
	return death
}
