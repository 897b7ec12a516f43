package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/statemesh/statemesh/network"
)

func TestHealth(t *testing.T) {
	dir, _ := portDir(t)
	node := newNode(t, dir)
	hearer := newEar(t, node, "hearer")
	hearer.start(t)
	prepare(t, "").start("send", "-dir", dir, "word", "1").wait()
	hearer.hears(t)
	newEar(t, node, "stopped")

	c := prepare(t, "").start("health", "-dir", dir)
	if code := c.wait(); code != exitOK {
		t.Fatalf("exit code %d: %s", code, c.stderr.String())
	}
	for _, want := range []string{
		`(?m)^NODE +UP FOR +HOSTS +OBJECTS`,
		`(?m)^there +\S+ +yes +2 +0 +1 +1 +0 +0`,
		`(?m)^there +amqp://statemesh@127\.0\.0\.1:\d+/ +own +up `,
	} {
		if !regexp.MustCompile(want).MatchString(c.stdout.String()) {
			t.Errorf("no match of %s in\n%s", want, c.stdout.String())
		}
	}
	c = prepare(t, "").start("health", "-dir", dir, "-json")
	c.wait()
	var h network.Health
	if err := json.Unmarshal([]byte(c.stdout.String()), &h); err != nil || h.Node != "there" || h.Stats.Received != 1 {
		t.Errorf("%v: %s", err, c.stdout.String())
	}
}

func TestHealthErrors(t *testing.T) {
	dir, _ := portDir(t)
	c := prepare(t, "").start("health", "-dir", dir)
	if code := c.wait(); code != exitFailed || !strings.Contains(c.stderr.String(), "connection refused") {
		t.Errorf("nobody listens: exit code %d, %s", code, c.stderr.String())
	}
	c = prepare(t, "").start("health", "-dir", t.TempDir())
	if code := c.wait(); code != exitFailed || !strings.Contains(c.stderr.String(), network.EnvMeshKey) {
		t.Errorf("no key: exit code %d, %s", code, c.stderr.String())
	}
}

const recorded = `2026/11/22 noise
[2026-11-22 10:00:00.000000] [door] e->start_at() top->closed
[+t] [2026-11-22 10:00:01.500000] [door] e->push() closed->open
[2026-11-22 10:00:02.000000] [light] e->start_at() top->off
`

func TestTest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace.txt")
	if err := os.WriteFile(path, []byte(recorded), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		stdin string
		args  []string
		has   []string
		not   string
	}{
		"from a file":  {"", []string{path}, []string{"package main", "push", "1500 * time.Millisecond", "light"}, "noise"},
		"from a pipe":  {recorded, []string{"-package", "doors"}, []string{"package doors", "e->push() closed->open"}, "noise"},
		"of one chart": {recorded, []string{"-name", "door", "-new", "newDoor"}, []string{"newDoor", "push"}, "light"},
	} {
		c := prepare(t, tt.stdin).start(append([]string{"test"}, tt.args...)...)
		if code := c.wait(); code != exitOK || c.stderr.String() != "" {
			t.Errorf("%s: exit code %d, %s", name, code, c.stderr.String())
		}
		for _, want := range tt.has {
			if !strings.Contains(c.stdout.String(), want) {
				t.Errorf("%s: no %q in\n%s", name, want, c.stdout.String())
			}
		}
		if strings.Contains(c.stdout.String(), tt.not) {
			t.Errorf("%s: %q in\n%s", name, tt.not, c.stdout.String())
		}
	}
	for name, tt := range map[string]struct {
		stdin string
		args  []string
		want  string
	}{
		"no trace":   {"nothing\n", nil, "no test can be made"},
		"no package": {recorded, []string{"-package", "1x"}, "no name of a package"},
		"no file":    {"", []string{filepath.Join(t.TempDir(), "none")}, "no such file"},
	} {
		c := prepare(t, tt.stdin).start(append([]string{"test"}, tt.args...)...)
		if code := c.wait(); code != exitFailed || !strings.Contains(c.stderr.String(), tt.want) {
			t.Errorf("%s: exit code %d, %q, want %q", name, code, c.stderr.String(), tt.want)
		}
	}
}
