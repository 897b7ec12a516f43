package network_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/network"
	"github.com/statemesh/statemesh/network/seal"
)

// Nodes with different keys share a broker and do not hear each other. Both say so,
// once.
func TestOtherMeshKey(t *testing.T) {
	onEveryBroker(t, func(b *bed) {
		otherKey := func(c *network.Config) { c.MeshKey = seal.NewKey() }
		ours, theirs := b.ear(b.node("ours"), "ours", network.ObjectConfig{}), b.ear(b.node("theirs", otherKey), "theirs", network.ObjectConfig{})
		friend := b.ear(b.node("friend"), "friend", network.ObjectConfig{})
		for i := range 3 {
			ours.say(b.t, i+1)
			theirs.say(b.t, -i)
		}
		friend.expect(b.t, words(1, 3)...)
		for _, n := range []*network.Node{ours.Node(), theirs.Node(), friend.Node()} {
			waitFor(b.t, func() bool { return n.Stats().Problems["unknown_key"] >= 3 })
		}
		ours.nothing(b.t)
		theirs.nothing(b.t)
		// Three nodes heard three messages or more that were not for them.
		if got := b.log.lines("reason=unknown_key"); len(got) != 3 {
			b.t.Errorf("the log says %q, want a line each of three nodes", got)
		}
	})
}

// waitFor waits until the condition holds.
func waitFor(t testing.TB, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	late := time.After(deadline)
	for !holds() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("waited in vain")
		}
	}
}

// The keys of trace and spy are apart from the mesh's and from each other.
func TestSnoopKeys(t *testing.T) {
	trace, spy := seal.NewKey(), seal.NewKey()
	tests := []struct {
		name             string
		change           func(*network.Config) // of the node that watches
		mesh, trace, spy bool                  // what it gets
	}{
		{"the same", func(c *network.Config) {}, true, true, true},
		{"other mesh key", func(c *network.Config) { c.MeshKey = seal.NewKey() }, false, true, true},
		{"other trace key", func(c *network.Config) { c.TraceKey = seal.NewKey() }, true, false, true},
		{"other spy key", func(c *network.Config) { c.SpyKey = seal.NewKey() }, true, true, false},
		{"exchanged", func(c *network.Config) { c.TraceKey, c.SpyKey = c.SpyKey, c.TraceKey }, true, false, false},
		{"derived", func(c *network.Config) { c.TraceKey, c.SpyKey = seal.Key{}, seal.Key{} }, true, false, false},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			virtually(t, func(b *bed) {
				b.config.TraceKey, b.config.SpyKey = trace, spy
				var out text
				watcher := b.object(b.node("watcher", tc.change, func(c *network.Config) { c.SnoopOutput = &out }), "watcher", network.ObjectConfig{})
				actor := b.object(b.node("actor"), "actor", network.ObjectConfig{})
				for _, e := range []*ear{watcher, actor} {
					snoop(b.t, e)
					b.start(e)
				}
				actor.say(b.t, 1)
				b.settle()
				got := map[string]bool{
					"mesh": len(watcher.heard()) > 0, "trace": len(out.lines("[+t]", "[actor]")) > 0, "spy": len(out.lines("[+s] actor")) > 0,
				}
				if diff := cmp.Diff(map[string]bool{"mesh": tc.mesh, "trace": tc.trace, "spy": tc.spy}, got); diff != "" {
					t.Errorf("(-want +got):\n%s\nprinted:\n%s", diff, out.String())
				}
			})
		})
	}
}

// snoop enables trace and spy of an object.
func snoop(t testing.TB, e *ear) {
	t.Helper()
	for _, enable := range []func() error{e.EnableSnoopTrace, e.EnableSnoopSpy} {
		if err := enable(); err != nil {
			t.Fatal(err)
		}
	}
}

