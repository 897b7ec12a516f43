package network_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/network"
)

// What was transmitted before Close has been given to the broker after it.
func TestCloseDrains(t *testing.T) {
	onEveryBroker(t, func(b *bed) {
		far := b.ear(b.node("far"), "far", network.ObjectConfig{Config: activeobject.Config{QueueSize: 1000}})
		speaker := b.ear(b.node("speaker"), "speaker", network.ObjectConfig{})
		for i := range 500 {
			speaker.say(b.t, i+1)
		}
		closeNode(b.t, speaker.Node())
		far.expect(b.t, words(1, 500)...)
		if got := speaker.Node().Peers()[0]; got.Sent != 500 || got.Dropped != 0 || got.Queued != 0 {
			b.t.Errorf("%+v, want 500 sent", got)
		}
	})
}

// Nothing that a broker does keeps Close, even if the caller has all the time of
// the world, and what it did not take is counted.
func TestCloseWithBadBroker(t *testing.T) {
	hang := func(ctx context.Context, host string) error {
		if host == "10.0.0.7" {
			<-ctx.Done()
		}
		return ctx.Err()
	}
	tests := []struct {
		name    string
		peer    string
		happens func(m *network.Memory) // before the events
		knows   bool                    // whether the node has time to notice
		most    time.Duration           // that Close may take
	}{
		{name: "down", peer: "10.0.0.9", happens: func(m *network.Memory) { m.Down("10.0.0.9") }, knows: true},
		{name: "just down", peer: "10.0.0.9", happens: func(m *network.Memory) { m.Down("10.0.0.9") }},
		{name: "blocked", peer: "10.0.0.9", happens: func(m *network.Memory) { m.Block("10.0.0.9", true) }, knows: true},
		{name: "just blocked", peer: "10.0.0.9", happens: func(m *network.Memory) { m.Block("10.0.0.9", true) }, most: network.DefaultWriteTimeout},
		{name: "not answering", peer: "10.0.0.7", happens: func(m *network.Memory) {}, knows: true},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			virtually(t, func(b *bed) {
				b.config.Transport = &wrapped{Transport: b.memory, before: hang}
				speaker := b.ear(b.node("speaker", func(c *network.Config) { c.Peers = []string{tc.peer} }), "speaker", network.ObjectConfig{})
				b.pass(time.Minute)
				tc.happens(b.memory)
				if tc.knows {
					b.settle()
				}
				for i := range 200 {
					speaker.say(b.t, i+1)
				}
				began := time.Now()
				if err := speaker.Node().Close(context.Background()); err != nil {
					b.t.Errorf("Close: %v", err)
				}
				if took := time.Since(began); took > tc.most {
					b.t.Errorf("Close took %v, want at most %v", took, tc.most)
				}
				for _, p := range speaker.Node().Peers() {
					lost := uint64(0)
					if !p.Own {
						lost = 200
					}
					if p.Dropped != lost || p.Sent != 200-lost || p.Queued != 0 || p.State != "down" || !errors.Is(p.Err, network.ErrNodeClosed) {
						b.t.Errorf("after Close %+v, want %d dropped", p, lost)
					}
				}
			})
		})
	}
}

// A broker that takes messages and never confirms them keeps Close until its time
// is over.
func TestCloseWithSilentBroker(t *testing.T) {
	virtually(t, func(b *bed) {
		b.config.Transport = &wrapped{Transport: b.memory, wrap: func(l network.Link) network.Link { return silent{l} }}
		speaker := b.ear(b.node("speaker"), "speaker", network.ObjectConfig{})
		speaker.say(b.t, 1, 2)
		ctx, cancel := context.WithTimeout(b.t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		if err := speaker.Node().Close(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			b.t.Errorf("Close: %v", err)
		}
		if took := time.Since(began); took != 3*time.Second {
			b.t.Errorf("Close took %v, want 3s", took)
		}
		if got := speaker.Node().Peers()[0]; got.Dropped != 2 || got.Sent != 0 || got.Queued != 0 {
			b.t.Errorf("%+v, want 2 dropped", got)
		}
	})
}

// A broker that falls ill while Close waits for it ends the wait, even if the
// caller has all the time of the world.
func TestCloseWhileBrokerFails(t *testing.T) {
	for name, happens := range map[string]func(*network.Memory){
		"down":    func(m *network.Memory) { m.Down(own) },
		"blocked": func(m *network.Memory) { m.Block(own, true) },
	} {
		t.Run(name, func(t *testing.T) {
			virtually(t, func(b *bed) {
				b.config.Transport = &wrapped{Transport: b.memory, wrap: func(l network.Link) network.Link { return silent{l} }}
				speaker := b.ear(b.node("speaker"), "speaker", network.ObjectConfig{})
				speaker.say(b.t, 1, 2)
				b.pass(time.Minute)
				time.AfterFunc(10*time.Second, func() { happens(b.memory) })
				began := time.Now()
				if err := speaker.Node().Close(context.Background()); err != nil {
					b.t.Errorf("Close: %v", err)
				}
				if took := time.Since(began); took != 10*time.Second {
					b.t.Errorf("Close took %v, want 10s", took)
				}
				if got := speaker.Node().Peers()[0]; got.Dropped != 2 || got.Queued != 0 {
					b.t.Errorf("%+v, want 2 dropped", got)
				}
			})
		})
	}
}

// silent is a Link that confirms nothing.
type silent struct{ network.Link }

func (s silent) Confirmed() <-chan network.Confirm {
	out := make(chan network.Confirm)
	go func() { // ended by the death of the link
		defer close(out)
		for range s.Link.Confirmed() {
		}
	}()
	return out
}

func TestCloseAgain(t *testing.T) {
	onEveryBroker(t, func(b *bed) {
		speaker := b.object(b.node("speaker"), "speaker", network.ObjectConfig{})
		snoop(b.t, speaker)
		b.start(speaker)
		n := speaker.Node()
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() { closeNode(b.t, n) })
		}
		all.Wait()
		closeNode(b.t, n)
		// Whatever comes after it is refused or nothing, and harmless.
		if err := speaker.Transmit(hsm.Event{Signal: word}); !errors.Is(err, network.ErrNodeClosed) {
			b.t.Errorf("Transmit: %v", err)
		}
		speaker.SnoopScribble("is anybody there?")
		if err := speaker.Err(); err != nil || n.Hosting() {
			b.t.Errorf("after Close the object says %v, and Hosting is %v", err, n.Hosting())
		}
		_, _ = n.Peers(), n.Stats()
	})
}

