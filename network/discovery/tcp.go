package discovery

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// tcpSweep connects to the port of each target. Who accepts is a candidate and who
// refuses is at least a host; which of the two it is, a scout finds out.
type tcpSweep struct{ port int }

func (tcpSweep) Name() string { return "tcp" }

const (
	tcpAtOnce  = 256 // connections; each takes a file descriptor
	tcpTimeout = 500 * time.Millisecond
)

// Sweep of tcpSweep takes half a second for every 256 targets that are silent. It
// closes what it opened at once.
func (s tcpSweep) Sweep(ctx context.Context, n Network, targets []netip.Addr, found func(netip.Addr)) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	dialer := net.Dialer{
		LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(n.Own, 0)),
		Timeout:   tcpTimeout,
		KeepAlive: -1,
	}
	hosts := newFinds(targets, found)
	var left unasked
	var next atomic.Int64
	var dialing sync.WaitGroup // each goroutine ends with the targets or ctx
	for range min(tcpAtOnce, len(targets)) {
		dialing.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(targets) {
					return
				}
				there, err := knock(ctx, dialer, netip.AddrPortFrom(targets[i], uint16(s.port)))
				if there {
					hosts.add(targets[i])
				}
				if err != nil {
					left.add(err)
				}
			}
		})
	}
	dialing.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return left.err(s.Name(), n, len(targets))
}

// knock says whether there is a host at the address. An error says why that could
// not be asked.
func knock(ctx context.Context, dialer net.Dialer, a netip.AddrPort) (there bool, err error) {
	conn, err := dialer.DialContext(ctx, "tcp4", a.String())
	if err == nil {
		conn.Close()
		return true, nil
	}
	if refused(err) {
		return true, nil
	}
	if netErr, ok := errors.AsType[net.Error](err); silent(err) || ok && netErr.Timeout() {
		return false, nil
	}
	return false, err
}

// refused says whether the error of connecting comes from a host where nobody
// listens.
func refused(err error) bool {
	const wsaeconnrefused = syscall.Errno(10061) // Windows' own number
	return errors.Is(err, syscall.ECONNREFUSED) || runtime.GOOS == "windows" && errors.Is(err, wsaeconnrefused)
}

// silent says whether the error of connecting is that no host has the address.
func silent(err error) bool {
	const wsaehostunreach = syscall.Errno(10065)
	return errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.EHOSTDOWN) ||
		runtime.GOOS == "windows" && errors.Is(err, wsaehostunreach)
}
