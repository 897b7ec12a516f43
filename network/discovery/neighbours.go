package discovery

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strconv"
)

// neighbourTable is where Linux shows its table of IPv4 neighbours; see proc(5).
const neighbourTable = "/proc/net/arp"

// Neighbours returns the addresses of the network, in ascending order, that this
// host's kernel has a hardware address for. It sends nothing and needs no
// privilege. Some of them may have left within the last minutes. The error wraps
// [ErrUnsupported] where the system is not Linux.
func Neighbours(n Network) ([]netip.Addr, error) {
	if runtime.GOOS != "linux" {
		return nil, fmt.Errorf("discovery: neighbours on %s: %w", n.Interface, ErrUnsupported)
	}
	table, err := os.ReadFile(neighbourTable)
	if err != nil {
		return nil, fmt.Errorf("discovery: neighbours on %s: %w", n.Interface, err)
	}
	neighbours := slices.DeleteFunc(parseNeighbours(table, n.Interface), func(a netip.Addr) bool {
		return a == n.Own || !n.Prefix.Contains(a)
	})
	slices.SortFunc(neighbours, netip.Addr.Compare)
	return slices.Compact(neighbours), nil
}

// neighbourComplete is the flag of a neighbour whose hardware address is known, ATF_COM of
// <linux/if_arp.h>.
const neighbourComplete = 0x2

// parseNeighbours returns the addresses of the complete entries of the interface,
// in the table's order. An address may be there twice, for the table changes while
// it is read. Lines that it does not understand it leaves out. The table looks so:
//
//	IP address       HW type     Flags       HW address            Mask     Device
//	10.0.0.2         0x1         0x2         7e:14:f1:3a:ae:d6     *        eth0
func parseNeighbours(table []byte, name string) []netip.Addr {
	var neighbours []netip.Addr
	for line := range bytes.Lines(table) {
		fields := bytes.Fields(line)
		if len(fields) != 6 || string(fields[5]) != name {
			continue
		}
		flags, err := strconv.ParseUint(string(fields[2]), 0, 32)
		if err != nil || flags&neighbourComplete == 0 {
			continue
		}
		if a, err := netip.ParseAddr(string(fields[0])); err == nil && a.Is4() {
			neighbours = append(neighbours, a)
		}
	}
	return neighbours
}
