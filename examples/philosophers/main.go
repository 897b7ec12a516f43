// Philosophers shows active objects that work together over the fabric, without
// knowing each other: five philosophers round a table, with a fork between each
// two, and the table, which says who may eat.
//
//	+---------- thinking -----------+        +------------ serving ------------+
//	| entry: had_enough in 1/2 to   |<-+     | entry: serve                    |
//	|        3/2 s                  |  |     |                                 |
//	+-------------------------------+  |     | hungry, done: note it and serve |
//	   | had_enough                    |     +---------------------------------+
//	   v                               |        |  pause               ^  serve
//	+------------ hungry -----------+  |        v                      |
//	| entry: publish hungry         |  |     +------------ paused -------------+
//	+-------------------------------+  |     | hungry, done: note it           |
//	   | eat, and it is my number      |     +---------------------------------+
//	   v                               |
//	+------------ eating -----------+  |
//	| entry: take both forks;       |  |
//	|        had_enough in 1/2 to   |  |
//	|        1 s                    |  |
//	| exit:  put them back;         |--+
//	|        publish done           | had_enough
//	+-------------------------------+
//
// A philosopher publishes hungry and done; the table subscribes to both, and
// publishes eat, which all the philosophers get and one obeys. Nobody shares a
// lock, and nobody waits while holding something another one needs, so there is
// no deadlock. The table lets somebody eat when both neighbours do not, and
// neither has been hungry for longer: so nobody starves either.
//
// Source: Miro Samek, Practical UML Statecharts in C/C++, chapter 7, the Dining
// Philosopher Problem.
package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/examples/internal/local"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

// With hungry, done and eat comes the number of the philosopher.
var (
	hungrySignal = hsm.MustBind[int](hsm.NewSignal("hungry"))
	done         = hsm.MustBind[int](hsm.NewSignal("done"))
	eat          = hsm.MustBind[int](hsm.NewSignal("eat"))
	hadEnough    = hsm.NewSignal("had_enough")
	pause        = hsm.NewSignal("pause")
	serve        = hsm.NewSignal("serve")
)

const (
	thinking hsm.State = iota + 1
	hungry
	eating
)

// philosopher is the data of one philosopher.
type philosopher struct {
	*activeobject.ActiveObject
	number      int
	left, right *fork
	rng         *rand.Rand
	delay       func(time.Duration) time.Duration
	meals       int
}

var philosophers = hsm.MustCompile([]hsm.Spec[*philosopher]{
	thinking: {Name: "thinking", Handle: (*philosopher).thinking},
	hungry:   {Name: "hungry", Handle: (*philosopher).hungry},
	eating:   {Name: "eating", Handle: (*philosopher).eating},
})

func (p *philosopher) thinking(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		p.soon(0.5, 1.5)
		return hsm.Handled
	case hadEnough:
		return hsm.Tran(hungry)
	}
	return hsm.Super
}

func (p *philosopher) hungry(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		p.Publish(hsm.Event{Signal: hungrySignal, Payload: p.number}, activeobject.DefaultPriority)
		return hsm.Handled
	case eat:
		if who, _ := hsm.Payload[int](e); who != p.number {
			return hsm.Unhandled
		}
		return hsm.Tran(eating)
	}
	return hsm.Super
}

func (p *philosopher) eating(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		p.left.take()
		p.right.take()
		p.meals++
		p.soon(0.5, 1)
		return hsm.Handled
	case hsm.Exit:
		p.left.put()
		p.right.put()
		p.Publish(hsm.Event{Signal: done, Payload: p.number}, activeobject.DefaultPriority)
		return hsm.Handled
	case hadEnough:
		return hsm.Tran(thinking)
	}
	return hsm.Super
}

// soon posts had_enough after a random time from least to most seconds.
func (p *philosopher) soon(least, most float64) {
	seconds := least + p.rng.Float64()*(most-least)
	p.PostFIFO(hsm.Event{Signal: hadEnough}, activeobject.Once(p.delay(time.Duration(seconds*float64(time.Second)))))
}

// fork lies between two philosophers. It is no lock: if the table does its work,
// nobody ever finds one taken, and a philosopher who does stops with a Failure.
type fork struct{ taken atomic.Bool }

func (f *fork) take() {
	if !f.taken.CompareAndSwap(false, true) {
		panic("the fork is in a neighbour's hand")
	}
}

func (f *fork) put() { f.taken.Store(false) }

// play has dinner until ctx ends, another one each time.
func play(ctx context.Context, stage *local.Stage) error {
	d, err := newDinner(5, rand.Uint64(), stage.Delay, stage.Instrument())
	if err != nil {
		return err
	}
	d.table.PostFIFO(hsm.Event{Signal: pause}, activeobject.Once(stage.Delay(2*time.Second)))
	d.table.PostFIFO(hsm.Event{Signal: serve}, activeobject.Once(stage.Delay(3*time.Second)))
	err = d.run(ctx)
	for _, p := range d.philosophers {
		stage.Say("%s ate %d times", p.Name(), p.meals)
	}
	return err
}

// dinner is a table and its philosophers.
type dinner struct {
	table        *table
	philosophers []*philosopher
	failed       chan struct{} // holds something when one of them has stopped by itself
}

// newDinner makes a table and n philosophers, two at least, on a fabric of their
// own. Delay makes the program faster than life.
func newDinner(n int, seed uint64, delay func(time.Duration) time.Duration, i instrument.Config) (*dinner, error) {
	d := &dinner{failed: make(chan struct{}, n+1)}
	config := activeobject.Config{
		Fabric:     activeobject.NewFabric(),
		Instrument: i,
		OnFailure:  func(*activeobject.ActiveObject, *activeobject.Failure) { d.failed <- struct{}{} },
	}
	d.table = newTable(n, config)
	if err := d.table.subscribe(); err != nil {
		return nil, err
	}
	forks := make([]fork, n)
	for i := range n {
		p := &philosopher{
			number: i,
			left:   &forks[i],
			right:  &forks[(i+1)%n],
			rng:    rand.New(rand.NewPCG(seed, uint64(i))),
			delay:  delay,
		}
		p.ActiveObject = activeobject.New(fmt.Sprintf("philosopher_%d", i+1), hsm.NewMachine(philosophers, p), config)
		if err := p.Subscribe(eat, activeobject.FIFO); err != nil {
			return nil, err
		}
		d.philosophers = append(d.philosophers, p)
	}
	return d, nil
}

// run has everybody at the table until ctx ends, or somebody stops by
// itself.
func (d *dinner) run(ctx context.Context) error {
	err := d.table.Start(ctx, serving)
	for _, p := range d.philosophers {
		if err == nil {
			err = p.Start(ctx, thinking)
		}
	}
	if err == nil {
		select {
		case <-ctx.Done():
		case <-d.failed:
		}
	}
	for _, p := range d.philosophers {
		err = errors.Join(err, p.Stop(context.Background()), p.Err())
	}
	return errors.Join(err, d.table.Stop(context.Background()), d.table.Err())
}

var program = local.Program{
	Name:  "philosophers",
	About: "philosophers shows active objects that share forks over the fabric.",
	For:   5 * time.Second,
	Play:  play,
}

func main() { program.Main() }
