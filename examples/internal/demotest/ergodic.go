// Package demotest holds the tests that both ergodic programs pass.
package demotest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/statemesh/statemesh/examples/internal/demo"
	"github.com/statemesh/statemesh/instrument/sequence"
	"github.com/statemesh/statemesh/network"
)

// Ergodic tests a program that runs the ergodic chart.
func Ergodic(t *testing.T, p demo.Program) {
	t.Run("an hour in virtual time", func(t *testing.T) { virtual(t, p) })
	t.Run("on sockets", func(t *testing.T) { sockets(t, p) })
	t.Run("several nodes print once", func(t *testing.T) { once(t, p) })
	t.Run("taken along", func(t *testing.T) { taken(t, p) })
	t.Run("spy", func(t *testing.T) { spy(t, p) })
	t.Run("Ctrl-C", func(t *testing.T) { interrupted(t, p) })
	t.Run("bad input", func(t *testing.T) { badInput(t, p) })
}

// run runs the program in a folder of its own and fails on any other exit code
// than 0.
func run(t *testing.T, p demo.Program, args ...string) (stdout string) {
	t.Helper()
	t.Chdir(t.TempDir())
	var out, errs bytes.Buffer
	if code := p.Run(t.Context(), args, &out, &errs); code != 0 {
		t.Fatalf("%s %v ends with %d: %s", p.Name, args, code, &errs)
	}
	return out.String()
}

// virtual: for an hour the two charts pull each other along. They may miss each
// other when they move at the same moment, and find each other again.
func virtual(t *testing.T, p demo.Program) {
	synctest.Test(t, func(t *testing.T) {
		p.Transport = network.NewMemory()
		begin := time.Now()
		out := run(t, p, "-nodes", "2", "-for", "1h", "-seed", "7", "-name", "chart")
		if took := time.Since(begin); took != time.Hour {
			t.Errorf("-for 1h took %v", took)
		}
		lines := strings.Split(strings.TrimSpace(out), "\n")
		signals := make(map[string]int)
		in := make(map[string]string)
		moved := make(map[string]int)
		for _, l := range lines {
			m := traced.FindStringSubmatch(l)
			if m == nil || m[1] != "chart" && m[1] != "chart_2" {
				t.Fatalf("%q is not a line of the trace", l)
			}
			name, signal, from, to := m[1], m[2], m[3], m[4]
			if was := in[name]; was != "" && was != from {
				t.Errorf("%q leaves %s, but %s is in %s", l, from, name, was)
			}
			in[name] = to
			signals[signal]++
			moved[name]++
		}
		for _, signal := range []string{"to_inner", "to_outer", "other_to_inner", "other_to_outer"} {
			if signals[signal] < 20 {
				t.Errorf("%d transitions on %s in an hour, want more", signals[signal], signal)
			}
		}
		if a, b := moved["chart"], moved["chart_2"]; a-b > a/10 || b-a > b/10 {
			t.Errorf("one chart moved %d times, the other %d times", a, b)
		}
	})
}

