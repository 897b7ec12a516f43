// Package localtest runs the example programs of package local in virtual time.
package localtest

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/examples/internal/local"
	"github.com/statemesh/statemesh/instrument"
)

// Output runs the program and returns the lines that it prints, without the
// times in them. It fails the test on any other exit code than 0.
func Output(t *testing.T, p local.Program, args ...string) []string {
	t.Helper()
	var lines []string
	synctest.Test(t, func(t *testing.T) {
		var out, errs bytes.Buffer
		if code := p.Run(t.Context(), args, &out, &errs); code != 0 || errs.Len() > 0 {
			t.Errorf("%s %v ends with %d: %s", p.Name, args, code, &errs)
		}
		lines = instrument.Stripped(out.String())
	})
	return lines
}

// Prints fails the test unless the program prints exactly these lines. Blanks
// before them and empty ones do not count.
func Prints(t *testing.T, p local.Program, want string, args ...string) {
	t.Helper()
	if diff := cmp.Diff(instrument.Stripped(want), Output(t, p, args...)); diff != "" {
		t.Errorf("%s %v prints (-want +got):\n%s", p.Name, args, diff)
	}
}

// Play runs a scene of the test's own on the program's stage, in virtual time,
// and returns the lines that were printed and its error.
func Play(t *testing.T, p local.Program, scene func(context.Context, *testing.T, *local.Stage) error) (lines []string, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p.Play = func(ctx context.Context, s *local.Stage) error {
			err = scene(ctx, t, s)
			return nil
		}
		var out, errs bytes.Buffer
		if code := p.Run(t.Context(), nil, &out, &errs); code != 0 {
			t.Errorf("%s ends with %d: %s", p.Name, code, &errs)
		}
		lines = instrument.Stripped(out.String())
	})
	return lines, err
}
