package network

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// keep makes a durable queue that goes with the test.
func (b rig) keep(l Link, deliveries int, keepFor time.Duration) KeptQueue {
	b.Helper()
	q := KeptQueue{Object: "test-" + rand.Text(), KeepFor: keepFor, MaxDeliveries: deliveries}
	q.Key = q.Object + ".#"
	if state, err := l.Keep(q); err != nil || state.Aside != 0 || state.Differs {
		b.Fatalf("%+v, %v", state, err)
	}
	if _, ok := l.(*amqpLink); ok {
		b.Cleanup(func() {
			again := b.dial().(*amqpLink)
			b.ok(again.aside(func(ch *amqp.Channel) error {
				_, err := ch.QueueDelete(keptPrefix+q.Object, false, false, false)
				_, more := ch.QueueDelete(asidePrefix+q.Object, false, false, false)
				return errors.Join(err, more)
			}))
		})
	}
	return q
}

// kept waits for the next delivery, which must be that one.
func (b rig) kept(from KeptConsumer, body string, count int) KeptDelivery {
	b.Helper()
	d, ok := receive(b, from.Deliveries())
	if !ok {
		b.Fatal("the deliveries have ended")
	}
	if !bytes.Equal(d.Body, b.body(body)) || d.Count != count || d.Redelivered != (count > 0) {
		b.Fatalf("got %q, delivered %d times before (%v); want %q and %d", d.Body, d.Count, d.Redelivered, body, count)
	}
	return d
}

func (b rig) publishKept(l Link, q KeptQueue, bodies ...string) {
	b.Helper()
	for _, body := range bodies {
		b.ok(l.Publish(ExchangeKept, q.Object+".k", b.body(body)))
	}
}

func consumeKept(b rig, l Link, q KeptQueue, prefetch int) KeptConsumer {
	b.Helper()
	k, err := l.ConsumeKept(q.Object, prefetch)
	b.ok(err)
	return k
}

func (b rig) asideOf(l Link, q KeptQueue, want int) {
	b.Helper()
	eventually(b, "it is put aside", func() bool {
		state, err := l.Keep(q)
		b.ok(err)
		return state.Aside == want
	})
}

func TestLinkKeeps(t *testing.T) {
	onAll(t, AMQP{}, func(b rig) {
		out, in := b.dial(), b.dial()
		q := b.keep(in, 4, time.Hour)
		b.publishKept(out, q, "1", "2", "3", "4")
		b.confirmed(out, 4)
		k := consumeKept(b, in, q, 2)
		first := b.kept(k, "1", 0)
		second := b.kept(k, "2", 0)
		select {
		case d := <-k.Deliveries():
			b.Fatalf("got %q beyond the prefetch", d.Body)
		case <-time.After(50 * time.Millisecond):
		}
		b.ok(k.Ack(second.Tag))
		third := b.kept(k, "3", 0)
		b.ok(k.Nack(first.Tag, true))
		again := b.kept(k, "1", 1)
		b.ok(k.Ack(third.Tag))
		b.kept(k, "4", 0)
		b.ok(in.Close()) // as a process that dies
		other := b.dial()
		k = consumeKept(b, other, q, 10)
		got := map[string]int{}
		for range 2 {
			d, _ := receive(b, k.Deliveries())
			got[strings.TrimPrefix(string(d.Body), b.tag)] = d.Count
			b.ok(k.Ack(d.Tag))
		}
		if got["1"] != 2 || got["4"] != 1 || len(got) != 2 {
			b.Errorf("got %v after the link died", got)
		}
		if k.Nack(again.Tag+100, true) == nil { // a wrong tag ends the consumer at a broker, or is told at once
			if _, ok := receive(b, k.Deliveries()); ok {
				b.Error("a delivery for a wrong tag")
			}
		}
		b.ok(other.Err())
	})
}

func TestLinkPutsAside(t *testing.T) {
	onAll(t, AMQP{}, func(b rig) {
		l := b.dial()
		for deliveries := 1; deliveries <= 3; deliveries++ {
			q := b.keep(l, deliveries, time.Hour)
			k := consumeKept(b, l, q, 4)
			b.publishKept(l, q, "poison")
			for i := range deliveries {
				b.ok(k.Nack(b.kept(k, "poison", i).Tag, true))
			}
			b.asideOf(l, q, 1)
			b.publishKept(l, q, "other")
			b.ok(k.Nack(b.kept(k, "other", 0).Tag, false))
			b.asideOf(l, q, 2)
			k.Cancel()
			k.Cancel()
			if _, ok := receive(b, k.Deliveries()); ok {
				b.Error("a delivery after Cancel")
			}
		}
	})
}

func TestLinkKeptExpires(t *testing.T) {
	onAll(t, AMQP{}, func(b rig) {
		l := b.dial()
		q := b.keep(l, 3, 50*time.Millisecond)
		b.publishKept(l, q, "1")
		b.asideOf(l, q, 1)
	})
}

func TestLinkKeepsWhatItWas(t *testing.T) {
	onAll(t, AMQP{}, func(b rig) {
		l := b.dial()
		q := b.keep(l, 3, time.Hour)
		other := q
		other.KeepFor, other.MaxDeliveries, other.Key = time.Minute, 7, q.Object+"-other.#"
		state, err := l.Keep(other)
		if _, err := l.ConsumeKept("nobody-"+q.Object, 1); !errors.Is(err, ErrTopology) {
			b.Errorf("no such queue: %v", err)
		}
		if err != nil || !state.Differs {
			b.Errorf("%+v, %v", state, err)
		}
		k := consumeKept(b, l, q, 4)
		b.publishKept(l, q, "1")
		b.ok(l.Publish(ExchangeKept, q.Object+"-other.k", b.body("2")))
		b.kept(k, "1", 0)
		b.kept(k, "2", 0)
		if err := l.Err(); err != nil {
			b.Errorf("it has cost the link: %v", err)
		}
		other.Key = strings.Repeat("k", 256)
		if _, err := l.Keep(other); !errors.Is(err, ErrRoutingKey) {
			b.Errorf("a long key: %v", err)
		}
		b.ok(l.Close())
		if _, err := l.Keep(q); !errors.Is(err, ErrClosed) {
			b.Errorf("Keep after Close: %v", err)
		}
		if _, err := l.ConsumeKept(q.Object, 1); !errors.Is(err, ErrClosed) {
			b.Errorf("ConsumeKept after Close: %v", err)
		}
	})
}

// A consumer ends when its queue goes, and the link lives on.
func TestLinkKeptQueueGoes(t *testing.T) {
	onAll(t, AMQP{}, func(b rig) {
		l, ok := b.dial().(*amqpLink)
		if !ok {
			return // nobody can delete one in a Memory
		}
		q := b.keep(l, 3, time.Hour)
		k := consumeKept(b, l, q, 4)
		b.ok(l.aside(func(ch *amqp.Channel) error {
			_, err := ch.QueueDelete(keptPrefix+q.Object, false, false, false)
			return err
		}))
		if _, ok := receive(b, k.Deliveries()); ok {
			b.Error("a delivery from nowhere")
		}
		b.ok(l.Err())
		_, err := l.Keep(q)
		b.ok(err)
	})
}
