package broker_test

import (
	"context"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/statemesh/statemesh/internal/brokertest"
	"github.com/statemesh/statemesh/network/broker"
)

// targets runs a benchmark against the embedded broker and, if there is one, RabbitMQ.
func targets(b *testing.B, run func(b *testing.B, url string)) {
	b.Run("embedded", func(b *testing.B) { run(b, start(b, broker.Config{})) })
	if url := os.Getenv(brokertest.URLVariable); url != "" {
		b.Run("rabbitmq", func(b *testing.B) { run(b, url) })
	}
}

// bench is two connections and a queue.
type bench struct {
	in, out *amqp.Channel
	queue   string
	sent    int
	ahead   chan struct{} // one for each 64 messages received
}

// window is how many messages the publisher may be ahead of the consumer: a flood would measure memory.
const window = 16 << 10

func newBench(b *testing.B, url string) *bench {
	b.Helper()
	channel := func() *amqp.Channel {
		conn, err := amqp.Dial(url)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { conn.Close() })
		ch, err := conn.Channel()
		if err != nil {
			b.Fatal(err)
		}
		return ch
	}
	x := &bench{in: channel(), out: channel(), ahead: make(chan struct{}, b.N/64+1)}
	q, err := x.in.QueueDeclare("", false, false, true, false, nil)
	if err != nil {
		b.Fatal(err)
	}
	x.queue = q.Name
	return x
}

func (x *bench) consume(b *testing.B, autoAck bool) <-chan amqp.Delivery {
	b.Helper()
	deliveries, err := x.in.Consume(x.queue, "", autoAck, false, false, false, nil)
	if err != nil {
		b.Fatal(err)
	}
	return deliveries
}

func (x *bench) publish(b *testing.B, body []byte) {
	if x.sent++; x.sent > window && x.sent%64 == 0 {
		<-x.ahead
	}
	if err := x.out.PublishWithContext(context.Background(), "", x.queue, false, false, amqp.Publishing{Body: body}); err != nil {
		b.Fatal(err)
	}
}

var payload = make([]byte, 256)

func rate(b *testing.B) { b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s") }

// receive waits for n deliveries, and acknowledges those of consumers that have to.
func (x *bench) receive(b *testing.B, deliveries <-chan amqp.Delivery, n int, ack bool) {
	for i := range n {
		if i%64 == 63 {
			x.ahead <- struct{}{}
		}
		d, open := <-deliveries
		if !open {
			b.Error("the consumer ended")
			return
		}
		if ack {
			if err := d.Ack(false); err != nil {
				b.Error(err)
				return
			}
		}
	}
}

func BenchmarkAutoAck(b *testing.B) {
	targets(b, func(b *testing.B, url string) {
		x := newBench(b, url)
		deliveries := x.consume(b, true)
		done := make(chan struct{})
		b.ResetTimer()
		go func() { x.receive(b, deliveries, b.N, false); close(done) }()
		for range b.N {
			x.publish(b, payload)
		}
		<-done
		rate(b)
	})
}

func BenchmarkConfirms(b *testing.B) {
	targets(b, func(b *testing.B, url string) {
		x := newBench(b, url)
		deliveries := x.consume(b, true)
		if err := x.out.Confirm(false); err != nil {
			b.Fatal(err)
		}
		confirms := x.out.NotifyPublish(make(chan amqp.Confirmation, 256))
		done := make(chan struct{})
		b.ResetTimer()
		go func() { x.receive(b, deliveries, b.N, false); close(done) }()
		waiting := 0
		for range b.N {
			x.publish(b, payload)
			if waiting++; waiting == 256 {
				for ; waiting > 0; waiting-- {
					<-confirms
				}
			}
		}
		for ; waiting > 0; waiting-- {
			<-confirms
		}
		<-done
		rate(b)
	})
}

func BenchmarkManualAck(b *testing.B) {
	targets(b, func(b *testing.B, url string) {
		x := newBench(b, url)
		if err := x.in.Qos(256, 0, false); err != nil {
			b.Fatal(err)
		}
		deliveries := x.consume(b, false)
		done := make(chan struct{})
		b.ResetTimer()
		go func() { x.receive(b, deliveries, b.N, true); close(done) }()
		for range b.N {
			x.publish(b, payload)
		}
		<-done
		rate(b)
	})
}

func BenchmarkRoundTrip(b *testing.B) {
	targets(b, func(b *testing.B, url string) {
		x := newBench(b, url)
		x.sent = -1 << 62 // it is never ahead
		deliveries := x.consume(b, true)
		took := make([]time.Duration, 0, 1<<20)
		for b.Loop() {
			start := time.Now()
			x.publish(b, payload)
			<-deliveries
			took = append(took, time.Since(start))
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1e3, "p50-us")
		b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1e3, "p99-us")
	})
}

// BenchmarkFanout publishes to 20 queues of as many connections.
func BenchmarkFanout(b *testing.B) {
	targets(b, func(b *testing.B, url string) {
		const queues = 20
		done := make(chan struct{}, queues)
		var out *bench
		for range queues {
			x := newBench(b, url)
			if err := x.in.QueueBind(x.queue, "#.bench", "amq.topic", false, nil); err != nil {
				b.Fatal(err)
			}
			deliveries := x.consume(b, true)
			go func() { x.receive(b, deliveries, b.N, false); done <- struct{}{} }()
			out = x
		}
		b.ResetTimer()
		for range b.N {
			if err := out.out.PublishWithContext(context.Background(), "amq.topic", "a.bench", false, false, amqp.Publishing{Body: payload}); err != nil {
				b.Fatal(err)
			}
		}
		for range queues {
			<-done
		}
		rate(b)
	})
}

// BenchmarkStart is the time from nothing to an answer on the port, and the end.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		server := broker.New(broker.Config{})
		go server.Serve(listener)
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		if _, err := conn.Write([]byte("AMQP\x00\x00\x09\x01")); err != nil {
			b.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); err != nil {
			b.Fatal(err)
		}
		conn.Close()
		server.Close()
	}
}
