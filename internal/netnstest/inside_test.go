package netnstest

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestOutside(t *testing.T) {
	if err := Inside(); !errors.Is(err, ErrOutside) {
		t.Errorf("Inside here: %v", err)
	}
	if InChild() {
		t.Error("InChild here")
	}
}

func TestInside(t *testing.T) {
	if InChild() {
		RequireInside(t)
		return
	}
	host := New(t).Host("a", netip.MustParsePrefix("10.1.0.1/24"))
	RunTest(t, host.Command)
	RunTest(t, host.Unprivileged)
}

func TestOtherNamespaceIsOutside(t *testing.T) {
	if InChild() {
		if err := Inside(); !errors.Is(err, ErrOutside) || !strings.Contains(err.Error(), os.Getenv("WHY")) {
			t.Errorf("got %v, want %s", err, os.Getenv("WHY"))
		}
		return
	}
	lab := New(t)
	a, b := lab.Host("a"), lab.Host("b")
	for alias, why := range map[string]string{
		markPrefix + b.namespace:              "the mark of another namespace",
		markPrefix + "sm-1-1-gone":            "no such file",
		markPrefix + "sm-1-../" + b.namespace: "a mark that no lab makes",
		markPrefix + "else":                   "a mark that no lab makes",
		"x" + markPrefix + a.namespace:        "no mark",
	} {
		if err := ip(a.namespace, "link set dev lo alias "+alias); err != nil {
			t.Fatal(err)
		}
		RunTest(t, a.Command, "WHY="+why)
	}
}

func TestUnprivileged(t *testing.T) {
	host := New(t).Host("a")
	out, err := host.Unprivileged(t.Context(), "cat", "/proc/self/status").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"Uid:\t65534\t65534\t65534\t65534\n", "Gid:\t65534\t65534\t65534\t65534\n", "NoNewPrivs:\t1\n",
		"CapPrm:\t0000000000000000\n", "CapEff:\t0000000000000000\n", "CapBnd:\t0000000000000000\n",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// TestChild is what TestRunTestTells runs.
func TestChild(t *testing.T) {
	if !InChild() {
		return
	}
	t.Run("sub test", func(t *testing.T) {
		switch os.Getenv("DO") {
		case "fail":
			t.Error("this is why")
		case "skip":
			t.Skip("this is why")
		case "hang":
			<-t.Context().Done()
		}
	})
}

func TestRunTestTells(t *testing.T) {
	host := New(t).Host("a")
	for _, c := range []struct {
		name, test, do, says string
		limit                time.Duration
		ok                   bool
	}{
		{"success", "TestChild/sub_test", "pass", "--- PASS", time.Minute, true},
		{"failure", "TestChild/sub_test", "fail", "this is why", time.Minute, false},
		{"a skipped test", "TestChild/sub_test", "skip", "this is why", time.Minute, false},
		{"no such test", "TestChild/other", "pass", "no tests to run", time.Minute, false},
		{"a test that hangs", "TestChild/sub_test", "hang", "test timed out", 5 * time.Second, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := Rerun(t.Context(), c.test, c.limit, host.Unprivileged, "DO="+c.do)
			if (err == nil) != c.ok || err != nil && !errors.Is(err, ErrTest) {
				t.Errorf("got %v\n%s", err, out)
			}
			if !strings.Contains(out, c.says) {
				t.Errorf("no %q in\n%s", c.says, out)
			}
		})
	}
	t.Run("no such command", func(t *testing.T) {
		_, err := Rerun(t.Context(), "TestChild", time.Minute, func(ctx context.Context, _ string, _ ...string) *exec.Cmd {
			return exec.CommandContext(ctx, "/no/such/command")
		})
		if !errors.Is(err, os.ErrNotExist) {
			t.Errorf("got %v", err)
		}
	})
}
