// Package actor is the process that runs on a host of a fault run: a node with charts
// which transmit numbered events and write down what they sent and got.
//
// It obeys signals: SIGUSR1 ends the transmitting, SIGUSR2 makes it read how wrong its
// clock is to be, and SIGTERM ends it, with a report.
package actor

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/statemesh/statemesh/internal/faults/ledger"
	"github.com/statemesh/statemesh/network"
)

// Options are what the director says to an actor.
type Options struct {
	Life   string        // its name, and that of its ledger
	Charts []string      // their names; see AtLeastOnce
	Broker string        // Config.Broker
	Every  time.Duration // between two events of a chart
	Settle time.Duration // from the node's first word to the base line
}

// Prefixes of the names of charts, and the first words of their routing keys.
const (
	MostOnce  = "most"
	LeastOnce = "least"
)

// AtLeastOnce says whether a chart of that name is to hear and be heard at least once.
func AtLeastOnce(chart string) bool { return strings.HasPrefix(chart, LeastOnce) }

// Args returns the arguments of a process with these options.
func (o Options) Args() []string {
	return []string{
		"-life", o.Life, "-charts", strings.Join(o.Charts, ","), "-broker", o.Broker,
		"-every", o.Every.String(), "-settle", o.Settle.String(),
	}
}

// LedgerName and SkewName are the names of a life's files, in the working directory.
func LedgerName(life string) string { return life + ".ledger" }

// SkewName is the name of the file with the duration by which the clock is wrong.
func SkewName(life string) string { return life + ".skew" }

// Parse reads what Args returns.
func Parse(args []string, stderr io.Writer) (o Options, err error) {
	f := flag.NewFlagSet("actor", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.Life, "life", "", "")
	charts := f.String("charts", "", "")
	f.StringVar(&o.Broker, "broker", "", "")
	f.DurationVar(&o.Every, "every", 200*time.Millisecond, "")
	f.DurationVar(&o.Settle, "settle", 3*time.Second, "")
	err = f.Parse(args)
	o.Charts = strings.Split(*charts, ",")
	return o, err
}

// actor is a running one.
type actor struct {
	Options
	node   *network.Node
	charts []*chart
	ledger *ledger.Writer
	began  time.Time   // a reading of the clock before it is wrong, for now
	silent atomic.Bool // nothing is transmitted any more

	calls sync.WaitGroup     // of TransmitConfirmed
	ctx   context.Context    // of these
	stop  context.CancelFunc // ends them
}

// startWithin is longer than the longest fault, and the time a cluster takes after it.
const startWithin = 10 * time.Minute

// now is the time by a clock that is never wrong.
func (a *actor) now() time.Time { return a.began.Add(time.Since(a.began)) }

// write writes a line. A full disk is the end.
func (a *actor) write(l ledger.Line) {
	l.At = a.now()
	if err := a.ledger.Write(l); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Run runs an actor in the working directory until SIGTERM.
func Run(o Options, stderr io.Writer) error {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, Silence, Skew, syscall.SIGTERM)
	defer signal.Stop(signals)
	a := &actor{Options: o, began: time.Now()}
	a.ctx, a.stop = context.WithCancel(context.Background())
	defer a.stop()
	writer, err := ledger.Create(LedgerName(o.Life), o.Life)
	if err != nil {
		return err
	}
	defer writer.Close()
	a.ledger = writer
	before := usage()

	config, err := network.Load("")
	if err != nil {
		return err
	}
	config.Name = o.Life
	config.Broker = o.Broker
	config.Logger = slog.New(slog.NewTextHandler(stderr, nil))
	config.SnoopOutput = io.Discard
	config.OnPeer = func(p network.PeerStatus) {
		a.write(ledger.Line{Kind: ledger.Peering, Err: p.Address + " " + string(p.State)})
	}
	starting, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	if a.node, err = network.NewNode(starting, config); err != nil {
		return err
	}
	for _, name := range o.Charts {
		c, err := a.newChart(name)
		if err != nil {
			return errors.Join(err, a.node.Close(starting))
		}
		a.charts = append(a.charts, c)
		a.write(ledger.Line{Kind: ledger.Made, Event: ledger.Event{Chart: name}})
		if err := c.Start(a.ctx, sending); err != nil {
			return errors.Join(err, a.node.Close(starting))
		}
	}
	base := time.NewTimer(o.Settle)
	defer base.Stop()
	for {
		select {
		case <-base.C:
			a.write(ledger.Line{Kind: ledger.Base, Report: a.report(before, extreme(samples(), most))})
		case s := <-signals:
			switch s {
			case Silence:
				a.silent.Store(true)
			case Skew:
				if err := a.skew(); err != nil {
					return err
				}
			case syscall.SIGTERM:
				return a.end(before)
			}
		}
	}
}

