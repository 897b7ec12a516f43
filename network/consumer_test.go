package network

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// A consumer with a broker that keeps to its prefetch: it sends while fewer messages than
// that wait for their acknowledgement.
func TestConsumerAcknowledges(t *testing.T) {
	const prefetch, messages = 20, 1000
	tests := []struct {
		name string
		read time.Duration // between two readings
		most int           // acknowledgements
	}{
		{"a fast reader", 0, messages/(prefetch/4) + 1},
		{"one message a millisecond", time.Millisecond, messages/(prefetch/4) + 1},
		{"one message in four milliseconds", 4 * time.Millisecond, messages/2 + 1},
		{"one message a second", time.Second, messages + 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				in, acks, done := make(chan amqp.Delivery), make(chan uint64, messages), make(chan struct{})
				c := &consumer{in: in, out: make(chan Delivery, consumerBuffer), done: done, every: prefetch / 4,
					ack: func(tag uint64) error { acks <- tag; return nil }}
				ended := make(chan error)
				go func() { ended <- c.run() }()

				began := time.Now()
				acknowledged, count := uint64(0), 0
				go func() {
					for tag := uint64(1); tag <= messages; tag++ {
						for tag > acknowledged+prefetch {
							next := <-acks
							if next <= acknowledged || next >= tag {
								t.Errorf("acknowledged up to %d after %d, sent up to %d", next, acknowledged, tag-1)
							}
							acknowledged = next
							count++
						}
						in <- amqp.Delivery{DeliveryTag: tag, Exchange: "x", RoutingKey: "k", Body: fmt.Append(nil, tag)}
					}
				}()
				for i := 1; i <= messages; i++ {
					if d := <-c.out; string(d.Body) != fmt.Sprint(i) || d.Exchange != "x" || d.Key != "k" {
						t.Fatalf("got %q, want %d", d.Body, i)
					}
					time.Sleep(test.read) // virtual
				}
				if took := time.Since(began); took != messages*test.read {
					t.Errorf("%d messages took %v; the reader was kept waiting", messages, took)
				}
				time.Sleep(ackDelay + 1)
				synctest.Wait()
				for len(acks) > 0 {
					acknowledged = <-acks
					count++
				}
				if acknowledged != messages || count > test.most {
					t.Errorf("%d acknowledgements up to %d, want at most %d up to %d", count, acknowledged, test.most, messages)
				}
				close(done)
				if err := <-ended; err != nil {
					t.Errorf("error %v", err)
				}
				if _, open := <-c.out; open {
					t.Error("out is not closed")
				}
			})
		})
	}
}

func TestConsumerEnds(t *testing.T) {
	refused := errors.New("no")
	tests := []struct {
		name string
		do   func(c *consumer, in chan amqp.Delivery, cancelled chan string, closed chan *amqp.Error, done chan struct{})
		want error
	}{
		{"done", func(c *consumer, in chan amqp.Delivery, cancelled chan string, closed chan *amqp.Error, done chan struct{}) {
			close(done)
		}, nil},
		{"cancelled", func(c *consumer, in chan amqp.Delivery, cancelled chan string, closed chan *amqp.Error, done chan struct{}) {
			cancelled <- consumerTag
			close(in)
		}, errQueueGone},
		{"channel closed", func(c *consumer, in chan amqp.Delivery, cancelled chan string, closed chan *amqp.Error, done chan struct{}) {
			closed <- &amqp.Error{Code: 404, Server: true}
			close(in)
			close(closed)
			close(cancelled)
		}, ErrLost},
		{"connection closed", func(c *consumer, in chan amqp.Delivery, cancelled chan string, closed chan *amqp.Error, done chan struct{}) {
			close(in)
			close(closed)
			close(cancelled)
		}, ErrLost},
		{"no acknowledging", func(c *consumer, in chan amqp.Delivery, cancelled chan string, closed chan *amqp.Error, done chan struct{}) {
			in <- amqp.Delivery{DeliveryTag: 1}
		}, refused},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				in, cancelled, closed, done := make(chan amqp.Delivery), make(chan string, 1), make(chan *amqp.Error, 1), make(chan struct{})
				c := &consumer{in: in, cancelled: cancelled, closed: closed, done: done, out: make(chan Delivery, 1), every: 10,
					ack: func(uint64) error { return refused }}
				ended := make(chan error)
				go func() { ended <- c.run() }()
				test.do(c, in, cancelled, closed, done)
				if err := <-ended; !errors.Is(err, test.want) || (err == nil) != (test.want == nil) {
					t.Errorf("error %v, want %v", err, test.want)
				}
			})
		})
	}
}
