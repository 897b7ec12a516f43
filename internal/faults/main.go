// Faults makes a fault run: three hosts in network namespaces, each with a broker and
// ten charts which tell each other numbered events, and meanwhile brokers and nodes that
// are killed or stopped, links that are cut or bad, brokers without memory, and wrong
// clocks, as a seed says. In the end it says of each promise whether it was held.
//
// Use scripts/faults.sh, which compiles it as it has to be.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/statemesh/statemesh/internal/faults/actor"
	"github.com/statemesh/statemesh/internal/faults/director"
	"github.com/statemesh/statemesh/internal/netnstest"
)

// What the program exits with.
const (
	held        = 0
	broken      = 1 // a promise, or the run itself failed
	usage       = 2
	unavailable = 3 // no run can be made here
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	if len(args) > 0 && args[0] == "actor" {
		return act(args[1:])
	}
	o := director.Options{Out: os.Stdout}
	f := flag.NewFlagSet("faults", flag.ContinueOnError)
	f.Uint64Var(&o.Seed, "seed", 1, "what the faults are drawn from; the same seed gives the same faults")
	f.DurationVar(&o.For, "for", time.Minute, "how long faults are made")
	f.StringVar(&o.Broker, "broker", director.Embedded, "embedded, rabbitmq (one a host) or cluster (of three RabbitMQs)")
	f.BoolVar(&o.Keep, "keep", false, "keep ledgers and logs even if all promises are held")
	if err := f.Parse(args); err != nil {
		return usage
	}
	kinds := []string{director.Embedded, director.RabbitMQ, director.Cluster}
	if f.NArg() > 0 || o.For < 10*time.Second || !slices.Contains(kinds, o.Broker) {
		fmt.Fprintf(os.Stderr, "faults: only flags; -for at least 10s, -broker one of %v\n", kinds)
		return usage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	err := director.Run(ctx, o)
	switch {
	case err == nil:
		return held
	case errors.Is(err, netnstest.ErrUnavailable), errors.Is(err, director.ErrNotInstalled):
		fmt.Fprintln(os.Stderr, "faults:", err)
		return unavailable
	}
	fmt.Fprintln(os.Stderr, "faults:", err)
	return broken
}

// act is the process on a host.
func act(args []string) int {
	if err := netnstest.Inside(); err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		return usage
	}
	o, err := actor.Parse(args, os.Stderr)
	if err != nil {
		return usage
	}
	if err := actor.Run(o, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		return broken
	}
	return held
}
