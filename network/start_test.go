package network_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/network"
)

// failing calls NewNode, which has to fail, and leave no link behind; that it
// leaves no goroutine behind is seen at the end of the bubble.
func (b *bed) failing(ctx context.Context, want ...error) {
	b.t.Helper()
	n, err := network.NewNode(ctx, b.config)
	if n != nil || err == nil {
		b.t.Fatalf("NewNode: %v, %v, want an error", n, err)
	}
	for _, w := range want {
		if !errors.Is(err, w) {
			b.t.Errorf("NewNode: %v, want %v", err, w)
		}
	}
	b.settle()
	if got := b.memory.Links(own); got != 0 {
		b.t.Errorf("%d links left", got)
	}
}

func TestStartWithoutBroker(t *testing.T) {
	for _, attempts := range []int{1, 3, 10} {
		t.Run(fmt.Sprint(attempts, " attempts"), func(t *testing.T) {
			virtually(t, func(b *bed) {
				transport := &wrapped{Transport: b.memory}
				b.config.Transport, b.config.ConnectionAttempts = transport, attempts
				b.memory.Down(own)
				began := time.Now()
				b.failing(b.t.Context(), network.ErrRefused)
				// Each of the two connections tries that often, unless the other one was faster.
				if got := transport.dialled("127.0.0.1"); got < attempts || got > 2*attempts {
					b.t.Errorf("%d dials, want %d to %d", got, attempts, 2*attempts)
				}
				if took := time.Since(began); attempts > 1 && took == 0 || took > 10*time.Second {
					b.t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// What trying again does not mend is told at once.
func TestStartRefused(t *testing.T) {
	for _, want := range []error{
		network.ErrCredentials, network.ErrVHost, network.ErrNotAMQP, network.ErrTLS, network.ErrTopology,
	} {
		t.Run(want.Error(), func(t *testing.T) {
			virtually(t, func(b *bed) {
				transport := &wrapped{Transport: b.memory}
				b.config.Transport = transport
				b.memory.Refuse(own, want)
				began := time.Now()
				b.failing(b.t.Context(), want)
				if got := transport.dialled("127.0.0.1"); got > 2 || time.Since(began) > 0 {
					b.t.Errorf("%d dials in %v, want one each connection, at once", got, time.Since(began))
				}
			})
		})
	}
}

// If one of the two connections cannot be made, the other one is taken back.
func TestStartWithHalfABroker(t *testing.T) {
	virtually(t, func(b *bed) {
		first := make(chan struct{}, 1)
		b.config.Transport = &wrapped{Transport: b.memory, before: func(context.Context, string) error {
			select {
			case first <- struct{}{}:
				return nil
			default:
				return network.ErrCredentials
			}
		}}
		b.failing(b.t.Context(), network.ErrCredentials)
	})
}

func TestStartContext(t *testing.T) {
	hang := func(ctx context.Context, _ string) error {
		<-ctx.Done()
		return fmt.Errorf("%w: %w", network.ErrUnreachable, ctx.Err())
	}
	virtually(t, func(b *bed) {
		b.config.Transport = &wrapped{Transport: b.memory, before: hang}
		ctx, cancel := context.WithTimeout(b.t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		b.failing(ctx, context.DeadlineExceeded)
		if took := time.Since(began); took != time.Second {
			b.t.Errorf("NewNode returned after %v, want 1s", took)
		}
		b.failing(ctx, context.DeadlineExceeded) // ended before it began

		// Without a deadline of the caller's each attempt has one of its own.
		began = time.Now()
		b.failing(b.t.Context(), network.ErrUnreachable)
		if took := time.Since(began); took < 30*time.Second || took > 31*time.Second {
			b.t.Errorf("three attempts took %v, want about 30s", took)
		}
	})
}

// A broker that comes within the attempts is good enough.
func TestStartWithLateBroker(t *testing.T) {
	virtually(t, func(b *bed) {
		b.config.ConnectionAttempts = 20
		b.memory.Down(own)
		time.AfterFunc(time.Second, func() { b.memory.Up(own) })
		began := time.Now()
		n := b.node("one")
		if took := time.Since(began); took < time.Second || took > 3*time.Second {
			b.t.Errorf("NewNode returned after %v", took)
		}
		if got := n.Peers()[0]; !got.Own || got.State != "up" || got.Err != nil {
			b.t.Errorf("own broker: %+v", got)
		}
	})
}

func TestStartWithBadConfig(t *testing.T) {
	virtually(t, func(b *bed) {
		b.config.Outbox = -1
		b.failing(b.t.Context(), network.ErrConfig)
	})
}

// Objects and snooping that come while there is no broker are heard of when
// there is one again.
func TestBindWhileTheBrokerIsDown(t *testing.T) {
	virtually(t, func(b *bed) {
		var out text
		here := b.node("here", func(c *network.Config) { c.SnoopOutput = &out })
		there := b.node("there")
		b.pass(time.Minute)
		b.memory.Down(own)
		for _, phase := range []string{"at once", "when it is known"} {
			late := b.object(here, "late_"+phase[:2], keys("", "late.key"))
			snoop(b.t, late)
			b.start(late)
			b.pass(time.Second)
		}
		b.memory.Up(own)
		b.pass(2 * time.Second)
		speaker := b.object(there, "speaker", keys("late.key", "late.key"))
		snoop(b.t, speaker)
		b.start(speaker)
		speaker.say(b.t, 1)
		b.settle()
		n := here.Stats()
		if n.Delivered != 2 || len(out.lines("[+t]", "[speaker]")) != 1 || len(out.lines("[+s] speaker START")) != 1 {
			b.t.Errorf("stats %+v, printed:\n%s", n, out.String())
		}
		// Bound once: the events and lines come once, whatever was asked for how often.
		if got := n.Received; got != 1 {
			b.t.Errorf("%d events received, want 1", got)
		}
	})
}

// A key that comes while the link gets ready is not forgotten.
func TestBindWhileConnecting(t *testing.T) {
	virtually(t, func(b *bed) {
		in, out := make(chan struct{}), make(chan struct{})
		var gate atomic.Bool
		b.config.Transport = &wrapped{Transport: b.memory, wrap: func(l network.Link) network.Link {
			return &gated{l, func() {
				if gate.CompareAndSwap(true, false) {
					close(in)
					<-out
				}
			}}
		}}
		e := b.ear(b.node("one"), "ear", keys("", "first"))
		b.pass(time.Minute)
		gate.Store(true)
		b.memory.Down(own)
		b.memory.Up(own)
		<-in
		late := b.ear(e.Node(), "late", keys("", "second"))
		close(out)
		b.pass(5 * time.Second)
		other := b.node("two")
		b.ear(other, "sender1", keys("first", "none")).say(b.t, 1)
		b.ear(other, "sender2", keys("second", "none")).say(b.t, 2)
		b.settle()
		e.expect(b.t, words(1, 1)...)
		late.expect(b.t, words(2, 2)...)
	})
}

// gated is a Link that calls a function when it has begun to consume.
type gated struct {
	network.Link
	consuming func()
}

func (g *gated) Consume(bindings []network.Binding) (<-chan network.Delivery, error) {
	deliveries, err := g.Link.Consume(bindings)
	g.consuming()
	return deliveries, err
}

// NewActiveObject returns when the broker has taken the key.
func TestObjectHearsFromTheStart(t *testing.T) {
	onEveryBroker(t, func(b *bed) {
		speaker := b.ear(b.node("one"), "speaker", network.ObjectConfig{})
		n := b.node("two")
		for i := range 20 {
			e := b.object(n, fmt.Sprint("ear", i), keys("", fmt.Sprint("#.speaker.", i)))
			s := b.object(speaker.Node(), fmt.Sprint("speaker", i), keys(fmt.Sprint("a.speaker.", i), "none"))
			s.send(b.t, hsm.Event{Signal: word, Payload: i})
			b.start(e)
			e.expect(b.t, fmt.Sprintf("word(%d)", i))
		}
	})
}
