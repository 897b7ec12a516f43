package network_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/network"
)

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
