package network

import (
	"context"
	"fmt"
	"sync"
)

// peerWatch tells Config.OnPeer of changes, on a goroutine of its own. A slow listener
// hears the newest state of each broker.
type peerWatch struct {
	tell func(PeerStatus)
	done chan struct{} // closed by the goroutine when it ends

	mu      sync.Mutex // guards what follows
	wake    sync.Cond
	pending []*peer // in the order of their changes, each once
	closed  bool
}

// newPeerWatch returns nil, which watches nothing, if there is nobody to tell.
func newPeerWatch(tell func(PeerStatus)) *peerWatch {
	if tell == nil {
		return nil
	}
	w := &peerWatch{tell: tell, done: make(chan struct{})}
	w.wake.L = &w.mu
	go w.run()
	return w
}

// changed takes note that a peer has another state now.
func (w *peerWatch) changed(p *peer) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, known := range w.pending {
		if known == p {
			return
		}
	}
	w.pending = append(w.pending, p)
	w.wake.Signal()
}

func (w *peerWatch) run() {
	defer close(w.done)
	for {
		w.mu.Lock()
		for len(w.pending) == 0 && !w.closed {
			w.wake.Wait()
		}
		pending := w.pending
		w.pending = nil
		w.mu.Unlock()
		if len(pending) == 0 {
			return
		}
		for _, p := range pending {
			w.tell(p.peerStatus())
		}
	}
}

// close tells what is left to be told. It blocks no longer than ctx allows; the
// goroutine ends when the listener has returned.
func (w *peerWatch) close(ctx context.Context) error {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	w.closed = true
	w.wake.Signal()
	w.mu.Unlock()
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("network: OnPeer has not returned: %w", ctx.Err())
	}
}
