package generate_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"go/format"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/activeobject/charttest/generate"
	"github.com/statemesh/statemesh/activeobject/charttest/generate/testdata/door"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

var update = flag.Bool("update", false, "write the golden files")

// A test is made of a piece of a log. Where the package has a function that
// makes the object, the test is whole; without New there is a variable to be
// filled in.
func ExampleTest() {
	const log = `
[2026-11-21 23:52:08.586666] [light] e->start_at() top->off
[2026-11-21 23:52:10.087091] [light] e->press() off->on
[2026-11-21 23:52:10.387312] [light] e->press() on->off
`
	err := generate.Test(os.Stdout, strings.NewReader(log), generate.Options{Package: "light", New: "newLight"})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// package light
	//
	// // These tests were made of a recorded trace. What a trace does not tell:
	// //
	// //   - Events that made no transition are not in it. Post those that matter.
	// //   - Nor are payloads: use PostEvent where a handler needs one.
	// //   - An object that is started in a state with an initial transition has to be
	// //     started there, and not in the state that it arrives in.
	// //   - It does not say which events the chart posted by itself, with a timer or
	// //     not. Delete the lines that post those.
	//
	// import (
	// 	"testing"
	// 	"time"
	//
	// 	"github.com/statemesh/statemesh/activeobject"
	// 	"github.com/statemesh/statemesh/activeobject/charttest"
	// 	"github.com/statemesh/statemesh/hsm"
	// )
	//
	// // newTracedLight makes the object that the trace calls "light".
	// func newTracedLight(c activeobject.Config) charttest.Object { return newLight(c) }
	//
	// func TestLightTrace(t *testing.T) {
	// 	charttest.Run(t, newTracedLight, "off", func(c *charttest.Chart[charttest.Object]) {
	// 		c.After(1500 * time.Millisecond)
	// 		c.Post(hsm.NewSignal("press"))
	// 		c.After(301 * time.Millisecond)
	// 		c.Post(hsm.NewSignal("press"))
	// 		c.WantTrace(`
	// 			e->start_at() top->off
	// 			e->press() off->on
	// 			e->press() on->off
	// 		`)
	// 	})
	// }
}

// recorded runs a door and returns its trace as text and as JSON.
func recorded(t *testing.T) (text, json string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := door.New(activeobject.Config{Causes: true, Instrument: instrument.Config{Trace: true}})
		if err := d.Start(t.Context(), door.Closed); err != nil {
			t.Fatal(err)
		}
		for _, s := range []hsm.Signal{door.Push, door.Hold} {
			time.Sleep(1500*time.Millisecond + 70*time.Microsecond)
			if _, err := d.PostFIFO(hsm.Event{Signal: s}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		if err := d.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		text = d.Recorder().TraceText()
		var b bytes.Buffer
		p := instrument.NewPrinter(&b, false)
		for _, line := range d.Recorder().Trace() {
			if err := p.JSON(line); err != nil {
				t.Fatal(err)
			}
		}
		json = b.String()
	})
	return text, json
}

func generated(t *testing.T, trace string, o generate.Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := generate.Test(&b, strings.NewReader(trace), o); err != nil {
		t.Fatal(err)
	}
	if formatted, err := format.Source(b.Bytes()); err != nil || !bytes.Equal(formatted, b.Bytes()) {
		t.Errorf("not formatted (%v):\n%s", err, &b)
	}
	return b.String()
}

