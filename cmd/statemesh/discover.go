package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/statemesh/statemesh/network/discovery"
)

var discoverCommand = command{
	name:  "discover",
	about: "look once for nodes on the LAN, and print what was found and how",
	more: `It does what a node does that starts with -lan: it reads the hosts file and the cache file,
searches the networks of this host rung by rung, and asks every broker that it finds, with
the credentials of .env, whether somebody there has the same mesh key. All hosts have to
use the same port. What is found is written into the cache file.

With -json it prints one object on one line:

  began         time
  elapsed_ms    all durations are in milliseconds, with fractions
  rungs         list of rung, interface, network, asked, found, elapsed_ms, skipped, error
  candidates    list of address, name, verdict, via, elapsed_ms, round_trip_ms, nodes, why;
                nodes is a list of id and name

It ends with 0 if it looked, also if it found nobody; with 1 if it could not look.
`,
	setUp: func(t *tool, f *flag.FlagSet) func(context.Context, []string) error {
		var o discoverOptions
		declareDir(f, &o.dir)
		f.Func("interface", "search the networks of these interfaces: `NAMES` with commas\n(default: STATEMESH_LAN_INTERFACES, or all that lead to a LAN)", func(s string) error {
			o.interfaces = splitList(s)
			if o.interfaces == nil {
				return errors.New("it names none")
			}
			return nil
		})
		f.Func("prefix", "contact only these `PREFIXES`, such as 192.168.1.0/24, with commas\n(default: STATEMESH_LAN_PREFIXES, or the networks that are searched)", func(s string) (err error) {
			o.prefixes, err = parsePrefixes(s)
			return err
		})
		f.IntVar(&o.port, "port", 0, "`PORT` of the brokers (default: RABBIT_PORT, or 5672)")
		f.DurationVar(&o.timeout, "timeout", 0, "give up after this `TIME` (default: it takes as long as it takes, mostly some seconds)")
		f.BoolVar(&o.json, "json", false, "print JSON in place of tables")
		f.BoolVar(&o.trace, "trace", false, "print the trace of the charts that look, to standard error")
		return func(ctx context.Context, _ []string) error { return t.discovers(ctx, o) }
	},
}

type discoverOptions struct {
	dir         string
	interfaces  []string
	prefixes    []netip.Prefix
	port        int
	timeout     time.Duration
	json, trace bool
}

// splitList parts a list at its commas.
func splitList(text string) []string {
	var items []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

func parsePrefixes(text string) ([]netip.Prefix, error) {
	var prefixes []netip.Prefix
	for _, item := range splitList(text) {
		p, err := netip.ParsePrefix(item)
		if err != nil {
			return nil, errors.New("want prefixes like 192.168.1.0/24")
		}
		prefixes = append(prefixes, p.Masked())
	}
	if prefixes == nil {
		return nil, errors.New("it names none")
	}
	return prefixes, nil
}

func (t *tool) discovers(ctx context.Context, o discoverOptions) error {
	if o.port < 0 || o.port > 65535 {
		return wrongUsage("-port %d: want a number from 1 to 65535", o.port)
	}
	if err := notNegative("timeout", o.timeout); err != nil {
		return err
	}
	c, err := t.config("discover", nodeFlags{dir: o.dir, lan: true}, slog.LevelWarn)
	if err != nil {
		return err
	}
	if o.interfaces != nil {
		c.Discovery.Interfaces = o.interfaces
	}
	if o.prefixes != nil {
		c.Discovery.Prefixes = o.prefixes
	}
	if o.port != 0 {
		c.Port = o.port
	}
	if o.trace {
		c.TraceCharts = t.stderr
	}
	looking := ctx
	if o.timeout > 0 {
		var cancel context.CancelFunc
		looking, cancel = context.WithTimeout(ctx, o.timeout)
		defer cancel()
	}
	report, err := t.discover(looking, c)
	switch {
	case err != nil && ctx.Err() != nil:
		return errInterrupted
	case err != nil && looking.Err() != nil:
		return fmt.Errorf("looking was not over after %v", o.timeout)
	case err != nil:
		return err
	}
	if o.json {
		err = t.print(reportJSON(report))
	} else {
		err = t.print(reportTables(report))
	}
	return errors.Join(err, couldNotLook(report))
}

// couldNotLook says why no network could be searched, if so.
func couldNotLook(r discovery.Report) error {
	for _, rung := range r.Rungs {
		if rung.Rung == discovery.RungTable && rung.Interface == "" && rung.Err != nil {
			return fmt.Errorf("no network could be searched: %w", rung.Err)
		}
	}
	return nil
}
