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
	bridged string    // in the namespace of the bridges
	soft    *softPort // instead of a bridge
}

// Host adds a host with interfaces eth0, eth1, ..., one an address. The bits of an
// address say how large its network is: 10.0.0.1/24. Interfaces whose networks
// overlap are on the same wire, others are not. It blocks until the interfaces
// are up. All settings of the kernel are the defaults.
func (l *Lab) Host(name string, addresses ...netip.Prefix) (*Host, error) {
	return l.host(name, false, addresses)
}

// SoftHost is [Lab.Host] with wires that are a switch in this process instead of
// bridges, so that [Host.Impair] works whatever the kernel can do. They carry some
// hundred megabits a second. A host of one kind and a host of the other cannot be on
// the same wire.
func (l *Lab) SoftHost(name string, addresses ...netip.Prefix) (*Host, error) {
	return l.host(name, true, addresses)
}

func (l *Lab) host(name string, soft bool, addresses []netip.Prefix) (*Host, error) {
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
		wire, err := l.wire(a, soft)
		if err != nil {
			return nil, err
		}
		p := port{name: fmt.Sprintf("eth%d", i), address: a, bridged: fmt.Sprintf("p%d", l.ports)}
		l.ports++
		if soft {
			err = h.plugSoft(&p, wire.soft)
		} else {
			err = h.plug(p, wire.bridge)
		}
		if err != nil {
			return nil, err
		}
		h.interfaces = append(h.interfaces, p)
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
	return h.address(p)
}

// plugSoft makes the interface and the cable to the switch.
func (h *Host) plugSoft(p *port, wire *softWire) error {
	t, err := openTap(h.namespace, p.name)
	if err != nil {
		return err
	}
	// Only a carrier that changes makes the kernel say that an interface is up.
	if err := errors.Join(t.carrier(false), h.address(*p), t.carrier(true)); err != nil {
		return errors.Join(err, t.Close())
	}
	p.soft = wire.plug(t)
	h.lab.softPorts = append(h.lab.softPorts, p.soft)
	return nil
}

// address gives an interface its address, and sets it up.
func (h *Host) address(p port) error {
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
		if p.soft != nil {
			return true, nil
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
	if p.soft != nil {
		return p.soft.plugged(false)
	}
	return ip(h.lab.name, "link set dev "+p.bridged+" down")
}

// Mend undoes [Host.Cut] and blocks until the interface is up again.
func (h *Host) Mend(i int) error {
	p, err := h.port(i)
	if err != nil {
		return err
	}
	if p.soft != nil {
		err = p.soft.plugged(true)
	} else {
		err = ip(h.lab.name, "link set dev "+p.bridged+" up")
	}
	if err != nil {
		return err
	}
	return h.waitUp(i)
}
