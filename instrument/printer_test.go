package instrument_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/instrument"
)

func TestPrinter(t *testing.T) {
	line := instrument.Trace{Time: at, Name: "cat", Signal: "A", From: "a", To: "b", Event: 1}
	utc := instrument.Trace{Time: time.Date(2018, 5, 4, 8, 2, 40, 0, time.UTC), Name: "cat", Signal: "A", From: "a", To: "b", Event: 255}
	const (
		blue, purple, grey, reset = "\x1b[34m", "\x1b[35m", "\x1b[90m", "\x1b[0m"
		stamp                     = "[2018-05-04 08:02:40.594301] "
	)
	for _, test := range []struct {
		name            string
		print           func(*instrument.Printer) error
		coloured, plain string
	}{
		{
			"Trace", func(p *instrument.Printer) error { return p.Trace(line) },
			stamp + "[" + blue + "cat" + reset + "] e->A() a->b\n", stamp + "[cat] e->A() a->b\n",
		},
		{
			"Spy", func(p *instrument.Printer) error { return p.Spy("cat", "A:a:HOOK") },
			blue + "cat" + reset + " A:a:HOOK\n", "cat A:a:HOOK\n",
		},
		{
			"SnoopTrace, own", func(p *instrument.Printer) error { return p.SnoopTrace(line, true) },
			"[+t] " + stamp + "[" + blue + "cat" + reset + "] e->A() a->b\n", "[+t] " + stamp + "[cat] e->A() a->b\n",
		},
		{
			"SnoopTrace, other", func(p *instrument.Printer) error { return p.SnoopTrace(line, false) },
			"[+t] " + stamp + "[" + purple + "cat" + reset + "] e->A() a->b\n", "[+t] " + stamp + "[cat] e->A() a->b\n",
		},
		{
			"SnoopSpy, own", func(p *instrument.Printer) error { return p.SnoopSpy("cat", "A:a", true) },
			"[+s] " + blue + "cat" + reset + " A:a\n", "[+s] cat A:a\n",
		},
		{
			"SnoopSpy, other", func(p *instrument.Printer) error { return p.SnoopSpy("cat", "A:a", false) },
			"[+s] " + purple + "cat" + reset + " A:a\n", "[+s] cat A:a\n",
		},
		{
			"Scribble, own", func(p *instrument.Printer) error { return p.Scribble(at, "cat", "miaow", true) },
			stamp + "[" + blue + "cat" + reset + "] " + grey + "# miaow" + reset + "\n", stamp + "[cat] # miaow\n",
		},
		{
			"Scribble, other", func(p *instrument.Printer) error { return p.Scribble(at, "cat", "miaow", false) },
			stamp + "[" + purple + "cat" + reset + "] " + grey + "# miaow" + reset + "\n", stamp + "[cat] # miaow\n",
		},
		{
			"JSON", func(p *instrument.Printer) error { return p.JSON(utc) },
			`{"time":"2018-05-04T08:02:40Z","name":"cat","signal":"A","from":"a","to":"b","event":"ff"}` + "\n",
			`{"time":"2018-05-04T08:02:40Z","name":"cat","signal":"A","from":"a","to":"b","event":"ff"}` + "\n",
		},
	} {
		for colours, want := range map[bool]string{true: test.coloured, false: test.plain} {
			t.Run(fmt.Sprintf("%s/%v", test.name, colours), func(t *testing.T) {
				t.Setenv("NO_COLOR", "1") // whether to colour was said to NewPrinter
				var b bytes.Buffer
				if err := test.print(instrument.NewPrinter(&b, colours)); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, b.String()); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestPrinterFitsALive: its methods are functions of a LiveConfig.
func TestPrinterFitsALive(t *testing.T) {
	p := instrument.NewPrinter(io.Discard, false)
	_ = []instrument.LiveConfig{{Trace: p.Trace, Spy: p.Spy}, {Trace: p.JSON}}
}

// torn is a writer that takes its time, so that lines written at once would mix.
type torn struct{ b strings.Builder }

func (w *torn) Write(b []byte) (int, error) {
	for _, c := range b {
		w.b.WriteByte(c)
	}
	return len(b), nil
}

func TestPrinterKeepsLinesWhole(t *testing.T) {
	const writers, lines = 8, 100
	var w torn
	p := instrument.NewPrinter(&w, false)
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for range lines {
				p.Spy("cat", "A:a")
			}
		})
	}
	all.Wait()
	if want := strings.Repeat("cat A:a\n", writers*lines); w.b.String() != want {
		t.Error("lines are torn")
	}
}

type broken struct{ error }

func (b broken) Write([]byte) (int, error) { return 0, b.error }

func TestPrinterReturnsTheErrorOfItsWriter(t *testing.T) {
	want := errors.New("no paper")
	p := instrument.NewPrinter(broken{want}, true)
	for name, err := range map[string]error{
		"Trace": p.Trace(instrument.Trace{}), "Spy": p.Spy("", ""), "JSON": p.JSON(instrument.Trace{}),
		"Scribble": p.Scribble(at, "", "", true),
	} {
		if !errors.Is(err, want) {
			t.Errorf("%s gives %v, want %v", name, err, want)
		}
	}
}

func TestColours(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	t.Setenv("TERM", "xterm")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	for name, w := range map[string]io.Writer{"a buffer": new(bytes.Buffer), "a pipe": w, "no file": (*os.File)(nil)} {
		if instrument.Colours(w) {
			t.Errorf("%s gets colours", name)
		}
	}
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no terminal to test with: %v", err)
	}
	defer terminal.Close()
	for _, test := range []struct {
		noColor, term string
		want          bool
	}{
		{"", "xterm", true},
		{"", "", true},
		{"1", "xterm", false},
		{"", "dumb", false},
		{"1", "dumb", false},
	} {
		t.Setenv("NO_COLOR", test.noColor)
		t.Setenv("TERM", test.term)
		if got := instrument.Colours(terminal); got != test.want {
			t.Errorf("a terminal with NO_COLOR=%q TERM=%q: %v, want %v", test.noColor, test.term, got, test.want)
		}
	}
}
