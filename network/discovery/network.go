package discovery

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// Network is an IPv4 network that this host is on.
type Network struct {
	Interface string       // its name, such as eth0
	Index     int          // of the interface
	Own       netip.Addr   // this host's address there
	Prefix    netip.Prefix // masked; Own is in it
}

// String returns the own address, the size of the network and the interface, such
// as "192.168.1.7/24 on eth0".
func (n Network) String() string {
	return fmt.Sprintf("%s/%d on %s", n.Own, n.Prefix.Bits(), n.Interface)
}

// ErrInterface is wrapped by the error for a name that no interface has.
var ErrInterface = errors.New("discovery: no such interface")

// virtualNames are how the names of interfaces begin that lead to no LAN: to containers,
// virtual machines and tunnels.
var virtualNames = []string{
	"docker", "veth", "br-", "virbr", "vnet", "lxc", "lxd", "podman", "cni", "cali", "flannel", "kube", "dummy", "ifb",
	"tun", "tap", "wg", "zt", "tailscale", "ppp", "ipsec",
	"utun", "awdl", "llw", "bridge", "vmnet", "vboxnet", // macOS
	"vEthernet (WSL", "vEthernet (Default", // Windows
}

// Networks returns the networks that may be searched for peers, by interface and
// in the system's order. With only nil these are the networks of all interfaces
// that are up, can broadcast, and are neither loopback, nor point-to-point, nor
// known by their name to be virtual (docker0, virbr0, wg0 and the like). Otherwise
// they are the networks of exactly the named interfaces, whatever their kind; one
// that is down or has no IPv4 address contributes none, and the error for a name
// that is unknown wraps [ErrInterface].
func Networks(only []string) ([]Network, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("discovery: interfaces: %w", err)
	}
	for _, name := range only {
		if !slices.ContainsFunc(interfaces, func(i net.Interface) bool { return i.Name == name }) {
			return nil, fmt.Errorf("%w: %q", ErrInterface, name)
		}
	}
	var networks []Network
	for _, i := range interfaces {
		if !wanted(i, only) {
			continue
		}
		addresses, err := i.Addrs()
		if err != nil {
			return nil, fmt.Errorf("discovery: addresses of %s: %w", i.Name, err)
		}
		networks = append(networks, networksOf(i, addresses)...)
	}
	return networks, nil
}

// wanted says whether the networks of an interface are among Networks(only).
func wanted(i net.Interface, only []string) bool {
	if i.Flags&net.FlagUp == 0 {
		return false
	}
	if only != nil {
		return slices.Contains(only, i.Name)
	}
	return i.Flags&net.FlagBroadcast != 0 && i.Flags&(net.FlagLoopback|net.FlagPointToPoint) == 0 &&
		!slices.ContainsFunc(virtualNames, func(begin string) bool { return strings.HasPrefix(i.Name, begin) })
}

// networksOf returns one network for each that the addresses of an interface
// belong to; with several addresses in one network, the first is the own one.
func networksOf(i net.Interface, addresses []net.Addr) []Network {
	var networks []Network
	for _, a := range addresses {
		own, bits, ok := ipv4Of(a)
		if !ok {
			continue
		}
		prefix := netip.PrefixFrom(own, bits).Masked()
		if !slices.ContainsFunc(networks, func(n Network) bool { return n.Prefix == prefix }) {
			networks = append(networks, Network{i.Name, i.Index, own, prefix})
		}
	}
	return networks
}

// ipv4Of returns the address and the size of its network, if it is an IPv4 address.
func ipv4Of(a net.Addr) (address netip.Addr, bits int, ok bool) {
	ipNet, ok := a.(*net.IPNet)
	if !ok {
		return netip.Addr{}, 0, false
	}
	address, ok = netip.AddrFromSlice(ipNet.IP.To4())
	ones, size := ipNet.Mask.Size()
	if size == 128 { // the mask of an IPv4 address in IPv6's form
		ones -= 96
	}
	return address, ones, ok && size != 0 && ones >= 0
}

// OwnAddresses returns all addresses of this host, IPv4 and IPv6, of whatever
// interface: also of loopback and of those that [Networks] leaves out.
func OwnAddresses() ([]netip.Addr, error) {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("discovery: own addresses: %w", err)
	}
	var own []netip.Addr
	for _, a := range addresses {
		if ipNet, ok := a.(*net.IPNet); ok {
			if address, ok := netip.AddrFromSlice(ipNet.IP); ok {
				own = append(own, address.Unmap())
			}
		}
	}
	return own, nil
}

const (
	largestBits = 22 // bits of the largest network that is swept as a whole
	partBits    = 24 // bits of what is swept of a larger one
)

// Targets returns the addresses of the network that a sweep asks, each once: all
// of the network's if it is a /22 or smaller, else those in the /24 around the own
// address, and then capped is true. Left out are Own and those in own, and the
// addresses that stand for the network and for everybody in it, which a /31 and a
// /32 do not have. Those nearest to Own come first, for neighbours were often
// numbered together.
func (n Network) Targets(own []netip.Addr) (targets []netip.Addr, capped bool) {
	self := n.Own.Unmap()
	if !self.Is4() || !n.Prefix.Contains(self) {
		return nil, false
	}
	bits := n.Prefix.Bits()
	if capped = bits < largestBits; capped {
		bits = partBits
	}
	first, last := edges(netip.PrefixFrom(self, bits))
	network, broadcast := edges(n.Prefix)
	left := map[uint32]bool{number(self): true}
	if n.Prefix.Bits() < 31 {
		left[network], left[broadcast] = true, true
	}
	for _, a := range own {
		if a = a.Unmap(); a.Is4() {
			left[number(a)] = true
		}
	}
	center := int64(number(self))
	targets = make([]netip.Addr, 0, last-first)
	for distance := int64(1); distance <= int64(last-first); distance++ {
		for _, i := range [2]int64{center + distance, center - distance} {
			if int64(first) <= i && i <= int64(last) && !left[uint32(i)] {
				targets = append(targets, fromNumber(uint32(i)))
			}
		}
	}
	return targets, capped
}

// edges returns the first and the last address of an IPv4 prefix as numbers.
func edges(p netip.Prefix) (first, last uint32) {
	first = number(p.Masked().Addr())
	return first, first | uint32(uint64(1)<<(32-p.Bits())-1)
}

// number returns an IPv4 address as a number.
func number(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

// fromNumber undoes number.
func fromNumber(i uint32) netip.Addr {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, i)))
}
