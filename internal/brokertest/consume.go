package brokertest

import (
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	amqp "github.com/rabbitmq/amqp091-go"
)

var consumeTests = []test{
	{"order", func(s *session) {
		ch := s.channel()
		queue := s.queue(ch, nil)
		var want []string
		for i := range 500 {
			want = append(want, strings.Repeat("x", i))
		}
		s.publish(ch, "", queue, want[:250]...)
		deliveries := s.consume(ch, queue, true)
		s.publish(ch, "", queue, want[250:]...)
		for i, body := range want {
			d := s.expect(deliveries, body)
			if d.DeliveryTag != uint64(i+1) || d.Redelivered || d.RoutingKey != queue || d.Exchange != "" {
				s.Fatalf("message %d: %+v", i, d)
			}
		}
	}},
	{"consumers take turns", func(s *session) {
		ch := s.channel()
		queue := s.queue(ch, nil)
		one, two := s.consume(ch, queue, true), s.consume(ch, queue, true)
		s.publish(ch, "", queue, "1", "2", "3", "4")
		got := []string{string(next(s, one).Body), string(next(s, one).Body), string(next(s, two).Body), string(next(s, two).Body)}
		slices.Sort(got)
		s.equal(got, "1", "2", "3", "4")
	}},
	{"consumer tags", func(s *session) {
		ch := s.channel()
		queue := s.queue(ch, nil)
		deliveries := must[<-chan amqp.Delivery](s)(ch.Consume(queue, "mine", true, false, false, false, nil))
		s.publish(ch, "", queue, "1")
		if d := s.expect(deliveries, "1"); d.ConsumerTag != "mine" {
			s.Fatalf("got tag %q", d.ConsumerTag)
		}
		s.breaks(amqp.NotAllowed, func(ch *amqp.Channel) error {
			queue := s.queue(ch, nil)
			must[<-chan amqp.Delivery](s)(ch.Consume(queue, "same", true, false, false, false, nil))
			_, err := ch.Consume(queue, "same", true, false, false, false, nil)
			return err
		})
	}},
	{"no-wait", func(s *session) {
		ch := s.channel()
		queue := s.queue(ch, nil)
		deliveries := must[<-chan amqp.Delivery](s)(ch.Consume(queue, "c", true, false, false, true, nil))
		s.publish(ch, "", queue, "1")
		s.expect(deliveries, "1")
		s.ok(ch.Cancel("c", true))
		s.published("", queue, "2")
		s.get(ch, queue, "2")
	}},
	{"missing queue", func(s *session) {
		s.refuses(amqp.NotFound, func(ch *amqp.Channel) error {
			_, err := ch.Consume(s.name(), "", true, false, false, false, nil)
			return err
		})
		s.refuses(amqp.NotFound, func(ch *amqp.Channel) error { _, _, err := ch.Get(s.name(), true); return err })
	}},
	{"exclusive consumer", func(s *session) {
		ch := s.channel()
		queue := s.sharedQueue(ch, nil)
		must[<-chan amqp.Delivery](s)(ch.Consume(queue, "alone", true, true, false, false, nil))
		s.refuses(amqp.AccessRefused, func(ch *amqp.Channel) error {
			_, err := ch.Consume(queue, "", true, false, false, false, nil)
			return err
		})
		s.ok(ch.Cancel("alone", false))
		must[<-chan amqp.Delivery](s)(ch.Consume(queue, "one", true, false, false, false, nil))
		s.refuses(amqp.AccessRefused, func(ch *amqp.Channel) error {
			_, err := ch.Consume(queue, "", true, true, false, false, nil)
			return err
		})
	}},
	{"cancel", func(s *session) {
		ch := s.channel()
		queue := s.queue(ch, nil)
		deliveries := must[<-chan amqp.Delivery](s)(ch.Consume(queue, "c", false, false, false, false, nil))
		s.publish(ch, "", queue, "1")
		d := s.expect(deliveries, "1")
		s.ok(ch.Cancel("c", false))
		ended(s, deliveries)
		s.publish(ch, "", queue, "2")
		s.get(ch, queue, "2")
		s.ok(d.Ack(false)) // deliveries outlive their consumer
		s.ok(ch.Cancel("nobody", false))
		must[<-chan amqp.Delivery](s)(ch.Consume(queue, "c", false, false, false, false, nil))
	}},
	{"the broker cancels when the queue goes", func(s *session) {
		ch, other := s.channel(), s.channel()
		queue := s.sharedQueue(ch, nil)
		cancelled := ch.NotifyCancel(make(chan string, 1))
		otherCancelled := other.NotifyCancel(make(chan string, 1))
		deliveries := must[<-chan amqp.Delivery](s)(ch.Consume(queue, "mine", false, false, false, false, nil))
		s.publish(ch, "", queue, "1")
		d := s.expect(deliveries, "1")
		must[<-chan amqp.Delivery](s)(other.Consume(queue, "theirs", false, false, false, false, nil))
		must[int](s)(s.channel().QueueDelete(queue, false, false, false))
		if tag := next(s, cancelled); tag != "mine" {
			s.Fatalf("got cancel of %q", tag)
		}
		if tag := next(s, otherCancelled); tag != "theirs" {
			s.Fatalf("got cancel of %q", tag)
		}
		ended(s, deliveries)
		s.ok(d.Ack(false))
		// The channel lives and the tag is free.
		s.consume(ch, s.queue(ch, nil), true)
		must[<-chan amqp.Delivery](s)(ch.Consume(s.queue(ch, nil), "mine", false, false, false, false, nil))
	}},
	{"get", func(s *session) {
		ch := s.channel()
		queue := s.queue(ch, nil)
		s.empty(ch, queue)
		s.published("", queue, "1", "2", "3")
		if d := s.get(ch, queue, "1"); d.MessageCount != 2 || d.Redelivered || d.DeliveryTag == 0 || d.RoutingKey != queue {
			s.Fatalf("got %+v", d)
		}
		d, found, err := ch.Get(queue, true)
		s.ok(err)
		if !found || d.MessageCount != 1 {
			s.Fatalf("got %+v", d)
		}
		s.ok(ch.Nack(0, true, true)) // only the first waits
		if d := s.get(ch, queue, "1"); !d.Redelivered {
			s.Fatal("not marked as redelivered")
		}
	}},
	{"prefetch of a consumer", func(s *session) {
		ch := s.channel()
		queue, other := s.sharedQueue(ch, nil), s.sharedQueue(ch, nil)
		s.ok(ch.Qos(2, 0, false))
		one := s.consume(ch, queue, false)
		s.ok(ch.Qos(1, 0, false)) // for later consumers
		two := s.consume(ch, other, false)
		s.published("", queue, "1", "2", "3", "4")
		s.published("", other, "a", "b")
		first := s.expect(one, "1")
		second := s.expect(one, "2")
		s.expect(two, "a")
		s.ready(ch, queue, 2)
		s.ready(ch, other, 1)
		s.ok(second.Ack(false))
		s.expect(one, "3")
		s.ready(ch, queue, 1)
		s.ok(first.Ack(false))
		s.expect(one, "4")
	}},
	{"prefetch of a channel", func(s *session) {
		ch := s.channel()
		queue, other := s.queue(ch, nil), s.queue(ch, nil)
		s.ok(ch.Qos(2, 0, true))
		one, two := s.consume(ch, queue, false), s.consume(ch, other, false)
		s.publish(ch, "", queue, "1")
		s.expect(one, "1")
		s.publish(ch, "", other, "a")
		last := s.expect(two, "a")
		s.published("", queue, "2")
		s.published("", other, "b")
		s.ready(ch, queue, 1)
		s.ready(ch, other, 1)
		s.ok(last.Ack(true))
		s.expect(one, "2")
		s.expect(two, "b")
		s.published("", queue, "3")
		s.ready(ch, queue, 1)
		s.ok(ch.Qos(3, 0, true))
		s.expect(one, "3")
	}},
	{"no-ack consumers have no prefetch", func(s *session) {
		ch := s.channel()
		queue := s.queue(ch, nil)
		s.ok(ch.Qos(1, 0, false))
		deliveries := s.consume(ch, queue, true)
		s.publish(ch, "", queue, "1", "2", "3")
		s.expect(deliveries, "1", "2", "3")
	}},
	{"prefetch size", func(s *session) {
		s.breaks(amqp.NotImplemented, func(ch *amqp.Channel) error { return ch.Qos(0, 1, false) })
	}},
	{"properties and headers arrive as they were sent", func(s *session) {
		ch := s.channel()
		queue := s.queue(ch, nil)
		sent := amqp.Publishing{
			Headers: amqp.Table{
				"bool": true, "byte": int8(-3), "short": int16(-300), "int": int32(-70000), "long": int64(-5e9),
				"float": float32(1.5), "double": 2.5, "decimal": amqp.Decimal{Scale: 2, Value: 314}, "string": "text",
				"bytes": []byte{0, 1, 2}, "time": time.Unix(1500000000, 0), "void": nil,
				"table": amqp.Table{"inner": amqp.Table{"x": "y"}}, "array": []any{int32(1), "two", []any{true}},
			},
			ContentType: "application/cbor", ContentEncoding: "gzip", DeliveryMode: amqp.Persistent, Priority: 4,
			CorrelationId: "correlation", ReplyTo: "reply", Expiration: "3600000", MessageId: "message",
			Timestamp: time.Unix(1600000000, 0), Type: "type", AppId: "app", Body: []byte("body"),
		}
		s.send(ch, "", queue, sent)
		d := s.get(ch, queue, "body")
		got := amqp.Publishing{
			Headers: d.Headers, ContentType: d.ContentType, ContentEncoding: d.ContentEncoding, DeliveryMode: d.DeliveryMode,
			Priority: d.Priority, CorrelationId: d.CorrelationId, ReplyTo: d.ReplyTo, Expiration: d.Expiration, MessageId: d.MessageId,
			Timestamp: d.Timestamp, Type: d.Type, AppId: d.AppId, Body: d.Body,
		}
		if diff := cmp.Diff(sent, got); diff != "" {
			s.Fatalf("message (-want +got):\n%s", diff)
		}
	}},
}

// ready checks how many messages of the queue are ready. What was published before must be confirmed: RabbitMQ counts
// others late.
func (s *session) ready(ch *amqp.Channel, queue string, want int) {
	s.Helper()
	if q := must[amqp.Queue](s)(ch.QueueDeclarePassive(queue, false, false, false, false, nil)); q.Messages != want {
		s.Fatalf("%d messages are ready, want %d", q.Messages, want)
	}
}
