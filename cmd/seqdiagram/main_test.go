package main

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

const (
	trace   = "[10:00:00] [c] e->A() a->b\nnoise\n[10:00:01] [c] e->B() b->a\n"
	drawing = `[Statechart: c] (?)
   a      b
   +--A()>|
   | (?)  |
   +<-B()-|
   | (?)  |
`
	numbered = `[Statechart: c]
   a      b
   +--A()>|
   | (1)  |
   +<-B()-|
   | (2)  |
`
)

// testDir is a directory with a trace in in.txt and an old diagram in old.txt.
func testDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"in.txt": trace, "old.txt": "old\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	return dir
}

func content(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestRun(t *testing.T) {
	const help = "; seqdiagram -h tells more\n"
	tests := []struct {
		name   string
		args   string
		stdin  string
		code   int
		stdout string
		stderr string
		files  map[string]string // what they hold afterwards
	}{
		{name: "standard input to standard output", stdin: trace, stdout: drawing},
		{name: "dashes", args: "-i - -o -", stdin: trace, stdout: drawing},
		{name: "a file", args: "-i in.txt", stdin: "unread", stdout: drawing},
		{name: "to a new file", args: "-o new.txt", stdin: trace, files: map[string]string{"new.txt": drawing}},
		{name: "to an old file", args: "-i in.txt -o old.txt", files: map[string]string{"old.txt": drawing, "in.txt": trace}},
		{name: "numbers", args: "-number", stdin: trace, stdout: numbered},
		{name: "numbers to a file", args: "-number -i in.txt -o old.txt", files: map[string]string{"old.txt": numbered}},
		{name: "nothing to draw", stdin: "noise", stdout: "\n"},
		{name: "nothing to draw, to a file", args: "-o old.txt", stdin: "noise", files: map[string]string{"old.txt": ""}},
		{name: "indented", stdin: " [10:00:00] [c] e->A() s->s", stdout: " [Statechart: c] (?)\n    s\n    +\n     \\ (?)\n     A()\n     /\n    <\n\n"},
		{
			name: "odd lines", stdin: "[x] [c] e->A() a->b\n" + trace + "[10:00:00] [c] e->A() b\n", stdout: drawing,
			stderr: "seqdiagram: skipped 2 of 5 lines: 1 with bad time stamp (first: line 1), 1 with no transition after the signal (first: line 5)\n",
		},
		{name: "help", args: "-h", stdout: usage},
		{name: "long help", args: "--help -x", stdout: usage},
		{name: "unknown flag", args: "-x", code: 2, stderr: "seqdiagram: flag provided but not defined: -x" + help},
		{name: "flag without its file", args: "-i", code: 2, stderr: "seqdiagram: flag needs an argument: -i" + help},
		{name: "stray argument", args: "-number in.txt", code: 2, stderr: `seqdiagram: unexpected argument "in.txt"` + help},
		{name: "no such input", args: "-i none.txt", code: 1, stderr: "seqdiagram: cannot read: open none.txt: no such file or directory\n"},
		{
			name: "no such input, the output stays", args: "-i none.txt -o old.txt", code: 1,
			stderr: "seqdiagram: cannot read: open none.txt: no such file or directory\n",
			files:  map[string]string{"old.txt": "old\n"},
		},
		{
			name: "a directory as input, the output stays", args: "-i . -o old.txt", code: 1,
			stderr: "seqdiagram: cannot read: read .: is a directory\n",
			files:  map[string]string{"old.txt": "old\n"},
		},
		{name: "a directory as output", args: "-o .", code: 1, stderr: "seqdiagram: cannot write: open .: is a directory\n"},
		{name: "no such directory", args: "-o no/new.txt", code: 1, stderr: "seqdiagram: cannot write: open no/new.txt: no such file or directory\n"},
		{
			name: "output is input", args: "-i in.txt -o ./in.txt", code: 2,
			stderr: "seqdiagram: -o ./in.txt is the input; the diagram would replace the log\n",
			files:  map[string]string{"in.txt": trace},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := testDir(t)
			before, _ := os.ReadDir(dir)
			var stdout, stderr strings.Builder
			code := run(strings.Fields(tt.args), strings.NewReader(tt.stdin), &stdout, &stderr)
			if code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			if diff := cmp.Diff(tt.stdout, stdout.String()); diff != "" {
				t.Errorf("standard output (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.stderr, stderr.String()); diff != "" {
				t.Errorf("standard error (-want +got):\n%s", diff)
			}
			want := len(before)
			for name, text := range tt.files {
				if name == "new.txt" {
					want++
				}
				if diff := cmp.Diff(text, content(t, name)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", name, diff)
				}
			}
			if after, _ := os.ReadDir(dir); len(after) != want {
				t.Errorf("%d files afterwards, want %d: %v", len(after), want, after)
			}
		})
	}
}

// A broken input leaves the output as it was, also after much of it was read.
func TestInputBreaks(t *testing.T) {
	testDir(t)
	var stderr strings.Builder
	in := io.MultiReader(strings.NewReader(trace), iotest.ErrReader(errors.New("broken")))
	if code := run([]string{"-o", "old.txt"}, in, io.Discard, &stderr); code != exitFailed {
		t.Errorf("exit code %d, want %d", code, exitFailed)
	}
	if diff := cmp.Diff("seqdiagram: cannot read: broken\n", stderr.String()); diff != "" {
		t.Errorf("standard error (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff("old\n", content(t, "old.txt")); diff != "" {
		t.Errorf("old.txt (-want +got):\n%s", diff)
	}
}

// The log may also come in as standard input by redirection.
func TestOutputIsRedirectedInput(t *testing.T) {
	testDir(t)
	in, err := os.Open("in.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := os.Symlink("in.txt", "link.txt"); err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{"in.txt", "link.txt"} {
		if code := run([]string{"-o", out}, in, io.Discard, io.Discard); code != exitUsage {
			t.Errorf("-o %s: exit code %d, want %d", out, code, exitUsage)
		}
	}
	if diff := cmp.Diff(trace, content(t, "in.txt")); diff != "" {
		t.Errorf("in.txt (-want +got):\n%s", diff)
	}
}

// A replaced file keeps its mode, and a link goes on leading to it.
func TestReplacedFileKeepsWhatItIs(t *testing.T) {
	testDir(t)
	if err := os.Symlink("old.txt", "link.txt"); err != nil {
		t.Fatal(err)
	}
	if code := run([]string{"-i", "in.txt", "-o", "link.txt"}, nil, io.Discard, io.Discard); code != exitOK {
		t.Fatalf("exit code %d", code)
	}
	if diff := cmp.Diff(drawing, content(t, "old.txt")); diff != "" {
		t.Errorf("old.txt (-want +got):\n%s", diff)
	}
	info, err := os.Stat("old.txt")
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o640 {
		t.Errorf("mode %o, want 640", got)
	}
	if info, err = os.Lstat("link.txt"); err != nil || info.Mode().Type() != os.ModeSymlink {
		t.Errorf("link.txt is %v, %v; want a link", info, err)
	}
}

// fullDisk takes nothing.
type fullDisk struct{}

var errFull = errors.New("no space left")

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

// A disk that is full, or whatever else ends the writing, is said.
func TestOutputBreaks(t *testing.T) {
	for _, args := range [][]string{nil, {"-h"}} {
		var stderr strings.Builder
		if code := run(args, strings.NewReader(trace), fullDisk{}, &stderr); code != exitFailed {
			t.Errorf("%q: exit code %d, want %d", args, code, exitFailed)
		}
		if diff := cmp.Diff("seqdiagram: cannot write: no space left\n", stderr.String()); diff != "" {
			t.Errorf("%q: standard error (-want +got):\n%s", args, diff)
		}
	}
}

// Writing that breaks off leaves the old file, and nothing beside it.
func TestReplaceFileBreaks(t *testing.T) {
	dir := testDir(t)
	err := replaceFile("old.txt", func(w io.Writer) error {
		if _, err := io.WriteString(w, "half"); err != nil {
			t.Error(err)
		}
		return errFull
	})
	if !errors.Is(err, errFull) {
		t.Errorf("error %v, want %v", err, errFull)
	}
	if diff := cmp.Diff("old\n", content(t, "old.txt")); diff != "" {
		t.Errorf("old.txt (-want +got):\n%s", diff)
	}
	if files, _ := os.ReadDir(dir); len(files) != 2 {
		t.Errorf("%d files, want 2: %v", len(files), files)
	}
}

// Whoever reads the output may stop at any time: no complaint, and no work for
// nobody.
func TestOutputIsClosed(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	pr, pw := io.Pipe()
	pr.Close()
	for _, out := range []io.Writer{w, pw} {
		for _, args := range [][]string{nil, {"-h"}} {
			var stderr strings.Builder
			code := run(args, strings.NewReader(strings.Repeat(trace, 10_000)), out, &stderr)
			if code != exitOK || stderr.String() != "" {
				t.Errorf("%T %q: exit code %d, %q; want silence", out, args, code, stderr.String())
			}
		}
	}
}

// The command prints and writes what the original prints and writes.
func TestGolden(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", "instrument", "sequence", "testdata", "sequence.json"))
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Cases []struct {
			Name, Input, Stdout string
			FileOut             *string `json:"file_out"`
			Exit                int
		}
	}
	if err := json.Unmarshal(b, &golden); err != nil {
		t.Fatal(err)
	}
	if len(golden.Cases) == 0 {
		t.Fatal("no cases")
	}
	t.Chdir(t.TempDir())
	for _, c := range golden.Cases {
		t.Run(c.Name, func(t *testing.T) {
			if err := os.WriteFile("in.txt", []byte(c.Input), 0o666); err != nil {
				t.Fatal(err)
			}
			for _, args := range [][]string{{"-i", "in.txt"}, {"-i", "in.txt", "-o", "out.txt"}} {
				var stdout, stderr strings.Builder
				if code := run(args, nil, &stdout, &stderr); code != exitOK {
					t.Errorf("%q: exit code %d: %s", args, code, stderr.String())
				}
				if c.Exit != 0 {
					continue // an input that crashed the original
				}
				want, got := c.Stdout, stdout.String()
				if len(args) > 2 {
					if got != "" {
						t.Errorf("%q printed %q", args, got)
					}
					if c.FileOut == nil {
						continue
					}
					want, got = *c.FileOut, content(t, "out.txt")
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%q (-want +got):\n%s", args, diff)
				}
			}
		})
	}
}
