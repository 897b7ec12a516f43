package local_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/examples/internal/local"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const beating hsm.State = 1

var (
	beat = hsm.NewSignal("beat")
	fail = hsm.NewSignal("fail")
)

// heart makes a transition and a remark at each beat.
type heart struct{ *activeobject.ActiveObject }

var hearts = hsm.MustCompile([]hsm.Spec[*heart]{beating: {Name: "beating", Handle: (*heart).beating}})

func (h *heart) beating(e hsm.Event) hsm.Status {
	switch e.Signal {
	case beat:
		h.Scribble("# thump")
		h.Scribble("not a remark")
		return hsm.Tran(beating)
	case fail:
		panic("boom")
	}
	return hsm.Super
}

var errPlay = errors.New("out of order")

// program beats every second.
var program = local.Program{
	Name: "heart", About: "heart beats.", For: 2500 * time.Millisecond,
	Play: func(ctx context.Context, s *local.Stage) error {
		h := &heart{}
		h.ActiveObject = activeobject.New("heart", hsm.NewMachine(hearts, h), activeobject.Config{Instrument: s.Instrument()})
		if err := h.Start(ctx, beating); err != nil {
			return err
		}
		h.PostFIFO(hsm.Event{Signal: beat}, activeobject.Every(s.Delay(time.Second)))
		h.PostFIFO(hsm.Event{Signal: fail}, activeobject.Once(s.Delay(time.Minute)))
		err := s.Until(ctx, h.ActiveObject)
		s.Say("%d%% over", 100)
		return err
	},
}

func TestFlags(t *testing.T) {
	const start, thump = "[heart] e->start_at() top->beating", "[heart] e->beat() beating->beating"
	for _, tt := range []struct {
		name string
		args []string
		want []string
		took time.Duration
	}{
		{"none", nil, []string{start, thump, "# thump", thump, "# thump", "# 100% over"}, 2500 * time.Millisecond},
		{"for", []string{"-for", "1500ms"}, []string{start, thump, "# thump", "# 100% over"}, 1500 * time.Millisecond},
		{"fast", []string{"-for", "400ms", "-fast", "4"}, []string{start, thump, "# thump", "# 100% over"}, 400 * time.Millisecond},
		{"no trace", []string{"-for", "1500ms", "-trace=false"}, []string{"# thump", "# 100% over"}, 1500 * time.Millisecond},
		{"spy", []string{"-for", "1500ms", "-trace=false", "-spy"}, []string{
			"heart START", "heart ENTRY_SIGNAL:beating", "heart INIT_SIGNAL:beating", "heart <- Queued:(0) Deferred:(0)",
			"heart beat:beating", "# thump", "heart not a remark", "heart EXIT_SIGNAL:beating", "heart ENTRY_SIGNAL:beating", "heart INIT_SIGNAL:beating", "heart <- Queued:(0) Deferred:(0)",
			"# 100% over",
		}, 1500 * time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				var out, errs bytes.Buffer
				if code := program.Run(t.Context(), tt.args, &out, &errs); code != 0 || errs.Len() > 0 {
					t.Errorf("ends with %d: %s", code, &errs)
				}
				if took := time.Since(begin); took != tt.took {
					t.Errorf("took %v, want %v", took, tt.took)
				}
				if diff := cmp.Diff(tt.want, instrument.Stripped(out.String())); diff != "" {
					t.Errorf("prints (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestEnds: Ctrl-C ends a program like its time does, and what goes wrong is an
// exit code and a line.
func TestEnds(t *testing.T) {
	broken := local.Program{Name: "broken", Play: func(context.Context, *local.Stage) error { return errPlay }}
	for _, tt := range []struct {
		name    string
		program local.Program
		args    []string
		code    int
		says    string
		took    time.Duration
	}{
		{"Ctrl-C", program, []string{"-for", "1h", "-fast", "0.1"}, 0, "", 45 * time.Second},
		{"the object fails", program, []string{"-for", "1h", "-fast", "2"}, 1, "boom", 30 * time.Second},
		{"the program fails", broken, nil, 1, "broken: out of order", 0},
		{"help", program, []string{"-h"}, 0, "heart beats.", 0},
		{"unknown flag", program, []string{"-nodes", "2"}, 2, "-nodes", 0},
		{"no time without timers", broken, []string{"-for", "1s"}, 2, "-for", 0},
		{"argument", program, []string{"here"}, 2, `"here"`, 0},
		{"fast 0", program, []string{"-fast", "0"}, 2, "-fast 0", 0},
		{"fast NaN", program, []string{"-fast", "NaN"}, 2, "-fast NaN", 0},
		{"for 0", program, []string{"-for", "0"}, 2, "-for 0s", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 45*time.Second) // what Ctrl-C does to the context
				defer cancel()
				begin := time.Now()
				var out, errs bytes.Buffer
				code := tt.program.Run(ctx, tt.args, &out, &errs)
				if code != tt.code || !strings.Contains(errs.String(), tt.says) {
					t.Errorf("exit code %d, want %d; says %q, want %q in it", code, tt.code, &errs, tt.says)
				}
				if took := time.Since(begin); took != tt.took {
					t.Errorf("took %v, want %v", took, tt.took)
				}
			})
		})
	}
}

// TestUntil: what is said after Until stands after all that the object did, also
// when it did much and failed at once.
func TestUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const beats = 400
		p := program
		p.Play = func(ctx context.Context, s *local.Stage) error {
			h := &heart{}
			h.ActiveObject = activeobject.New("heart", hsm.NewMachine(hearts, h), activeobject.Config{Instrument: s.Instrument()})
			for range beats {
				h.PostFIFO(hsm.Event{Signal: beat})
			}
			h.PostFIFO(hsm.Event{Signal: fail})
			if err := h.Start(ctx, beating); err != nil {
				return err
			}
			err := s.Until(ctx, h.ActiveObject)
			s.Say("over")
			return err
		}
		var out, errs bytes.Buffer
		if code := p.Run(t.Context(), nil, &out, &errs); code != 1 || !strings.Contains(errs.String(), "boom") {
			t.Errorf("ends with %d: %q", code, &errs)
		}
		lines := instrument.Stripped(out.String())
		if n := len(lines); n != 1+2*beats+1 || lines[n-1] != "# over" {
			t.Errorf("%d lines, the last one %q; want %d and # over", n, lines[n-1], 1+2*beats+1)
		}
	})
}
