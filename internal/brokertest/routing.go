package brokertest

import (
	"slices"

	"github.com/google/go-cmp/cmp"
	amqp "github.com/rabbitmq/amqp091-go"
)

// topicMatches is what a topic exchange does with a binding key and a routing key. The words of a key lie between dots
// and may be empty; the empty key has no word.
var topicMatches = []struct {
	pattern, key string
	match        bool
}{
	{"a.b", "a.b", true},
	{"a.b", "a.c", false},
	{"a.b", "a.b.c", false},
	{"a.b", "a", false},
	{"a.b", "A.B", false},
	{"*", "a", true},
	{"*", "", false},
	{"*", "a.b", false},
	{"a.*", "a.b", true},
	{"a.*", "a", false},
	{"a.*", "a.", true},
	{"a.*", "a.b.c", false},
	{"*.b", "a.b", true},
	{"*.b", "b", false},
	{"*.b", ".b", true},
	{"*.*", "a.b", true},
	{"*.*", ".", true},
	{"*.*", "a", false},
	{"a.*.c", "a.b.c", true},
	{"a.*.c", "a..c", true},
	{"a.*.c", "a.c", false},
	{"a.*.c", "a.b.b.c", false},
	{"#", "", true},
	{"#", "a", true},
	{"#", "a.b.c", true},
	{"#", "..", true},
	{"a.#", "a", true},
	{"a.#", "a.b", true},
	{"a.#", "a.b.c", true},
	{"a.#", "ab", false},
	{"a.#", "b.a", false},
	{"#.a", "a", true},
	{"#.a", "b.a", true},
	{"#.a", "c.b.a", true},
	{"#.a", "a.b", false},
	{"#.a", "ba", false},
	{"a.#.b", "a.b", true},
	{"a.#.b", "a.x.b", true},
	{"a.#.b", "a.x.y.b", true},
	{"a.#.b", "a.b.b", true},
	{"a.#.b", "a.b.c", false},
	{"#.a.#", "a", true},
	{"#.a.#", "x.a.y", true},
	{"#.a.#", "x.y", false},
	{"#.*", "", false},
	{"#.*", "a", true},
	{"#.*", "a.b.c", true},
	{"*.#.*", "a", false},
	{"*.#.*", "a.b", true},
	{"*.#.*", "a.b.c.d", true},
	{"#.#", "", true},
	{"#.#", "a.b", true},
	{"#.a.*.b.#", "x.a.y.a.z.b.w", true},
	{"#.a.*.b.#", "x.a.b.w", false},
	{"", "", true},
	{"", "a", false},
	{"a.", "a.", true},
	{"a.", "a", false},
	{"a*", "ab", false},
	{"a*", "a*", true},
	{"a.b#", "a.bc", false},
}

