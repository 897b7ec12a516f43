package network

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/statemesh/statemesh/internal/brokertest"
)

// rig is what a link test has: a transport to some broker.
type rig struct {
	testing.TB
	transport Transport
	address   Address
	tag       string // begins all bodies, so that others may use the same broker
}

// onAll runs a test on every kind of broker. limits has the transport's
// TTL, queue length and prefetch, 0 for the default.
func onAll(t *testing.T, limits AMQP, f func(b rig)) {
	amqp := func(t *testing.T, address Address) {
		limits.Name = t.Name()
		f(rig{t, &limits, address, rand.Text() + " "})
	}
	t.Run("embedded", func(t *testing.T) { amqp(t, hosted(t)) })
	t.Run("memory", func(t *testing.T) {
		f(rig{t, &Memory{TTL: limits.TTL, QueueLength: limits.QueueLength}, Address{Host: "h"}, ""})
	})
	t.Run("RabbitMQ", func(t *testing.T) { amqp(t, rabbitMQ(t)) })
}

// rabbitMQ returns the address of a RabbitMQ, or skips the test.
func rabbitMQ(t testing.TB) Address {
	t.Helper()
	a, err := ParseAddress(brokertest.RabbitMQ(t), Address{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// dial returns a link that is closed when the test ends.
func (b rig) dial() Link {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	l, err := b.transport.Dial(ctx, b.address)
	b.ok(err)
	b.Cleanup(func() { b.ok(l.Close()) })
	return l
}

func (b rig) ok(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b rig) publish(l Link, key string, bodies ...string) {
	b.Helper()
	for _, body := range bodies {
		b.ok(l.Publish(ExchangeMesh, key, b.body(body)))
	}
}

// body returns what is published for the text.
func (b rig) body(text string) []byte { return []byte(b.tag + text) }

// next waits for the next delivery that is ours; its body is the text.
func (b rig) next(from <-chan Delivery) Delivery {
	b.Helper()
	for {
		d, open := receive(b, from)
		if !open {
			b.Fatal("the deliveries have ended")
		}
		if text, ours := bytes.CutPrefix(d.Body, []byte(b.tag)); ours {
			d.Body = text
			return d
		}
	}
}

// consume returns what arrives for the keys on the mesh.
func (b rig) consume(l Link, keys ...string) <-chan Delivery {
	b.Helper()
	var bindings []Binding
	for _, key := range keys {
		bindings = append(bindings, Binding{ExchangeMesh, key})
	}
	in, err := l.Consume(bindings)
	b.ok(err)
	return in
}

// receive waits for the next value; ok is false if the channel is closed.
func receive[T any](b rig, from <-chan T) (v T, ok bool) {
	b.Helper()
	select {
	case v, ok = <-from:
	case <-time.After(patience):
		b.Fatal("nothing came")
	}
	return v, ok
}

// expect waits for these bodies, in this order.
func (b rig) expect(from <-chan Delivery, bodies ...string) {
	b.Helper()
	for _, want := range bodies {
		if d := b.next(from); string(d.Body) != want {
			b.Fatalf("got %.20q, want %.20q", d.Body, want)
		}
	}
}

// confirmed waits till the first n messages are confirmed, and returns the numbers of
// those that were refused.
func (b rig) confirmed(l Link, n uint64) (refused []uint64) {
	b.Helper()
	heard := map[uint64]bool{}
	for uint64(len(heard)) < n {
		c, ok := receive(b, l.Confirmed())
		if !ok {
			b.Fatalf("closed after %d confirms: %v", len(heard), l.Err())
		}
		from := c.Number
		if c.Several {
			from = 1
		}
		for i := from; i <= c.Number; i++ {
			if !heard[i] && c.Refused {
				refused = append(refused, i)
			} else if heard[i] && !c.Several {
				b.Fatalf("message %d is confirmed twice", i)
			}
			heard[i] = true
		}
	}
	for i := uint64(1); i <= n; i++ {
		if !heard[i] {
			b.Fatalf("message %d is not confirmed", i)
		}
	}
	return refused
}

// dead checks that the link has died of want, nil after Close, and that everything says so.
func (b rig) dead(l Link, want error) {
	b.Helper()
	if _, open := receive(b, l.Done()); open {
		b.Fatal("Done is not closed")
	}
	if err := l.Err(); !errors.Is(err, want) {
		b.Errorf("Err is %v, want %v", err, want)
	}
	for {
		if _, open := receive(b, l.Confirmed()); !open {
			break
		}
	}
	for {
		if _, open := receive(b, l.Blocked()); !open {
			break
		}
	}
	if want == nil {
		want = ErrClosed
	}
	if err := l.Publish(ExchangeMesh, "k", nil); !errors.Is(err, want) {
		b.Errorf("Publish says %v, want %v", err, want)
	}
	if err := l.Bind(Binding{ExchangeMesh, "k"}); err == nil {
		b.Error("Bind says nothing")
	}
	if _, err := l.Consume(nil); err == nil {
		b.Error("Consume says nothing")
	}
}
