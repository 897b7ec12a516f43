package network_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/network"
)

// pair is a speaker and a listener on hosts of their own.
func (b *bed) pair(outbox int) (speaker, far *ear) {
	b.t.Helper()
	speaker = b.ear(b.node("here", func(c *network.Config) { c.Peers, c.Outbox = []string{"10.0.0.9"}, outbox }), "speaker", network.ObjectConfig{})
	return speaker, b.ear(b.node("there", func(c *network.Config) { c.Broker = "10.0.0.9" }), "far", network.ObjectConfig{})
}

// peer returns what the node says of a broker but the own one.
func peer(n *network.Node, i int) network.PeerStatus { return n.Peers()[i+1] }

func TestBrokerComesBack(t *testing.T) {
	for _, down := range []time.Duration{0, time.Millisecond, time.Second, 10 * time.Second, 45 * time.Second} {
		t.Run(fmt.Sprint("after ", down), func(t *testing.T) {
			for range 20 { // the times of reconnecting are random
				virtually(t, func(b *bed) { brokerComesBack(b, down) })
			}
		})
	}
}

func brokerComesBack(b *bed, down time.Duration) {
	speaker := b.ear(b.node("one"), "speaker", network.ObjectConfig{})
	near, far := b.ear(speaker.Node(), "near", network.ObjectConfig{}), b.ear(b.node("two"), "far", network.ObjectConfig{})
	speaker.say(b.t, 1)
	b.settle()
	far.expect(b.t, words(1, 1)...)
	b.pass(time.Duration(rand.Int64N(int64(time.Minute)))) // also young links
	b.memory.Down(own)
	b.settle()
	if got := speaker.Node().Peers()[0]; got.State == "up" || got.Err == nil {
		b.t.Errorf("without a broker the node says %+v", got)
	}
	speaker.say(b.t, 2, 3)
	b.settle()
	near.expect(b.t, words(1, 3)...) // the own node needs no broker
	b.pass(down)
	far.expect(b.t, words(1, 1)...)
	b.memory.Up(own)
	speaker.say(b.t, 4)
	b.pass(5 * time.Second)
	far.expect(b.t, words(1, 4)...)
	for _, n := range []*network.Node{speaker.Node(), far.Node()} {
		if got := n.Peers()[0]; got.State != "up" || got.Err != nil || got.Queued != 0 || got.Dropped != 0 {
			b.t.Errorf("%s says %+v", n.Name(), got)
		}
	}
	if got := b.memory.Links(own); got != 4 {
		b.t.Errorf("%d links, want 4", got)
	}
	if got := speaker.Node().Peers()[0].Sent; got != 4 {
		b.t.Errorf("%d sent, want 4", got)
	}
}

// A link that dies as soon as it is there is not dialled again and again without
// a pause.
func TestYoungLinks(t *testing.T) {
	virtually(t, func(b *bed) {
		var kill atomic.Bool
		transport := &wrapped{Transport: b.memory, wrap: func(l network.Link) network.Link {
			if kill.Load() {
				l.Close()
			}
			return l
		}}
		b.config.Transport = transport
		n := b.node("one", func(c *network.Config) { c.Peers = []string{"10.0.0.9"} })
		b.pass(time.Second)
		kill.Store(true)
		for _, host := range []string{"127.0.0.1", "10.0.0.9"} {
			transport.dialled(host)
			b.memory.Down(host)
			b.memory.Up(host)
		}
		b.pass(time.Minute)
		// Two connections, each after up to a second; one, after up to ten.
		if got := transport.dialled("127.0.0.1"); got < 2*60 || got > 2*(60*2+15) {
			b.t.Errorf("%d dials of the own broker in a minute", got)
		}
		if got := transport.dialled("10.0.0.9"); got < 6 || got > 12+10 {
			b.t.Errorf("%d dials of a peer in a minute", got)
		}
		if got := peer(n, 0); got.State != "down" {
			b.t.Errorf("a peer that takes and drops us: %+v", got)
		}
		kill.Store(false)
		b.pass(11 * time.Second)
		for _, p := range n.Peers() {
			if p.State != "up" {
				b.t.Errorf("after all: %+v", p)
			}
		}
	})
}

// The error of a link that died stands in Peers while there is no other.
func TestLostLinkIsToldOf(t *testing.T) {
	virtually(t, func(b *bed) {
		n := b.node("one", func(c *network.Config) { c.Peers = []string{"10.0.0.9"} })
		b.pass(100 * time.Millisecond)
		b.memory.Down("10.0.0.9")
		b.settle()
		if got := peer(n, 0); got.State != "down" || !errors.Is(got.Err, network.ErrLost) || !got.Since.Equal(time.Now()) {
			b.t.Errorf("%+v, want it down since now, with ErrLost", got)
		}
		b.pass(10 * time.Second)
		if got := peer(n, 0); !errors.Is(got.Err, network.ErrRefused) {
			b.t.Errorf("%+v, want ErrRefused", got)
		}
	})
}

