package network_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/statemesh/statemesh/activeobject"
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

// Whoever hears an AtLeastOnce object hears it once: in its node, elsewhere, with either
// kind of Delivery; and it does not hear itself.
func TestKeptIsHeardOnce(t *testing.T) {
	onEveryKeptBroker(t, func(b *keptBed) {
		t := b.t
		one, two := b.node("one"), b.node("two")
		speaker := b.worker(one, "speaker", nil)
		all := []*worker{
			b.worker(one, "near", nil), b.worker(one, "near_ordinary", nil, ordinary),
			b.worker(two, "far", nil), b.worker(two, "far_ordinary", nil, ordinary),
		}
		const n = 100
		for i := range n {
			speaker.say(t, i+1)
		}
		for _, w := range all {
			w.expect(t, words(1, n)...)
		}
		awaitKept(t, one, "near", handled(n))
		awaitKept(t, two, "far", handled(n))
		all[1].say(t, "ordinary") // heard by all, at most once
		for _, w := range []*worker{speaker, all[0], all[2]} {
			w.await(t, len(w.heard()))
		}
		speaker.expect(t, "word(ordinary)")
		all[2].expect(t, append(words(1, n), "word(ordinary)")...)
		if s := two.Stats(); s.Kept.Duplicates != 0 || s.Kept.Aside != 0 || s.Missed != 0 {
			t.Errorf("%+v", s.Kept)
		}
	})
}

