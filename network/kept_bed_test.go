package network_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/network"
)

// worker is an object that notes the words it has handled, and does first what the test
// says, which may fail.
type worker struct {
	ear
	first func(w *worker, e hsm.Event) hsm.Status
}

var workers = hsm.MustCompile([]hsm.Spec[*worker]{outer: {Name: "outer", Handle: (*worker).outer}})

func (w *worker) outer(e hsm.Event) hsm.Status {
	if w.first != nil && !e.Signal.IsInner() {
		if s := w.first(w, e); s != hsm.Super {
			return s
		}
	}
	return w.ear.outer(e)
}

// keptBed adds what objects with queues that stay need: names nobody else has.
type keptBed struct {
	*bed
	tag string
}

func newKeptBed(b *bed) *keptBed {
	return &keptBed{b, strings.ToLower(rand.Text())}
}

// onEveryKeptBroker is onEveryBroker for them.
func onEveryKeptBroker(t *testing.T, test func(b *keptBed)) {
	onEveryBroker(t, func(b *bed) { test(newKeptBed(b)) })
}

func inKeptMemory(t *testing.T, test func(b *keptBed)) {
	virtually(t, func(b *bed) { test(newKeptBed(b)) })
}

// config is that of an object which hears the others of the test.
func (b *keptBed) config(name string, d network.Guarantee) network.ObjectConfig {
	c := network.ObjectConfig{Delivery: d, TransmitKey: b.tag + "." + name, ReceiveKey: b.tag + ".#"}
	c.QueueSize = 1 << 12
	return c
}

// worker makes an object and starts it.
func (b *keptBed) worker(n *network.Node, name string, first func(*worker, hsm.Event) hsm.Status, change ...func(*network.ObjectConfig)) *worker {
	b.t.Helper()
	w := &worker{first: first}
	w.news = make(chan struct{}, 1)
	c := b.config(name, network.AtLeastOnce)
	for _, f := range change {
		f(&c)
	}
	if c.Delivery == network.AtLeastOnce {
		b.deleteQueues(name)
	}
	var err error
	if w.ActiveObject, err = n.NewActiveObject(name+"-"+b.tag, hsm.NewMachine(workers, w), c); err != nil {
		b.t.Fatal(err)
	}
	if err := w.Start(b.t.Context(), outer); err != nil {
		b.t.Fatal(err)
	}
	return w
}

// deleteQueues takes the queues of an object from RabbitMQ when the test ends.
func (b *keptBed) deleteQueues(name string) {
	if b.bed.config.Broker == "" {
		return
	}
	b.t.Cleanup(func() {
		conn, err := amqp.Dial(b.bed.config.Broker)
		if err != nil {
			b.t.Error(err)
			return
		}
		defer conn.Close()
		ch, err := conn.Channel()
		if err != nil {
			b.t.Error(err)
			return
		}
		for _, queue := range []string{network.KeptQueueName(name + "-" + b.tag), network.AsideQueueName(name + "-" + b.tag)} {
			if _, err := ch.QueueDelete(queue, false, false, false); err != nil {
				b.t.Error(err)
			}
		}
	})
}

func ordinary(c *network.ObjectConfig) { c.Delivery = network.AtMostOnce }

// awaitKept waits for the counts.
func awaitKept(t testing.TB, n *network.Node, what string, f func(network.KeptStats) bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for late := time.After(deadline); !f(n.Stats().Kept); {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%s: %+v", what, n.Stats().Kept)
		}
	}
}

func handled(n uint64) func(network.KeptStats) bool {
	return func(s network.KeptStats) bool { return s.Handled == n }
}

// sorted is what was heard, in the order of the alphabet.
func sorted(w *worker) []string { return slices.Sorted(slices.Values(w.words())) }

func confirmed(t testing.TB, w *worker, payload any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	if err := w.TransmitConfirmed(ctx, hsm.Event{Signal: word, Payload: payload}); err != nil {
		t.Fatal(err)
	}
}

// failing fails so often for each of the words that are multiples of ten.
func failing(times int) func(*worker, hsm.Event) hsm.Status {
	failures := map[int64]int{}
	return func(_ *worker, e hsm.Event) hsm.Status {
		n, isNumber := hsm.Payload[int64](e)
		if isNumber && n%10 == 0 && failures[n] < times {
			failures[n]++
			panic(fmt.Sprint("the word was ", n))
		}
		return hsm.Super
	}
}

// awaitWaiting waits until the object has deferred so many.
func awaitWaiting(t testing.TB, w *worker, n int) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for late := time.After(deadline); ; {
		asked := make(chan int, 1)
		if _, err := w.PostFIFO(hsm.Event{Signal: do, Payload: func() { asked <- w.Deferred() }}); err != nil {
			t.Fatal(err)
		}
		if <-asked == n {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("it has not deferred %d", n)
		}
	}
}

func address(t testing.TB, text string) network.Address {
	t.Helper()
	a, err := network.ParseAddress(text, network.Address{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}
