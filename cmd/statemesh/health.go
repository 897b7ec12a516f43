package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/statemesh/statemesh/network"
)

var healthCommand = command{
	name:  "health",
	about: "ask the nodes of a mesh how they are doing, and print it",
	more: `It asks the nodes of one broker, with -lan those of all hosts that it finds, and hosts none.
The first table has a line for each node, the second one for each broker that a node talks
to, the third one for each object that has lost something or has failed.

  TRANSMITTED  events of the node's objects      RECEIVED   events of other nodes
  DELIVERED    to objects of the node            REJECTED   their queues were full, or they had stopped
  MISSED       of other nodes, and never came    PROBLEMS   what else went wrong, with counts

With -json it prints one object a line, as network.Health; durations are nanoseconds.
It ends with 1 if nobody answered, or not every broker.
`,
	setUp: func(t *tool, f *flag.FlagSet) func(context.Context, []string) error {
		var o healthOptions
		o.declare(f)
		f.DurationVar(&o.timeout, "timeout", 20*time.Second, "give up after this `TIME` (default 20s)")
		f.BoolVar(&o.json, "json", false, "print JSON in place of tables")
		return func(ctx context.Context, _ []string) error { return t.health(ctx, o) }
	},
}

type healthOptions struct {
	nodeFlags
	timeout time.Duration
	json    bool
}

func (t *tool) health(ctx context.Context, o healthOptions) error {
	if err := notNegative("timeout", o.timeout); err != nil {
		return err
	}
	c, err := t.config("health", o.nodeFlags, slog.LevelError)
	if err != nil {
		return err
	}
	if c.MeshKey.IsZero() {
		return fmt.Errorf("%s is not set, in the environment or in %s: without the key of the mesh nobody answers", network.EnvMeshKey, dotenv(c.Dir))
	}
	asking, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	all, err := network.AskHealth(asking, c)
	if ctx.Err() != nil {
		return errInterrupted
	}
	if len(all) == 0 && err == nil {
		err = errors.New("nobody answered")
	}
	var text strings.Builder
	switch {
	case o.json:
		encoder := json.NewEncoder(&text)
		for _, h := range all {
			err = errors.Join(err, encoder.Encode(h))
		}
	case len(all) > 0:
		healthTables(&text, all)
	}
	return errors.Join(t.print(text.String()), err)
}

func healthTables(b *strings.Builder, all []network.Health) {
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	number := func(n uint64) string { return fmt.Sprint(n) }
	fmt.Fprintln(w, "NODE\tUP FOR\tHOSTS\tOBJECTS\tTRANSMITTED\tRECEIVED\tDELIVERED\tREJECTED\tMISSED\tPROBLEMS")
	for _, h := range all {
		hosts := ""
		if h.Hosting {
			hosts = "yes"
		}
		var problems []string
		for _, why := range slices.Sorted(maps.Keys(h.Stats.Problems)) {
			problems = append(problems, fmt.Sprintf("%s %d", why, h.Stats.Problems[why]))
		}
		s := h.Stats
		row(w, h.Node, short(h.At.Sub(h.Started)), hosts, fmt.Sprint(len(h.Objects)), number(s.Transmitted), number(s.Received),
			number(s.Delivered), number(s.Rejected), number(s.Missed), strings.Join(problems, ", "))
	}
	fmt.Fprintln(w, "\nNODE\tBROKER\tVIA\tSTATE\tFOR\tQUEUED\tSENT\tDROPPED\tRETRIED\tROUND TRIP\tBLOCKED\tNODES\tWHY")
	for _, h := range all {
		for _, p := range h.Peers {
			row(w, h.Node, p.Address, p.Via, string(p.State), short(h.At.Sub(p.Since)), fmt.Sprint(p.Queued), number(p.Sent), number(p.Dropped),
				number(p.Events.Retried+p.Snoop.Retried), short(p.RoundTrip), short(p.Blocked), strings.Join(p.Nodes, ", "), p.Error)
		}
	}
	ill := false
	for _, h := range all {
		for _, o := range h.Objects {
			if o.Failure == "" && o.Rejected+o.Dropped+o.Discarded+o.Missed == 0 {
				continue
			}
			if !ill {
				fmt.Fprintln(w, "\nNODE\tOBJECT\tWAITING\tREJECTED\tDROPPED\tDISCARDED\tLATE TIMERS\tFAILURE")
				ill = true
			}
			row(w, h.Node, o.Name, fmt.Sprint(o.Waiting), number(o.Rejected), number(o.Dropped), number(o.Discarded), number(o.Missed), o.Failure)
		}
	}
	w.Flush()
}
