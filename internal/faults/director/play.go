package director

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/statemesh/statemesh/internal/faults/actor"
	"github.com/statemesh/statemesh/internal/faults/judge"
	"github.com/statemesh/statemesh/internal/faults/ledger"
	"github.com/statemesh/statemesh/internal/faults/schedule"
)

// play makes the faults, lets all come to rest, and judges.
func (d *director) play(ctx context.Context, faults []schedule.Fault) error {
	run := judge.Run{Ready: time.Now(), Volatile: d.Broker == Embedded, Shared: d.Broker == Cluster, Bounds: bounds(d.Broker)}
	d.say("all have settled")
	d.began = time.Now()
	var work sync.WaitGroup
	for _, f := range faults {
		work.Go(func() {
			if err := d.make(ctx, f); err != nil && ctx.Err() == nil {
				d.mu.Lock()
				d.errs = append(d.errs, fmt.Errorf("%s: %w", f, err))
				d.mu.Unlock()
				d.say("FAILED: %v: %v", f, err)
			}
		})
	}
	work.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	run.Healed = time.Now()
	d.say("all is well again")
	if err := d.heardAgain(ctx, run.Healed, run.Again); err != nil {
		return err
	}
	run.Silent = time.Now()
	for _, n := range d.all() {
		if err := n.signal(actor.Silence); err != nil {
			return err
		}
	}
	d.say("nobody transmits any more")
	if err := d.quiet(ctx); err != nil {
		return err
	}
	if err := d.endAll(); err != nil {
		return err
	}
	for _, n := range d.all() {
		run.Lives = append(run.Lives, n.lives...)
	}
	for _, l := range run.Lives {
		if err := l.Load(); err != nil {
			return err
		}
	}
	run.Faults = d.happened
	d.say("the ledgers are read")
	return d.verdict(run)
}

// verdict writes a line a promise, and the evidence.
func (d *director) verdict(run judge.Run) error {
	err := errors.Join(d.errs...)
	fmt.Fprintf(d.Out, "\n%d of %d faults made, %d lives of %d processes\n", len(d.happened), len(d.happened)+len(d.errs), len(run.Lives), len(d.all()))
	for _, p := range run.Judge() {
		fmt.Fprintln(d.Out, p)
		for _, e := range p.Evidence {
			fmt.Fprintln(d.Out, "        ", e)
		}
		if !p.Held {
			err = errors.Join(err, fmt.Errorf("%w: %s", ErrBroken, p.Name))
		}
	}
	return err
}

// until waits for a time, and reports whether ctx has not ended before.
func until(ctx context.Context, at time.Time) bool {
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// ready waits until all have written their base line.
func (d *director) ready(ctx context.Context) error {
	late := time.Now().Add(readyWithin)
	for _, n := range d.all() {
		for {
			ok := false
			err := ledger.ReadFile(n.life().Path, n.life().Name, 0, func(l ledger.Line) { ok = ok || l.Kind == ledger.Base })
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
			if ok {
				break
			}
			if err := n.running(); err != nil {
				return err
			}
			if time.Now().After(late) {
				return fmt.Errorf("director: %s has not settled in %v", n.life().Name, readyWithin)
			}
			if !until(ctx, time.Now().Add(200*time.Millisecond)) {
				return ctx.Err()
			}
		}
	}
	return nil
}

// heardAgain waits until every process has heard the charts of every other one, of after a
// time, for no longer than the bound, which the judge knows too.
func (d *director) heardAgain(ctx context.Context, since time.Time, bound time.Duration) error {
	watch := newWatch(d.all())
	for time.Since(since) < bound+time.Second {
		if err := watch.look(); err != nil {
			return err
		}
		if watch.meshed(since) {
			d.say("all hear all")
			return nil
		}
		if !until(ctx, time.Now().Add(250*time.Millisecond)) {
			return ctx.Err()
		}
	}
	d.say("not all hear all")
	return nil
}

// quiet waits until nothing has arrived for a while.
func (d *director) quiet(ctx context.Context) error {
	watch, enough := newWatch(d.all()), quietFor(d.Broker)
	for began := time.Now(); time.Since(began) < quietWithin; {
		if err := watch.look(); err != nil {
			return err
		}
		if now := time.Now(); now.Sub(began) > enough && now.Sub(watch.newest) > enough {
			d.say("nothing arrives any more")
			return nil
		}
		if !until(ctx, time.Now().Add(250*time.Millisecond)) {
			return ctx.Err()
		}
	}
	d.say("still something arrives")
	return nil
}

// endAll ends all actors at once.
func (d *director) endAll() error {
	errs := make([]error, len(d.all()))
	var ends sync.WaitGroup
	for i, n := range d.all() {
		ends.Go(func() { errs[i] = n.end(endWithin) })
	}
	ends.Wait()
	return errors.Join(errs...)
}
