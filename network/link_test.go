package network

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/internal/brokertest"
	"github.com/statemesh/statemesh/network/broker"
)

func TestLinkDelivers(t *testing.T) {
	onAll(t, AMQP{}, func(b rig) {
		in, out := b.dial(), b.dial()
		got := b.consume(in, "a.b")
		large := strings.Repeat("x", 1<<20)
		b.publish(out, "a.b", "one", "", "two\x00\xff", large, "end")
		b.expect(got, "one", "", "two\x00\xff", large, "end")
		if refused := b.confirmed(out, 5); refused != nil {
			b.Errorf("refused %v", refused)
		}
		if err := errors.Join(in.Err(), out.Err()); err != nil {
			b.Errorf("a link that lives has an error: %v", err)
		}
		b.publish(out, "a.b", "last")
		if diff := cmp.Diff(Delivery{ExchangeMesh, "a.b", []byte("last")}, b.next(got)); diff != "" {
			b.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestLinkKeepsNoBody(t *testing.T) {
	onAll(t, AMQP{}, func(b rig) {
		l := b.dial()
		got, other := b.consume(l, "#"), b.consume(b.dial(), "#")
		body := b.body("first")
		b.ok(l.Publish(ExchangeMesh, "k", body))
		copy(body[len(b.tag):], "other")
		d := b.next(got)
		if string(d.Body) != "first" {
			b.Errorf("got %q, want what it was when it was published", d.Body)
		}
		copy(d.Body, "mine!")
		b.expect(other, "first")
	})
}

func TestLinkRoutes(t *testing.T) {
	tests := []struct {
		pattern string
		keys    []string // those that match
	}{
		{"a.b", []string{"a.b"}},
		{"a.*", []string{"a.b", "a."}},
		{"#.b", []string{"a.b", "b", "a.a.b", ".b"}},
		{"a.#", []string{"a.b", "a", "a.a.b", "a."}},
		{"#", []string{"a.b", "b", "a", "a.a.b", "ab", "", "a.", ".b"}},
		{"*", []string{"b", "a", "ab"}},
		{"*.#.b", []string{"a.b", "a.a.b", ".b"}},
		{"#.a.#", []string{"a.b", "a", "a.a.b", "a."}},
		{"", []string{""}},
	}
	keys := []string{"a.b", "b", "a", "a.a.b", "ab", "", "a.", ".b"}
	onAll(t, AMQP{}, func(b rig) {
		out := b.dial()
		var ins []<-chan Delivery
		for _, test := range tests {
			ins = append(ins, b.consume(b.dial(), test.pattern, "end"))
		}
		for _, key := range keys {
			b.publish(out, key, key)
		}
		b.publish(out, "end", "end")
		for i, test := range tests {
			var got []string
			for {
				d := b.next(ins[i])
				if d.Key == "end" {
					break
				}
				got = append(got, d.Key)
			}
			slices.Sort(got)
			want := slices.Sorted(slices.Values(test.keys))
			if diff := cmp.Diff(want, got); diff != "" {
				b.Errorf("%q (-want +got):\n%s", test.pattern, diff)
			}
			for _, key := range keys {
				if broker.MatchTopic(test.pattern, key) != slices.Contains(test.keys, key) {
					b.Errorf("broker.MatchTopic(%q, %q) is something else", test.pattern, key)
				}
			}
		}
	})
}

func TestLinkExchanges(t *testing.T) {
	onAll(t, AMQP{}, func(b rig) {
		l := b.dial()
		got, err := l.Consume([]Binding{{ExchangeMesh, "k"}, {ExchangeTrace, "#"}, {ExchangeTrace, "k"}})
		b.ok(err)
		for _, exchange := range exchanges {
			b.ok(l.Publish(exchange, "k", b.body(exchange)))
		}
		b.expect(got, ExchangeMesh, ExchangeTrace)
		b.ok(l.Bind(Binding{ExchangeSpy, "k"}))
		for _, exchange := range []string{ExchangeSpy, ExchangeMesh} {
			b.ok(l.Publish(exchange, "k", b.body(exchange)))
		}
		b.expect(got, ExchangeSpy, ExchangeMesh)
		b.confirmed(l, 5)
	})
}

func TestLinkMisuse(t *testing.T) {
	onAll(t, AMQP{}, func(b rig) {
		l := b.dial()
		long := strings.Repeat("k", 256)
		if err := l.Bind(Binding{ExchangeMesh, "k"}); err == nil {
			b.Error("Bind before Consume says nothing")
		}
		for name, err := range map[string]error{
			"Publish": l.Publish(ExchangeMesh, long, nil),
			"Bind":    l.Bind(Binding{ExchangeMesh, long}),
		} {
			if !errors.Is(err, ErrRoutingKey) {
				b.Errorf("%s with a long key says %v", name, err)
			}
		}
		if _, err := l.Consume([]Binding{{ExchangeMesh, long}}); !errors.Is(err, ErrRoutingKey) {
			b.Errorf("Consume with a long key says %v", err)
		}
		got := b.consume(l, long[:255])
		if _, err := l.Consume(nil); err == nil {
			b.Error("the second Consume says nothing")
		}
		b.publish(l, long[:255], "alive")
		b.expect(got, "alive")
		b.confirmed(l, 1)
	})
}

func TestLinkClose(t *testing.T) {
	onAll(t, AMQP{}, func(b rig) {
		l := b.dial()
		got := b.consume(l, "k")
		b.publish(l, "k", "one")
		b.ok(l.Close())
		for range len(got) {
			<-got
		}
		// Closed by goroutines that have ended by now.
		select {
		case _, open := <-got:
			if open {
				b.Error("the deliveries go on")
			}
		default:
			b.Error("Close returned too early")
		}
		b.dead(l, nil)
		b.ok(l.Close())
		b.publish(b.dial(), "k", "two") // to nobody
	})
}

// What the broker refuses ends the link, and the reason is known.
func TestLinkRefused(t *testing.T) {
	onAll(t, AMQP{}, func(b rig) {
		l := b.dial()
		got := b.consume(b.dial(), "k")
		_ = l.Publish("no.such.exchange", "k", nil)
		b.dead(l, ErrLost)
		b.publish(b.dial(), "k", "another link lives")
		b.expect(got, "another link lives")
	})
}

// A queue lives and dies with its link, and is nobody else's.
func TestLinkQueueDies(t *testing.T) {
	onAll(t, AMQP{}, func(b rig) {
		out, in := b.dial(), b.dial()
		b.consume(in, "k")
		b.ok(in.Close())
		b.publish(out, "k", "lost")
		b.confirmed(out, 1)
		got := b.consume(b.dial(), "k")
		b.publish(out, "k", "new")
		b.expect(got, "new")
	})
}

// A reader that does not read holds up neither the publisher nor the broker; the oldest
// messages are dropped, and what it gets in the end is bounded and in order.
func TestLinkSlowReader(t *testing.T) {
	const length, prefetch, messages = 50, 20, 2000
	onAll(t, AMQP{QueueLength: length, Prefetch: prefetch}, func(b rig) {
		out, in := b.dial(), b.dial()
		got := b.consume(in, "k")
		for i := range messages {
			b.publish(out, "k", fmt.Sprint(i))
		}
		if refused := b.confirmed(out, messages); refused != nil {
			b.Errorf("refused %v", refused)
		}
		last, count := -1, 0
		for last < messages-1 {
			var i int
			fmt.Sscan(string(b.next(got).Body), &i)
			if i <= last {
				b.Fatalf("%d came after %d", i, last)
			}
			last = i
			count++
		}
		// In the queue, on the way and acknowledged, in the consumer's hand and in its buffer.
		if most := length + 2*prefetch + 1 + consumerBuffer; count > most || count < length {
			b.Errorf("got %d messages, want %d to %d", count, length, most)
		}
	})
}

func TestLinkTTL(t *testing.T) {
	const ttl = 50 * time.Millisecond
	onAll(t, AMQP{TTL: ttl, Prefetch: 1}, func(b rig) {
		out, in := b.dial(), b.dial()
		got := b.consume(in, "k")
		const messages = 3 * consumerBuffer
		for range messages {
			b.publish(out, "k", "old")
		}
		b.confirmed(out, messages)
		<-time.After(2 * ttl) // only a clock makes messages old
		tick := time.NewTicker(ttl / 5)
		defer tick.Stop()
		for old := 0; ; {
			select {
			case d := <-got:
				if string(d.Body) == b.tag+"new" {
					return
				}
				if old++; old > consumerBuffer+2 {
					b.Fatal("messages come that should be dropped by then")
				}
			case <-tick.C:
				b.publish(out, "k", "new")
			}
		}
	})
}

func TestLinkConcurrent(t *testing.T) {
	const publishers, each = 8, 200
	onAll(t, AMQP{}, func(b rig) {
		l := b.dial()
		got := b.consume(l, "#")
		done := make(chan error, publishers)
		for p := range publishers {
			go func() {
				var err error
				for i := range each {
					if err = errors.Join(err, l.Publish(ExchangeMesh, fmt.Sprintf("p%d", p), b.body(fmt.Sprint(i)))); i == each/2 {
						err = errors.Join(err, l.Bind(Binding{ExchangeMesh, fmt.Sprintf("p%d", p)}))
					}
				}
				done <- err
			}()
		}
		next := map[string]int{}
		for range publishers * each {
			d := b.next(got)
			if want := fmt.Sprint(next[d.Key]); string(d.Body) != want {
				b.Fatalf("from %s: got %s, want %s", d.Key, d.Body, want)
			}
			next[d.Key]++
		}
		b.confirmed(l, publishers*each)
		for range publishers {
			b.ok(<-done)
		}
	})
}

func TestDialErrors(t *testing.T) {
	onAll(t, AMQP{}, func(b rig) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := b.transport.Dial(ctx, b.address); !errors.Is(err, ErrUnreachable) || !errors.Is(err, context.Canceled) {
			b.Errorf("cancelled: error %v", err)
		}
		if _, ok := b.transport.(*Memory); ok {
			return
		}
		wrong := b.address
		wrong.Password = NewSecret("hidden")
		began := time.Now()
		_, err := b.transport.Dial(context.Background(), wrong)
		if took := time.Since(began); !errors.Is(err, ErrCredentials) || strings.Contains(err.Error(), "hidden") || took > time.Second {
			b.Errorf("wrong password: error %v after %v", err, took)
		}
		wrong = b.address
		wrong.VHost = "elsewhere"
		if _, err := b.transport.Dial(context.Background(), wrong); !errors.Is(err, ErrVHost) {
			b.Errorf("wrong virtual host: error %v", err)
		}
		wrong.VHost = strings.Repeat("v", 256)
		if _, err := b.transport.Dial(context.Background(), wrong); !errors.Is(err, ErrConfig) {
			b.Errorf("long virtual host: error %v", err)
		}
	})
}

// Where RabbitMQ is required it must be there; this keeps a skip from hiding that.
func TestRabbitMQIsThere(t *testing.T) {
	if os.Getenv(brokertest.RequireVariable) == "1" {
		rabbitMQ(t)
	}
}
