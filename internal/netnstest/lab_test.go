package netnstest

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// namespaces returns the names of those of a lab that there are.
func namespaces(t *testing.T, lab string) []string {
	t.Helper()
	entries, err := os.ReadDir(netnsDir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), lab) {
			names = append(names, e.Name())
		}
	}
	return names
}

// reach is what a child finds when it knocks at a port where nobody listens.
func reach(t *testing.T, address string, timeout time.Duration) string {
	conn, err := net.DialTimeout("tcp", net.JoinHostPort(address, "9"), timeout)
	switch netErr, _ := errors.AsType[net.Error](err); {
	case err == nil:
		conn.Close()
		return "open"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "there"
	case errors.Is(err, syscall.ENETUNREACH):
		return "unreachable"
	case errors.Is(err, syscall.EHOSTUNREACH), netErr != nil && netErr.Timeout():
		return "silent"
	}
	t.Fatal(err)
	return ""
}

func TestHostsReachEachOther(t *testing.T) {
	if InChild() {
		RequireInside(t)
		for _, want := range strings.Fields(os.Getenv("WANT")) {
			address, want, _ := strings.Cut(want, "=")
			timeout := 20 * time.Second
			if want == "silent" {
				timeout = 200 * time.Millisecond
			}
			if got := reach(t, address, timeout); got != want {
				t.Errorf("%s: got %q, want %q", address, got, want)
			}
		}
		return
	}
	lab := New(t)
	a := lab.Host("a", netip.MustParsePrefix("10.1.0.1/24"))
	b := lab.Host("b", netip.MustParsePrefix("10.1.0.2/24"), netip.MustParsePrefix("10.2.0.2/24"))
	c := lab.Host("c", netip.MustParsePrefix("10.2.0.3/16"))
	lab.Host("d", netip.MustParsePrefix("10.2.9.4/24"))
	if a.Name() != "a" || b.Addr(1) != netip.MustParseAddr("10.2.0.2") || b.Addr(2).IsValid() || b.Addr(-1).IsValid() {
		t.Errorf("name %q, addresses %v %v %v", a.Name(), b.Addr(1), b.Addr(2), b.Addr(-1))
	}
	RunTest(t, a.Command, "WANT=10.1.0.2=there 10.1.0.9=silent 127.0.0.1=there 10.2.0.3=unreachable")
	RunTest(t, b.Unprivileged, "WANT=10.1.0.1=there 10.2.0.3=there")
	RunTest(t, c.Unprivileged, "WANT=10.2.0.2=there 10.2.0.9=silent")

	if err := b.Cut(1); err != nil {
		t.Fatal(err)
	}
	RunTest(t, b.Command, "WANT=10.1.0.1=there 10.2.0.3=silent 10.2.0.2=there")
	out, err := b.Command(t.Context(), "cat", "/sys/class/net/eth1/carrier").CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "0" {
		t.Errorf("the carrier of what is cut: %q, %v", out, err)
	}
	if err := b.Mend(1); err != nil {
		t.Fatal(err)
	}
	RunTest(t, b.Command, "WANT=10.2.0.3=there")
	if err := b.Cut(2); !errors.Is(err, ErrInterface) {
		t.Errorf("Cut(2): %v", err)
	}
	if err := b.Mend(-1); !errors.Is(err, ErrInterface) {
		t.Errorf("Mend(-1): %v", err)
	}
}