// A broker that takes nothing holds up nobody, and gets everything when it does
// again.
func TestBlockedBroker(t *testing.T) {
	for _, tc := range []struct {
		name string
		said int // before it is known that the broker is blocked
	}{
		{"known", 0},
		{"a few on their way", 10},
		{"many on their way", 500},
	} {
		t.Run(tc.name, func(t *testing.T) {
			virtually(t, func(b *bed) {
				const room = 1000
				speaker, far := b.pair(room)
				near := b.ear(speaker.Node(), "near", network.ObjectConfig{})
				b.pass(time.Minute)
				b.memory.Block("10.0.0.9", true)
				began := time.Now()
				for i := range tc.said {
					speaker.say(b.t, i+1)
				}
				b.settle()
				for i := tc.said; i < room; i++ {
					speaker.say(b.t, i+1)
					b.settle()
				}
				if err := speaker.Transmit(hsm.Event{Signal: word}); !errors.As(err, new(*network.OutboxError)) {
					b.t.Errorf("the outbox is full, but Transmit gives %v", err)
				}
				if took := time.Since(began); took != 0 {
					b.t.Errorf("Transmit blocked for %v", took)
				}
				near.await(b.t, room)
				b.pass(10 * time.Second)
				if got := peer(speaker.Node(), 0); got.State != "blocked" || got.Queued != room || got.Dropped != 1 || got.Err != nil {
					b.t.Errorf("blocked broker: %+v", got)
				}
				if got := speaker.Node().Peers()[0]; got.State != "up" || got.Sent != room+1 {
					b.t.Errorf("own broker: %+v", got)
				}
				b.memory.Block("10.0.0.9", false)
				b.pass(5 * time.Second)
				far.expect(b.t, words(1, room)...)
				if got := peer(speaker.Node(), 0); got.State != "up" || got.Queued != 0 || got.Sent != room {
					b.t.Errorf("unblocked broker: %+v", got)
				}
			})
		})
	}
}

// A peer that was never there costs its outbox, and gets what is not too old when
// it comes.
func TestPeerIsLate(t *testing.T) {
	virtually(t, func(b *bed) {
		b.memory.Down("10.0.0.9")
		speaker, far := b.lateAt(100)
		// One a second, for ten minutes.
		for i := range 600 {
			err := speaker.Transmit(hsm.Event{Signal: word, Payload: i + 1})
			if err != nil {
				b.t.Fatalf("event %d: %v", i+1, err)
			}
			b.pass(time.Second)
		}
		status := peer(speaker.Node(), 0)
		if status.Queued > 100 || status.Queued < 50 || status.Sent != 0 || status.Dropped != uint64(600-status.Queued) || status.State == "up" || !errors.Is(status.Err, network.ErrRefused) {
			b.t.Errorf("dead peer: %+v", status)
		}
		b.memory.Up("10.0.0.9")
		b.pass(15 * time.Second)
		e := far()
		got := e.words()
		// The youngest came, in their order: those of the last 50 seconds when it was found, up to 10 later.
		if len(got) < 39 || len(got) > 51 {
			b.t.Fatalf("heard %d: %v", len(got), got)
		}
		if diff := cmp.Diff(words(601-len(got), 600), got); diff != "" {
			b.t.Errorf("heard (-want +got):\n%s", diff)
		}
		if got := peer(speaker.Node(), 0); got.Sent != uint64(len(e.heard())) || got.Queued != 0 || got.Sent+got.Dropped != 600 {
			b.t.Errorf("late peer: %+v", got)
		}
	})
}

// lateAt is a speaker, and a listener that is there when the broker 10.0.0.9 is.
func (b *bed) lateAt(outbox int) (speaker *ear, far func() *ear) {
	b.t.Helper()
	speaker = b.ear(b.node("here", func(c *network.Config) { c.Peers, c.Outbox = []string{"10.0.0.9"}, outbox }), "speaker", network.ObjectConfig{})
	arrived := make(chan *ear, 1)
	go func() {
		n, err := network.NewNode(b.t.Context(), func() network.Config {
			c := b.config
			c.Name, c.Broker, c.ConnectionAttempts = "there", "10.0.0.9", 1_000_000
			return c
		}())
		if err != nil {
			b.t.Errorf("late node: %v", err)
			arrived <- nil
			return
		}
		b.t.Cleanup(func() { closeNode(b.t, n) })
		arrived <- b.ear(n, "far", network.ObjectConfig{})
	}()
	return speaker, func() *ear { return <-arrived }
}

// Events that waited longer than TTL are not sent any more, but counted.
func TestExpired(t *testing.T) {
	virtually(t, func(b *bed) {
		speaker, far := b.pair(1000)
		b.pass(time.Minute)
		b.memory.Down("10.0.0.9")
		speaker.say(b.t, 1, 2, 3)
		b.pass(network.DefaultTTL - time.Second)
		speaker.say(b.t, 4, 5)
		b.pass(2 * time.Second)
		b.memory.Up("10.0.0.9")
		b.pass(15 * time.Second)
		far.expect(b.t, words(4, 5)...)
		if got := peer(speaker.Node(), 0); got.Sent != 2 || got.Dropped != 3 || got.Queued != 0 {
			b.t.Errorf("%+v, want 2 sent and 3 dropped", got)
		}
	})
}
