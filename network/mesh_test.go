package network_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/network"
)

// keys makes an ObjectConfig.
func keys(transmit, receive string) network.ObjectConfig {
	return network.ObjectConfig{TransmitKey: transmit, ReceiveKey: receive}
}

func TestMeshRouting(t *testing.T) {
	onEveryBroker(t, func(b *bed) {
		here, there := b.node("here"), b.node("there")
		// A listener of each kind, in the node of the sender and in another one.
		var all []*ear
		heard := map[*ear][]string{} // what each has to hear
		by := map[string][]*ear{}    // by pattern
		for i, pattern := range []string{
			"heya.man", "#.man", "heya.*", "*.man", "#", "*", "heya", "man.heya", "heya.man.*", "#.heya.#", "heya.#.x", "",
		} {
			for _, n := range []*network.Node{here, there} {
				e := b.ear(n, fmt.Sprint("ear", i), keys("", pattern))
				all, by[pattern] = append(all, e), append(by[pattern], e)
			}
		}
		for _, tc := range []struct {
			key      string
			patterns []string
		}{
			{"heya.man", []string{"heya.man", "#.man", "heya.*", "*.man", "#", "#.heya.#"}},
			{"heya.you.man", []string{"#.man", "#", "#.heya.#"}},
			{"man", []string{"#.man", "#", "*"}},
			{"heya", []string{"#", "*", "heya", "#.heya.#"}},
			{"man.heya", []string{"#", "man.heya", "#.heya.#"}},
			{"heya.man.x", []string{"#", "heya.man.*", "#.heya.#", "heya.#.x"}},
			{"heya.x", []string{"#", "heya.*", "#.heya.#", "heya.#.x"}},
			{"other", []string{"#", "*"}},
		} {
			sender := b.ear(here, "sender_"+tc.key, keys(tc.key, "nobody.says.this"))
			sender.say(b.t, tc.key)
			for _, pattern := range append(tc.patterns, "") { // none means all
				for _, e := range by[pattern] {
					heard[e] = append(heard[e], "word("+tc.key+")")
				}
			}
			defer sender.nothing(b.t)
		}
		// When the last key was heard in both nodes, all the rest waits in queues at most.
		for _, e := range all {
			e.await(b.t, len(heard[e]))
		}
		for _, e := range all {
			if _, err := e.PostFIFO(hsm.Event{Signal: more}); err != nil {
				b.t.Fatal(err)
			}
			e.expect(b.t, append(heard[e], "more")...)
		}
	})
}

func TestMeshReachesAllButTheSender(t *testing.T) {
	onEveryBroker(t, func(b *bed) {
		var all []*ear
		for _, name := range []string{"one", "two", "three"} {
			n := b.node(name)
			for _, suffix := range []string{"a", "b"} {
				all = append(all, b.ear(n, name+suffix, network.ObjectConfig{}))
			}
		}
		// Each in turn, when what went before has arrived everywhere.
		want := map[*ear][]string{}
		for _, sender := range all {
			sender.say(b.t, sender.Name())
			for _, e := range all {
				if e != sender {
					want[e] = append(want[e], "word("+sender.Name()+")")
				}
				e.expect(b.t, want[e]...)
			}
		}
	})
}

func TestMeshKeepsTheOrderOfASender(t *testing.T) {
	onEveryBroker(t, func(b *bed) {
		sender := b.ear(b.node("sender"), "sender", network.ObjectConfig{})
		roomy := network.ObjectConfig{Config: activeobject.Config{QueueSize: 2000}}
		near, far := b.ear(sender.Node(), "near", roomy), b.ear(b.node("far"), "far", roomy)
		const n = 1000
		for i := range n {
			sender.say(b.t, i+1)
		}
		near.expect(b.t, words(1, n)...)
		far.expect(b.t, words(1, n)...)
	})
}

