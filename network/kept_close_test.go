package network_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/statemesh/statemesh/hsm"
)

// A step that ends only when its node has been closed, because the context did not allow to
// wait for it, is noted in the journal all the same: the event comes again, and is not handled
// again.
func TestKeptStepEndsAfterClose(t *testing.T) {
	inKeptMemory(t, func(b *keptBed) {
		t := b.t
		release := make(chan struct{})
		speaker := b.worker(b.node("one"), "speaker", nil)
		two := b.node("two")
		w := b.worker(two, "w", func(_ *worker, e hsm.Event) hsm.Status {
			if n, _ := hsm.Payload[int64](e); n == 2 {
				<-release
			}
			return hsm.Super
		})
		speaker.say(t, 1, 2, 3)
		b.pass(time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := two.Close(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Close: %v", err)
		}
		close(release)
		b.settle()
		w.expect(t, words(1, 2)...)
		three := b.node("three")
		again := b.worker(three, "w", nil)
		b.pass(time.Second)
		again.expect(t, "word(3)")
		if s := three.Stats().Kept; s.Duplicates != 1 || s.Handled != 1 {
			t.Errorf("%+v", s)
		}
		if p := two.Stats().Problems["journal"]; p != 0 {
			t.Errorf("%d problems with the journal", p)
		}
	})
}

// Events that come while their node closes wait for the next one: each is handled once.
func TestKeptCloseWhileEventsCome(t *testing.T) {
	onEveryKeptBroker(t, func(b *keptBed) {
		t := b.t
		const n, lives = 300, 3
		speaker := b.worker(b.node("one"), "speaker", nil)
		var all []string
		for life := range lives {
			node := b.node("two")
			w := b.worker(node, "w", nil)
			for i := range n / lives {
				speaker.say(t, life*n/lives+i+1)
				if i == n/lives/2 {
					w.await(t, 1)
					if life < lives-1 {
						closeNode(t, node)
					}
				}
			}
			if life == lives-1 {
				for late := time.After(deadline); len(all)+len(w.heard()) < n; {
					select {
					case <-w.news:
					case <-late:
						t.Fatalf("%d of %d heard", len(all)+len(w.heard()), n)
					}
				}
			}
			all = append(all, w.words()...)
		}
		seen := map[string]bool{}
		for _, word := range all {
			if seen[word] {
				t.Errorf("%s twice", word)
			}
			seen[word] = true
		}
		if len(seen) != n {
			t.Errorf("%d of %d heard", len(seen), n)
		}
	})
}
