package discovery

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
)

// ping sends one ICMP echo request to the broadcast address of the network.
//
// It finds any address of the network, not only targets: on a large network it is
// the only sweep that gets beyond the own /24.
type ping struct{}

// pingWait is how long answers are waited for; those who answer do so at once.
const pingWait = 200 * time.Millisecond

// pingMost bounds the addresses of one sweep, and so what somebody can make us
// remember who answers in the name of a whole /8: the hosts of a /22.
const pingMost = 1 << (32 - largestBits)

func (ping) Name() string { return "ping" }

// Partial says that answers to a ping do not tell who else is there: most hosts give none.
func (ping) Partial() bool { return true }

// Sweep of ping takes 200 ms, whoever answers.
func (p ping) Sweep(ctx context.Context, n Network, targets []netip.Addr, found func(netip.Addr)) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if len(targets) == 0 || n.Prefix.Bits() >= 31 { // no broadcast address
		return nil
	}
	own, err := OwnAddresses()
	if err != nil {
		return sweepError(ctx, p.Name(), n, err)
	}
	// Bound to an address, a socket hears only what is sent to that one. Package net
	// allows its raw sockets to broadcast.
	conn, err := icmp.ListenPacket("ip4:icmp", n.Own.String())
	if err != nil {
		return sweepError(ctx, p.Name(), n, permission(err))
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(pingWait)); err != nil {
		return sweepError(ctx, p.Name(), n, err)
	}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	e := newEcho()
	request, err := e.request()
	if err != nil {
		return sweepError(ctx, p.Name(), n, err)
	}
	_, broadcast := edges(n.Prefix)
	if _, err := conn.WriteTo(request, &net.IPAddr{IP: fromNumber(broadcast).AsSlice()}); err != nil {
		return sweepError(ctx, p.Name(), n, permission(err))
	}
	seen := make(map[netip.Addr]bool)
	for _, a := range own {
		seen[a] = true
	}
	most := len(seen) + pingMost
	buffer := make([]byte, 1500)
	for len(seen) < most {
		size, from, err := conn.ReadFrom(buffer)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			return sweepError(ctx, p.Name(), n, err)
		}
		a, ok := sender(from)
		if ok && n.Prefix.Contains(a) && !seen[a] && e.answeredBy(buffer[:size]) {
			seen[a] = true
			found(a)
		}
	}
	return nil
}

func sender(a net.Addr) (netip.Addr, bool) {
	ip, ok := a.(*net.IPAddr)
	if !ok {
		return netip.Addr{}, false
	}
	from, ok := netip.AddrFromSlice(ip.IP)
	return from.Unmap(), ok
}

// echo is what tells our echo request from others.
type echo struct {
	id, seq int
	data    []byte
}

func newEcho() echo {
	data := make([]byte, 12)
	rand.Read(data) // never fails
	return echo{
		id:   int(binary.BigEndian.Uint16(data)),
		seq:  int(binary.BigEndian.Uint16(data[2:])),
		data: data[4:],
	}
}

func (e echo) request() ([]byte, error) {
	m := icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: e.id, Seq: e.seq, Data: e.data}}
	return m.Marshal(nil)
}

// answeredBy says whether the ICMP message answers the request.
func (e echo) answeredBy(message []byte) bool {
	m, err := icmp.ParseMessage(ipv4.ICMPTypeEcho.Protocol(), message)
	if err != nil || m.Type != ipv4.ICMPTypeEchoReply {
		return false
	}
	reply, ok := m.Body.(*icmp.Echo)
	return ok && reply.ID == e.id && reply.Seq == e.seq && bytes.Equal(reply.Data, e.data)
}

// permission makes an error that says "not allowed" in Windows' way say so in Go's.
func permission(err error) error {
	const wsaeacces = syscall.Errno(10013)
	if runtime.GOOS == "windows" && errors.Is(err, wsaeacces) {
		return fmt.Errorf("%w: %w", fs.ErrPermission, err)
	}
	return err
}
