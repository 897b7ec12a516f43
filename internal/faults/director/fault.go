package director

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"github.com/statemesh/statemesh/internal/faults/actor"
	"github.com/statemesh/statemesh/internal/faults/judge"
	"github.com/statemesh/statemesh/internal/faults/schedule"
	"github.com/statemesh/statemesh/internal/netnstest"
)

// deed is how a fault is made, and put right again.
type deed struct {
	who        string // is hit
	hosted     bool   // it is a process with a broker in its memory, and is killed
	begin, end func() error
}

// make waits for the time of a fault, makes it, and puts all right again after its time.
// After ctx has ended nothing is made, and nothing waited for.
func (d *director) make(ctx context.Context, f schedule.Fault) error {
	if !until(ctx, d.began.Add(f.At)) {
		return ctx.Err()
	}
	// What is put right may take longer than planned, so the plan alone does not keep
	// faults apart that are about the same thing.
	for _, l := range d.locks(f) {
		l.Lock()
		defer l.Unlock()
	}
	it, err := d.deed(ctx, f)
	if err != nil {
		return err
	}
	h := judge.Happened{Fault: f, Node: it.who, Hosted: it.hosted, Began: time.Now()}
	d.say("%-4s %s, for %v", it.who, f.Kind, f.For)
	if err := it.begin(); err != nil {
		return err
	}
	if !until(ctx, h.Began.Add(f.For)) {
		return ctx.Err()
	}
	if err := it.end(); err != nil {
		return err
	}
	h.Ended = time.Now()
	d.say("%-4s %s: over", it.who, f.Kind)
	d.mu.Lock()
	d.happened = append(d.happened, h)
	d.mu.Unlock()
	return nil
}

// locks returns those of what the fault is about, in an order that is the same for all.
func (d *director) locks(f schedule.Fault) (locks []sync.Locker) {
	if d.Plan().Endangers(f) {
		locks = append(locks, &d.majority)
	}
	switch {
	case f.AboutNode():
		locks = append(locks, &d.nodes[f.Host][f.Node].mu)
	case f.Kind == schedule.KillBroker && d.Broker == Embedded:
		for _, n := range d.nodes[f.Host] {
			locks = append(locks, &n.mu)
		}
	case f.Kind == schedule.KillBroker, f.Kind == schedule.FillMemory:
		locks = append(locks, &d.places[f.Host].broker)
	case f.Kind == schedule.CutLink:
		locks = append(locks, &d.places[f.Host].link)
	case f.Kind == schedule.BadLink: // a bad link may be cut
		locks = append(locks, &d.places[f.Host].impairment)
	}
	return locks
}

// deed says how to make the fault. The caller holds the locks.
func (d *director) deed(ctx context.Context, f schedule.Fault) (deed, error) {
	host, n := d.hosts[f.Host], d.nodes[f.Host][f.Node]
	switch f.Kind {
	case schedule.KillBroker:
		if d.Broker != Embedded {
			r := d.rabbits[f.Host]
			return deed{host.Name(), false, r.kill, func() error { return r.start(ctx) }}, nil
		}
		n, err := d.hosting(ctx, f.Host)
		if err != nil {
			return deed{}, err
		}
		return deed{n.name, true, n.kill, n.start}, nil
	case schedule.CutLink:
		return deed{host.Name(), false, func() error { return host.Cut(0) }, func() error { return host.Mend(0) }}, nil
	case schedule.BadLink:
		impair := func(is netnstest.Impairment) func() error {
			return func() error { return host.Impair(0, is) }
		}
		bad := netnstest.Impairment{Delay: schedule.BadDelay, Jitter: schedule.BadJitter, Loss: schedule.BadLoss, Seed: f.Seed}
		return deed{host.Name(), false, impair(bad), impair(netnstest.Impairment{})}, nil
	case schedule.FillMemory:
		alarm := func(on bool) func() error {
			return func() error { return d.rabbits[f.Host].alarm(ctx, on) }
		}
		return deed{host.Name(), false, alarm(true), alarm(false)}, nil
	case schedule.KillNode:
		if err := n.running(); err != nil {
			return deed{}, err
		}
		hosted, err := false, error(nil)
		if d.Broker == Embedded {
			hosted, err = serves(n.cmd.Process.Pid)
		}
		return deed{n.name, hosted, n.kill, n.start}, err
	case schedule.StopNode:
		signal := func(s syscall.Signal) func() error {
			return func() error { return n.signal(s) }
		}
		return deed{n.name, false, signal(actor.Stop), signal(actor.Resume)}, nil
	case schedule.SkewClock:
		skew := func(by time.Duration) func() error {
			return func() error { return n.skew(by) }
		}
		return deed{n.name, false, skew(f.Skew), skew(0)}, nil
	}
	return deed{}, fmt.Errorf("director: nobody knows how to: %v", f)
}

// ErrNobodyHosts is wrapped by the error for a host whose broker is gone.
var ErrNobodyHosts = errors.New("director: no node hosts the broker")

// hosting returns the node that hosts the broker. The caller holds the locks of all nodes
// of the host.
func (d *director) hosting(ctx context.Context, host int) (*node, error) {
	const patience = 5 * time.Second
	for late := time.Now().Add(patience); time.Now().Before(late); {
		for _, n := range d.nodes[host] {
			if err := n.running(); err != nil {
				return nil, err
			}
			if ok, err := serves(n.cmd.Process.Pid); err != nil || ok {
				return n, err
			}
		}
		if !until(ctx, time.Now().Add(20*time.Millisecond)) {
			return nil, ctx.Err()
		}
	}
	return nil, fmt.Errorf("%w of %s", ErrNobodyHosts, d.hosts[host].Name())
}
