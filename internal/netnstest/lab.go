// Package netnstest makes hosts on a wire, for tests of what must not be tried on
// a real network. Each host is a Linux network namespace, each wire a bridge in a
// namespace of its own; nothing of the machine's network is touched.
//
// A [Lab] holds hosts and wires and removes them all when it is closed. A [Host]
// runs commands, can be cut off, and what it sends can be made late and lost: by the
// kernel, where that has sch_netem, or else on wires that are a switch in this process;
// see [Lab.SoftHost]. [RunTest] runs the calling test once more
// inside a host, and [Inside] says whether this process is in one.
//
// It needs Linux, root, and the commands ip (iproute2) and setpriv (util-linux); soft
// hosts need /dev/net/tun.
package netnstest

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// Required is the environment variable that, when not empty, makes [New] fail
// where it would otherwise skip the test.
const Required = "STATEMESH_REQUIRE_NAMESPACES"

// Lab is a set of hosts and the wires between them. Make one with [New] or
// [Make]. All its methods may be called from any goroutine.
type Lab struct {
	name string // unique on this machine; also the namespace of the bridges

	mu         sync.Mutex // guards what follows
	namespaces []string   // all that were made
	wires      []wire
	ports      int // of all wires together
	softPorts  []*softPort
	closed     bool
}

// wire is a bridge or a switch of our own, and the networks of those on it.
type wire struct {
	bridge   string
	soft     *softWire
	prefixes []netip.Prefix
}

// TestLab is a [Lab] whose mistakes end the test.
type TestLab struct {
	*Lab
	t testing.TB
}

// New returns a lab that is closed when the test ends. Where there can be none,
// the test is skipped, or fails if the environment variable [Required] is set.
// Call it on the goroutine of the test.
func New(t testing.TB) *TestLab {
	t.Helper()
	if err := Available(); err != nil {
		if os.Getenv(Required) != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	lab, err := Make("test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := lab.Close(); err != nil {
			t.Error(err)
		}
	})
	return &TestLab{lab, t}
}

// Host is [Lab.Host] for tests: what goes wrong ends the test. Call it on the
// goroutine of the test.
func (l *TestLab) Host(name string, addresses ...netip.Prefix) *Host {
	l.t.Helper()
	return l.must(l.Lab.Host(name, addresses...))
}

// SoftHost is [Lab.SoftHost] for tests, like Host.
func (l *TestLab) SoftHost(name string, addresses ...netip.Prefix) *Host {
	l.t.Helper()
	return l.must(l.Lab.SoftHost(name, addresses...))
}

func (l *TestLab) must(h *Host, err error) *Host {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
	return h
}

var (
	// ErrClosed is returned for a lab that has been closed.
	ErrClosed = errors.New("netnstest: the lab is closed")
	// ErrName is wrapped by the error for a name that is not made of a to z and 0 to 9.
	ErrName = errors.New("netnstest: bad name")
	// ErrWires is wrapped by the error for an address that belongs to two wires.
	ErrWires = errors.New("netnstest: the address belongs to two wires")
	// ErrKind is wrapped by the error for an address on a wire of the other kind.
	ErrKind = errors.New("netnstest: the wire of this address is of another kind")
)

var (
	goodName  = regexp.MustCompile(`^[a-z0-9]{1,32}$`)
	labs      atomic.Int64 // made so far by this process
	leftovers sync.Once    // removes those of dead processes
)

// Make returns a lab without hosts, for programs; tests use [New]. The name shows
// in the names of its namespaces, sm-<process id>-<number>-<name>, and need not be
// unique. The first call removes what killed processes have left behind.
func Make(name string) (*Lab, error) {
	if err := Available(); err != nil {
		return nil, err
	}
	if !goodName.MatchString(name) {
		return nil, fmt.Errorf("%w %q for a lab", ErrName, name)
	}
	leftovers.Do(removeLeftovers)
	l := &Lab{name: fmt.Sprintf("%s%d-%d-%s", namePrefix, os.Getpid(), labs.Add(1), name)}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.namespace(l.name); err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

// Close kills all processes in the namespaces of the lab and removes these. Only
// the first call does.
func (l *Lab) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.close()
}

// close is Close. Its callers hold mu.
func (l *Lab) close() error {
	var errs []error
	for _, namespace := range slices.Backward(l.namespaces) {
		errs = append(errs, removeNamespace(namespace))
	}
	for _, p := range l.softPorts {
		errs = append(errs, p.close())
	}
	l.namespaces, l.softPorts, l.closed = nil, nil, true
	return errors.Join(errs...)
}

// namespace makes one, with its loopback up and marked. Its callers hold mu.
func (l *Lab) namespace(name string) error {
	if _, err := run("ip", "netns", "add", name); err != nil {
		return err
	}
	l.namespaces = append(l.namespaces, name)
	return ip(name,
		"link set dev lo alias "+markPrefix+name,
		"link set dev lo up")
}

// wire returns the wire for an address: that of the hosts whose networks overlap
// with it, or a new one. Its callers hold mu.
func (l *Lab) wire(address netip.Prefix, soft bool) (*wire, error) {
	var found *wire
	for i := range l.wires {
		w := &l.wires[i]
		if !slices.ContainsFunc(w.prefixes, address.Overlaps) {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("%w: %s", ErrWires, address)
		}
		found = w
	}
	switch {
	case found != nil && (found.soft != nil) != soft:
		return nil, fmt.Errorf("%w: %s", ErrKind, address)
	case found == nil && soft:
		l.wires = append(l.wires, wire{soft: new(softWire)})
		found = &l.wires[len(l.wires)-1]
	case found == nil:
		bridge := fmt.Sprintf("br%d", len(l.wires))
		if err := ip(l.name, "link add "+bridge+" type bridge", "link set dev "+bridge+" up"); err != nil {
			return nil, err
		}
		l.wires = append(l.wires, wire{bridge: bridge})
		found = &l.wires[len(l.wires)-1]
	}
	found.prefixes = append(found.prefixes, address.Masked())
	return found, nil
}
