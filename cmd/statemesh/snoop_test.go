package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
	"github.com/statemesh/statemesh/network"
	"github.com/statemesh/statemesh/network/seal"
)

// perform makes ann of a node do what a snoop may hear, the last thing last.
func perform(t *testing.T, n *network.Node) {
	t.Helper()
	ann := newEar(t, n, "ann")
	if err := errors.Join(ann.EnableSnoopTrace(), ann.EnableSnoopSpy()); err != nil {
		t.Fatal(err)
	}
	ann.start(t)
	for _, signal := range []hsm.Signal{toInner, word, toOuter} {
		if _, err := ann.PostFIFO(hsm.Event{Signal: signal}); err != nil {
			t.Fatal(err)
		}
	}
	ann.hears(t)
	ann.SnoopScribble("well done <- ann")
}

var (
	annTrace = []string{
		"[+t] [ann] e->start_at() top->outer",
		"[+t] [ann] e->to_inner() outer->inner",
		"[+t] [ann] e->to_outer() inner->outer",
	}
	annSpy = []string{
		"[+s] ann START",
		"[+s] ann SEARCH_FOR_SUPER_SIGNAL:outer",
		"[+s] ann ENTRY_SIGNAL:outer",
		"[+s] ann INIT_SIGNAL:outer",
		"[+s] ann <- Queued:(0) Deferred:(0)",
		"[+s] ann to_inner:outer",
		"[+s] ann SEARCH_FOR_SUPER_SIGNAL:inner",
		"[+s] ann ENTRY_SIGNAL:inner",
		"[+s] ann INIT_SIGNAL:inner",
		"[+s] ann <- Queued:(N) Deferred:(0)",
		"[+s] ann word:inner",
		"[+s] ann word:outer",
		"[+s] ann word:outer:HOOK",
		"[+s] ann <- Queued:(N) Deferred:(0)",
		"[+s] ann to_outer:inner",
		"[+s] ann SEARCH_FOR_SUPER_SIGNAL:outer",
		"[+s] ann SEARCH_FOR_SUPER_SIGNAL:inner",
		"[+s] ann EXIT_SIGNAL:inner",
		"[+s] ann INIT_SIGNAL:outer",
		"[+s] ann <- Queued:(0) Deferred:(0)",
	}
	annScribble = []string{"[ann] # well done <- ann"}
)

// stripped are the lines sorted, without times, and without what depends on luck.
func stripped(lines string) []string {
	var all []string
	for line := range strings.Lines(lines) {
		line = strings.TrimSpace(line)
		tag := ""
		if rest, ok := strings.CutPrefix(line, "[+t] "); ok {
			tag, line = "[+t] ", rest
		}
		line = tag + strings.Join(instrument.Stripped(line), "")
		line = strings.NewReplacer("Queued:(0)", "Queued:(N)", "Queued:(1)", "Queued:(N)", "Queued:(2)", "Queued:(N)").Replace(line)
		all = append(all, line)
	}
	slices.Sort(all)
	return all
}

