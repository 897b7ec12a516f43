package network_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/statemesh/statemesh/network"
)

// forgetful is a Link whose queue is bound to nothing any more once lost is set, as a
// broker may have it that lost a member of its cluster.
type forgetful struct {
	network.Link
	lost *atomic.Bool
}

func (l *forgetful) Consume(bindings []network.Binding) (<-chan network.Delivery, error) {
	in, err := l.Link.Consume(bindings)
	if err != nil {
		return nil, err
	}
	out := make(chan network.Delivery)
	go func() { // ends with the link
		defer close(out)
		for d := range in {
			if !l.lost.Load() {
				out <- d
			}
		}
	}()
	return out, nil
}

// A node whose broker has silently forgotten what it hears notices, and asks again.
func TestDeafNodeAsksAgain(t *testing.T) {
	virtually(t, func(b *bed) {
		var lost atomic.Bool
		var links atomic.Int64
		transport := &wrapped{Transport: b.memory, wrap: func(l network.Link) network.Link {
			if links.Add(1) > 2 { // the first two are those of the start
				return l
			}
			return &forgetful{l, &lost}
		}}
		n := b.node("one", func(c *network.Config) { c.Transport = transport })
		here := b.ear(n, "here", network.ObjectConfig{})
		there := b.ear(b.node("two"), "there", network.ObjectConfig{})
		b.pass(time.Minute)
		if len(b.log.lines("does not give back")) != 0 {
			b.t.Fatal("a node that hears well says it does not")
		}
		lost.Store(true)
		there.say(b.t, 1) // nobody can help that one
		b.pass(time.Minute)
		if len(b.log.lines("does not give back")) != 1 {
			b.t.Errorf("the log:\n%s", b.log)
		}
		there.say(b.t, 2)
		b.settle()
		here.expect(b.t, said(2)...)
		if s := n.Stats(); s.Missed != 0 && s.Senders[0].Earlier != 1 {
			b.t.Errorf("%+v", s.Senders)
		}
	})
}
