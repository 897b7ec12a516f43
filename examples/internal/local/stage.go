package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/fatih/color"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

// Stage is where a program shows what its charts do. Any goroutine may use it.
type Stage struct {
	Options
	printer *instrument.Printer
	grey    *color.Color
	live    *instrument.Live

	mu  sync.Mutex // guards out, so that lines stay whole
	out io.Writer
}

func newStage(o Options, out io.Writer) *Stage {
	s := &Stage{Options: o, out: out, grey: color.New(color.FgHiBlack)}
	colours := !o.NoColor && instrument.Colours(out)
	s.printer = instrument.NewPrinter(s, colours)
	s.grey.DisableColor()
	if colours {
		s.grey.EnableColor()
	}
	s.live = instrument.NewLive(instrument.LiveConfig{
		Trace: s.trace,
		Spy:   func(name, line string) error { return s.spy(name, []string{line}) },
	})
	return s
}

// close prints what active objects did and is still to be printed.
func (s *Stage) close() { s.live.Close() }

// Write writes to the program's output, one call at a time.
func (s *Stage) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Write(b)
}

// Say prints a remark, as # text.
func (s *Stage) Say(format string, args ...any) {
	fmt.Fprintln(s, s.grey.Sprint("# "+fmt.Sprintf(format, args...)))
}

// Delay is d divided by -fast.
func (s *Stage) Delay(d time.Duration) time.Duration {
	return max(time.Duration(float64(d)/s.Fast), 1)
}

// Log is what a hsm.Runner needs to print each step at its end.
func (s *Stage) Log(name string, tree *hsm.Tree) hsm.LogConfig {
	source := instrument.Source{Name: name, Tree: tree, NoSearch: true}
	c := hsm.LogConfig{Trace: 1, Live: func(records []hsm.Record, t *hsm.Transition) {
		// What cannot be printed is lost, as with fmt.Println.
		if t != nil {
			_ = s.trace(source.Trace(*t))
		}
		_ = s.spy(name, source.Spy(records))
	}}
	if s.Spy {
		c.Spy = instrument.DefaultSize
	}
	return c
}

// Instrument is what an active object needs to print each step after its end.
// What its handlers Scribble is printed too, if it begins with "# ".
func (s *Stage) Instrument() instrument.Config {
	return instrument.Config{Trace: true, Spy: true, NoSearch: true, Live: []*instrument.Live{s.live}}
}

// Until waits until ctx ends, or the object has stopped by itself; then it stops
// the object, prints what is still to be printed, and returns what the object
// failed of. No object may be shown after that.
func (s *Stage) Until(ctx context.Context, o *activeobject.ActiveObject) error {
	select {
	case <-ctx.Done():
	case <-o.Done():
	}
	err := o.Stop(context.Background())
	s.live.Close()
	return errors.Join(err, o.Err())
}

func (s *Stage) trace(t instrument.Trace) error {
	if !s.Trace {
		return nil
	}
	return s.printer.Trace(t)
}

func (s *Stage) spy(name string, lines []string) error {
	for _, line := range lines {
		var err error
		if remark, ok := strings.CutPrefix(line, "# "); ok {
			s.Say("%s", remark)
		} else if s.Spy {
			err = s.printer.Spy(name, line)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