var routingTests = []test{
	{"topic keys", func(s *session) {
		ch := s.channel()
		exchange := s.exchange(ch, amqp.ExchangeTopic)
		queues := map[string]string{}
		want := map[string][]string{}
		var keys []string
		for _, c := range topicMatches {
			if queues[c.pattern] == "" {
				queues[c.pattern] = s.queue(ch, nil)
				s.bind(ch, queues[c.pattern], c.pattern, exchange)
			}
			if c.match {
				want[c.pattern] = append(want[c.pattern], c.key)
			}
			if !slices.Contains(keys, c.key) {
				keys = append(keys, c.key)
			}
		}
		for _, key := range keys {
			s.publish(ch, exchange, key, key)
		}
		for pattern, queue := range queues {
			got := s.drain(ch, queue)
			for _, c := range topicMatches {
				if c.pattern == pattern && slices.Contains(got, c.key) != c.match {
					s.Errorf("binding key %q, routing key %q: match is %v, want %v", pattern, c.key, !c.match, c.match)
				}
			}
		}
	}},
	{"topic unbind", func(s *session) {
		ch := s.channel()
		exchange, queue := s.exchange(ch, amqp.ExchangeTopic), s.queue(ch, nil)
		s.bind(ch, queue, "a.*", exchange)
		s.bind(ch, queue, "b.*", exchange)
		s.publish(ch, exchange, "a.x", "1")
		s.ok(ch.QueueUnbind(queue, "a.*", exchange, nil))
		s.publish(ch, exchange, "a.x", "2")
		s.publish(ch, exchange, "b.x", "3")
		s.equal(s.drain(ch, queue), "1", "3")
	}},
	{"two bindings that match give one copy", func(s *session) {
		ch := s.channel()
		for _, kind := range []string{amqp.ExchangeTopic, amqp.ExchangeFanout} {
			exchange, queue := s.exchange(ch, kind), s.queue(ch, nil)
			s.bind(ch, queue, "a.*", exchange)
			s.bind(ch, queue, "*.b", exchange)
			s.publish(ch, exchange, "a.b", kind)
			s.equal(s.drain(ch, queue), kind)
		}
	}},
	{"direct", func(s *session) {
		ch := s.channel()
		exchange, one, two := s.exchange(ch, amqp.ExchangeDirect), s.queue(ch, nil), s.queue(ch, nil)
		s.bind(ch, one, "a", exchange)
		s.bind(ch, one, "b", exchange)
		s.bind(ch, two, "b", exchange)
		s.bind(ch, two, "*", exchange)
		for _, key := range []string{"a", "b", "c", "*", ""} {
			s.publish(ch, exchange, key, key)
		}
		s.equal(s.drain(ch, one), "a", "b")
		s.equal(s.drain(ch, two), "b", "*")
	}},
	{"fanout ignores keys", func(s *session) {
		ch := s.channel()
		exchange, one, two := s.exchange(ch, amqp.ExchangeFanout), s.queue(ch, nil), s.queue(ch, nil)
		s.bind(ch, one, "a", exchange)
		s.bind(ch, two, "", exchange)
		s.publish(ch, exchange, "x", "1")
		s.publish(ch, exchange, "", "2")
		s.equal(s.drain(ch, one), "1", "2")
		s.equal(s.drain(ch, two), "1", "2")
	}},
	{"default exchange", func(s *session) {
		ch := s.channel()
		one, two := s.queue(ch, nil), s.queue(ch, nil)
		s.publish(ch, "", one, "1")
		s.publish(ch, "", two, "2")
		s.publish(ch, "", s.name(), "lost")
		s.equal(s.drain(ch, one), "1")
		s.equal(s.drain(ch, two), "2")
	}},
	{"exchanges that are always there", func(s *session) {
		ch := s.channel()
		for kind, exchange := range map[string]string{
			amqp.ExchangeDirect: "amq.direct", amqp.ExchangeFanout: "amq.fanout", amqp.ExchangeTopic: "amq.topic",
		} {
			s.ok(ch.ExchangeDeclarePassive(exchange, kind, true, false, false, false, nil))
			s.ok(ch.ExchangeDeclare(exchange, kind, true, false, false, false, nil))
			queue, key := s.queue(ch, nil), s.name()
			s.bind(ch, queue, key, exchange)
			s.publish(ch, exchange, key, kind)
			if got := s.drain(ch, queue); !slices.Contains(got, kind) {
				s.Errorf("%s: got %q", exchange, got)
			}
		}
	}},
	{"a binding from another connection counts at once", func(s *session) {
		publisher, consumer := s.channel(), s.channel()
		exchange, queue := s.exchange(publisher, amqp.ExchangeTopic), s.queue(consumer, nil)
		s.ok(publisher.Confirm(false))
		for range 20 {
			s.confirmed(s.deferred(publisher, exchange, "a.b", amqp.Publishing{Body: []byte("no")}))
			s.bind(consumer, queue, "a.*", exchange)
			s.confirmed(s.deferred(publisher, exchange, "a.b", amqp.Publishing{Body: []byte("yes")}))
			s.equal(s.drain(consumer, queue), "yes")
			s.ok(consumer.QueueUnbind(queue, "a.*", exchange, nil))
		}
	}},
}

// equal checks a list of bodies.
func (s *session) equal(got []string, want ...string) {
	s.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		s.Fatalf("bodies (-want +got):\n%s", diff)
	}
}