// TestGolden: what is made of traces of all kinds.
func TestGolden(t *testing.T) {
	text, json := recorded(t)
	for _, tt := range []struct {
		name    string
		trace   string
		options generate.Options
	}{
		{"text", text, generate.Options{}},
		{"json", json, generate.Options{New: "New"}},
		{"begins in the middle, a gap, a second start", `
[10:00:00.5] [a] e->x() one->two
[10:00:00.5] [b] e->start_at() top->one
[10:00:01.5] [a] e->y() two->two
[10:00:02.5] [a] e->z() three->one
[10:00:03.5] [a] e->start_at() top->two
[10:00:03.4] [a] e->late() two->one
[10:00:04.5] [a] e->x() one->two
`, generate.Options{Start: "root"}},
		{"causes from elsewhere", `
{"time":"2026-01-01T00:00:00Z","name":"a","signal":"start_at","from":"top","to":"one","event":"1"}
{"time":"2026-01-01T00:00:00Z","name":"b","signal":"start_at","from":"top","to":"one","event":"11"}
{"time":"2026-01-01T00:00:01Z","name":"a","signal":"outside","from":"one","to":"two","event":"2"}
{"time":"2026-01-01T01:00:01Z","name":"a","signal":"of_b","from":"two","to":"three","event":"3","cause":"11"}
{"time":"2026-01-01T01:00:02Z","name":"a","signal":"of\nitself","from":"three","to":"four","event":"4","cause":"3"}
{"time":"2026-01-01T01:01:01Z","name":"a","signal":"of itself","from":"four","to":"five\nor so","event":"5","cause":"4"}
{"time":"2026-01-01T01:01:01Z","name":"a","signal":"unheard","from":"five\nor so","to":"one","event":"6","cause":"99"}
`, generate.Options{}},
		{"one of two, coarse", `
[2026-11-21 23:59:58.5] [a-1] e->start_at() top->one
[2026-11-21 23:59:59.5] [a-2] e->start_at() top->one
[2026-11-22 00:10:01.4] [a-2] e->x() one->one
`, generate.Options{Chart: "a-2", Round: time.Second}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.options.Package = "door"
			got := generated(t, tt.trace, tt.options)
			file := filepath.Join("testdata", strings.ReplaceAll(tt.name, " ", "_")+".golden")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("source (-want +got):\n%s", diff)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	const line = "[10:00:00.5] [a] e->x() one->two\n"
	broken := errors.New("broken")
	for _, tt := range []struct {
		name    string
		trace   string
		options generate.Options
		want    error
	}{
		{"no package", line, generate.Options{}, generate.ErrOptions},
		{"no name of a package", line, generate.Options{Package: "a-b"}, generate.ErrOptions},
		{"no expression", line, generate.Options{Package: "a", New: "new("}, generate.ErrOptions},
		{"rounding", line, generate.Options{Package: "a", Round: -1}, generate.ErrOptions},
		{"no trace", "nothing\n", generate.Options{Package: "a"}, generate.ErrNoTrace},
		{"no trace of the object", line, generate.Options{Package: "a", Chart: "b"}, generate.ErrNoTrace},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			if err := generate.Test(&b, strings.NewReader(tt.trace), tt.options); !errors.Is(err, tt.want) || b.Len() > 0 {
				t.Errorf("Test gives %v and %q, want %v and nothing", err, &b, tt.want)
			}
		})
	}
	if err := generate.Test(&bytes.Buffer{}, iotest.ErrReader(broken), generate.Options{Package: "a"}); !errors.Is(err, broken) {
		t.Errorf("a broken reader gives %v", err)
	}
	if err := generate.Test(brokenWriter{broken}, strings.NewReader(line), generate.Options{Package: "a"}); !errors.Is(err, broken) {
		t.Errorf("a broken writer gives %v", err)
	}
}

type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