// With no time at all, Close ends everything, but waits for nothing.
func TestCloseWithEndedContext(t *testing.T) {
	virtually(t, func(b *bed) {
		b.memory.Down("10.0.0.9")
		speaker := b.object(b.node("speaker", func(c *network.Config) { c.Peers = []string{"10.0.0.9"} }), "speaker", network.ObjectConfig{})
		snoop(b.t, speaker)
		b.start(speaker)
		b.pass(time.Second)
		speaker.say(b.t, 1, 2, 3)
		ctx, cancel := context.WithCancel(b.t.Context())
		cancel()
		began := time.Now()
		if err := speaker.Node().Close(ctx); err != nil && !errors.Is(err, context.Canceled) {
			b.t.Errorf("Close: %v", err)
		}
		if took := time.Since(began); took != 0 {
			b.t.Errorf("Close took %v", took)
		}
		b.settle()
		if got := b.memory.Links(own); got != 0 {
			b.t.Errorf("%d links left", got)
		}
		for _, p := range speaker.Node().Peers() {
			if p.Sent+p.Dropped < 3 || p.Queued != 0 {
				b.t.Errorf("%+v", p)
			}
		}
	})
}

// A handler that does not return keeps Close until its time is over, and nothing
// else.
func TestCloseWithBusyHandler(t *testing.T) {
	virtually(t, func(b *bed) {
		busy := b.ear(b.node("one"), "busy", network.ObjectConfig{})
		release := make(chan struct{})
		if _, err := busy.PostFIFO(hsm.Event{Signal: do, Payload: func() { <-release }}); err != nil {
			b.t.Fatal(err)
		}
		b.settle()
		ctx, cancel := context.WithTimeout(b.t.Context(), time.Second)
		defer cancel()
		err := busy.Node().Close(ctx)
		if !errors.Is(err, context.DeadlineExceeded) {
			b.t.Errorf("Close: %v, want DeadlineExceeded", err)
		}
		if got := b.memory.Links(own); got != 0 {
			b.t.Errorf("%d links left", got)
		}
		close(release)
		b.settle()
		select {
		case <-busy.Done():
		default:
			b.t.Error("the object goes on")
		}
	})
}

// A handler may close its own node.
func TestCloseFromHandler(t *testing.T) {
	onEveryBroker(t, func(b *bed) {
		e := b.ear(b.node("one"), "ear", network.ObjectConfig{})
		closed := make(chan error, 1)
		if _, err := e.PostFIFO(hsm.Event{Signal: do, Payload: func() { closed <- e.Node().Close(context.Background()) }}); err != nil {
			b.t.Fatal(err)
		}
		select {
		case err := <-closed:
			if err != nil {
				b.t.Errorf("Close: %v", err)
			}
		case <-time.After(deadline):
			b.t.Fatal("Close from a handler does not return")
		}
		<-e.Done()
	})
}

// A link that comes at the very moment of Close is closed too.
func TestCloseWhileConnecting(t *testing.T) {
	for range 300 {
		virtually(t, func(b *bed) {
			slow := false
			var mu sync.Mutex
			b.config.Transport = &wrapped{Transport: b.memory, before: func(context.Context, string) error {
				mu.Lock()
				wait := slow
				mu.Unlock()
				if wait {
					time.Sleep(time.Second)
				}
				return nil
			}}
			n := b.node("one")
			b.pass(time.Minute)
			mu.Lock()
			slow = true
			mu.Unlock()
			b.memory.Down(own)
			b.memory.Up(own)
			time.Sleep(time.Second) // both connections get their link now
			closeNode(b.t, n)
			b.settle()
			if got := b.memory.Links(own); got != 0 {
				b.t.Errorf("%d links left", got)
			}
		})
	}
}

// A node that NewNode has just returned gives its broker what there is.
func TestCloseAtOnce(t *testing.T) {
	for range 300 {
		virtually(t, func(b *bed) {
			n := b.node("one")
			if got := n.Peers()[0]; got.State != "up" {
				b.t.Fatalf("NewNode returned with %+v", got)
			}
			speaker := b.object(n, "speaker", network.ObjectConfig{})
			speaker.say(b.t, 1)
			closeNode(b.t, n)
			if got := n.Peers()[0]; got.Sent != 1 || got.Dropped != 0 {
				b.t.Fatalf("%+v, want 1 sent", got)
			}
		})
	}
}
