package network_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/statemesh/statemesh/network"
)

// partial is a Link whose broker routes the next event to nobody, and confirms nothing
// more, once broken is set.
type partial struct {
	network.Link
	broken, swallow *atomic.Bool
}

func (l *partial) Publish(exchange, key string, body []byte) error {
	if exchange == network.ExchangeMesh && l.swallow.CompareAndSwap(true, false) {
		return nil
	}
	return l.Link.Publish(exchange, key, body)
}

func (l *partial) Confirmed() <-chan network.Confirm {
	in, out := l.Link.Confirmed(), make(chan network.Confirm)
	go func() { // ends with the link
		defer close(out)
		for c := range in {
			if !l.broken.Load() {
				out <- c
			}
		}
	}()
	return out
}

// An event that is sent again, because its connection died, does not come after later
// ones which the receiver has got by then. It has not come at all, and is counted.
func TestSentAgainKeepsTheOrder(t *testing.T) {
	virtually(t, func(b *bed) {
		var broken, swallow atomic.Bool
		var mu sync.Mutex // guards links
		var links []network.Link
		transport := &wrapped{Transport: b.memory, wrap: func(l network.Link) network.Link {
			mu.Lock()
			defer mu.Unlock()
			links = append(links, l)
			return &partial{l, &broken, &swallow}
		}}
		here := b.ear(b.node("one", func(c *network.Config) { c.Transport = transport }), "here", network.ObjectConfig{})
		n := b.node("two")
		there := b.ear(n, "there", network.ObjectConfig{})
		b.pass(time.Minute)
		here.say(b.t, 1)
		b.settle()
		broken.Store(true)
		swallow.Store(true)
		here.say(b.t, 2, 3)
		b.settle()
		there.expect(b.t, said(1, 3)...)

		broken.Store(false)
		mu.Lock()
		for _, l := range links {
			l.Close()
		}
		mu.Unlock()
		b.pass(time.Minute)
		here.say(b.t, 4)
		b.settle()
		there.expect(b.t, said(1, 3, 4)...)
		if s := n.Stats(); s.Missed != 1 || s.Received != 3 || s.Problems["late"] != 1 {
			b.t.Errorf("%d missed, %d received, problems %v", s.Missed, s.Received, s.Problems)
		}
	})
}