// TestAnyNames: whatever the names in the trace are, the source is Go, formatted.
func TestAnyNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.StringN(1, 8, -1), rapid.SampledFrom([]string{"`", `"`, "*/", "\n", "é", "func", "a.b", "1", " "}))
		var b bytes.Buffer
		p := instrument.NewPrinter(&b, false)
		at := text.Draw(t, "state")
		for i := range rapid.IntRange(1, 6).Draw(t, "lines") {
			to := text.Draw(t, "to")
			line := instrument.Trace{
				Time: time.Unix(int64(i), 0).Add(time.Duration(rapid.Int64Range(0, 1e9).Draw(t, "time"))),
				Name: rapid.SampledFrom([]string{"a", "b c", "`\"\n", "1"}).Draw(t, "name"), Signal: text.Draw(t, "signal"), From: at, To: to,
				Event: uint64(i + 1), Cause: rapid.Uint64Range(0, 7).Draw(t, "cause"),
			}
			if err := p.JSON(line); err != nil {
				t.Fatal(err)
			}
			at = to
		}
		var out bytes.Buffer
		if err := generate.Test(&out, &b, generate.Options{Package: "p"}); err != nil {
			t.Fatal(err)
		}
		if _, err := parser.ParseFile(token.NewFileSet(), "", out.Bytes(), parser.AllErrors); err != nil {
			t.Fatalf("%v:\n%s", err, &out)
		}
		if formatted, err := format.Source(out.Bytes()); err != nil || !bytes.Equal(formatted, out.Bytes()) {
			t.Fatalf("not formatted: %v", err)
		}
	})
}

// lightMaker is what a user writes to test examples/light, which runs without a
// goroutine, by what is generated.
const lightMaker = `package main

import (
	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/activeobject/charttest"
	"github.com/statemesh/statemesh/hsm"
)

func init() {
	newTracedLight = func(c activeobject.Config) charttest.Object {
		return activeobject.New("light", hsm.NewMachine(chart, &light{}), c)
	}
}
`

// TestRun runs what is generated in a module of its own: it passes, and fails
// when the chart is changed.
func TestRun(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skipf("needs the go command: %v", err)
	}
	if testing.Short() {
		t.Skip("builds and runs tests of another module")
	}
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		t.Fatal(err)
	}
	root := strings.TrimSpace(string(out))
	const lightTrace = `
[2026-11-21 23:52:08.586666] [light] e->start_at() top->off
[2026-11-21 23:52:10.087091] [light] e->press() off->on
[2026-11-21 23:52:10.387312] [light] e->press() on->off
`
	_, json := recorded(t)
	files := map[string]string{
		"go.mod":              strings.Replace(load(t, root, "go.mod"), "module github.com/statemesh/statemesh", "module example.com/traced\n\nrequire github.com/statemesh/statemesh v0.0.0\n\nreplace github.com/statemesh/statemesh => "+root, 1),
		"go.sum":              load(t, root, "go.sum"),
		"door/door.go":        load(t, "testdata/door/door.go"),
		"door/trace_test.go":  generated(t, json, generate.Options{Package: "door", New: "New"}),
		"light/main.go":       load(t, root, "examples/light/main.go"),
		"light/trace_test.go": generated(t, lightTrace, generate.Options{Package: "main"}),
		"light/make_test.go":  lightMaker,
	}
	for _, tt := range []struct {
		name    string
		changes [][3]string // file, text before, text after
		fails   []string
	}{
		{name: "as it was"},
		{
			name: "changed",
			changes: [][3]string{
				{"door/door.go", "3*time.Second", "5*time.Second"},
				{"light/main.go", "hsm.Tran(off)", "hsm.Handled"},
			},
			fails: []string{"FAIL: TestDoorTrace", "- e->slam() ajar->closed", "FAIL: TestLightTrace", "- e->press() on->off"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir, files := t.TempDir(), maps.Clone(files)
			for _, c := range tt.changes {
				if !strings.Contains(files[c[0]], c[1]) {
					t.Fatalf("%q is not in %s", c[1], c[0])
				}
				files[c[0]] = strings.ReplaceAll(files[c[0]], c[1], c[2])
			}
			for name, text := range files {
				file := filepath.Join(dir, name)
				if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.CommandContext(t.Context(), "go", "test", "-mod=mod", "./...")
			cmd.Dir = dir
			out, err := cmd.CombinedOutput()
			if failed := err != nil; failed != (len(tt.fails) > 0) {
				t.Fatalf("go test gives %v:\n%s", err, out)
			}
			for _, text := range tt.fails {
				if !strings.Contains(string(out), text) {
					t.Errorf("%q is not in\n%s", text, out)
				}
			}
		})
	}
}

func load(t *testing.T, elements ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(elements...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
