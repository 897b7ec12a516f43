package discovery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/mdlayher/arp"
)

// arpSweep sends an ARP request to each target, and once more to those that are
// silent. Only answers of targets count, each once, and nothing prolongs the sweep
// beyond arpLimit, however many answers are forged.
type arpSweep struct{}

func (arpSweep) Name() string { return "arp" }

// A switch, an access point and our own socket's buffer take small bursts better
// than one of a thousand frames.
const (
	arpBatch = 128
	arpPause = 5 * time.Millisecond // after a batch
)

const (
	arpAgain = 100 * time.Millisecond // before the silent ones are asked again
	arpQuiet = 150 * time.Millisecond // without news after the last request ends the sweep
	arpLimit = 500 * time.Millisecond // for all of it
)

// Sweep of arpSweep takes as long as the slowest answer if all answer, else about
// a quarter of a second, at most half a second.
func (s arpSweep) Sweep(ctx context.Context, n Network, targets []netip.Addr, found func(netip.Addr)) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if len(targets) == 0 {
		return nil
	}
	outer := ctx
	ctx, cancel := context.WithTimeout(ctx, arpLimit)
	defer cancel()
	i, err := net.InterfaceByIndex(n.Index)
	if err != nil {
		return sweepError(outer, s.Name(), n, err)
	}
	if len(i.HardwareAddr) != 6 {
		return sweepError(outer, s.Name(), n, fmt.Errorf("%w: no Ethernet address", ErrUnsupported))
	}
	client, err := arp.Dial(i)
	if err != nil {
		return sweepError(outer, s.Name(), n, err)
	}
	defer client.Close()
	// Ends a read or write that waits.
	stop := context.AfterFunc(ctx, func() { client.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	q := &arpQuestion{client: client, own: n.Own, finds: newFinds(targets, found)}
	var sending sync.WaitGroup
	sending.Go(func() {
		defer cancel() // the answers have been waited for, or will not come
		q.send(ctx, targets)
	})
	receiveErr := q.receive(ctx)
	cancel()
	sending.Wait()
	switch {
	case outer.Err() != nil:
		return outer.Err()
	case receiveErr != nil:
		return sweepError(outer, s.Name(), n, receiveErr)
	case q.sendErr != nil:
		return sweepError(outer, s.Name(), n, q.sendErr)
	}
	return nil
}

// arpQuestion is one sweep. Two goroutines work on it, one that sends and one that
// receives.
type arpQuestion struct {
	client  *arp.Client
	own     netip.Addr
	finds   *finds
	news    atomic.Int64 // when a target answered last, or the last one was asked; ns since 1970
	sendErr error        // written by the one that sends
}

// send asks all targets, after a while the silent ones again, and then waits until
// it is quiet.
func (q *arpQuestion) send(ctx context.Context, targets []netip.Addr) {
	if !q.round(ctx, targets) || !pause(ctx, arpAgain) || !q.round(ctx, targets) {
		return
	}
	q.news.Store(time.Now().UnixNano())
	for {
		quiet := time.Since(time.Unix(0, q.news.Load()))
		if quiet >= arpQuiet || !pause(ctx, arpQuiet-quiet) {
			return
		}
	}
}

// round asks those who have not answered. It says whether to go on.
func (q *arpQuestion) round(ctx context.Context, targets []netip.Addr) bool {
	for batch := range slices.Chunk(targets, arpBatch) {
		for _, a := range batch {
			if !q.finds.awaits(a) {
				continue
			}
			// A full transmit queue loses a request as the wire might.
			err := q.ask(a)
			if err != nil && !errors.Is(err, syscall.ENOBUFS) {
				if ctx.Err() == nil {
					q.sendErr = err
				}
				return false
			}
		}
		if !pause(ctx, arpPause) {
			return false
		}
	}
	return true
}

var (
	everybody = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	nobody    = net.HardwareAddr{0, 0, 0, 0, 0, 0} // not known yet
)

// ask sends one request, from the own address: an interface may have several, and
// Client.Request would take its first.
func (q *arpQuestion) ask(a netip.Addr) error {
	p, err := arp.NewPacket(arp.OperationRequest, q.client.HardwareAddr(), q.own, nobody, a)
	if err != nil {
		return err
	}
	return q.client.WriteTo(p, everybody)
}

// receive reads answers until all targets have answered or ctx ends.
func (q *arpQuestion) receive(ctx context.Context) error {
	for q.finds.missing() > 0 {
		p, _, err := q.client.Read()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			if _, ok := errors.AsType[*net.OpError](err); ok {
				return err
			}
			continue // a packet that makes no sense
		}
		if p.Operation == arp.OperationReply && q.finds.add(p.SenderIP) {
			q.news.Store(time.Now().UnixNano())
		}
	}
	return nil
}