// What was said on one channel is nothing on another, even if all have one key.
func TestChannelsAreApart(t *testing.T) {
	virtually(t, func(b *bed) {
		b.config.TraceKey, b.config.SpyKey = b.config.MeshKey, b.config.MeshKey
		e := b.object(b.node("one"), "ear", network.ObjectConfig{})
		snoop(b.t, e)
		b.start(e)
		tap := b.dial("127.0.0.1")
		b.settle()
		exchanges := map[string]string{ // with the routing keys that are heard
			network.ExchangeMesh: "snoop.trace", network.ExchangeTrace: "snoop.trace", network.ExchangeSpy: "snoop.spy",
		}
		var all []network.Binding
		for exchange := range exchanges {
			all = append(all, network.Binding{Exchange: exchange, Key: "#"})
		}
		deliveries, err := tap.Consume(all)
		if err != nil {
			b.t.Fatal(err)
		}
		speaker := b.object(b.node("two"), "speaker", keys("snoop.trace", "#"))
		snoop(b.t, speaker)
		b.start(speaker)
		b.settle()
		speaker.say(b.t, 1)
		b.settle()
		e.expect(b.t, words(1, 1)...)
		captured := map[string]network.Delivery{}
		for len(deliveries) > 0 {
			d := <-deliveries
			if _, ok := captured[d.Exchange]; !ok { // later ones may be the ear's own
				captured[d.Exchange] = d
			}
		}
		seen, s := e.Node().Stats().Problems, b.stranger(b.config.MeshKey)
		for from := range exchanges {
			for to, key := range exchanges {
				d, ok := captured[from]
				if !ok {
					b.t.Fatalf("nothing came by %s", from)
				}
				if from == to {
					continue
				}
				s.publish(to, key, d.Body)
				if diff := cmp.Diff(map[string]uint64{"unknown_key": 1}, problems(e.Node(), seen)); diff != "" {
					b.t.Errorf("of %s by %s (-want +got):\n%s", from, to, diff)
				}
			}
		}
		e.expect(b.t, words(1, 1)...)
	})
}

// Captured bytes are good for one delivery, and none under another key.
func TestReplay(t *testing.T) {
	virtually(t, func(b *bed) {
		tap := b.dial("127.0.0.1")
		deliveries, err := tap.Consume([]network.Binding{{Exchange: network.ExchangeMesh, Key: "#"}})
		if err != nil {
			b.t.Fatal(err)
		}
		e, speaker := b.ear(b.node("one"), "ear", network.ObjectConfig{}), b.ear(b.node("two"), "speaker", network.ObjectConfig{})
		for i := range 2 {
			speaker.say(b.t, i+1)
			b.settle() // so that they come alone
		}
		e.expect(b.t, words(1, 2)...)
		captured, seen := []network.Delivery{<-deliveries, <-deliveries}, map[string]uint64{}
		replay := func(d network.Delivery, want string) {
			b.t.Helper()
			if err := tap.Publish(d.Exchange, d.Key, d.Body); err != nil {
				b.t.Fatal(err)
			}
			b.settle()
			if diff := cmp.Diff(map[string]uint64{want: 1}, problems(e.Node(), seen)); diff != "" {
				b.t.Errorf("replayed (-want +got):\n%s", diff)
			}
		}
		for range 3 {
			replay(captured[1], "replay")
			replay(captured[0], "replay")
		}
		d := captured[0]
		d.Key = "another.key"
		replay(d, "forged")
		// Behind the window, and after its time.
		for i := range seal.WindowSize {
			speaker.say(b.t, i+3)
			b.settle()
		}
		replay(captured[0], "behind")
		b.pass(10 * time.Minute)
		replay(captured[1], "expired")
		e.expect(b.t, words(1, seal.WindowSize+2)...)
		// The one who said it drops it as its own.
		if got := speaker.Node().Stats(); got.Received != 0 || len(got.Problems) > 0 {
			b.t.Errorf("the speaker's node has %+v", got)
		}
	})
}

// A new node that hears an old message has no memory of it, but a clock.
func TestReplayToNewNode(t *testing.T) {
	virtually(t, func(b *bed) {
		tap := b.dial("127.0.0.1")
		deliveries, err := tap.Consume([]network.Binding{{Exchange: network.ExchangeMesh, Key: "#"}})
		if err != nil {
			b.t.Fatal(err)
		}
		b.ear(b.node("old"), "speaker", network.ObjectConfig{}).say(b.t, 1)
		b.settle()
		d := <-deliveries
		b.pass(time.Millisecond) // a node takes nothing that was sealed before it started
		e := b.ear(b.node("new"), "ear", network.ObjectConfig{})
		if err := tap.Publish(d.Exchange, d.Key, d.Body); err != nil {
			b.t.Fatal(err)
		}
		b.settle()
		if diff := cmp.Diff(map[string]uint64{"expired": 1}, e.Node().Stats().Problems); diff != "" {
			b.t.Errorf("problems (-want +got):\n%s", diff)
		}
		e.nothing(b.t)
	})
}

