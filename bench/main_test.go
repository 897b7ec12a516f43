package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/statemesh/statemesh/bench/measure"
)

// TestMain is the program itself where that starts itself for one round.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "-child" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestParse(t *testing.T) {
	for _, test := range []struct {
		name   string
		args   string
		rounds int
		ok     bool
	}{
		{"nothing", "", 11, true},
		{"quick", "-quick", 5, true},
		{"rounds", "-quick -rounds 3", 3, true},
		{"json", "-json -only dispatch", 11, true},
		{"both formats", "-json -markdown", 0, false},
		{"a bad expression", "-only (", 0, false},
		{"rounds below zero", "-rounds -1", 0, false},
		{"an argument", "dispatch", 0, false},
		{"a child", "-child a b 3", 11, true},
		{"a child of nothing", "-child a", 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			o, err := parse(strings.Fields(test.args), io.Discard)
			if (err == nil) != test.ok {
				t.Fatalf("got %v", err)
			}
			if test.ok && o.rounds != test.rounds {
				t.Errorf("%d rounds, want %d", o.rounds, test.rounds)
			}
		})
	}
	if _, err := parse([]string{"-h"}, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: %v", err)
	}
}

// call runs the program and returns what it wrote.
func call(t *testing.T, args ...string) (stdout string, err error) {
	t.Helper()
	o, err := parse(args, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = o.run(t.Context(), &out, io.Discard)
	return out.String(), err
}

func TestJSON(t *testing.T) {
	samples := filepath.Join(t.TempDir(), "samples")
	text, err := call(t, "-quick", "-rounds", "2", "-json", "-only", "^dispatch/W4$", "-samples", samples)
	if err != nil {
		t.Fatal(err)
	}
	var rivals []string
	for line := range strings.Lines(text) {
		var row struct {
			Work, Rival         string
			Ours, Theirs, Ratio *float64
			Target              *string
			Met                 *bool
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		if row.Work != "dispatch/W4" || row.Ours == nil || row.Theirs == nil || row.Ratio == nil || (row.Target == nil) != (row.Met == nil) {
			t.Errorf("something is missing: %s", line)
		}
		rivals = append(rivals, row.Rival)
	}
	if want := []string{"nested switch", "statemesh, Catches not declared", "qmuntal/stateless"}; !slices.Equal(rivals, want) {
		t.Errorf("rivals %q, want %q", rivals, want)
	}
	rounds, err := os.ReadFile(samples)
	if err != nil {
		t.Fatal(err)
	}
	if got := bytes.Count(rounds, []byte("BenchmarkDispatch/W4/by=")); got != 2*4 {
		t.Errorf("%d lines for benchstat, want 8:\n%s", got, rounds)
	}
}

func TestTable(t *testing.T) {
	for _, format := range []string{"-quick", "-markdown"} {
		text, err := call(t, "-rounds", "1", "-quick", format, "-only", "^timer/arm")
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"timer/arm+cancel", "AfterFunc+Stop", "= 1.3 times", "1 targets met", "ratio"} {
			if !strings.Contains(text, part) {
				t.Errorf("%s: no %q in\n%s", format, part, text)
			}
		}
	}
}

func TestList(t *testing.T) {
	text, err := call(t, "-list", "-only", "^(dispatch|scale)")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(text, "\n"); got != 4+3 || !strings.Contains(text, "scale/50 nodes") {
		t.Errorf("%d lines, want 7:\n%s", got, text)
	}
}

func TestNoSuchWork(t *testing.T) {
	if text, err := call(t, "-only", "nonsense"); err == nil {
		t.Errorf("no error, but %q", text)
	}
}

// TestFresh starts this test as the program, for one round.
func TestFresh(t *testing.T) {
	sample, err := options{quick: true}.fresh(t.Context(), "idle object", "statemesh", 200)
	if err != nil {
		t.Fatal(err)
	}
	if b := sample["memory of one"]; b < 100 || b > 100_000 {
		t.Errorf("an object of %g bytes", b)
	}
	var absent *measure.Absent
	if _, err := (options{}).fresh(t.Context(), "mesh/RabbitMQ/unsealed", "statemesh", 1); !errors.As(err, &absent) || !strings.Contains(absent.Why, "unsealed") {
		t.Errorf("what is absent there gives %v here", err)
	}
	if _, err := (options{}).fresh(t.Context(), "nonsense", "statemesh", 1); err == nil || errors.As(err, &absent) {
		t.Errorf("what fails there gives %v here", err)
	}
}

func TestFailureIsTold(t *testing.T) {
	failing := measure.Work{
		Name: "failing", N: 1,
		Contestants: []measure.Contestant{{Name: "statemesh", Begin: func(context.Context) (*measure.Session, error) { return nil, errors.New("boom") }}},
		Goals:       []measure.Goal{{Metric: measure.Time}},
	}
	o, err := parse(nil, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := runAll(t.Context(), &measure.Runner{Rounds: 1}, []measure.Work{failing}, o.only, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := o.finish(&out, rows, 0); !errors.Is(err, errFailed) {
		t.Errorf("got %v, want %v", err, errFailed)
	}
	if !strings.Contains(out.String(), "FAILED: boom") {
		t.Errorf("the table does not say so:\n%s", out.String())
	}
}
