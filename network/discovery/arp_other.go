//go:build !linux

package discovery

import (
	"context"
	"net/netip"
)

// arpSweep needs a packet socket, which only Linux has.
type arpSweep struct{}

func (arpSweep) Name() string { return "arp" }

func (s arpSweep) Sweep(ctx context.Context, n Network, _ []netip.Addr, _ func(netip.Addr)) error {
	return sweepError(ctx, s.Name(), n, ErrUnsupported)
}
