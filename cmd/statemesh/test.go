package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/statemesh/statemesh/activeobject/charttest/generate"
)

var testCommand = command{
	name: "test", args: "[FILE]", most: 1,
	about: "make a Go test of a recorded trace",
	more: `FILE holds trace lines, among whatever else, as text or JSON; standard input if there is none.
The test is written to standard output: it starts the object, posts the events of the trace
at their times, and compares the trace. What the object is made with has to be filled in,
unless -new says it. Events that the chart posts to itself, by timers for example, stand in
the test like others if the trace is text, and have to be taken out: comments say where.

  statemesh test -package door -new newDoor trace.txt > door_test.go
`,
	setUp: func(t *tool, f *flag.FlagSet) func(context.Context, []string) error {
		var o generate.Options
		f.StringVar(&o.Package, "package", "main", "`NAME` of the package of the test (default main)")
		f.StringVar(&o.Chart, "name", "", "make a test of the object of this `NAME` alone (default: one of each)")
		f.StringVar(&o.New, "new", "", "Go `EXPRESSION` for a function that takes an activeobject.Config and returns the object")
		f.StringVar(&o.Start, "start", "", "`STATE` in which the object is started (default: where the trace says that it arrived)")
		f.DurationVar(&o.Round, "round", time.Millisecond, "round distances in time to this `TIME` (default 1ms)")
		return func(_ context.Context, args []string) error { return t.test(o, args) }
	},
}

func (t *tool) test(o generate.Options, args []string) error {
	if err := notNegative("round", o.Round); err != nil {
		return err
	}
	var from io.Reader = t.stdin
	if len(args) == 1 {
		f, err := os.Open(args[0])
		if err != nil {
			return err
		}
		defer f.Close()
		from = f
	}
	var source bytes.Buffer
	if err := generate.Test(&source, from, o); err != nil {
		return fmt.Errorf("no test can be made: %w", err)
	}
	return t.print(source.String())
}
