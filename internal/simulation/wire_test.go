package simulation

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/statemesh/statemesh/network"
)

// wire is the way of one host to all brokers: a Memory with latencies, of which single
// ways can be cut.
type wire struct {
	inner   network.Transport
	latency map[string]time.Duration // by host

	mu    sync.Mutex // guards what follows
	isCut map[string]int
	hung  chan struct{}          // nil while things move; closed when they do again
	links map[string][]*wireLink // that were made; some have died
}

// Dial implements network.Transport.
func (w *wire) Dial(ctx context.Context, a network.Address) (network.Link, error) {
	delay := w.latency[a.Host]
	if !w.pass(delay, ctx.Done()) {
		return nil, fmt.Errorf("%w: %w", network.ErrUnreachable, ctx.Err())
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.isCut[a.Host] > 0 {
		return nil, fmt.Errorf("%w: the way is cut", network.ErrUnreachable)
	}
	inner, err := w.inner.Dial(ctx, a)
	if err != nil {
		return nil, err
	}
	l := &wireLink{Link: inner, wire: w, delay: delay, onTheWay: make(chan network.Delivery, 16)}
	l.work.Go(l.publish)
	w.links[a.Host] = append(w.links[a.Host], l)
	return l, nil
}

// cut ends all links to the broker of a host and lets no other be made, until heal was
// called as often.
func (w *wire) cut(host string) {
	w.mu.Lock()
	w.isCut[host]++
	links := w.links[host]
	w.links[host] = nil
	w.mu.Unlock()
	for _, l := range links {
		l.Link.Close()
	}
}

func (w *wire) heal(host string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.isCut[host]--
}

// hang makes nothing move, or everything move again.
func (w *wire) hang(begins bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if begins {
		w.hung = make(chan struct{})
	} else {
		close(w.hung)
		w.hung = nil
	}
}

// pass waits for as long as something needs on the way, and reports whether stop was not
// closed meanwhile.
func (w *wire) pass(delay time.Duration, stop <-chan struct{}) bool {
	if !pause(delay, stop) {
		return false
	}
	for {
		w.mu.Lock()
		hung := w.hung
		w.mu.Unlock()
		if hung == nil {
			return true
		}
		select {
		case <-hung:
		case <-stop:
			return false
		}
	}
}

// wireLink passes on everything late, and loses what is on its way when the link dies:
// events and confirms, so that events are sent again, and deliveries.
type wireLink struct {
	network.Link
	wire     *wire
	delay    time.Duration
	onTheWay chan network.Delivery // to the broker
	work     sync.WaitGroup        // goroutines that end after the link died
}

// Publish implements network.Link.
func (l *wireLink) Publish(exchange, key string, body []byte) error {
	select {
	case <-l.Done():
		return network.ErrLost
	default:
	}
	select {
	case l.onTheWay <- network.Delivery{Exchange: exchange, Key: key, Body: bytes.Clone(body)}:
		return nil
	case <-l.Done():
		return network.ErrLost
	}
}

// publish brings the broker what is on the way, until the link dies.
func (l *wireLink) publish() {
	for {
		select {
		case d := <-l.onTheWay:
			if !l.wire.pass(l.delay, l.Done()) || l.Link.Publish(d.Exchange, d.Key, d.Body) != nil {
				return
			}
		case <-l.Done():
			return
		}
	}
}

// Confirmed implements network.Link.
func (l *wireLink) Confirmed() <-chan network.Confirm { return late(l, l.Link.Confirmed()) }

// Consume implements network.Link.
func (l *wireLink) Consume(b []network.Binding) (<-chan network.Delivery, error) {
	in, err := l.Link.Consume(b)
	if err != nil {
		return nil, err
	}
	return late(l, in), nil
}

// Close implements network.Link.
func (l *wireLink) Close() error {
	err := l.Link.Close()
	l.work.Wait()
	return err
}

// late returns a channel that gets everything after the link's delay.
func late[T any](l *wireLink, in <-chan T) <-chan T {
	out := make(chan T)
	l.work.Go(func() {
		defer close(out)
		for v := range in {
			if !l.wire.pass(l.delay, l.Done()) {
				return
			}
			select {
			case out <- v:
			case <-l.Done():
				return
			}
		}
	})
	return out
}

// pause waits, and reports whether stop was not closed meanwhile.
func pause(d time.Duration, stop <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-stop:
		return false
	}
}