// What is transmitted while the receiver is away waits for it, also for its object.
func TestKeptWaits(t *testing.T) {
	onEveryKeptBroker(t, func(b *keptBed) {
		t := b.t
		one, two := b.node("one"), b.node("two")
		speaker := b.worker(one, "speaker", nil)
		w := b.worker(two, "w", nil)
		speaker.say(t, 1)
		w.expect(t, words(1, 1)...)
		if err := w.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		speaker.say(t, 2, 3)
		confirmed(t, speaker, 4)
		if err := w.Start(t.Context(), outer); err != nil {
			t.Fatal(err)
		}
		w.await(t, 4)
		closeNode(t, two)
		speaker.say(t, 5, 6)
		confirmed(t, speaker, 7)
		again := b.worker(b.node("two again"), "w", nil)
		again.await(t, 3)
		if diff := cmp.Diff(words(1, 7), slices.Sorted(slices.Values(append(w.words(), again.words()...)))); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

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

// An event whose step fails comes again, and no other one does.
func TestKeptComesAgainAfterAFailure(t *testing.T) {
	for name, change := range map[string]func(*network.ObjectConfig){
		"supervised": func(c *network.ObjectConfig) {
			c.Supervise = activeobject.Supervision{Policy: activeobject.Restart, Backoff: -1, MaxRestarts: -1}
		},
		"started again": func(c *network.ObjectConfig) {
			c.OnFailure = func(o *activeobject.ActiveObject, _ *activeobject.Failure) {
				_ = o.Start(context.Background(), outer)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			onEveryKeptBroker(t, func(b *keptBed) {
				t := b.t
				one, two := b.node("one"), b.node("two")
				speaker, w := b.worker(one, "speaker", nil), b.worker(two, "w", failing(2), change, func(c *network.ObjectConfig) { c.MaxDeliveries = 3 })
				var want []string
				for i := range 25 {
					want = append(want, fmt.Sprintf("word(%d)", i+1))
					speaker.say(t, i+1)
				}
				w.await(t, 25)
				awaitKept(t, two, "all are handled", handled(25))
				slices.Sort(want)
				if diff := cmp.Diff(want, sorted(w)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if s := two.Stats().Kept; s.Failed != 4 || s.Aside != 0 || s.Redelivered != 4 {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

// Poison is put aside and told, and the object goes on.
func TestKeptPutsPoisonAside(t *testing.T) {
	onEveryKeptBroker(t, func(b *keptBed) {
		t := b.t
		one, two := b.node("one"), b.node("two")
		speaker := b.worker(one, "speaker", nil)
		w := b.worker(two, "w", failing(1000), func(c *network.ObjectConfig) {
			c.MaxDeliveries = 3
			c.Supervise = activeobject.Supervision{Policy: activeobject.Restart, Backoff: -1, MaxRestarts: -1}
		})
		speaker.say(t, 9, 10, 11)
		awaitKept(t, two, "it is put aside", func(s network.KeptStats) bool { return s.Aside == 1 && s.Handled == 2 })
		speaker.say(t, 12)
		w.expect(t, "word(9)", "word(11)", "word(12)")
		for late := time.Now().Add(deadline); ; {
			n, err := w.Aside()
			if n == 1 {
				break
			}
			if err != nil || time.Now().After(late) {
				t.Fatalf("%d are aside, %v", n, err)
			}
		}
		if s := two.Stats().Kept; s.Failed != 3 {
			t.Errorf("%+v", s)
		}
		b.log.await(t, func(s string) bool { return strings.Contains(s, "put an event aside") })
		if lines := b.log.lines("put an event aside", "object=w-", "signal=word", "handler panicked"); len(lines) != 1 {
			t.Errorf("it says %q", b.log.lines("aside"))
		}
		// Who starts later hears of it.
		closeNode(t, two)
		b.worker(b.node("three"), "w", nil)
		b.log.await(t, func(s string) bool { return strings.Contains(s, "events were put aside") })
	})
}

// What the object has deferred is acknowledged when it has been handled after the recall.
func TestKeptMayBeDeferred(t *testing.T) {
	onEveryKeptBroker(t, func(b *keptBed) {
		t := b.t
		deferring := func(w *worker, e hsm.Event) hsm.Status {
			if e.Signal == word && w.Deferred() < 3 && len(w.heard()) == 0 {
				if err := w.Defer(e); err != nil {
					t.Error(err)
				}
				return hsm.Handled
			}
			return hsm.Super
		}
		recalling := func(w *worker, e hsm.Event) hsm.Status {
			if e.Signal != more {
				return deferring(w, e)
			}
			for again := true; again; {
				again, _ = w.Recall()
			}
			return hsm.Super
		}
		one, two := b.node("one"), b.node("two")
		speaker, w := b.worker(one, "speaker", nil), b.worker(two, "w", deferring)
		speaker.say(t, 1, 2)
		confirmed(t, speaker, 3)
		awaitWaiting(t, w, 3)
		if err := w.Stop(t.Context()); err != nil { // with all deferred
			t.Fatal(err)
		}
		if s := two.Stats().Kept; s.Handled != 0 {
			t.Fatalf("%+v", s)
		}
		closeNode(t, two)
		three := b.node("three")
		again := b.worker(three, "w", recalling)
		awaitWaiting(t, again, 3)
		again.PostFIFO(hsm.Event{Signal: more})
		again.await(t, 4)
		awaitKept(t, three, "handled after the recall", handled(3))
		if diff := cmp.Diff([]string{"more", "word(1)", "word(2)", "word(3)"}, sorted(again)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
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

// A slow object holds no more than Prefetch; the rest waits at the broker.
func TestKeptSlowObject(t *testing.T) {
	onEveryKeptBroker(t, func(b *keptBed) {
		t := b.t
		one, two := b.node("one"), b.node("two")
		release := make(chan struct{})
		slow := func(_ *worker, e hsm.Event) hsm.Status {
			if e.Signal == word {
				<-release
			}
			return hsm.Super
		}
		speaker := b.worker(one, "speaker", nil)
		w := b.worker(two, "w", slow, func(c *network.ObjectConfig) { c.Prefetch, c.QueueSize = 8, 4 })
		const n = 300
		for i := range n - 1 {
			speaker.say(t, i+1)
		}
		confirmed(t, speaker, n)
		most := 0
		for range n {
			release <- struct{}{}
			most = max(most, w.Stats().Waiting)
		}
		w.expect(t, words(1, n)...)
		awaitKept(t, two, "all are handled", handled(n))
		if s := w.Stats(); most > 4 || s.Rejected > 0 {
			t.Errorf("up to %d waited, %d were rejected", most, s.Rejected)
		}
	})
}

// A broker that goes away takes nothing with it: neither what the sender has, nor what it
// holds itself, nor what the receiver has not acknowledged.
func TestKeptOutlivesAnOutage(t *testing.T) {
	for _, outage := range []time.Duration{10 * time.Millisecond, 10 * time.Minute} {
		inKeptMemory(t, func(b *keptBed) {
			t := b.t
			one, two := b.node("one"), b.node("two")
			release := make(chan struct{})
			speaker := b.worker(one, "speaker", nil)
			w := b.worker(two, "w", func(_ *worker, e hsm.Event) hsm.Status {
				if n, _ := hsm.Payload[int64](e); n == 3 {
					<-release
				}
				return hsm.Super
			})
			speaker.say(t, 1, 2, 3, 4)
			b.pass(time.Second) // 3 is being handled, 4 waits behind it
			w.expect(t, words(1, 2)...)
			b.memory.Down(own)
			speaker.say(t, 5, 6)
			b.pass(outage)
			if outage > time.Second {
				close(release)
				b.settle()
				w.expect(t, words(1, 4)...)
			}
			b.memory.Up(own)
			b.pass(15 * time.Second)
			if outage < time.Second {
				close(release)
			}
			b.pass(time.Second)
			w.expect(t, words(1, 6)...)
			s := two.Stats().Kept
			if s.Handled != 6 || s.Redelivered != 2 || s.Aside != 0 {
				t.Errorf("%+v", s)
			}
			if want := map[bool]uint64{true: 2, false: 0}[outage > time.Second]; s.Duplicates != want {
				t.Errorf("%d duplicates, want %d", s.Duplicates, want)
			}
			closeNode(t, two)
			three := b.node("three")
			b.worker(three, "w", nil)
			b.pass(time.Second)
			if s := three.Stats().Kept; s != (network.KeptStats{}) {
				t.Errorf("not all was acknowledged: %+v", s)
			}
			if p := one.Peers()[0]; p.Dropped != 0 {
				t.Errorf("the sender dropped %d", p.Dropped)
			}
		})
	}
}

// The same message by two ways is handled once.
func TestKeptDropsDuplicates(t *testing.T) {
	inKeptMemory(t, func(b *keptBed) {
		t := b.t
		one, two := b.node("one"), b.node("two")
		speaker, w := b.worker(one, "speaker", nil), b.worker(two, "w", nil)
		link, err := b.memory.Dial(t.Context(), address(t, own))
		if err != nil {
			t.Fatal(err)
		}
		defer link.Close()
		copies, err := link.Consume([]network.Binding{{Exchange: network.ExchangeKept, Key: "#"}})
		if err != nil {
			t.Fatal(err)
		}
		speaker.say(t, 1, 2)
		for range 2 {
			d := <-copies
			for range 3 {
				if err := link.Publish(d.Exchange, d.Key, d.Body); err != nil {
					t.Fatal(err)
				}
			}
		}
		b.pass(time.Second)
		w.expect(t, words(1, 2)...)
		if s := two.Stats().Kept; s.Handled != 2 || s.Duplicates != 6 {
			t.Errorf("%+v", s)
		}
		// A process that comes after this one knows of it.
		closeNode(t, two)
		three := b.node("three")
		again := b.worker(three, "w", nil)
		d := <-copies // one of the copies
		if err := link.Publish(d.Exchange, d.Key, d.Body); err != nil {
			t.Fatal(err)
		}
		b.pass(time.Second)
		again.nothing(t)
		if s := three.Stats().Kept; s.Duplicates != 1 {
			t.Errorf("%+v", s)
		}
	})
}

func address(t testing.TB, text string) network.Address {
	t.Helper()
	a, err := network.ParseAddress(text, network.Address{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// What does not open goes aside at once, and so does what means nothing here.
func TestKeptPutsGarbageAside(t *testing.T) {
	inKeptMemory(t, func(b *keptBed) {
		t := b.t
		n := b.node("n")
		w := b.worker(n, "w", nil)
		link, err := b.memory.Dial(t.Context(), address(t, own))
		if err != nil {
			t.Fatal(err)
		}
		defer link.Close()
		for _, body := range []string{"", "garbage", strings.Repeat("x", 200)} {
			if err := link.Publish(network.ExchangeKept, b.tag+".x", []byte(body)); err != nil {
				t.Fatal(err)
			}
		}
		b.pass(time.Second)
		w.nothing(t)
		if aside, err := w.Aside(); aside != 3 || err != nil || n.Stats().Kept.Aside != 3 {
			t.Errorf("%d are aside, %v, %+v", aside, err, n.Stats().Kept)
		}
	})
}

// An object does not hear what it said itself, not even in an earlier life.
func TestKeptOwnEventsOfAnEarlierLife(t *testing.T) {
	inKeptMemory(t, func(b *keptBed) {
		t := b.t
		one := b.node("one")
		w := b.worker(one, "w", nil)
		if err := w.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		confirmed(t, w, "mine")
		closeNode(t, one)
		again := b.worker(b.node("one again"), "w", nil)
		b.pass(time.Second)
		again.nothing(t)
		// On another host, somebody else may have the same name.
		if err := again.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		confirmed(t, again, "theirs")
		b.bed.config.Dir = t.TempDir()
		closeNode(t, again.Node())
		b.worker(b.node("two"), "w", nil).expect(t, "word(theirs)")
	})
}

func TestTransmitConfirmed(t *testing.T) {
	inKeptMemory(t, func(b *keptBed) {
		t := b.t
		n := b.node("n", func(c *network.Config) { c.Peers, c.Outbox = []string{"amqp://10.0.0.9"}, 3 })
		w, other := b.worker(n, "w", nil), b.worker(n, "other", nil, ordinary)
		b.pass(time.Second)
		e := hsm.Event{Signal: word, Payload: 1}
		if err := other.TransmitConfirmed(t.Context(), e); !errors.Is(err, network.ErrNotKept) {
			t.Errorf("an ordinary object: %v", err)
		}
		if err := w.TransmitConfirmed(t.Context(), e); err != nil {
			t.Errorf("all are up: %v", err)
		}
		b.memory.Down("10.0.0.9")
		b.settle()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		err := w.TransmitConfirmed(ctx, e)
		var missing *network.UnconfirmedError
		if !errors.As(err, &missing) || len(missing.Brokers) != 1 || !strings.Contains(missing.Brokers[0], "10.0.0.9") || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("one is down: %v", err)
		}
		var wait sync.WaitGroup
		wait.Go(func() {
			if err := w.TransmitConfirmed(t.Context(), e); err != nil {
				t.Errorf("one comes back: %v", err)
			}
		})
		b.settle()
		b.memory.Up("10.0.0.9")
		wait.Wait()
		b.memory.Down("10.0.0.9")
		b.settle()
		for range 3 {
			w.say(t, 2)
		}
		if err := w.Transmit(e); !errors.As(err, new(*network.OutboxError)) {
			t.Errorf("no room: %v", err)
		}
		if err := w.TransmitConfirmed(t.Context(), e); !errors.As(err, &missing) || !errors.Is(err, network.ErrGivenUp) {
			t.Errorf("no room to wait in: %v", err)
		}
		b.memory.Block(own, true)
		for range 70 {
			if w.Transmit(e) == nil {
				t.Error("no room, and no error")
			}
		}
		closeNode(t, n)
		if n.Stats().Problems["kept_lost"] == 0 || len(b.log.lines("given up", "events=3")) == 0 {
			t.Errorf("the end is told so: %v, %v", n.Stats().Problems, b.log.lines("given up"))
		}
	})
}

// A broker that forgets is told of, once.
func TestKeptVolatileBroker(t *testing.T) {
	inKeptMemory(t, func(b *keptBed) {
		t := b.t
		b.memory.Volatile = true
		n := b.node("n")
		b.worker(n, "a", nil)
		b.worker(n, "b", nil)
		if lines := b.log.lines("level=WARN", "that a node hosts"); len(lines) != 1 {
			t.Errorf("it says %q", lines)
		}
	})
	inKeptMemory(t, func(b *keptBed) {
		t := b.t
		b.worker(b.node("n"), "a", nil)
		if lines := b.log.lines("that a node hosts"); len(lines) != 0 {
			t.Errorf("it says %q", lines)
		}
	})
}

func TestKeptConfig(t *testing.T) {
	inKeptMemory(t, func(b *keptBed) {
		t := b.t
		n := b.node("n")
		for name, change := range map[string]func(*network.ObjectConfig){
			"Delivery":      func(c *network.ObjectConfig) { c.Delivery = 7 },
			"MaxDeliveries": func(c *network.ObjectConfig) { c.MaxDeliveries = -1 },
			"Prefetch":      func(c *network.ObjectConfig) { c.Prefetch = 1001 },
			"Overflow":      func(c *network.ObjectConfig) { c.Overflow = hsm.Drop },
		} {
			c := b.config("o", network.AtLeastOnce)
			change(&c)
			w := &worker{}
			if _, err := n.NewActiveObject("o", hsm.NewMachine(workers, w), c); !errors.Is(err, network.ErrConfig) || !strings.Contains(err.Error(), name) {
				t.Errorf("%s: %v", name, err)
			}
		}
		w := &worker{}
		if _, err := n.NewActiveObject(strings.Repeat("o", 250), hsm.NewMachine(workers, w), b.config("o", network.AtLeastOnce)); !errors.Is(err, network.ErrConfig) {
			t.Errorf("a long name: %v", err)
		}
		for _, d := range []time.Duration{-1, time.Millisecond, time.Second + 1, 31 * 24 * time.Hour} {
			c := b.bed.config
			c.KeepFor = d
			if _, err := network.NewNode(t.Context(), c); !errors.Is(err, network.ErrConfig) {
				t.Errorf("KeepFor %v: %v", d, err)
			}
		}
	})
}

// Objects of one name share the events, each of which goes to one of them.
func TestKeptCompetes(t *testing.T) {
	onEveryKeptBroker(t, func(b *keptBed) {
		t := b.t
		speaker := b.worker(b.node("one"), "speaker", nil)
		two, three := b.node("two"), b.node("three")
		some := b.worker(two, "w", nil, func(c *network.ObjectConfig) { c.Prefetch = 1 })
		others := &worker{}
		others.news = make(chan struct{}, 1)
		c := b.config("w", network.AtLeastOnce)
		c.Prefetch = 1
		var err error
		if others.ActiveObject, err = three.NewActiveObject("w-"+b.tag, hsm.NewMachine(workers, others), c); err != nil {
			t.Fatal(err)
		}
		if err := others.Start(t.Context(), outer); err != nil {
			t.Fatal(err)
		}
		const n = 200
		want := []string{}
		for i := range n {
			speaker.say(t, i+1)
			want = append(want, fmt.Sprintf("word(%d)", i+1))
		}
		slices.Sort(want)
		for late := time.Now().Add(deadline); len(some.heard())+len(others.heard()) < n && time.Now().Before(late); {
			select {
			case <-some.news:
			case <-others.news:
			case <-time.After(deadline):
			}
		}
		got := slices.Sorted(slices.Values(append(some.words(), others.words()...)))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
