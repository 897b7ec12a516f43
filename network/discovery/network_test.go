package discovery

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/statemesh/statemesh/internal/netnstest"
	"pgregory.net/rapid"
)

var compareAddresses = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
}

func addressList(s string) []netip.Addr {
	var as []netip.Addr
	for _, f := range strings.Fields(s) {
		as = append(as, netip.MustParseAddr(f))
	}
	return as
}

func networkOf(own string) Network {
	p := netip.MustParsePrefix(own)
	return Network{Interface: "eth0", Index: 2, Own: p.Addr(), Prefix: p.Masked()}
}

func TestTargets(t *testing.T) {
	for _, c := range []struct {
		name, network, own, want string
	}{
		{"the nearest first", "10.0.0.3/29", "", "10.0.0.4 10.0.0.2 10.0.0.5 10.0.0.1 10.0.0.6"},
		{"no own addresses", "10.0.0.3/29", "10.0.0.5 ::ffff:10.0.0.1 fe80::1 10.9.9.9 10.0.0.3", "10.0.0.4 10.0.0.2 10.0.0.6"},
		{"at the lower edge", "10.0.0.1/29", "", "10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6"},
		{"at the upper edge", "255.255.255.254/30", "", "255.255.255.253"},
		{"at the very beginning", "0.0.0.1/30", "", "0.0.0.2"},
		{"two hosts", "10.0.0.0/31", "", "10.0.0.1"},
		{"two hosts, the other", "10.0.0.1/31", "", "10.0.0.0"},
		{"alone", "10.0.0.1/32", "", ""},
		{"the only other is own", "10.0.0.1/31", "10.0.0.0", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, capped := networkOf(c.network).Targets(addressList(c.own))
			if diff := cmp.Diff(addressList(c.want), slices.Clip(append([]netip.Addr(nil), got...)), compareAddresses); diff != "" || capped {
				t.Errorf("capped: %v; targets (-want +got):\n%s", capped, diff)
			}
		})
	}
	for _, n := range []Network{
		{},
		{Own: netip.MustParseAddr("10.0.0.1"), Prefix: netip.MustParsePrefix("10.0.1.0/24")},
		{Own: netip.MustParseAddr("fe80::1"), Prefix: netip.MustParsePrefix("fe80::/64")},
	} {
		if got, capped := n.Targets(nil); len(got) > 0 || capped {
			t.Errorf("%v: %v, %v", n, got, capped)
		}
	}
}

// TestTargetsAreAll compares with the plain reading of the contract.
func TestTargetsAreAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		self := netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "own")))
		prefix := netip.PrefixFrom(self, rapid.IntRange(0, 32).Draw(t, "bits")).Masked()
		n := Network{Own: self, Prefix: prefix}
		var others []netip.Addr
		for range rapid.IntRange(0, 5).Draw(t, "others") {
			b := self.As4()
			b[3] = rapid.Byte().Draw(t, "other")
			others = append(others, netip.AddrFrom4(b))
		}

		swept := prefix
		if prefix.Bits() < 22 {
			swept = netip.PrefixFrom(self, 24).Masked()
		}
		want := map[netip.Addr]bool{}
		for a := swept.Addr(); swept.Contains(a); a = a.Next() {
			edge := prefix.Bits() < 31 && (a == prefix.Addr() || !prefix.Contains(a.Next()))
			if !edge && a != self && !slices.Contains(others, a) {
				want[a] = true
			}
		}
		got, capped := n.Targets(others)
		if capped != (swept != prefix) {
			t.Errorf("%v: capped is %v", prefix, capped)
		}
		last := 0
		for _, a := range got {
			if !want[a] {
				t.Fatalf("%v: %v is not wanted, or not twice", n, a)
			}
			delete(want, a)
			distance := int(number(a)) - int(number(self))
			distance = max(distance, -distance)
			if distance < last {
				t.Fatalf("%v: %v is nearer than the one before", n, a)
			}
			last = distance
		}
		if len(want) > 0 {
			t.Fatalf("%v: %d are missing", n, len(want))
		}
	})
}

