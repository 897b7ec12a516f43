package sequence

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestReport(t *testing.T) {
	const input = `
[+s] c START
[10:00:00] [c] e->start_at() top->outer
[10:00:00] [c] # a scribble about e->f(x)
[INFO] [main] ready
[INFO] [main] e->A() a->b
[10:00:01] [c] e->A(: a->b
[10:00:01] [c] e->A(() a->b
[10:00:02] [my chart] e->A() outer->inner
[10:00:02] [] e->A() outer->inner
[10:00:02] [c] e->A() outer
[11:00:00] [c] e->A(() outer->inner
`
	log := read(t, input)
	want := Report{
		Lines: 12,
		Drawn: 2,
		Skipped: []Skip{
			{ErrTime, 1, 6},
			{ErrChart, 1, 10},
			{ErrSignal, 2, 8},
			{ErrStates, 1, 11},
			{ErrSpy, 1, 2},
		},
	}
	if diff := cmp.Diff(want, log.Report(), cmpopts.EquateErrors()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	const sentence = "skipped 6 of 12 lines: 1 with bad time stamp (first: line 6), 1 with no chart name (first: line 10), " +
		"2 with bad signal (first: line 8), 1 with no transition after the signal (first: line 11), 1 with a spy tag (first: line 2)"
	if diff := cmp.Diff(sentence, log.Report().String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReportOfNothingOdd(t *testing.T) {
	r := read(t, "hello\nA:a\n[10:00:00] [c] # scribble\n[10:00:00] [c] e->A() a->b").Report()
	if diff := cmp.Diff(Report{Lines: 4, Drawn: 1}, r); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if s := r.String(); s != "" {
		t.Errorf("String() = %q, want nothing", s)
	}
}

const goodLog = "[10:00:00] [c] e->A() a->b\n[10:00:01] [c] e->B() b->a\n"

func TestLongLines(t *testing.T) {
	payload := func(length int) string {
		const rest = "[10:00:00] [c] e->A() a->b"
		return strings.Replace(rest, "()", "("+strings.Repeat("x", length-len(rest))+")", 1)
	}
	tests := []struct {
		name, input string
		want        Report
	}{
		{
			"just short enough",
			payload(MaxLine) + "\n" + payload(MaxLine),
			Report{Lines: 2, Drawn: 2},
		}, {
			"one byte too long",
			payload(MaxLine+1) + "\n" + goodLog + payload(MaxLine+1),
			Report{Lines: 4, Drawn: 2, Skipped: []Skip{{ErrTooLong, 2, 1}}},
		}, {
			"much too long, noise as well",
			goodLog + strings.Repeat("y", 10*MaxLine) + "\n" + goodLog,
			Report{Lines: 5, Drawn: 4, Skipped: []Skip{{ErrTooLong, 1, 3}}},
		}, {
			"nothing but one line, as long as the buffer",
			strings.Repeat("y", MaxLine+1),
			Report{Lines: 1, Skipped: []Skip{{ErrTooLong, 1, 1}}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, read(t, tt.input).Report(), cmpopts.EquateErrors()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Of the noise of a large log nothing is kept.
func TestReadDoesNotHoldNoise(t *testing.T) {
	noise := strings.Repeat("[+s] 0ca32_ao SEARCH_FOR_SUPER_SIGNAL:outer\n", 20_000)
	long := strings.Repeat("no line end ", 100_000)
	var readers []io.Reader
	for range 50 {
		readers = append(readers, strings.NewReader(noise), strings.NewReader(goodLog), strings.NewReader(long+"\n"))
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	log, err := Read(io.MultiReader(readers...))
	if err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if got := log.Report().Drawn; got != 100 {
		t.Errorf("%d lines drawn, want 100", got)
	}
	size := 50 * (len(noise) + len(goodLog) + len(long) + 1)
	if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
		t.Errorf("allocated %d bytes to read %d, want less than a megabyte", got, size)
	}
}

func TestReadInPieces(t *testing.T) {
	golden, err := os.ReadFile(filepath.Join("testdata", "sequence.json"))
	if err != nil {
		t.Fatal(err)
	}
	input := goodLog + string(golden) + "\n" + goodLog
	want := read(t, input)
	got, err := Read(iotest.OneByteReader(strings.NewReader(input)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(draw(t, want, Options{}), draw(t, got, Options{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want.Report(), got.Report(), cmpopts.EquateErrors()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReadError(t *testing.T) {
	broken := errors.New("broken")
	log, err := Read(io.MultiReader(strings.NewReader(goodLog), iotest.ErrReader(broken)))
	if log != nil || !errors.Is(err, broken) {
		t.Errorf("Read: %v, %v; want no log and %v", log, err, broken)
	}
}

// What stands round the trace makes no difference to the drawing.
func TestSurroundings(t *testing.T) {
	const want = `[Statechart: c] (?)
   a      b
   +--A()>|
   | (?)  |
   +<-B()-|
   | (?)  |
`
	tests := []struct{ name, input string }{
		{"plain", goodLog},
		{"no last line end", strings.TrimSuffix(goodLog, "\n")},
		{"CRLF", strings.ReplaceAll(goodLog, "\n", "\r\n")},
		{"byte order mark", "\ufeff" + goodLog},
		{"noise", "hello\n  [x\n[+s] c A:a\n" + strings.ReplaceAll(goodLog, "\n", "\n[10:00:00] [c] # hm\n\n")},
		{"heard from the network", "[+t] " + strings.Replace(goodLog, "\n", "\n[+t] ", 1)},
		{"blue", strings.ReplaceAll(goodLog, "[c]", "[\x1b[34mc\x1b[0m]")},
		{"all purple", "\x1b[35m" + strings.ReplaceAll(goodLog, "\n", "\x1b[0m\n\x1b[35m")},
		{"purple tag", "\x1b[35m[+t]\x1b[0m " + strings.Replace(goodLog, "\n", "\n\x1b[35m[+t] \x1b[0m", 1)},
		{"later lines indented", strings.Replace(goodLog, "\n", "\n    ", 1) + "x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(want, draw(t, read(t, tt.input), Options{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What the original prints at the very end follows the last line, whatever it
// is.
func TestPrintedEnd(t *testing.T) {
	const drawing = "[Statechart: c] (?)\n   a      b\n   +--A()>|\n   | (?)  |\n"
	const good = "[10:00:00] [c] e->A() a->b\n"
	tests := []struct{ input, want string }{
		{"", "\n"},
		{"noise", "\n"},
		{"  [noise", "\n"},
		{good, drawing},
		{good + "  [noise", drawing + "\n"},
		{good + "  [noise\n\n\n", drawing + "\n"},
		{good + "  [noise\n  \n", drawing},
		{good + "  [noise\r\n\r\n", drawing},
		{good + "  noise", drawing},
		{good + "  \x1b[34m[noise", drawing + "\n"},
		{good + "  [" + strings.Repeat("x", MaxLine), drawing + "\n"},
	}
	for i, tt := range tests {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			if diff := cmp.Diff(tt.want, draw(t, read(t, tt.input), Options{Printed: true})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A trace from elsewhere cannot work the terminal it is shown on.
func TestControlCharacters(t *testing.T) {
	got := draw(t, read(t, "[10:00:00] [c\a] e->A(\tx\r) a\x00a->b\x9bb\u0085\xffb\n"), Options{})
	const want = "[Statechart: c\ufffd] (?)\n" +
		"    a\ufffda      b\ufffdb\ufffd\ufffdb\n" +
		"     +--A( x\ufffd)->|\n" +
		"     |   (?)    |\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
