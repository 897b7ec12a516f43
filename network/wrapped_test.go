package network_test

import (
	"context"
	"sync"

	"github.com/statemesh/statemesh/network"
)

// wrapped is a Transport that counts what it dials, and may do otherwise than the
// one it wraps.
type wrapped struct {
	network.Transport
	before func(ctx context.Context, host string) error // if set, called before a dial, and may refuse it
	wrap   func(network.Link) network.Link              // if set, makes the link to use

	mu    sync.Mutex // guards dials
	dials map[string]int
}

func (w *wrapped) Dial(ctx context.Context, a network.Address) (network.Link, error) {
	w.mu.Lock()
	if w.dials == nil {
		w.dials = map[string]int{}
	}
	w.dials[a.Host]++
	w.mu.Unlock()
	if w.before != nil {
		if err := w.before(ctx, a.Host); err != nil {
			return nil, err
		}
	}
	link, err := w.Transport.Dial(ctx, a)
	if err != nil || w.wrap == nil {
		return link, err
	}
	return w.wrap(link), nil
}

// dialled returns how often the host was dialled since the last call.
func (w *wrapped) dialled(host string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.dials[host]
	delete(w.dials, host)
	return n
}
