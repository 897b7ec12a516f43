package network_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/network"
)

// gate stands between a node and its brokers: it notes what is published, holds it up, and
// ends links.
type gate struct {
	mu      sync.Mutex         // guards what follows
	open    sync.Cond          // of mu
	shut    bool               // holds up messages of the mesh, trace and spy
	held    int                // that are held up now
	sizes   map[string][]int   // of each message that passed, in parts, by exchange
	publish func(network.Link) // if set, called for each of them before it passes
}

type gateLink struct {
	network.Link
	gate *gate
}

func (l *gateLink) Publish(exchange, key string, body []byte) error {
	if exchange != network.ExchangeNode {
		l.gate.pass(l.Link, exchange, body)
	}
	return l.Link.Publish(exchange, key, body)
}

func (g *gate) pass(l network.Link, exchange string, body []byte) {
	n := 1
	if len(body) > 0 && body[0] == network.BundleMark {
		n = 0
		_ = network.Unbundle(body, func([]byte) { n++ })
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held++
	for g.shut {
		g.open.Wait()
	}
	g.held--
	g.sizes[exchange] = append(g.sizes[exchange], n)
	if g.publish != nil {
		g.publish(l)
	}
}

func (g *gate) setShut(shut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = shut
	g.open.Broadcast()
}

func (g *gate) passed(exchange string) []int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.sizes[exchange])
}

// gated makes two nodes, the first of which has its way to the broker through a gate.
func gatedPair(b *bed) (g *gate, through, other *network.Node) {
	g = &gate{sizes: map[string][]int{}}
	g.open.L = &g.mu
	other = b.node("other")
	through = b.node("through", func(c *network.Config) {
		inner := c.Transport
		if inner == nil {
			inner = &network.AMQP{}
		}
		if c.Broker == "" && c.Listen != "" { // only the default transport hosts, as the other node does
			c.Broker, c.Listen = "amqp://guest:"+c.Password.Reveal()+"@"+c.Listen+"/", ""
		}
		c.Transport = &wrapped{Transport: inner, wrap: func(l network.Link) network.Link { return &gateLink{l, g} }}
		c.Outbox = 1 << 14
	})
	return g, through, other
}

// shutAt shuts the gate and has the sender wait there with a first event.
func shutAt(b *bed, g *gate, first func()) (release func()) {
	g.setShut(true)
	done := make(chan struct{})
	go func() { defer close(done); first() }()
	eventually(b.t, "the first event to get to the gate", func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.held > 0
	})
	return func() { g.setShut(false); <-done }
}

// What waits for the broker travels together; what does not wait travels alone. Nothing
// else can be told from it: order, counts, numbers.
func TestBundles(t *testing.T) {
	onEveryBroker(t, func(b *bed) {
		g, one, two := gatedPair(b)
		speaker, ear := b.ear(one, "speaker", keys("speaker", "nobody")), b.ear(two, "ear", keys("", "#"))
		second := b.ear(one, "second", keys("second", "nobody"))
		const n = 300
		release := shutAt(b, g, func() { speaker.say(b.t, 1) })
		for i := range n {
			speaker.say(b.t, i+2)
		}
		large := strings.Repeat("x", network.BundleBytes)
		second.say(b.t, "a", large, "b", "c")
		speaker.say(b.t, n+2)
		release()
		want := append(words(1, n+1), "word(a)", "word("+large+")", "word(b)", "word(c)", fmt.Sprintf("word(%d)", n+2))
		ear.expect(b.t, want...)
		most := network.BundleParts
		if diff := cmp.Diff([]int{1, most, most, n - 2*most, 1, 1, 2, 1}, g.passed(network.ExchangeMesh)); diff != "" {
			b.t.Errorf("events a message (-want +got):\n%s", diff)
		}
		eventually(b.t, "the confirms", func() bool { return one.Stats().Peers.Events.Sent == n+6 })
		eventually(b.t, "the count, which comes after the event", func() bool { return two.Stats().Received >= n+6 })
		s := two.Stats()
		if s.Received != n+6 || s.Missed != 0 || len(s.Problems) > 0 || s.Senders[0].Received != n+6 {
			b.t.Errorf("the other node has %+v, want %d received and nothing missed", s, n+6)
		}
		for i := range 3 { // and when there is no backlog, each goes alone
			speaker.say(b.t, n+3+i)
			ear.await(b.t, n+7+i)
			eventually(b.t, "the confirm", func() bool { return int(one.Stats().Peers.Events.Sent) == n+7+i })
		}
		if all := g.passed(network.ExchangeMesh); !slices.Equal(all[len(all)-4:], []int{1, 1, 1, 1}) {
			b.t.Errorf("events a message %v, want each of the last three alone", all)
		}
	})
}

// Lines of the trace travel together, too, and a snooping node prints all of them.
func TestBundlesOfTrace(t *testing.T) {
	virtually(t, func(b *bed) {
		g, one, two := gatedPair(b)
		var mu sync.Mutex
		heard := 0
		hearer := b.node("hearer", func(c *network.Config) {
			c.OnSnoop = func(h network.Heard) {
				mu.Lock()
				defer mu.Unlock()
				if h.Trace.Signal != "" && h.Name == "mover" {
					heard++
				}
			}
		})
		hearer.HearTrace()
		mover := b.object(one, "mover", keys("mover", "nobody"))
		if err := mover.EnableSnoopTrace(); err != nil {
			b.t.Fatal(err)
		}
		ear := b.ear(two, "ear", keys("", "#"))
		release := shutAt(b, g, func() { b.start(mover); b.settle() })
		const n = 50
		for range n {
			for _, s := range []hsm.Signal{toInner, toOuter} {
				if _, err := mover.PostFIFO(hsm.Event{Signal: s}); err != nil {
					b.t.Fatal(err)
				}
			}
		}
		b.settle()
		release()
		b.pass(time.Second)
		mu.Lock()
		defer mu.Unlock()
		if all := g.passed(network.ExchangeTrace); heard != 2*n+1 || slices.Max(all) < n {
			b.t.Errorf("heard %d lines of %d; lines a message: %v", heard, 2*n+1, all)
		}
		ear.nothing(b.t)
	})
}