// With a TTL of its own a mesh opens what has waited that long, twice.
func TestLongTTL(t *testing.T) {
	virtually(t, func(b *bed) {
		b.config.TTL = time.Hour
		b.memory.TTL = time.Hour
		b.memory.Down("10.0.0.9")
		speaker := b.ear(b.node("here", func(c *network.Config) { c.Peers = []string{"10.0.0.9"} }), "speaker", network.ObjectConfig{})
		speaker.say(b.t, 1)
		b.pass(59 * time.Minute)
		b.memory.Up("10.0.0.9")
		e := b.ear(b.node("there", func(c *network.Config) { c.Broker = "10.0.0.9" }), "ear", network.ObjectConfig{})
		b.pass(20 * time.Second)
		e.expect(b.t, words(1, 1)...)
	})
}

// A message by an exchange that nobody asked for, which no sane broker delivers.
func TestFourthExchange(t *testing.T) {
	virtually(t, func(b *bed) {
		fourth := network.Delivery{Exchange: "fourth.exchange", Key: "any.key", Body: make([]byte, 200)}
		b.config.Transport = &wrapped{Transport: b.memory, wrap: func(l network.Link) network.Link { return &adding{l, fourth} }}
		e := b.ear(b.node("one"), "ear", network.ObjectConfig{})
		other := b.ear(b.node("two"), "other", network.ObjectConfig{})
		other.say(b.t, 1)
		b.settle()
		e.expect(b.t, words(1, 1)...)
		if diff := cmp.Diff(map[string]uint64{"exchange": 1}, e.Node().Stats().Problems); diff != "" {
			b.t.Errorf("problems (-want +got):\n%s", diff)
		}
		if got := b.log.lines("exchange=fourth.exchange"); len(got) != 2 { // of two nodes
			b.t.Errorf("the log says %q", got)
		}
	})
}

// adding is a Link that delivers one thing first.
type adding struct {
	network.Link
	first network.Delivery
}

func (a *adding) Consume(bindings []network.Binding) (<-chan network.Delivery, error) {
	in, err := a.Link.Consume(bindings)
	if err != nil {
		return nil, err
	}
	out := make(chan network.Delivery, 1)
	out <- a.first
	go func() { // ended by the death of the link
		defer close(out)
		for d := range in {
			out <- d
		}
	}()
	return out, nil
}

// No log line of anything above has a key or what was said in it.
func TestLogHasNoSecrets(t *testing.T) {
	virtually(t, func(b *bed) {
		const secret = "content-of-a-payload"
		b.config.Password = network.NewSecret("password-of-the-broker")
		b.config.Outbox = 3
		b.memory.Down("10.0.0.9")
		n := b.node("one", func(c *network.Config) { c.Peers = []string{"amqp://user:password-in-the-url@10.0.0.9"} })
		speaker := b.ear(n, "speaker", network.ObjectConfig{})
		stopped := b.ear(n, "stopped", network.ObjectConfig{})
		_ = stopped.Stop(b.t.Context())
		b.ear(b.node("two", func(c *network.Config) { c.MeshKey = seal.NewKey() }), "other", network.ObjectConfig{})
		for range 10 {
			for range 5 {
				_ = speaker.Transmit(hsm.Event{Signal: word, Payload: secret})
			}
			_ = speaker.Transmit(hsm.Event{Signal: word, Payload: func() {}})
			_ = speaker.Transmit(hsm.Event{Signal: int8Signal, Payload: secret})
			b.pass(time.Minute)
		}
		b.memory.Down(own)
		b.pass(time.Minute)
		b.memory.Up(own)
		b.pass(time.Minute)
		logged := b.log.String()
		if !strings.Contains(logged, "outbox is full") || !strings.Contains(logged, "unknown_key") || !strings.Contains(logged, "lost a broker") {
			b.t.Errorf("the log is not what this test needs:\n%s", logged)
		}
		for _, leak := range []string{secret, "password-", b.config.MeshKey.Encode(), b.config.MeshKey.Derive("trace").Encode()} {
			if strings.Contains(logged, leak) {
				b.t.Errorf("the log has %q:\n%s", leak, logged)
			}
		}
	})
}
