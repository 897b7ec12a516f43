package netnstest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"time"
)

// Host is a host of a [Lab]: a network namespace with a loopback and, for each of
// its addresses, an interface on a wire. Its methods may be called from any
// goroutine.
type Host struct {
	lab        *Lab
	name       string
	namespace  string
	interfaces []port
}

// port is an interface of a host, and the end of its cable at the bridge.
type port struct {
	name    string // eth0, eth1, ...
	address netip.Prefix
	bridged string // in the namespace of the bridges
}

// Host adds a host with interfaces eth0, eth1, ..., one an address. The bits of an
// address say how large its network is: 10.0.0.1/24. Interfaces whose networks
// overlap are on the same wire, others are not. It blocks until the interfaces
// are up. All settings of the kernel are the defaults.
func (l *Lab) Host(name string, addresses ...netip.Prefix) (*Host, error) {
	if !goodName.MatchString(name) {
		return nil, fmt.Errorf("%w %q for a host", ErrName, name)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, ErrClosed
	}
	h := &Host{lab: l, name: name, namespace: l.name + "-" + name}
	if err := l.namespace(h.namespace); err != nil {
		return nil, err
	}
	for i, a := range addresses {
		bridge, err := l.wire(a)
		if err != nil {
			return nil, err
		}
		p := port{fmt.Sprintf("eth%d", i), a, fmt.Sprintf("p%d", l.ports)}
		l.ports++
		h.interfaces = append(h.interfaces, p)
		if err := h.plug(p, bridge); err != nil {
			return nil, err
		}
	}
	for i := range h.interfaces {
		if err := h.waitUp(i); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// plug makes the interface and the cable to the bridge.
func (h *Host) plug(p port, bridge string) error {
	err := ip(h.lab.name,
		"link add "+p.bridged+" type veth peer name "+p.name+" netns "+h.namespace,
		"link set dev "+p.bridged+" master "+bridge,
		"link set dev "+p.bridged+" up")
	if err != nil {
		return err
	}
	add := "address add " + p.address.String() + " dev " + p.name
	if p.address.Addr().Is6() {
		add += " nodad"
	} else if p.address.Bits() < 31 {
		add += " broadcast +"
	}
	return ip(h.namespace, add, "link set dev "+p.name+" up")
}

// waitUp waits until both ends of the cable carry frames.
func (h *Host) waitUp(i int) error {
	p := h.interfaces[i]
	return until(p.name+" of "+h.name+" is up", func() (bool, error) {
		here, err := run("ip", "-n", h.namespace, "-o", "link", "show", "dev", p.name)
		if err != nil || !strings.Contains(here, " state UP ") {
			return false, err
		}
		there, err := run("ip", "-n", h.lab.name, "-o", "-d", "link", "show", "dev", p.bridged)
		return strings.Contains(there, " state forwarding "), err
	})
}

// Name returns the name that was given to the host.
func (h *Host) Name() string { return h.name }

// Addr returns the address of the i-th interface, from 0; the zero Addr if there
// is no such interface.
func (h *Host) Addr(i int) netip.Addr {
	if i < 0 || i >= len(h.interfaces) {
		return netip.Addr{}
	}
	return h.interfaces[i].address.Addr()
}

// killDelay is how long the output of a killed command is waited for, which its
// children may hold.
const killDelay = 2 * time.Second

// Command returns a command that will run on this host, as root. When ctx ends it
// is killed.
func (h *Host) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", h.namespace, name}, args...)...)
	cmd.WaitDelay = killDelay
	return cmd
}

// Unprivileged is [Host.Command] as a user and group (65534) that may do nothing
// special and cannot come to.
func (h *Host) Unprivileged(ctx context.Context, name string, args ...string) *exec.Cmd {
	return h.Command(ctx, "setpriv", append([]string{
		"--reuid=65534", "--regid=65534", "--clear-groups",
		"--inh-caps=-all", "--bounding-set=-all", "--no-new-privs",
		name}, args...)...)
}

// ErrInterface is wrapped by the error for an interface that a host has not.
var ErrInterface = errors.New("netnstest: no such interface")

func (h *Host) port(i int) (port, error) {
	if i < 0 || i >= len(h.interfaces) {
		return port{}, fmt.Errorf("%w: %d of %s", ErrInterface, i, h.name)
	}
	return h.interfaces[i], nil
}

// Cut takes the i-th interface off its wire. The host sees what it sees when a
// cable is pulled: the interface stays, with its address, and has no carrier.
func (h *Host) Cut(i int) error {
	p, err := h.port(i)
	if err != nil {
		return err
	}
	return ip(h.lab.name, "link set dev "+p.bridged+" down")
}

// Mend undoes [Host.Cut] and blocks until the interface is up again.
func (h *Host) Mend(i int) error {
	p, err := h.port(i)
	if err != nil {
		return err
	}
	if err := ip(h.lab.name, "link set dev "+p.bridged+" up"); err != nil {
		return err
	}
	return h.waitUp(i)
}

// ErrNetem is wrapped by the error of [Host.Netem] where the kernel or the tc
// command cannot do it.
var ErrNetem = errors.New("netnstest: no netem here")

// Netem makes what the host sends by its i-th interface late, lost, or mangled, as
// tc-netem(8) says: Netem(0, "delay", "50ms", "loss", "1%"). It replaces what was
// said before; without arguments all is well again.
func (h *Host) Netem(i int, args ...string) error {
	p, err := h.port(i)
	if err != nil {
		return err
	}
	if _, err := exec.LookPath("tc"); err != nil {
		return fmt.Errorf("%w: %w", ErrNetem, err)
	}
	tc := []string{"-n", h.namespace, "qdisc", "replace", "dev", p.name, "root"}
	if len(args) == 0 {
		_, err := run("tc", append(tc, "noqueue")...)
		return err
	}
	_, err = run("tc", append(append(tc, "netem"), args...)...)
	if err != nil && strings.Contains(err.Error(), "qdisc kind is unknown") {
		return fmt.Errorf("%w: the kernel lacks sch_netem: %w", ErrNetem, err)
	}
	return err
}