// Whatever was on its way when a link dies, in bundles or not, is sent again, in its order,
// and heard once.
func TestBundlesOutliveTheirLink(t *testing.T) {
	onEveryBroker(t, func(b *bed) {
		g, one, two := gatedPair(b)
		speaker, ear := b.ear(one, "speaker", keys("speaker", "nobody")), b.ear(two, "ear", keys("", "#"))
		passed := 0
		g.publish = func(l network.Link) {
			if passed++; passed%7 == 0 && passed < 50 {
				go l.Close() // some of what is in flight gets there, and some does not
			}
		}
		const n = 3000
		for i := range n {
			speaker.say(b.t, i+1)
			if i%50 == 0 && b.memory != nil {
				b.settle()
			}
		}
		ear.expect(b.t, words(1, n)...)
		eventually(b.t, "the confirms", func() bool { return one.Stats().Peers.Events.Sent == n })
		s := one.Stats().Peers.Events
		if s.Queued != 0 || s.Dropped() != 0 || s.Retried == 0 {
			b.t.Errorf("%+v, want all sent, and some of it again", s)
		}
		eventually(b.t, "the count, which comes after the event", func() bool { return two.Stats().Received >= n })
		if s := two.Stats(); s.Received != n || s.Missed != 0 {
			b.t.Errorf("%d received and %d missed, want %d and none", s.Received, s.Missed, n)
		}
	})
}

// A part that is no good is counted as what it is, and harms none of the others.
func TestForeignBundles(t *testing.T) {
	event := encoded(t, fields{1: "word", 2: 7, 3: "stranger"})
	part := func(b []byte) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...) }
	virtually(t, func(b *bed) {
		e := b.ear(b.node("one"), "ear", network.ObjectConfig{})
		s := b.stranger(b.config.MeshKey)
		good := func() []byte { return s.seal(network.ExchangeMesh, "k", event) }
		make := func(parts ...[]byte) []byte {
			all := []byte{network.BundleMark}
			for _, p := range parts {
				all = append(all, part(p)...)
			}
			return all
		}
		twice := good()
		flipped := good()
		flipped[len(flipped)-1] ^= 1
		many := [][]byte{}
		for range network.BundleParts {
			many = append(many, good())
		}
		seen := map[string]uint64{}
		for _, tc := range []struct {
			name     string
			exchange string
			body     []byte
			heard    int
			want     map[string]uint64
		}{
			{"good ones", "", make(good(), good()), 2, nil},
			{"one in the middle is forged", "", make(good(), flipped, good()), 2, map[string]uint64{"forged": 1}},
			{"one twice", "", make(twice, twice, good()), 2, map[string]uint64{"replay": 1}},
			{"one for another key", "", make(good(), s.seal(network.ExchangeMesh, "other", event)), 1, map[string]uint64{"forged": 1}},
			{"empty ones", "", make(nil, nil, good()), 1, map[string]uint64{"too_short": 2}},
			{"unknown signal", "", make(s.seal(network.ExchangeMesh, "k", encoded(t, fields{1: "nobody_declared_this", 3: "s"})), good()), 1, map[string]uint64{"unknown_signal": 1}},
			{"nested", "", make(good(), make(good(), good())), 1, map[string]uint64{"version": 1}},
			{"cut", "", make(good(), good())[:200], 1, map[string]uint64{"malformed": 1}},
			{"nothing in it", "", make(), 0, map[string]uint64{"malformed": 1}},
			{"more than there may be", "", make(append(many, good())...), len(many), map[string]uint64{"malformed": 1}},
			{"longer than it may be", "", append(make(good()), bytes.Repeat([]byte{0}, network.BundleBytes)...), 0, map[string]uint64{"malformed": 1}},
			{"events on the trace", network.ExchangeTrace, make(good()), 0, map[string]uint64{"unknown_key": 1}},
			{"among nodes", network.ExchangeNode, make(good(), good()), 0, map[string]uint64{"version": 1}},
			{"among what is kept", network.ExchangeKept, make(good(), good()), 0, map[string]uint64{"version": 1}},
		} {
			before, key := len(e.heard()), "k"
			switch tc.exchange {
			case "":
				tc.exchange = network.ExchangeMesh
			case network.ExchangeTrace:
				key = "snoop.trace"
				e.Node().HearTrace()
			case network.ExchangeNode:
				key = "hello"
			}
			s.publish(tc.exchange, key, tc.body)
			if tc.want == nil {
				tc.want = map[string]uint64{}
			}
			if diff := cmp.Diff(tc.want, problems(e.Node(), seen)); diff != "" {
				b.t.Errorf("%s: problems (-want +got):\n%s", tc.name, diff)
			}
			if heard := len(e.heard()) - before; heard != tc.heard {
				b.t.Errorf("%s: %d heard, want %d", tc.name, heard, tc.heard)
			}
		}
	})
}