// sockets is the README's command: the embedded broker, on a port of its own.
func sockets(t *testing.T, p demo.Program) {
	t.Setenv("RABBIT_PORT", freePort(t))
	out := run(t, p, "-nodes", "2", "-for", "2s", "-fast", "20", "-no-color")
	log, err := sequence.Read(strings.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	var drawing strings.Builder
	if err := log.Draw(&drawing, sequence.Options{Number: true}); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(drawing.String(), "[Statechart: "); n != 2 {
		t.Errorf("%d diagrams, want 2:\n%s", n, &drawing)
	}
	for _, want := range []string{"_" + p.Suffix + "]", "other_to_inner()", "other_to_outer()", "(1)"} {
		if !strings.Contains(drawing.String(), want) {
			t.Errorf("no %s in the diagrams:\n%s", want, &drawing)
		}
	}
}

// traced takes a line of the trace apart: chart, signal, from and to.
var traced = regexp.MustCompile(`^\[\+t\] \[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}\] \[(\w+)\] e->(\w+)\(\) (\w+)->(\w+)\n?$`)

// once: every line stands there once, however many nodes hear it. One that stood there
// twice would leave a state that the chart has left. Two that look the same are none: when
// others move at the same moment, a chart may go there and back and there again.
func once(t *testing.T, p demo.Program) {
	synctest.Test(t, func(t *testing.T) {
		p.Transport = network.NewMemory()
		in := make(map[string]string)
		starts := 0
		for line := range strings.Lines(run(t, p, "-nodes", "5", "-for", "1m", "-seed", "1")) {
			m := traced.FindStringSubmatch(line)
			if m == nil {
				t.Fatalf("%q is not a line of the trace", line)
			}
			name, signal, from, to := m[1], m[2], m[3], m[4]
			if was := in[name]; was != "" && was != from {
				t.Errorf("%q leaves %s, but %s is in %s", line, from, name, was)
			}
			in[name] = to
			if signal == "start_at" {
				starts++
			}
		}
		if starts != 5 {
			t.Errorf("%d charts started, want 5", starts)
		}
	})
}

func spy(t *testing.T, p demo.Program) {
	synctest.Test(t, func(t *testing.T) {
		p.Transport = network.NewMemory()
		out := run(t, p, "-nodes", "2", "-for", "1m", "-trace=false", "-spy", "-name", "chart")
		if strings.Contains(out, "[+t]") {
			t.Error("trace lines without -trace")
		}
		for _, want := range []string{"[+s] chart START\n", "[+s] chart_2 START\n", "[+s] chart_2 <- Queued:(0) Deferred:(0)\n"} {
			if !strings.Contains(out, want) {
				t.Errorf("no line %q in:\n%s", want, out)
			}
		}
	})
}

func interrupted(t *testing.T, p demo.Program) {
	synctest.Test(t, func(t *testing.T) {
		p.Transport = network.NewMemory()
		t.Chdir(t.TempDir())
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // what Ctrl-C does to the context
		defer cancel()
		var out, errs bytes.Buffer
		if code := p.Run(ctx, []string{"-nodes", "3"}, &out, &errs); code != 0 {
			t.Errorf("ends with %d: %s", code, &errs)
		}
		if ctx.Err() == nil {
			t.Error("ended by itself")
		}
	})
}

func badInput(t *testing.T, p demo.Program) {
	port := freePort(t)
	for _, tt := range []struct {
		name string
		args []string
		env  [2]string
		code int
		says string
	}{
		{name: "unknown flag", args: []string{"-nodez", "2"}, code: 2, says: "-nodez"},
		{name: "argument", args: []string{"here"}, code: 2, says: `"here"`},
		{name: "no nodes", args: []string{"-nodes", "0"}, code: 2, says: "-nodes 0"},
		{name: "fast 0", args: []string{"-fast", "0"}, code: 2, says: "-fast 0"},
		{name: "fast NaN", args: []string{"-fast", "NaN"}, code: 2, says: "-fast NaN"},
		{name: "negative time", args: []string{"-for", "-1s"}, code: 2, says: "-for -1s"},
		{name: "no such time", args: []string{"-for", "soon"}, code: 2, says: "soon"},
		{name: "name with a blank", args: []string{"-name", "a b"}, code: 1, says: `"a b"`},
		{name: "bad URL", args: []string{"-broker", "http://127.0.0.1"}, code: 1, says: "Broker"},
		{name: "nobody there", args: []string{"-broker", "amqp://127.0.0.1:" + port}, code: 1, says: "refused"},
		{name: "bad key", env: [2]string{"MESH_ENCRYPTION_KEY", "sesame"}, code: 1, says: "MESH_ENCRYPTION_KEY"},
		{name: "bad port", env: [2]string{"RABBIT_PORT", "many"}, code: 1, says: "RABBIT_PORT"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			t.Setenv("RABBIT_PORT", freePort(t))
			if tt.env[0] != "" {
				t.Setenv(tt.env[0], tt.env[1])
			}
			var out, errs bytes.Buffer
			code := p.Run(t.Context(), tt.args, &out, &errs)
			if code != tt.code || !strings.Contains(errs.String(), tt.says) {
				t.Errorf("exit code %d, want %d; says %q, want %q in it", code, tt.code, &errs, tt.says)
			}
			if strings.Contains(errs.String(), "sesame") {
				t.Errorf("shows the key: %q", &errs)
			}
		})
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
}