func TestSnoop(t *testing.T) {
	about := func(signal string, lists ...[]string) []string {
		var lines []string
		for _, line := range slices.Concat(lists...) {
			if strings.Contains(line, "e->"+signal+"()") || strings.Contains(line, " "+signal+":") {
				lines = append(lines, line)
			}
		}
		return lines
	}
	for _, tt := range []struct {
		args string
		want []string
		said string
	}{
		{"", slices.Concat(annTrace, annSpy, annScribble), "trace and spy"},
		{"-trace -spy", slices.Concat(annTrace, annSpy, annScribble), "trace and spy"},
		{"-trace", slices.Concat(annTrace, annScribble), "the trace"},
		{"-spy", annSpy, "the spy"},
		{"-name bob,a*", slices.Concat(annTrace, annSpy, annScribble), "trace and spy"},
		{"-signal to_*", slices.Concat(about("to_inner", annTrace, annSpy), about("to_outer", annTrace, annSpy)), "trace and spy"},
		{"-signal to_outer -name ann -trace -no-color", about("to_outer", annTrace), "the trace"},
	} {
		t.Run(tt.args, func(t *testing.T) {
			dir, port := portDir(t)
			node := newNode(t, dir)
			c := prepare(t, "").start(append([]string{"snoop", "-dir", dir}, strings.Fields(tt.args)...)...)
			c.stderr.await(t, contains("hearing"))
			perform(t, node)
			c.stdout.await(t, func(s string) bool { return strings.Count(s, "\n") >= len(tt.want) })
			c.end()
			if code := c.wait(); code != exitOK {
				t.Errorf("exit code %d", code)
			}
			if diff := cmp.Diff(stripped(strings.Join(tt.want, "\n")), stripped(c.stdout.String())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			want := fmt.Sprintf("statemesh snoop: hearing %s at amqp://statemesh@127.0.0.1:%d/\n", tt.said, port)
			if diff := cmp.Diff(want, c.stderr.String()); diff != "" {
				t.Errorf("standard error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSnoopJSON(t *testing.T) {
	dir, _ := portDir(t)
	node := newNode(t, dir)
	c := prepare(t, "").start("snoop", "-json", "-dir", dir)
	c.stderr.await(t, contains("hearing"))
	began := time.Now()
	perform(t, node)
	c.stdout.await(t, func(s string) bool { return strings.Count(s, "\n") >= 8 })
	c.end()
	if code := c.wait(); code != exitOK {
		t.Errorf("exit code %d: %s", code, &c.stderr)
	}
	var lines []string
	kinds := map[string]int{}
	for line := range strings.Lines(c.stdout.String()) {
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		var h jsonHeard
		if err := d.Decode(&h); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		kinds[h.Kind]++
		if h.Name != "ann" || h.Node != "there" {
			t.Errorf("%s is of another object", line)
		}
		if spy := h.Kind == "spy"; spy != h.Time.IsZero() || !spy && (h.Time.Before(began.Add(-time.Second)) || h.Time.After(time.Now())) {
			t.Errorf("%s has another time", line)
		}
		if trace := h.Kind == "trace"; trace == (h.Event == "") {
			t.Errorf("%s has another event", line)
		}
		switch h.Kind {
		case "trace":
			lines = append(lines, fmt.Sprintf("[+t] [%s] e->%s() %s->%s", h.Name, h.Signal, h.From, h.To))
		case "spy":
			for _, spy := range h.Lines {
				lines = append(lines, "[+s] ann "+spy)
			}
			if !strings.Contains(line, `"<- Queued:(`) {
				t.Errorf("%s hides its signs", line)
			}
		case "scribble":
			lines = append(lines, "[ann] # "+h.Text)
		}
	}
	if diff := cmp.Diff(map[string]int{"trace": 3, "spy": 4, "scribble": 1}, kinds); diff != "" {
		t.Errorf("kinds (-want +got):\n%s", diff)
	}
	want := stripped(strings.Join(slices.Concat(annTrace, annSpy, annScribble), "\n"))
	if diff := cmp.Diff(want, stripped(strings.Join(lines, "\n"))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Whoever reads the output may have seen enough; a full disk is an error.
func TestSnoopOutputBreaks(t *testing.T) {
	t.Run("head", func(t *testing.T) {
		dir, _ := portDir(t)
		node := newNode(t, dir)
		c := prepare(t, "")
		r, w := io.Pipe()
		c.tool.stdout = w
		c.start("snoop", "-dir", dir)
		c.stderr.await(t, contains("hearing"))
		perform(t, node)
		if line, err := bufio.NewReader(r).ReadString('\n'); err != nil || !strings.Contains(line, "ann") {
			t.Errorf("%q, %v", line, err)
		}
		r.Close()
		if code := c.wait(); code != exitOK || strings.Count(c.stderr.String(), "\n") != 1 {
			t.Errorf("exit code %d: %s", code, &c.stderr)
		}
	})
	for _, args := range []string{"-json", "-spy", "-trace"} {
		t.Run(args, func(t *testing.T) {
			dir, _ := portDir(t)
			node := newNode(t, dir)
			c := prepare(t, "")
			c.tool.stdout = brokenWriter{errors.New("disk full")}
			c.start("snoop", "-dir", dir, args)
			c.stderr.await(t, contains("hearing"))
			perform(t, node)
			if code := c.wait(); code != exitFailed || !strings.HasSuffix(c.stderr.String(), "\nstatemesh snoop: cannot write: disk full\n") {
				t.Errorf("exit code %d: %s", code, &c.stderr)
			}
		})
	}
}

// The first on a host hosts the broker, and hears who comes later.
func TestSnoopHosts(t *testing.T) {
	dir, port := portDir(t)
	before := readFile(t, filepath.Join(dir, ".env"))
	c := prepare(t, "").start("snoop", "-dir", dir)
	c.stderr.await(t, contains("hearing"))
	if want := fmt.Sprintf("statemesh snoop: hosting the broker (address 127.0.0.1:%d)\n", port); !strings.HasPrefix(c.stderr.String(), want) {
		t.Errorf("standard error %q, want %q first", &c.stderr, want)
	}
	perform(t, newNode(t, dir))
	c.stdout.await(t, contains("e->to_outer()", "well done"))
	c.end()
	if code := c.wait(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if after := readFile(t, filepath.Join(dir, ".env")); after != before {
		t.Error(".env was changed")
	}
}

func TestSnoopFor(t *testing.T) {
	dir, _ := portDir(t)
	newNode(t, dir)
	c := prepare(t, "").start("snoop", "-for", "50ms", "-dir", dir)
	if code := c.wait(); code != exitOK {
		t.Errorf("exit code %d: %s", code, &c.stderr)
	}
	c = prepare(t, "").start("snoop", "-for", "1ns", "-dir", dir) // before there is a connection
	if code := c.wait(); code != exitOK {
		t.Errorf("exit code %d: %s", code, &c.stderr)
	}
}

// Somebody who has only the keys of trace and spy may watch, and writes no other key.
func TestSnoopWatches(t *testing.T) {
	port := freePort(t)
	traceKey, spyKey := seal.NewKey(), seal.NewKey()
	node := newNode(t, t.TempDir(), func(c *network.Config) {
		c.Port, c.TraceKey, c.SpyKey = port, traceKey, spyKey
	})
	trace, spy := "SNOOP_TRACE_ENCRYPTION_KEY="+traceKey.Encode()+"\n", "SNOOP_SPY_ENCRYPTION_KEY="+spyKey.Encode()+"\n"
	for _, tt := range []struct{ name, args, env, missing string }{
		{name: "no key", missing: "SNOOP_TRACE_ENCRYPTION_KEY and SNOOP_SPY_ENCRYPTION_KEY"},
		{name: "no key for the trace", args: "-trace", env: spy, missing: "SNOOP_TRACE_ENCRYPTION_KEY"},
		{name: "no key for the spy", env: trace, missing: "SNOOP_SPY_ENCRYPTION_KEY"},
		{name: "trace", args: "-trace", env: trace},
		{name: "both", env: trace + spy},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			env := fmt.Sprint("RABBIT_PORT=", port, "\n", tt.env)
			writeFile(t, ".env", env)
			args := append([]string{"snoop"}, strings.Fields(tt.args)...)
			if tt.missing != "" {
				prepare(t, "").expect(exitFailed, "", "statemesh snoop: without a key nothing can be heard: neither MESH_ENCRYPTION_KEY nor "+tt.missing+
					" is in the environment or in .env; use -dir or copy the .env of the mesh, or begin one with statemesh keygen\n", args...)
			} else {
				c := prepare(t, "").start(args...)
				c.stderr.await(t, contains("hearing"))
				ann := newEar(t, node, strings.ReplaceAll(tt.name, " ", "_"))
				if err := errors.Join(ann.EnableSnoopTrace(), ann.EnableSnoopSpy()); err != nil {
					t.Fatal(err)
				}
				ann.start(t)
				c.stdout.await(t, contains("e->start_at()"))
				if tt.args == "" {
					c.stdout.await(t, contains("<- Queued"))
				}
				c.end()
				if code := c.wait(); code != exitOK {
					t.Errorf("exit code %d", code)
				}
			}
			if got := readFile(t, ".env"); got != env {
				t.Error(".env was changed")
			}
		})
	}
}

// Who has another password is told so.
func TestSnoopWrongPassword(t *testing.T) {
	dir, port := portDir(t)
	newNode(t, dir)
	c := prepare(t, "").start("snoop", "-dir", meshDir(t, fmt.Sprint("RABBIT_PORT=", port)))
	if code := c.wait(); code != exitFailed || !strings.Contains(c.stderr.String(), "broker refused the user name or the password") ||
		strings.Count(c.stderr.String(), "\n") != 1 {
		t.Errorf("exit code %d: %s", code, &c.stderr)
	}
}

// Who has another key hears nothing, and is told why.
func TestSnoopAnotherKey(t *testing.T) {
	dir, _ := portDir(t)
	node := newNode(t, dir, func(c *network.Config) { c.MeshKey = seal.NewKey() })
	c := prepare(t, "").start("snoop", "-trace", "-dir", dir)
	c.stderr.await(t, contains("hearing"))
	perform(t, node)
	c.stderr.await(t, contains("sealed with another key"))
	c.end()
	if code := c.wait(); code != exitOK || c.stdout.String() != "" {
		t.Errorf("exit code %d, %q", code, &c.stdout)
	}
}
