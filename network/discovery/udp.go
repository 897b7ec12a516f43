package discovery

import (
	"context"
	"net"
	"net/netip"
	"runtime"
	"time"
)

// udpSweep makes the kernel look for the targets, by sending each an empty
// datagram, and reads what it found. Nobody needs to listen: the kernel of the
// target answers the ARP request before it looks at the datagram.
type udpSweep struct{}

func (udpSweep) Name() string { return "udp" }

const (
	// udpBatch bounds the datagrams that wait for a hardware address at a time. The
	// kernel charges about 768 bytes for one to its socket, which by default may
	// owe 208 KiB; and it evicts neighbours when its table gets crowded, so they are
	// to be read before.
	udpBatch = 256
	// discardPort is the port, RFC 863.
	discardPort = 9
	// udpWrite bounds the sending of a batch.
	udpWrite = 100 * time.Millisecond
)

// When the table is read, after a batch has been sent. Neighbours on a cable
// answer within a millisecond; some on the air sleep for a tenth of a second.
var (
	betweenBatches = []time.Duration{1 * time.Millisecond, 3 * time.Millisecond, 10 * time.Millisecond}
	atTheEnd       = []time.Duration{1 * time.Millisecond, 3 * time.Millisecond, 10 * time.Millisecond,
		30 * time.Millisecond, 60 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond}
)

// Sweep of udpSweep takes 10 ms for each 256 targets and 200 ms at the end, less
// if all answer.
func (s udpSweep) Sweep(ctx context.Context, n Network, targets []netip.Addr, found func(netip.Addr)) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if runtime.GOOS != "linux" {
		return sweepError(ctx, s.Name(), n, ErrUnsupported)
	}
	hosts := newFinds(targets, found)
	var left unasked
	for start := 0; start < len(targets); start += udpBatch {
		end := min(start+udpBatch, len(targets))
		if err := s.ask(ctx, n, targets[start:end], &left); err != nil {
			return sweepError(ctx, s.Name(), n, err)
		}
		reads := betweenBatches
		if end == len(targets) {
			reads = atTheEnd
		}
		if err := s.read(ctx, n, reads, hosts); err != nil {
			return sweepError(ctx, s.Name(), n, err)
		}
	}
	return left.err(s.Name(), n, len(targets))
}

// ask sends the datagrams of one batch, from a socket of its own: what the last
// one owes for those that still wait would hinder this one.
func (udpSweep) ask(ctx context.Context, n Network, targets []netip.Addr, left *unasked) error {
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(n.Own, 0)))
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetWriteDeadline(time.Now().Add(udpWrite)); err != nil {
		return err
	}
	for _, a := range targets {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if _, err := conn.WriteToUDPAddrPort(nil, netip.AddrPortFrom(a, discardPort)); err != nil {
			left.add(err)
		}
	}
	return nil
}

// read reads the table so long after now, and ends early when nobody is missing.
func (udpSweep) read(ctx context.Context, n Network, after []time.Duration, hosts *finds) error {
	began := time.Now()
	for _, d := range after {
		if !pause(ctx, d-time.Since(began)) {
			return ctx.Err()
		}
		neighbours, err := Neighbours(n)
		if err != nil {
			return err
		}
		for _, a := range neighbours {
			hosts.add(a)
		}
		if hosts.missing() == 0 {
			return nil
		}
	}
	return nil
}
