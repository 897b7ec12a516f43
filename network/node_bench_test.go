package network_test

import (
	"context"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/network"
	"github.com/statemesh/statemesh/network/seal"
)

// counter is an object that passes on what it hears to a function, on its own
// goroutine.
type counter struct {
	*network.ActiveObject
	hear func(hsm.Event)
}

var counters = hsm.MustCompile([]hsm.Spec[*counter]{
	outer: {Name: "outer", Handle: func(c *counter, e hsm.Event) hsm.Status {
		if e.Signal != word {
			return hsm.Super
		}
		c.hear(e)
		return hsm.Handled
	}},
})

// meshed returns two objects in two nodes on an embedded broker. Neither has
// been started.
func meshed(b *testing.B) (one, two *counter) {
	listen, key := freeAddress(b), seal.NewKey()
	join := func(name string) *counter {
		n, err := network.NewNode(b.Context(), network.Config{
			Name: name, Listen: listen, Dir: b.TempDir(), MeshKey: key, SnoopOutput: io.Discard, Outbox: 1 << 14,
		})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { closeNode(b, n) })
		c := &counter{hear: func(hsm.Event) {}}
		c.ActiveObject, err = n.NewActiveObject(name, hsm.NewMachine(counters, c), network.ObjectConfig{
			Config: activeobject.Config{QueueSize: 1 << 14},
		})
		if err != nil {
			b.Fatal(err)
		}
		return c
	}
	return join("one"), join("two")
}

func (c *counter) begin(b *testing.B) {
	if err := c.Start(b.Context(), outer); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkEvents is how many events of 256 bytes get from one node to another:
// encoded, sealed, published, confirmed, routed, opened, decoded and handled. At
// most 1024 are on their way.
func BenchmarkEvents(b *testing.B) {
	one, two := meshed(b)
	heard := make(chan struct{}, 1024)
	two.hear = func(hsm.Event) { <-heard }
	one.begin(b)
	two.begin(b)
	e := hsm.Event{Signal: word, Payload: make([]byte, 256)}
	b.SetBytes(256)
	b.ReportAllocs()
	for b.Loop() {
		heard <- struct{}{}
		if err := one.Transmit(e); err != nil {
			b.Fatal(err)
		}
	}
	for range cap(heard) { // until all have arrived
		heard <- struct{}{}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkRoundTrip is the time from a Transmit to the handling of the answer
// that another node transmits.
func BenchmarkRoundTrip(b *testing.B) {
	one, two := meshed(b)
	answers := make(chan struct{})
	one.hear = func(hsm.Event) { answers <- struct{}{} }
	two.hear = func(e hsm.Event) {
		if err := two.Transmit(e); err != nil {
			b.Error(err)
		}
	}
	one.begin(b)
	two.begin(b)
	e := hsm.Event{Signal: word, Payload: make([]byte, 256)}
	var times []time.Duration
	b.ReportAllocs()
	for b.Loop() {
		began := time.Now()
		if err := one.Transmit(e); err != nil {
			b.Fatal(err)
		}
		<-answers
		times = append(times, time.Since(began))
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Nanoseconds()), "p50-ns")
	b.ReportMetric(float64(times[len(times)*99/100].Nanoseconds()), "p99-ns")
}

// BenchmarkTransmit is what a handler pays for an event of 256 bytes, without
// anybody who hears it in the same node.
func BenchmarkTransmit(b *testing.B) {
	memory := network.NewMemory()
	n, err := network.NewNode(b.Context(), network.Config{
		Dir: b.TempDir(), MeshKey: seal.NewKey(), Transport: memory, SnoopOutput: io.Discard, Outbox: 1 << 20,
	})
	if err != nil {
		b.Fatal(err)
	}
	defer n.Close(context.Background())
	c := &counter{}
	if c.ActiveObject, err = n.NewActiveObject("one", hsm.NewMachine(counters, c), network.ObjectConfig{ReceiveKey: "nobody"}); err != nil {
		b.Fatal(err)
	}
	for _, payload := range []struct {
		name  string
		value any
	}{{"nil", nil}, {"256 bytes", make([]byte, 256)}, {"map", map[string]any{"name": "ann", "count": 7, "list": []int{1, 2, 3}}}} {
		b.Run(payload.name, func(b *testing.B) {
			e := hsm.Event{Signal: word, Payload: payload.value}
			b.ReportAllocs()
			for b.Loop() {
				_ = c.Transmit(e) // a full outbox costs the same
			}
		})
	}
}
