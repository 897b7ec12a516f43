package discovery

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"
)

// Sweep is one way to find the hosts of a network. The ones of [Sweeps] keep no
// state; any goroutine may use them, also at the same time.
type Sweep interface {
	// Name is one word: ping, arp, udp or tcp.
	Name() string

	// Sweep asks the targets, which are addresses of the network, and blocks until
	// answers are not to be expected any more; see each sweep for how long that is.
	// It calls found for every target that answered (ping: for whatever other address of
	// the network did), as soon as it did, each once, from one goroutine at a time and not
	// after it has returned; found must not block.
	//
	// It returns nil when it ran through, ctx.Err() when ctx ended, or why it gave
	// up or could not ask all: an error that wraps fs.ErrPermission if this process lacks
	// the privilege, [ErrUnsupported] if this system or interface cannot do it, or
	// another. What was found before an error was found.
	Sweep(ctx context.Context, n Network, targets []netip.Addr, found func(netip.Addr)) error
}

// partial is what a Sweep may say of itself in addition: that others have to look too,
// even if it found somebody. It runs beside them then.
type partial interface {
	Partial() bool
}

// ErrUnsupported is wrapped by the error of a sweep that this system or interface
// cannot do.
var ErrUnsupported = errors.New("discovery: not possible on this system")

// Sweeps returns all ways to find hosts, in the order in which they are to be
// tried: quick and telling before slow and portable.
//
//	ping  one ICMP echo request to everybody; needs a raw socket, takes 200 ms.
//	      Linux hosts do not answer, unless told to
//	arp   an ARP request to each target; needs CAP_NET_RAW and Linux, takes up to 500 ms
//	udp   an empty UDP datagram to each target (port 9, discard), so that the kernel has
//	      to find it, then the kernel's table of neighbours; needs Linux, takes 200 ms
//	      or a little more. May name a host that left within the last minutes
//	tcp   a connection to the port of each target; finds hosts that accept or refuse it;
//	      takes up to 500 ms for every 256 targets
//
// udp and tcp make the kernel look for each target. On Linux, whoever does not
// exist stays in its table of neighbours, which holds 1024 by default, for about
// three seconds: a /22 fills it for so long.
//
// port is where brokers listen. Nothing but tcp uses it.
func Sweeps(port int) []Sweep {
	return []Sweep{ping{}, arpSweep{}, udpSweep{}, tcpSweep{port: port}}
}

// finds passes on each awaited address once. Its methods may be called from any
// goroutine.
type finds struct {
	found func(netip.Addr)

	mu      sync.Mutex // guards awaited, and is held while found runs
	awaited map[netip.Addr]bool
}

func newFinds(targets []netip.Addr, found func(netip.Addr)) *finds {
	f := &finds{found: found, awaited: make(map[netip.Addr]bool, len(targets))}
	for _, a := range targets {
		f.awaited[a] = true
	}
	return f
}

// add says whether the address was awaited, and passes it on if so.
func (f *finds) add(a netip.Addr) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.awaited[a] {
		return false
	}
	delete(f.awaited, a)
	f.found(a)
	return true
}

// awaits says whether the address has still to be found.
func (f *finds) awaits(a netip.Addr) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.awaited[a]
}

// missing returns how many have still to be found.
func (f *finds) missing() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.awaited)
}

// unasked counts the targets that could not be asked. Its method add may be called
// from any goroutine.
type unasked struct {
	mu    sync.Mutex // guards what follows
	count int
	first error
}

func (u *unasked) add(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.count++
	if u.first == nil {
		u.first = err
	}
}

// err returns nil if all of so many could be asked.
func (u *unasked) err(sweep string, n Network, targets int) error {
	if u.count == 0 {
		return nil
	}
	return fmt.Errorf("discovery: %s on %s: could not ask %d of %d addresses: %w", sweep, n.Interface, u.count, targets, u.first)
}

// sweepError returns the error of a sweep that ended with err: ctx.Err() if that is
// the reason.
func sweepError(ctx context.Context, sweep string, n Network, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("discovery: %s on %s: %w", sweep, n.Interface, err)
}

// pause waits. It says whether it did so to the end.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