func TestWanted(t *testing.T) {
	const lan = net.FlagUp | net.FlagBroadcast | net.FlagMulticast
	for _, c := range []struct {
		name, only string
		flags      net.Flags
		want       bool
	}{
		{"eth0", "", lan, true},
		{"wlp3s0", "", lan, true},
		{"en0", "", lan, true},
		{"br0", "", lan, true},
		{"Ethernet 2", "", lan, true},
		{"eth0", "", lan &^ net.FlagUp, false},
		{"eth0", "", lan &^ net.FlagBroadcast, false},
		{"lo", "", net.FlagUp | net.FlagLoopback, false},
		{"lo", "", lan | net.FlagLoopback, false},
		{"ppp7", "", lan | net.FlagPointToPoint, false},
		{"eth9", "", lan | net.FlagPointToPoint, false},
		{"docker0", "", lan, false},
		{"veth12ab", "", lan, false},
		{"br-0a1b2c", "", lan, false},
		{"virbr0", "", lan, false},
		{"tun0", "", lan, false},
		{"tap0", "", lan, false},
		{"wg0", "", lan, false},
		{"ztabcdef", "", lan, false},
		{"tailscale0", "", lan, false},
		{"cni0", "", lan, false},
		{"flannel.1", "", lan, false},
		{"vEthernet (WSL)", "", lan, false},
		{"docker0", "eth0 docker0", lan, true},
		{"lo", "lo", net.FlagUp | net.FlagLoopback, true},
		{"eth0", "eth0", lan &^ net.FlagUp, false},
		{"eth1", "eth0", lan, false},
		{"eth0", " ", lan, false},
	} {
		var only []string
		if c.only != "" {
			only = append([]string{}, strings.Fields(c.only)...)
		}
		if got := wanted(net.Interface{Name: c.name, Flags: c.flags}, only); got != c.want {
			t.Errorf("wanted(%s, %v, only %v) = %v", c.name, c.flags, only, got)
		}
	}
}

func TestNetworksOf(t *testing.T) {
	cidr := func(s string) net.Addr {
		ip, n, err := net.ParseCIDR(s)
		if err != nil {
			t.Fatal(err)
		}
		n.IP = ip
		return n
	}
	got := networksOf(net.Interface{Name: "eth0", Index: 7}, []net.Addr{
		cidr("fe80::1/64"),
		cidr("192.168.1.7/24"),
		cidr("192.168.1.8/24"),
		cidr("10.0.0.1/8"),
		&net.IPNet{IP: net.IPv4(172, 16, 0, 1), Mask: net.CIDRMask(96+12, 128)},
		&net.IPNet{IP: net.IPv4(172, 16, 0, 1), Mask: net.IPMask{255, 0, 255, 0}},
		&net.IPNet{IP: net.IPv4(172, 16, 0, 1), Mask: net.CIDRMask(64, 128)},
		&net.IPAddr{IP: net.IPv4(1, 2, 3, 4)},
		&net.IPNet{},
	})
	want := []Network{
		{"eth0", 7, netip.MustParseAddr("192.168.1.7"), netip.MustParsePrefix("192.168.1.0/24")},
		{"eth0", 7, netip.MustParseAddr("10.0.0.1"), netip.MustParsePrefix("10.0.0.0/8")},
		{"eth0", 7, netip.MustParseAddr("172.16.0.1"), netip.MustParsePrefix("172.16.0.0/12")},
	}
	if diff := cmp.Diff(want, got, compareAddresses); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := want[0].String(); got != "192.168.1.7/24 on eth0" {
		t.Errorf("String: %q", got)
	}
}

// TestNetworks looks at a host with a LAN, another by a second address, a virtual
// interface, and one that is down.
func TestNetworks(t *testing.T) {
	if !netnstest.InChild() {
		host := netnstest.New(t).Host("me", netip.MustParsePrefix("10.9.0.7/24"), netip.MustParsePrefix("10.8.0.7/22"))
		out, err := host.Command(t.Context(), "sh", "-ec", `
			ip address add 10.9.0.8/24 dev eth0
			ip address add 10.7.0.7/16 dev eth0
			ip link add docker0 type bridge
			ip address add 172.17.0.1/16 dev docker0
			ip link set docker0 up
			ip link set eth1 down`).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		netnstest.RunTest(t, host.Unprivileged)
		return
	}
	netnstest.RequireInside(t)
	for _, c := range []struct {
		name string
		only []string
		want string
		err  error
	}{
		{"LANs", nil, "10.9.0.7/24 on eth0, 10.7.0.7/16 on eth0", nil},
		{"a virtual one", []string{"docker0"}, "172.17.0.1/16 on docker0", nil},
		{"two by name", []string{"lo", "eth0"}, "127.0.0.1/8 on lo, 10.9.0.7/24 on eth0, 10.7.0.7/16 on eth0", nil},
		{"one that is down", []string{"eth1"}, "", nil},
		{"none", []string{}, "", nil},
		{"no such", []string{"eth0", "eth7"}, "", ErrInterface},
	} {
		t.Run(c.name, func(t *testing.T) {
			networks, err := Networks(c.only)
			if !errors.Is(err, c.err) {
				t.Fatal(err)
			}
			var got []string
			for _, n := range networks {
				got = append(got, n.String())
				if i, err := net.InterfaceByIndex(n.Index); err != nil || i.Name != n.Interface {
					t.Errorf("%v: interface %d: %v, %v", n, n.Index, i, err)
				}
			}
			if diff := cmp.Diff(c.want, strings.Join(got, ", ")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	own, err := OwnAddresses()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addressList("127.0.0.1 ::1 10.9.0.7 10.9.0.8 10.7.0.7 10.8.0.7 172.17.0.1") {
		if !slices.Contains(own, a) {
			t.Errorf("%v is not among the own addresses %v", a, own)
		}
	}
	if os.Getuid() == 0 {
		t.Error("this was to run without privilege")
	}
}
