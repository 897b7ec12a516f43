// Package works is the work that statemesh is compared by, each beside what one
// would take instead. Every contestant counts what it did, so that none can skip a
// part of it.
package works

import (
	"fmt"
	"time"

	"github.com/statemesh/statemesh/bench/measure"
)

// Ours is the name of the contestant that everybody is compared with.
const Ours = "statemesh"

// Env is what the works need to know of where they run.
type Env struct {
	Quick    bool   // smaller works where they take long; the targets' sizes stay where they can
	RabbitMQ string // URL of a RabbitMQ on this host, "" for none
}

// All returns all works, those that take long last.
func All(env Env) []measure.Work {
	var all []measure.Work
	for _, some := range [][]measure.Work{
		dispatches(),
		recordings(),
		objects(),
		timers(),
		{drawing(env)},
		brokers(env),
		meshes(env),
		{nodeStart()},
		idle(env),
		scales(env),
	} {
		all = append(all, some...)
	}
	return all
}

// patience is how long a work waits for what has to come before it fails.
const patience = 30 * time.Second

// longer is how much longer than others the rounds of works over a network take.
const longer = 8

// wait waits for a value, for as long as patience.
func wait[T any](from <-chan T, what string) error {
	select {
	case <-from:
		return nil
	default:
	}
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case <-from:
		return nil
	case <-timeout.C:
		return fmt.Errorf("works: waited %v for %s", patience, what)
	}
}

// counted says that a contestant did another number of things than it should have.
func counted(what string, got, want int) error {
	if got != want {
		return fmt.Errorf("works: %d %s, want %d", got, what, want)
	}
	return nil
}
