package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/instrument/sequence"
	"github.com/statemesh/statemesh/network"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares with a file in testdata.
func golden(t *testing.T, name string, lines []string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	got := strings.Join(lines, "\n") + "\n"
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// battleOf plays the command in virtual time and returns what it prints, in the
// order of the times and names: in virtual time many things happen at once.
func battleOf(t *testing.T, args ...string) []string {
	t.Helper()
	t.Chdir(t.TempDir())
	var out, errs bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		p := program
		p.Transport = network.NewMemory()
		if code := p.Run(t.Context(), args, &out, &errs); code != 0 {
			t.Fatalf("ends with %d: %s", code, &errs)
		}
	})
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	slices.Sort(lines)
	return lines
}

// TestProgram: the command of the README makes twelve diagrams, and the same
// battle for the same seed, down to the microsecond.
func TestProgram(t *testing.T) {
	args := []string{"-nodes", "12", "-for", "2m", "-fast", "10", "-no-color", "-seed", "1"}
	begin := time.Now()
	lines := battleOf(t, args...)
	t.Logf("20 minutes of 12 archers, %d lines, in %v", len(lines), time.Since(begin))
	log, err := sequence.Read(strings.NewReader(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	var drawing strings.Builder
	if err := log.Draw(&drawing, sequence.Options{}); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(drawing.String(), "[Statechart: "); n != 12 {
		t.Errorf("%d diagrams, want 12", n)
	}
	for _, want := range []string{"Other_Skirmish_War_Cry()", "Retreat_War_Cry()", "Out_Of_Arrows()", "waiting_to_advance"} {
		if !strings.Contains(drawing.String(), want) {
			t.Errorf("no %s in the diagrams", want)
		}
	}
	if diff := cmp.Diff(lines, battleOf(t, args...)); diff != "" {
		t.Errorf("another battle with the same seed (-first +second):\n%s", diff)
	}
}

// TestSpy: the spy tells what an archer believes of the others.
func TestSpy(t *testing.T) {
	lines := battleOf(t, "-nodes", "3", "-for", "10m", "-seed", "1", "-name", "x", "-trace=false", "-spy")
	for _, want := range []string{
		"[+s] x x_2: not_waiting->waiting",
		"[+s] x_2 x_3: waiting->not_waiting",
		"[+s] x_3 Second:circle_and_fire:HOOK",
		"[+s] x wrap wounds",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("no line %q in the spy", want)
		}
	}
}
