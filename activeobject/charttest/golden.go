package charttest

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/statemesh/statemesh/instrument"
)

// Trace returns the transitions since the script last looked at the trace, one a
// line, without time and name: e->push() closed->open. A start is e->start_at()
// top->closed.
func (c *Chart[D]) Trace() []string {
	c.tb.Helper()
	r := c.subject.recorder()
	lines := traceLines(r)
	if len(lines) >= limit {
		c.tb.Fatalf("charttest: more than %d transitions since the script last looked at the trace", limit-1)
	}
	r.ClearTrace()
	return lines
}

func traceLines(r *instrument.Recorder) []string {
	var lines []string
	for _, t := range r.Trace() {
		lines = append(lines, traceLine(t.Signal, t.From, t.To))
	}
	return lines
}

func traceLine(signal, from, to string) string { return "e->" + signal + "() " + from + "->" + to }

// Spy returns the lines of the spy since the script last looked at it, without
// the classical search lines.
func (c *Chart[D]) Spy() []string {
	c.tb.Helper()
	r := c.subject.recorder()
	if len(r.Log().Records(limit)) >= limit {
		c.tb.Fatalf("charttest: more than %d records since the script last looked at the spy", limit-1)
	}
	lines := r.Spy()
	r.ClearSpy()
	return lines
}

// WantTrace reports an error if Trace gives other lines than the text. The text
// may be indented and have empty lines; it may be a piece of a recorded trace,
// whose times and names do not count.
func (c *Chart[D]) WantTrace(want string) {
	c.tb.Helper()
	c.compare("trace", traceText(want), c.Trace())
}

// WantSpy reports an error if Spy gives other lines than the text, which may be
// indented and have empty lines.
func (c *Chart[D]) WantSpy(want string) {
	c.tb.Helper()
	c.compare("spy", instrument.Stripped(want), c.Spy())
}

// GoldenTrace is WantTrace with a text that stands in the file
// testdata/TestName.trace, and testdata/TestName/Subtest.trace for a subtest. A
// test that calls it again has TestName.2.trace for the second one.
func (c *Chart[D]) GoldenTrace() {
	c.tb.Helper()
	c.golden("trace", c.Trace(), traceText)
}

// GoldenSpy is GoldenTrace for the spy, in files that end in .spy.
func (c *Chart[D]) GoldenSpy() {
	c.tb.Helper()
	c.golden("spy", c.Spy(), instrument.Stripped)
}

// traceText reads what WantTrace is given.
func traceText(text string) []string {
	lines := instrument.Stripped(text)
	for i, line := range lines {
		// Behind the brackets of time, name and tags.
		if at := strings.Index(line, "] e->"); at > 0 && line[0] == '[' {
			lines[i] = line[at+len("] "):]
		}
	}
	return lines
}

func (c *Chart[D]) compare(what string, want, got []string) {
	c.tb.Helper()
	// What is wanted was trimmed, and names may have line ends in them.
	got = instrument.Stripped(strings.Join(got, "\n"))
	if d := diff(want, got); d != "" {
		c.tb.Errorf("charttest: the %s differs (-want +got):\n%s", what, d)
	}
}

func (c *Chart[D]) golden(ext string, got []string, read func(string) []string) {
	c.tb.Helper()
	file := c.bench.next(c.tb.Name(), ext)
	if updating() {
		text := strings.Join(got, "\n") + "\n"
		err := os.MkdirAll(filepath.Dir(file), 0o755)
		if err == nil {
			err = os.WriteFile(file, []byte(text), 0o644)
		}
		if err != nil {
			c.tb.Fatalf("charttest: cannot write the golden file: %v", err)
		}
		return
	}
	want, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.tb.Fatalf("charttest: no %s: -charttest.update writes it; the %s is:\n  %s", file, ext, strings.Join(got, "\n  "))
	case err != nil:
		c.tb.Fatalf("charttest: cannot read the golden file: %v", err)
	}
	c.tb.Helper()
	c.compare(ext, read(string(want)), got)
}

var update = flag.Bool("charttest.update", false, "write the golden files of package charttest")

// updating reports whether golden files are to be written: by this package's
// flag, or by one named update, if the program has it.
func updating() bool {
	if *update {
		return true
	}
	own := flag.Lookup("update")
	return own != nil && own.Value.String() == "true"
}

// next returns the name of the next golden file.
func (b *bench) next(test, ext string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.files[ext]++
	elements := strings.Split(test, "/")
	for i, e := range elements {
		elements[i] = fileName(e)
	}
	file := filepath.Join(append([]string{"testdata"}, elements...)...)
	if n := b.files[ext]; n > 1 {
		file += fmt.Sprintf(".%d", n)
	}
	return file + "." + ext
}

// fileName writes what not every file system takes as % and two hexadecimal
// digits. Dots are among it, so that no name leads out of the folder.
func fileName(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("_-+=,#()", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
