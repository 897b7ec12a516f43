package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/statemesh/statemesh/instrument"
	"github.com/statemesh/statemesh/network"
	"github.com/statemesh/statemesh/network/seal"
)

var snoopCommand = command{
	name:  "snoop",
	about: "print the trace and the spy that the objects of a mesh let hear",
	more: `It takes no part in the mesh, and runs until Ctrl-C. Objects are heard after EnableSnoopTrace
and EnableSnoopSpy (-trace and -spy of the examples). If nobody listens on this host, it
hosts the broker, so that others can come.

A PATTERN is one or several with commas, in which * stands for any letters, ? for one, and
[a-z] for one of these. With -signal only lines about such signals are printed: the signal
of a transition (start_at for a start); of a line of the spy what stands before the first
colon (to_inner:outer:HOOK), or what was posted, deferred, recalled, refused, published,
subscribed to or unsubscribed from (POST_FIFO:to_inner). Scribbles and the ends of steps
are about no signal.

With -json each line is an object; what is not known is left out:

  kind          trace, spy or scribble
  time          not of the spy
  name, node    the object, and the node that it is on
  signal, from, to, event, cause      of trace: the transition, and the ids of the event
                                      and of the one that caused it, hexadecimal
  lines         of spy: the lines of one step
  text          of scribble
`,
	setUp: func(t *tool, f *flag.FlagSet) func(context.Context, []string) error {
		var o snoopOptions
		o.declare(f)
		f.BoolVar(&o.trace, "trace", false, "hear the trace (default: trace and spy)")
		f.BoolVar(&o.spy, "spy", false, "hear the spy")
		f.Func("name", "print only objects whose name matches the `PATTERN`", o.filter.name.set)
		f.Func("signal", "print only what is about signals that match the `PATTERN`", o.filter.signal.set)
		f.BoolVar(&o.json, "json", false, "print a JSON object a line")
		f.BoolVar(&o.noColor, "no-color", false, "print without colours (default: colours on a terminal, unless NO_COLOR is set)")
		f.DurationVar(&o.length, "for", 0, "end after this `TIME`, such as 30s or 5m (default: run until Ctrl-C)")
		return func(ctx context.Context, _ []string) error { return t.snoop(ctx, o) }
	},
}

type snoopOptions struct {
	nodeFlags
	trace, spy    bool
	filter        filter
	json, noColor bool
	length        time.Duration
}

// closeTimeout is how long a node may take to end.
const closeTimeout = 2 * time.Second

func (t *tool) snoop(ctx context.Context, o snoopOptions) error {
	if err := notNegative("for", o.length); err != nil {
		return err
	}
	if !o.trace && !o.spy {
		o.trace, o.spy = true, true
	}
	c, err := t.config("snoop", o.nodeFlags, slog.LevelInfo)
	if err != nil {
		return err
	}
	if err := o.watchKey(&c); err != nil {
		return err
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	if o.length > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.length)
		defer cancel()
	}
	c.OnSnoop = t.listener(o, end)
	node, err := network.NewNode(ctx, c)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil
	case err != nil:
		return err
	}
	if o.trace {
		node.HearTrace()
	}
	if o.spy {
		node.HearSpy()
	}
	t.warn("snoop", "hearing "+o.what()+" at "+node.Peers()[0].Address)
	<-ctx.Done()

	closing, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	err = node.Close(closing)
	if w, failed := errors.AsType[*writeError](context.Cause(ctx)); failed {
		return w
	}
	if n := node.Stats().Unprinted; n > 0 {
		t.warn("snoop", fmt.Sprintf("%d lines came faster than they could be printed, and are missing", n))
	}
	return err
}

func (o snoopOptions) what() string {
	switch {
	case !o.spy:
		return "the trace"
	case !o.trace:
		return "the spy"
	}
	return "trace and spy"
}

// watchKey sees to it that no key is written by who only listens: a new one would open
// nothing. Who has the keys of trace and spy alone may watch, and needs no other.
func (o snoopOptions) watchKey(c *network.Config) error {
	if !c.MeshKey.IsZero() {
		return nil
	}
	var missing []string
	if o.trace && c.TraceKey.IsZero() {
		missing = append(missing, network.EnvTraceKey)
	}
	if o.spy && c.SpyKey.IsZero() {
		missing = append(missing, network.EnvSpyKey)
	}
	if missing == nil {
		c.MeshKey = seal.NewKey()
		return nil
	}
	return fmt.Errorf("without a key nothing can be heard: neither %s nor %s is in the environment or in %s; "+
		"use -dir or copy the .env of the mesh, or begin one with statemesh keygen", network.EnvMeshKey, list(missing), dotenv(c.Dir))
}

// listener returns what prints what is heard. If that fails, it calls end.
func (t *tool) listener(o snoopOptions, end context.CancelCauseFunc) func(network.Heard) {
	say := o.text(t)
	if o.json {
		say = func(h network.Heard) error { return t.print(heardJSON(h)) }
	}
	failed := false
	return func(h network.Heard) {
		h, ok := o.filter.pass(h)
		if !ok || failed {
			return
		}
		if err := say(h); err != nil {
			failed = true
			end(err)
		}
	}
}

// text returns what prints lines for people.
func (o snoopOptions) text(t *tool) func(network.Heard) error {
	p := instrument.NewPrinter(t.stdout, !o.noColor && instrument.Colours(t.stdout))
	written := func(err error) error {
		if err != nil {
			return &writeError{err}
		}
		return nil
	}
	return func(h network.Heard) error {
		switch {
		case h.Scribble != "":
			return written(p.Scribble(h.Time, h.Name, h.Scribble, h.Own))
		case len(h.Spy) > 0:
			for _, line := range h.Spy {
				if err := p.SnoopSpy(h.Name, line, h.Own); err != nil {
					return written(err)
				}
			}
			return nil
		}
		return written(p.SnoopTrace(h.Trace, h.Own))
	}
}

// jsonHeard is what -json prints.
type jsonHeard struct {
	Kind   string    `json:"kind"`
	Time   time.Time `json:"time,omitzero"`
	Name   string    `json:"name"`
	Node   string    `json:"node,omitempty"`
	Signal string    `json:"signal,omitempty"`
	From   string    `json:"from,omitempty"`
	To     string    `json:"to,omitempty"`
	Event  string    `json:"event,omitempty"`
	Cause  string    `json:"cause,omitempty"`
	Lines  []string  `json:"lines,omitempty"`
	Text   string    `json:"text,omitempty"`
}

func heardJSON(h network.Heard) string {
	j := jsonHeard{Time: h.Time, Name: h.Name, Node: h.Node}
	switch {
	case h.Scribble != "":
		j.Kind, j.Text = "scribble", h.Scribble
	case len(h.Spy) > 0:
		j.Kind, j.Lines = "spy", h.Spy
	default:
		id := func(n uint64) string {
			if n == 0 {
				return ""
			}
			return strconv.FormatUint(n, 16)
		}
		j.Kind, j.Signal, j.From, j.To = "trace", h.Trace.Signal, h.Trace.From, h.Trace.To
		j.Event, j.Cause = id(h.Trace.Event), id(h.Trace.Cause)
	}
	return jsonLine(j)
}
