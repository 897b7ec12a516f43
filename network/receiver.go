package network

import (
	"context"
	"slices"
	"sync"
	"time"
)

// handing is a Link that can hand what it receives to a function, on a goroutine of its own,
// one at a time and until it dies, where Consume would need another one. The function must
// not close the link. It is called from before handOver returns.
type handing interface {
	handOver(bindings []Binding, handle func(Delivery)) error
}

// receiver consumes from the own host's broker.
type receiver struct {
	*connection
	handle func(Delivery)

	mu       sync.Mutex // guards what follows
	bindings []Binding
	link     Link // that consumes now, nil for none
	keepers  []*keeper
}

func newReceiver(c *connection, dial func(context.Context) (Link, error), handle func(Delivery)) *receiver {
	r := &receiver{connection: c, handle: handle}
	c.open = func(ctx context.Context) (session, error) {
		link, err := dial(ctx)
		if err != nil {
			return session{}, err
		}
		s, err := r.consume(link)
		if err != nil {
			link.Close()
		}
		return s, err
	}
	return r
}

// consume prepares the work on a new link.
func (r *receiver) consume(link Link) (session, error) {
	r.mu.Lock()
	bindings := slices.Clone(r.bindings)
	r.mu.Unlock()
	var deliveries <-chan Delivery // nil if the link hands them over
	var err error
	if l, can := link.(handing); can {
		err = l.handOver(bindings, r.handle)
	} else {
		deliveries, err = link.Consume(bindings)
	}
	if err != nil {
		return session{}, err
	}
	// What was asked for meanwhile; from here on, bind does it.
	r.mu.Lock()
	r.link = link
	late := slices.Clone(r.bindings[len(bindings):])
	keepers := slices.Clone(r.keepers)
	r.mu.Unlock()
	for _, b := range late {
		if err := link.Bind(b); err != nil {
			return session{}, err
		}
	}
	for _, k := range keepers {
		if err := k.linked(link); err != nil && link.Err() != nil {
			return session{}, err
		}
	}
	return session{link, func(time.Duration) { r.receive(link, deliveries) }}, nil
}

func (r *receiver) receive(link Link, deliveries <-chan Delivery) {
	var readers sync.WaitGroup // ended by the death of the link
	readers.Go(func() {
		for range link.Confirmed() {
		}
	})
	readers.Go(func() {
		for range link.Blocked() {
		}
	})
	if deliveries != nil {
		for d := range deliveries {
			r.handle(d)
		}
	}
	<-link.Done()
	r.mu.Lock()
	r.link = nil
	r.mu.Unlock()
	link.Close()
	readers.Wait()
}

// bind makes what is published under the binding come here, from now on and on
// every later link. It waits for the broker, if there is one, and returns its
// error; the binding is made on the next link then.
func (r *receiver) bind(b Binding) error {
	r.mu.Lock()
	known := slices.Contains(r.bindings, b)
	if !known {
		r.bindings = append(r.bindings, b)
	}
	link := r.link
	r.mu.Unlock()
	if known || link == nil {
		return nil
	}
	return link.Bind(b)
}

// keep makes sure of the durable queue of an object, now if there is a link, and on every
// later one. The error is the broker's refusal; a link that dies has another after it.
func (r *receiver) keep(k *keeper) error {
	r.mu.Lock()
	r.keepers = append(r.keepers, k)
	link := r.link
	r.mu.Unlock()
	if link == nil {
		return nil
	}
	if err := k.linked(link); err != nil && link.Err() == nil {
		return err
	}
	return nil
}

// leave undoes keep, as far as later links go.
func (r *receiver) leave(k *keeper) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keepers = slices.DeleteFunc(r.keepers, func(other *keeper) bool { return other == k })
}

// rebind asks for all bindings once more, which changes nothing unless somebody has deleted
// an exchange, and the bindings with it. If there is no such exchange, the link ends, and
// the next one declares it. It waits for the broker.
func (r *receiver) rebind() {
	r.mu.Lock()
	link, bindings, keepers := r.link, slices.Clone(r.bindings), slices.Clone(r.keepers)
	r.mu.Unlock()
	if link == nil {
		return
	}
	for _, b := range bindings {
		if link.Bind(b) != nil {
			return
		}
	}
	for _, k := range keepers {
		_, _ = link.Keep(k.queue) // a refusal has been reported when the link was new
	}
}

// renew ends the link that consumes, if there is one; the next one asks for everything
// again.
func (r *receiver) renew() {
	r.mu.Lock()
	link := r.link
	r.mu.Unlock()
	if link != nil {
		link.Close()
	}
}
