package network_test

import (
	"testing"
	"time"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/network"
)

// TestFlood: somebody with credentials publishes whatever he can as fast as the broker takes it,
// which may be faster than a node can refuse it. The node's queue at the broker is shared by
// all who publish and loses its oldest messages then, the events of others among them, so
// there is no promise of a rate here. But what is delivered is what was sent, in order and
// once, memory is bounded, and all is as before when the flood is over.
func TestFlood(t *testing.T) {
	a := newArena(t)
	a.capture()
	quiet := a.measure(a.quiet)
	before := a.resources()
	kinds := []func(*arena, int) unit{
		(*arena).truncated, (*arena).flipped, (*arena).replayed, (*arena).elsewhere, (*arena).noise, (*arena).identities, (*arena).oddly,
	}
	n := a.units / 5
	began, heard := time.Now(), a.victim.heard.Load()
	for i := range n {
		u := kinds[i%len(kinds)](a, i/len(kinds))
		if i%5 == 0 {
			u.exchange = network.ExchangeKept
		}
		a.wire.write(u.frames())
	}
	for i := range 4 {
		u := a.oversized(i)
		a.wire.write(u.frames())
	}
	a.wire.flush()
	took := time.Since(began)
	under := float64(a.victim.heard.Load()-heard) / took.Seconds()
	// What is sent from now on is heard.
	fence := a.load.sent.Load()
	a.settled("events to go on", func() bool { return a.victim.last.Load() > fence })
	lost := a.victim.lost.Load()
	again := a.measure(a.quiet)
	if lost != a.victim.lost.Load() {
		t.Errorf("%d events were lost after the flood", a.victim.lost.Load()-lost)
	}
	_, refused := a.refused()
	t.Logf("%d units in %v, %.0f/s; %d refused; events %.0f/s before, %.0f/s in it, %.0f/s after; %d lost; seed %d",
		n, took.Round(time.Millisecond), float64(n)/took.Seconds(), refused, quiet, under, again, lost, a.seed)
	// The broker keeps large buffers for some writes more.
	eventually(t, "large buffers to be given up", func() bool { return a.resources().heap <= before.heap+heapGrowth })
	a.load.stop()
	a.settled("the last events", func() bool { return a.victim.last.Load() == a.load.sent.Load() })
	a.check(before)
}

// What was recorded in an earlier life of a receiver is refused by its next one, on every
// channel that delivers something.
func TestReplayAfterRestart(t *testing.T) {
	a := newArena(t)
	a.capture()
	a.load.stop()
	a.settled("the last events", func() bool { return a.victim.last.Load() == a.load.sent.Load() })
	// Node A hosts the broker, which goes down with it; B takes it over.
	a.wire.close()
	closeNode(t, a.a)
	eventually(t, "B hosts the broker", func() bool { return a.b.Hosting() && a.b.Peers()[0].State == "up" })
	a.a = a.node("a")
	a.victim = newVictim(a.bed, a.a)
	a.wire, a.sums = a.connect(), tally{}
	n := 0
	for _, r := range a.records {
		if r.exchange != network.ExchangeNode { // a hello from before says what the next one will
			a.throw(unit{exchange: r.exchange, key: r.key, body: r.body, reason: "expired"})
			n++
		}
	}
	a.settle()
	if a.victim.heard.Load() != 0 || len(a.victim.intruders) > 0 || n < 200 {
		t.Errorf("of %d replayed messages %d were delivered, %q", n, a.victim.heard.Load(), a.victim.intruders)
	}
	a.speaker.send(t, hsm.Event{Signal: word, Payload: a.load.sent.Load() + 1})
	a.settled("an event", func() bool { return a.victim.heard.Load() == 1 })
}

// eventually waits until it is so.
func eventually(t testing.TB, what string, isSo func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for late := time.After(deadline); !isSo(); {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}