// An object hears from the moment it is made, and its queue keeps what comes
// before its start.
func TestMeshLateObject(t *testing.T) {
	onEveryBroker(t, func(b *bed) {
		sender := b.ear(b.node("one"), "sender", network.ObjectConfig{})
		first := b.ear(b.node("two"), "first", network.ObjectConfig{})
		sender.say(b.t, 1)
		first.expect(b.t, words(1, 1)...)
		late := b.object(first.Node(), "late", keys("", "sender"))
		sender.say(b.t, 2)
		first.expect(b.t, words(1, 2)...)
		late.nothing(b.t)
		b.start(late)
		sender.say(b.t, 3)
		late.expect(b.t, words(2, 3)...)
	})
}

func TestMeshCounts(t *testing.T) {
	virtually(t, func(b *bed) {
		one, two := b.node("one"), b.node("two")
		sender := b.ear(one, "sender", keys("s", "t"))
		b.ear(one, "near", network.ObjectConfig{})
		b.ear(two, "far", network.ObjectConfig{})
		b.object(two, "full", network.ObjectConfig{Config: activeobject.Config{QueueSize: 3}})
		deaf := b.ear(two, "deaf", keys("d", "nobody.says.this"))
		stopped := b.ear(two, "stopped", network.ObjectConfig{})
		if err := stopped.Stop(b.t.Context()); err != nil {
			b.t.Fatal(err)
		}
		b.pass(time.Minute) // until each has heard the other's name
		for i := range 5 {
			sender.say(b.t, i)
		}
		b.settle()
		deaf.nothing(b.t)
		for _, tc := range []struct {
			node *network.Node
			want network.NodeStats
		}{
			{one, network.NodeStats{Transmitted: 5, Delivered: 5, Peers: network.PeerTotals{Events: network.Traffic{Sent: 5}}, Problems: map[string]uint64{}}},
			{two, network.NodeStats{Received: 5, Delivered: 5 + 3, Rejected: 2 + 5, Senders: []network.SenderStats{{Node: "one", Received: 5}}, Problems: map[string]uint64{"queue_full": 2}}},
		} {
			if diff := cmp.Diff(tc.want, tc.node.Stats()); diff != "" {
				b.t.Errorf("stats of %s (-want +got):\n%s", tc.node.Name(), diff)
			}
		}
		if got := b.log.lines("queue is full"); len(got) != 1 || !strings.Contains(got[0], "object=full signal=word") {
			b.t.Errorf("the log says of full queues: %q, want one line", got)
		}
	})
}

func TestObjectNames(t *testing.T) {
	virtually(t, func(b *bed) {
		n := b.node("n")
		make := func(name string, c network.ObjectConfig) error {
			_, err := n.NewActiveObject(name, hsm.NewMachine(ears, &ear{}), c)
			return err
		}
		for _, name := range []string{
			"", " ", "a b", "a\tb", "a\nb", "a[", "]a", "\x1b[31mred", "\xff", "a\u202eb", "a\u00a0b", strings.Repeat("x", 256),
		} {
			if err := make(name, network.ObjectConfig{}); !errors.Is(err, network.ErrConfig) {
				b.t.Errorf("name %q: %v, want ErrConfig", name, err)
			}
		}
		for _, name := range []string{"a", "0ca32_ao", "größe", "日本", strings.Repeat("x", 255)} {
			if err := make(name, network.ObjectConfig{}); err != nil {
				b.t.Errorf("name %q: %v", name, err)
			}
			if err := make(name, network.ObjectConfig{}); !errors.Is(err, network.ErrConfig) {
				b.t.Errorf("name %q for the second time: %v, want ErrConfig", name, err)
			}
		}
		long := strings.Repeat("k", 255)
		if err := make("long", keys(long, long)); err != nil {
			b.t.Errorf("keys of 255 bytes: %v", err)
		}
		for i, c := range []network.ObjectConfig{keys(long+"k", "#"), keys("k", long+"k")} {
			if err := make(fmt.Sprint("longer", i), c); !errors.Is(err, network.ErrRoutingKey) {
				b.t.Errorf("a key of 256 bytes: %v, want ErrRoutingKey", err)
			}
		}
	})
}
