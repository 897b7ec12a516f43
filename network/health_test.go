package network_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/network"
)

func TestHealth(t *testing.T) {
	virtually(t, func(b *bed) {
		one := b.node("one", func(c *network.Config) { c.Peers, c.HealthEvery = []string{"10.0.0.9"}, time.Minute })
		two := b.node("two", func(c *network.Config) { c.Broker = "10.0.0.9" })
		speaker := b.ear(one, "speaker", network.ObjectConfig{})
		b.ear(two, "far", network.ObjectConfig{})
		b.object(two, "full", network.ObjectConfig{Config: activeobject.Config{QueueSize: 1}})
		speaker.say(b.t, 1, 2, 3)
		b.pass(time.Second)

		h := one.Health()
		if h.Node != "one" || h.Hosting || len(h.Peers) != 2 || h.Peers[1].Events.Sent != 3 || h.Stats.Transmitted != 3 || h.At.Sub(h.Started) != time.Second {
			b.t.Errorf("one: %+v", h)
		}
		h = two.Health()
		if h.Stats.Received != 3 || len(h.Objects) != 2 || h.Objects[1].Name != "full" || h.Objects[1].Rejected != 2 || h.Stats.Senders[0].Skew != 0 {
			b.t.Errorf("two: %+v", h)
		}
		if _, err := json.Marshal(h); err != nil {
			b.t.Error(err)
		}
		b.pass(2 * time.Minute)
		if lines := b.log.lines("msg=health", "node=one", "health.transmitted=3", "health.up=2"); len(lines) != 2 {
			b.t.Errorf("%d lines in the log, want one a minute: %v", len(lines), b.log)
		}

		// From outside.
		c := b.config
		c.Broker, c.Name = "10.0.0.9", "asking"
		healths, err := network.AskHealth(context.Background(), c)
		if err != nil || len(healths) != 1 || healths[0].Node != "two" || healths[0].Stats.Received != 3 || healths[0].Objects[1].Rejected != 2 {
			b.t.Errorf("asked: %+v, %v", healths, err)
		}
		c.Broker = "10.0.0.77"
		if healths, err := network.AskHealth(context.Background(), c); err == nil || len(healths) != 0 || !strings.Contains(err.Error(), "10.0.0.77") {
			b.t.Errorf("where nobody is: %+v, %v", healths, err)
		}
	})
}

// A chart that fails, and a broker that takes nothing, show.
func TestHealthOfWhatIsIll(t *testing.T) {
	virtually(t, func(b *bed) {
		n := b.node("one", func(c *network.Config) { c.Peers = []string{"10.0.0.9"} })
		e := b.ear(n, "ill", network.ObjectConfig{})
		e.PostFIFO(hsm.Event{Signal: do, Payload: func() { panic("broken\nin two") }})
		b.settle()
		b.memory.Block("10.0.0.9", true)
		b.pass(10 * time.Second)
		h := n.Health()
		if got := h.Objects[0].Failure; !strings.Contains(got, "broken") || strings.Contains(got, "\n") {
			b.t.Errorf("failure %q", got)
		}
		if p := h.Peers[1]; p.State != "blocked" || p.Blocked != 10*time.Second || p.Connects != 1 {
			b.t.Errorf("peer %+v", p)
		}
		b.memory.Block("10.0.0.9", false)
		b.memory.Down("10.0.0.9")
		b.memory.Up("10.0.0.9")
		b.pass(10 * time.Second)
		if p := n.Health().Peers[1]; p.State != "up" || p.Blocked != 10*time.Second || p.Connects != 2 {
			b.t.Errorf("peer %+v", p)
		}
	})
}

// Events go before trace and spy, and the policy says what happens to events.
func TestWhenFull(t *testing.T) {
	for name, tc := range map[string]struct {
		policy network.FullOutbox
		fails  bool
		takes  time.Duration
		want   network.Traffic
	}{
		"refuse the newest": {network.RejectNewest, true, 0, network.Traffic{Queued: 10, Full: 1}},
		"drop the oldest":   {network.DropOldest, false, 0, network.Traffic{Queued: 10, Displaced: 1}},
		"wait":              {network.WaitForRoom, true, 2 * time.Second, network.Traffic{Queued: 10, Full: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			virtually(t, func(b *bed) {
				n := b.node("one", func(c *network.Config) {
					c.Peers, c.Outbox, c.WhenFull = []string{"10.0.0.9"}, 10, tc.policy
					if tc.policy == network.WaitForRoom {
						c.MaxWait = 2 * time.Second
					}
				})
				b.memory.Refuse("10.0.0.9", network.ErrUnreachable)
				b.memory.Down("10.0.0.9")
				b.settle() // nothing is on its way into a link that is about to die
				e := b.ear(n, "speaker", network.ObjectConfig{})
				for i := range 10 {
					e.say(b.t, i)
				}
				began := time.Now()
				err := e.Transmit(hsm.Event{Signal: word, Payload: "one too many"})
				if (err != nil) != tc.fails || time.Since(began) != tc.takes {
					b.t.Errorf("Transmit: %v, after %v", err, time.Since(began))
				}
				if got := peer(n, 0).Events; got != tc.want {
					b.t.Errorf("%+v, want %+v", got, tc.want)
				}
			})
		})
	}
}
