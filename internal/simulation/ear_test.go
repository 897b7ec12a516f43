package simulation

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/network"
)

// mark is an event: the number-th of an object in a life of its host's node.
type mark struct {
	Object int // index in the plan
	Life   int // of the host
	Number int // 1, 2, 3 ...
}

var marks = hsm.MustBind[mark](hsm.NewSignal("mark"))

// heard is one event that an object handled.
type heard struct {
	mark
	at time.Duration // since the begin of the run
}

// ear is an object of one life. It notes what it hears, and sends what it is told to.
type ear struct {
	*network.ActiveObject
	index  int // in the plan
	plan   object
	life   *life
	orders chan int // how many to send; closed when the life ends

	mu      sync.Mutex // guards what follows
	got     []heard
	sent    int             // that the node took, by their numbers
	at      []time.Duration // when each of these was sent, since the begin of the run
	to      [][]string      // of each of these, the brokers for which it was kept
	handed  map[string]int  // events given to outboxes, by broker
	full    map[string]int  // events that Transmit said were lost, by broker
	stopped bool            // it was, once
}

const listening hsm.State = 1

var ears = hsm.MustCompile([]hsm.Spec[*ear]{
	listening: {Name: "listening", Handle: (*ear).listen},
})

func (e *ear) listen(event hsm.Event) hsm.Status {
	m, ok := hsm.Payload[mark](event)
	if event.Signal != marks || !ok {
		return hsm.Super
	}
	e.mu.Lock()
	e.got = append(e.got, heard{m, e.life.world.now()})
	e.mu.Unlock()
	if e.plan.slow > 0 && e.life.world.now() < faultsFrom+faultsFor {
		time.Sleep(e.plan.slow)
	}
	return hsm.Handled
}

// serve sends what is ordered until orders is closed.
func (e *ear) serve() {
	for count := range e.orders {
		for range count {
			if !e.send() {
				return
			}
			time.Sleep(e.plan.gap) // each has its own: two in step would be in a race
		}
	}
}

// send transmits the next event and notes what is known of it at once. It
// reports whether the node took it.
func (e *ear) send() bool {
	w := e.life.world
	e.life.turn <- struct{}{} // two that wait for room would be in a race for it
	defer func() { <-e.life.turn }()
	peers := e.life.node.Peers()
	began := time.Now()
	err := e.Transmit(hsm.Event{Signal: marks, Payload: mark{e.index, e.life.number, e.sent + 1}})
	if took := time.Since(began); took > w.plan.maxWait {
		w.broken("%s: Transmit blocked for %v, may for %v", e.life.name, took, w.plan.maxWait)
	}
	if errors.Is(err, network.ErrNodeClosed) {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sent++
	e.at = append(e.at, began.Sub(w.began))
	var full *network.OutboxError
	if !errors.As(err, &full) {
		full = &network.OutboxError{}
		if err != nil {
			w.broken("%s: Transmit: %v", e.Name(), err)
		}
	}
	var to []string
	for _, p := range peers {
		e.handed[p.Address]++
		if slices.Contains(full.Brokers, p.Address) {
			e.full[p.Address]++
		} else {
			to = append(to, p.Address)
		}
	}
	e.to = append(e.to, to)
	return true
}

// stopFor stops the object for a while.
func (e *ear) stopFor(d time.Duration) {
	e.mu.Lock()
	e.stopped = true
	e.mu.Unlock()
	if err := e.Stop(context.Background()); err != nil {
		e.life.world.broken("%s: Stop: %v", e.Name(), err)
	}
	select {
	case <-time.After(d):
	case <-e.life.ended:
		return
	}
	if err := e.Start(context.Background(), listening); err != nil && !errors.Is(err, activeobject.ErrRunning) {
		e.life.world.broken("%s: Start: %v", e.Name(), err)
	}
}
