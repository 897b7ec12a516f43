package network_test

import (
	"testing"
	"time"

	"github.com/statemesh/statemesh/network"
)

// What is kept is not refused because a clock is wrong, within Config.KeepFor: nobody would
// send it again.
func TestKeptClock(t *testing.T) {
	const keepFor = time.Hour
	for _, tc := range []struct {
		name  string
		ahead time.Duration // the sender's clock
		aside int
	}{
		{"right", 0, 0},
		{"ahead", keepFor - time.Minute, 0},
		{"too far ahead", keepFor + 2*time.Minute, 1},
		{"behind", -(keepFor - time.Minute), 0},
		{"too far behind", -(keepFor + 2*time.Minute), 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inKeptMemory(t, func(b *keptBed) {
				b.bed.config.KeepFor = keepFor
				from := b.node("from", func(c *network.Config) {
					c.Clock = func() time.Time { return time.Now().Add(tc.ahead) }
				})
				speaker, hearer := b.worker(from, "speaker", nil), b.worker(b.node("to"), "hearer", nil)
				b.settle()
				confirmed(b.t, speaker, 1)
				b.settle()
				if aside, err := hearer.Aside(); aside != tc.aside || err != nil {
					b.t.Errorf("%d are aside, %v, want %d", aside, err, tc.aside)
				}
				hearer.expect(b.t, words(1, 1-tc.aside)...)
			})
		})
	}
}

// A node stamps and judges messages by Config.Clock: two whose clocks agree hear each other
// though both are wrong, and what one refuses for its stamp is counted by reason.
func TestClock(t *testing.T) {
	for _, tc := range []struct {
		name     string
		from, to time.Duration // ahead of the right time
		refused  string        // "" if the event opens
		skew     time.Duration
	}{
		{"both right", 0, 0, "", 0},
		{"both wrong", time.Hour, time.Hour, "", 0},
		{"a minute ahead", time.Minute, 0, "", time.Minute},
		{"an hour ahead", time.Hour, 0, "future", 0},
		{"a minute behind", 0, time.Minute, "expired", 0}, // the receiver has just started
	} {
		t.Run(tc.name, func(t *testing.T) {
			virtually(t, func(b *bed) {
				at := func(ahead time.Duration) func(*network.Config) {
					return func(c *network.Config) { c.Clock = func() time.Time { return time.Now().Add(ahead) } }
				}
				from, to := b.node("from", at(tc.from)), b.node("to", at(tc.to))
				speaker, hearer := b.ear(from, "speaker", network.ObjectConfig{}), b.ear(to, "hearer", network.ObjectConfig{})
				b.settle()
				before := to.Stats().Problems[tc.refused] // hellos
				speaker.say(t, 1)
				b.settle()
				stats := to.Stats()
				if heard := len(hearer.heard()) == 1; heard != (tc.refused == "") {
					t.Fatalf("heard: %v; %v", heard, stats.Problems)
				}
				if tc.refused != "" {
					if got := stats.Problems[tc.refused] - before; got != 1 {
						t.Errorf("%d events refused as %s, want 1: %v", got, tc.refused, stats.Problems)
					}
				} else if len(stats.Senders) != 1 || stats.Senders[0].Skew != tc.skew {
					t.Errorf("senders %+v, want one with skew %v", stats.Senders, tc.skew)
				}
			})
		})
	}
}
