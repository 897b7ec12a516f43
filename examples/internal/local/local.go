// Package local has what the example programs without a network share and what
// they are not about: flags, printing what charts do, and a clean end.
package local

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Options are the flags of a program.
type Options struct {
	Trace   bool
	Spy     bool
	NoColor bool
	For     time.Duration
	Fast    float64
}

// Program is an example. Its fields Spy and For are the defaults of the flags.
type Program struct {
	Name  string // of the program
	About string // one sentence
	Spy   bool
	// For is how long a program with timers runs; ctx ends then. 0 is for a
	// program without: it has no flags for time.
	For time.Duration
	// Play shows the pattern. It returns when it is done, or when ctx ends.
	Play func(ctx context.Context, s *Stage) error
}

// Main runs the program with the arguments of the process and ends the process:
// with 0 when it is over or after Ctrl-C, 1 if something went wrong, 2 for wrong
// flags.
func (p Program) Main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(p.Run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// Run is Main without the process.
func (p Program) Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := p.parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	if o.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.For)
		defer cancel()
	}
	s := newStage(o, stdout)
	err = p.Play(ctx, s)
	s.close()
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", p.Name, err)
		return 1
	}
	return 0
}

func (p Program) parse(args []string, stderr io.Writer) (Options, error) {
	o := Options{Fast: 1}
	f := flag.NewFlagSet(p.Name, flag.ContinueOnError)
	f.SetOutput(stderr)
	f.BoolVar(&o.Trace, "trace", true, "print the trace: a line a transition")
	f.BoolVar(&o.Spy, "spy", p.Spy, "print the spy: a line a call of a state")
	f.BoolVar(&o.NoColor, "no-color", false, "print without colours")
	if p.For > 0 {
		f.DurationVar(&o.For, "for", p.For, "stop after this time")
		f.Float64Var(&o.Fast, "fast", 1, "divide all delays by this number")
	}
	f.Usage = func() {
		fmt.Fprintf(stderr, "%s\n\nUsage: %s [flags]\n\n", p.About, p.Name)
		f.PrintDefaults()
	}
	if err := f.Parse(args); err != nil {
		return o, err
	}
	err := p.check(o, f.Args())
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", p.Name, err)
	}
	return o, err
}

func (p Program) check(o Options, rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unexpected argument %q: there are only flags", rest[0])
	case p.For > 0 && o.For <= 0:
		return fmt.Errorf("-for %v: want a duration above 0", o.For)
	case !(o.Fast >= 1e-3 && o.Fast <= 1e6):
		return fmt.Errorf("-fast %v: want a number from 0.001 to 1000000", o.Fast)
	}
	return nil
}