func TestHostRefuses(t *testing.T) {
	lab := New(t)
	lab.Host("a", netip.MustParsePrefix("10.1.0.1/24"), netip.MustParsePrefix("10.2.0.1/24"))
	for _, c := range []struct {
		name, host, address string
		want                error
	}{
		{"of a bad name", "A b", "10.1.0.2/24", ErrName},
		{"of no name", "", "10.1.0.2/24", ErrName},
		{"on two wires", "b", "10.9.9.9/8", ErrWires},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := lab.Lab.Host(c.host, netip.MustParsePrefix(c.address)); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
	if _, err := lab.Lab.Host("a"); err == nil {
		t.Error("two hosts of one name")
	}
	if _, err := Make("no/name"); !errors.Is(err, ErrName) {
		t.Errorf("Make: %v", err)
	}
	if err := lab.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := lab.Lab.Host("c"); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestCloseRemovesAll(t *testing.T) {
	New(t) // or skip
	lab, err := Make("closing")
	if err != nil {
		t.Fatal(err)
	}
	a, err := lab.Host("a", netip.MustParsePrefix("10.1.0.1/24"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{lab.name, lab.name + "-a"}, namespaces(t, lab.name)); diff != "" {
		t.Errorf("namespaces (-want +got):\n%s", diff)
	}
	sleeper := a.Unprivileged(t.Context(), "sh", "-c", "echo on; sleep 1000; sleep 1000")
	out, err := sleeper.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	// A zombie is in no namespace, so nobody has to wait for the sleeper first.
	if err := lab.Close(); err != nil {
		t.Error(err)
	}
	if err := sleeper.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("what ran on a host ended with %v", err)
	}
	if left := namespaces(t, lab.name); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if err := lab.Close(); err != nil {
		t.Errorf("the second Close: %v", err)
	}
}

func TestLeftoversOfTheDeadAreRemoved(t *testing.T) {
	New(t) // or skip
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	remains := namePrefix + strconv.Itoa(dead.Process.Pid) + "-1-left"
	ours := namePrefix + strconv.Itoa(os.Getpid()) + "-0-ours"
	foreign := "smx-" + strconv.Itoa(dead.Process.Pid) + "-1-left"
	for _, name := range []string{remains, ours, foreign} {
		if _, err := run("ip", "netns", "add", name); err != nil {
			t.Fatal(err)
		}
	}
	removeLeftovers()
	if left := namespaces(t, remains); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	for _, name := range []string{ours, foreign} {
		if _, err := run("ip", "netns", "del", name); err != nil {
			t.Error(err)
		}
	}
}

func TestMaker(t *testing.T) {
	for _, c := range []struct {
		name string
		pid  int
		ok   bool
	}{
		{"sm-12-3-test", 12, true},
		{"sm-12-3-test-host", 12, true},
		{"sm-12", 0, false},
		{"sm--1-test", 0, false},
		{"sm-0-1-test", 0, false},
		{"sm-x-1-test", 0, false},
		{"other-12-3", 0, false},
		{"", 0, false},
	} {
		if pid, ok := maker(c.name); ok != c.ok || ok && pid != c.pid {
			t.Errorf("maker(%q) = %d, %v; want %d, %v", c.name, pid, ok, c.pid, c.ok)
		}
	}
}

func TestNetem(t *testing.T) {
	lab := New(t)
	a := lab.Host("a", netip.MustParsePrefix("10.1.0.1/24"))
	if err := a.Netem(1, "delay", "1ms"); !errors.Is(err, ErrInterface) {
		t.Errorf("Netem(1): %v", err)
	}
	err := a.Netem(0, "delay", "1ms")
	if err != nil && !errors.Is(err, ErrNetem) {
		t.Fatal(err)
	}
	shown, err2 := run("tc", "-n", a.namespace, "qdisc", "show", "dev", "eth0")
	if got := strings.Contains(shown, "netem"); err2 == nil && got != (err == nil) {
		t.Errorf("Netem: %v; tc shows %q", err, shown)
	}
	if errors.Is(err, ErrNetem) {
		t.Skip(err)
	}
	if err := a.Netem(0, "nonsense"); err == nil || errors.Is(err, ErrNetem) {
		t.Errorf("nonsense: %v", err)
	}
	if err := a.Netem(0); err != nil {
		t.Error(err)
	}
	if shown, err := run("tc", "-n", a.namespace, "qdisc", "show", "dev", "eth0"); err != nil || strings.Contains(shown, "netem") {
		t.Errorf("after all is well: %q, %v", shown, err)
	}
}
