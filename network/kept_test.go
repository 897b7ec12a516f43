package network_test

import (
	"context"
	"errors"
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