// end closes the node and tells all.
func (a *actor) end(before ledger.Usage) error {
	a.silent.Store(true)
	a.stop()
	a.calls.Wait()
	quiet := extreme(samples(), least)
	hosting, aside := a.node.Hosting(), a.aside()
	closing, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := a.node.Close(closing)
	report := a.report(before, quiet)
	report.Hosting, report.Aside = hosting, aside
	if err != nil {
		report.Closing = err.Error()
	}
	// What was told to end may take a moment.
	for began := time.Now(); time.Since(began) < 3*time.Second; {
		report.After = extreme(samples(), least)
		if report.After.Goroutines <= before.Goroutines && report.After.Files <= before.Files {
			break
		}
	}
	if report.After.Goroutines > before.Goroutines {
		stacks := make([]byte, 1<<20)
		fmt.Fprintf(os.Stderr, "goroutines that are left:\n%s\n", stacks[:runtime.Stack(stacks, true)])
	}
	a.write(ledger.Line{Kind: ledger.End, Report: report})
	return nil
}

// aside asks what is put aside for each chart that is at-least-once.
func (a *actor) aside() map[string]int {
	aside := make(map[string]int)
	for _, c := range a.charts {
		if !AtLeastOnce(c.Name()) {
			continue
		}
		n, err := c.Aside()
		if err != nil {
			fmt.Fprintf(os.Stderr, "what is put aside for %s: %v\n", c.Name(), err)
			continue
		}
		aside[c.Name()] = n
	}
	return aside
}

func (a *actor) report(before, now ledger.Usage) *ledger.Report {
	r := &ledger.Report{
		Node: a.node.Name(), Hosting: a.node.Hosting(), Before: before, Now: now, Stats: a.node.Stats(),
	}
	for _, p := range a.node.Peers() {
		peer := ledger.Peer{PeerStatus: p}
		if p.Err != nil {
			peer.Err = p.Err.Error()
		}
		r.Peers = append(r.Peers, peer)
	}
	return r
}

// skew makes the clock as wrong as the file says.
func (a *actor) skew() error {
	text, err := os.ReadFile(SkewName(a.Life))
	if err != nil {
		return err
	}
	d, err := time.ParseDuration(strings.TrimSpace(string(text)))
	if err != nil {
		return err
	}
	setSkew(d)
	return nil
}

// usage is what the process holds at this moment.
func usage() ledger.Usage {
	files, _ := filepath.Glob("/proc/self/fd/*")
	// The directory that is read is one of them.
	return ledger.Usage{Goroutines: runtime.NumGoroutine(), Files: len(files) - 1}
}

// samples looks several times in a second, since a dial that is under way is no leak.
func samples() []ledger.Usage {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var all []ledger.Usage
	for range 20 {
		<-tick.C
		all = append(all, usage())
	}
	return all
}

func least(a, b int) int { return min(a, b) }
func most(a, b int) int  { return max(a, b) }

// extreme takes the least or the most of the samples, and the heap after a collection.
func extreme(all []ledger.Usage, of func(a, b int) int) ledger.Usage {
	u := all[0]
	for _, s := range all[1:] {
		u.Goroutines, u.Files = of(u.Goroutines, s.Goroutines), of(u.Files, s.Files)
	}
	var memory runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&memory)
	u.Heap = int(memory.HeapAlloc)
	return u
}
