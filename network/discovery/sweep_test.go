package discovery

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/statemesh/statemesh/internal/netnstest"
)

// sweepPort is where nobody listens.
const sweepPort = 5671

// sweepHere runs a sweep inside of a lab and returns what it found, sorted. It checks
// that each address came once, from one goroutine at a time, and that all
// files are closed afterwards.
func sweepHere(ctx context.Context, t *testing.T, s Sweep, n Network, targets []netip.Addr) (found []netip.Addr, err error) {
	t.Helper()
	netnstest.RequireInside(t)
	// The first socket of a process makes files that stay.
	if warm, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err == nil {
		warm.Close()
	}
	files := filesOpen(t)
	var turn sync.Mutex
	returned := false
	var last time.Duration
	began := time.Now()
	err = s.Sweep(ctx, n, targets, func(a netip.Addr) {
		if !turn.TryLock() {
			t.Errorf("%s: found is called by two goroutines at a time", s.Name())
			return
		}
		defer turn.Unlock()
		if returned {
			t.Errorf("%s: %v was found after the end", s.Name(), a)
		}
		if slices.Contains(found, a) {
			t.Errorf("%s: %v was found twice", s.Name(), a)
		}
		found, last = append(found, a), time.Since(began)
	})
	turn.Lock()
	defer turn.Unlock()
	returned = true
	t.Logf("%s on %v: %d of %d in %v, the last after %v; %v",
		s.Name(), n, len(found), len(targets), time.Since(began).Round(100*time.Microsecond), last.Round(10*time.Microsecond), err)
	if now := filesOpen(t); now != files {
		t.Errorf("%s: %d files were open before, %d after", s.Name(), files, now)
	}
	slices.SortFunc(found, netip.Addr.Compare)
	return found, err
}

func filesOpen(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

// sweepAllHere runs each sweep on a network and compares with what it is to find,
// as "udp=10.0.0.1,10.0.0.2 arp=refused".
func sweepAllHere(t *testing.T, n Network, want string) {
	t.Helper()
	own, err := OwnAddresses()
	if err != nil {
		t.Fatal(err)
	}
	targets, _ := n.Targets(own)
	sweeps := Sweeps(sweepPort)
	for w := range strings.FieldsSeq(want) {
		name, list, _ := strings.Cut(w, "=")
		i := slices.IndexFunc(sweeps, func(s Sweep) bool { return s.Name() == name })
		if i < 0 {
			t.Fatalf("no sweep %s", name)
		}
		found, err := sweepHere(t.Context(), t, sweeps[i], n, targets)
		if list == "refused" {
			if !errors.Is(err, fs.ErrPermission) || len(found) > 0 {
				t.Errorf("%s: %v, %v; want no permission", name, found, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(addressList(strings.ReplaceAll(list, ",", " ")), found, compareAddresses); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// networksHere returns the networks of the host that the test is on.
func networksHere(t *testing.T, count int) []Network {
	t.Helper()
	netnstest.RequireInside(t)
	networks, err := Networks(nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(networks) != count {
		t.Fatalf("got networks %v, want %d", networks, count)
	}
	return networks
}

func TestSweepsRefuseNothingToDo(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, s := range Sweeps(sweepPort) {
		found := func(a netip.Addr) { t.Errorf("%s found %v", s.Name(), a) }
		// A network that does not exist: nobody is asked, whatever goes wrong.
		n := networkOf("127.0.0.1/32")
		if err := s.Sweep(cancelled, n, addressList("127.0.0.2"), found); err != context.Canceled {
			t.Errorf("%s, cancelled before it began: %v", s.Name(), err)
		}
		if err := s.Sweep(t.Context(), n, nil, found); err != nil && !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s without targets: %v", s.Name(), err)
		}
	}
}

func TestSweepsFindPeers(t *testing.T) {
	if !netnstest.InChild() {
		lab := netnstest.New(t)
		me := lab.Host("me", netip.MustParsePrefix("10.9.0.7/24"))
		lab.Host("near", netip.MustParsePrefix("10.9.0.8/24"))
		far := lab.Host("far", netip.MustParsePrefix("10.9.0.254/24"))
		// It answers for itself, but knows no way to send anything.
		mute := lab.Host("mute", netip.MustParsePrefix("10.9.0.80/24"))
		shellOn(t, mute, "ip route delete 10.9.0.0/24 dev eth0")
		// These two answer broadcasts, one of them ourselves.
		shellOn(t, me, "echo 0 >/proc/sys/net/ipv4/icmp_echo_ignore_broadcasts")
		shellOn(t, far, "echo 0 >/proc/sys/net/ipv4/icmp_echo_ignore_broadcasts")
		gone := lab.Host("gone", netip.MustParsePrefix("10.9.0.9/24"))
		if err := gone.Cut(0); err != nil {
			t.Fatal(err)
		}
		netnstest.RunTest(t, me.Unprivileged,
			"WANT=ping=refused arp=refused udp=10.9.0.8,10.9.0.80,10.9.0.254 tcp=10.9.0.8,10.9.0.254")
		netnstest.RunTest(t, me.Command,
			"WANT=ping=10.9.0.254 arp=10.9.0.8,10.9.0.80,10.9.0.254 udp=10.9.0.8,10.9.0.80,10.9.0.254 tcp=10.9.0.8,10.9.0.254")
		return
	}
	sweepAllHere(t, networksHere(t, 1)[0], os.Getenv("WANT"))
}

// shellOn runs a shell command on a host.
func shellOn(t *testing.T, h *netnstest.Host, command string) {
	t.Helper()
	if out, err := h.Command(t.Context(), "sh", "-ec", command).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

// TestSweepsStayOnTheirNetwork has a host between two networks.
func TestSweepsStayOnTheirNetwork(t *testing.T) {
	if !netnstest.InChild() {
		lab := netnstest.New(t)
		me := lab.Host("me", netip.MustParsePrefix("10.9.1.7/24"), netip.MustParsePrefix("10.9.2.7/24"))
		for _, h := range []*netnstest.Host{
			lab.Host("a", netip.MustParsePrefix("10.9.1.1/24")),
			lab.Host("b", netip.MustParsePrefix("10.9.2.2/24")),
			lab.Host("both", netip.MustParsePrefix("10.9.1.3/24"), netip.MustParsePrefix("10.9.2.3/24")),
		} {
			shellOn(t, h, "echo 0 >/proc/sys/net/ipv4/icmp_echo_ignore_broadcasts")
		}
		netnstest.RunTest(t, me.Command)
		return
	}
	networks := networksHere(t, 2)
	const one, two = "10.9.1.1,10.9.1.3", "10.9.2.2,10.9.2.3"
	sweepAllHere(t, networks[0], "ping="+one+" arp="+one+" udp="+one+" tcp="+one)
	sweepAllHere(t, networks[1], "ping="+two+" arp="+two+" udp="+two+" tcp="+two)
	for i, want := range []string{one, two} {
		got, err := Neighbours(networks[i])
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(addressList(strings.ReplaceAll(want, ",", " ")), got, compareAddresses); diff != "" {
			t.Errorf("neighbours on %v (-want +got):\n%s", networks[i], diff)
		}
	}
}

// TestSweepsOfLargeNetwork sweeps the own part of a /16. Whom the kernel knows
// beyond that is a neighbour.
func TestSweepsOfLargeNetwork(t *testing.T) {
	if !netnstest.InChild() {
		lab := netnstest.New(t)
		me := lab.Host("me", netip.MustParsePrefix("10.8.5.7/16"))
		lab.Host("first", netip.MustParsePrefix("10.8.5.0/16"))
		lab.Host("near", netip.MustParsePrefix("10.8.5.255/16"))
		far := lab.Host("far", netip.MustParsePrefix("10.8.200.1/16"))
		shellOn(t, far, "echo 0 >/proc/sys/net/ipv4/icmp_echo_ignore_broadcasts")
		netnstest.RunTest(t, me.Command)
		return
	}
	n := networksHere(t, 1)[0]
	if targets, capped := n.Targets(nil); !capped || len(targets) != 255 {
		t.Errorf("capped: %v, %d targets", capped, len(targets))
	}
	const near = "10.8.5.0,10.8.5.255"
	sweepAllHere(t, n, "ping=10.8.200.1 arp="+near+" udp="+near+" tcp="+near)
	// The answer made the kernel look for whom it came from; or this does.
	if conn, err := net.Dial("tcp", "10.8.200.1:9"); err == nil {
		conn.Close()
	}
	got, err := Neighbours(n)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(addressList("10.8.5.0 10.8.5.255 10.8.200.1"), got, compareAddresses); diff != "" {
		t.Errorf("neighbours (-want +got):\n%s", diff)
	}
	n.Prefix = netip.MustParsePrefix("10.8.5.128/25")
	if got, err = Neighbours(n); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(addressList("10.8.5.255"), got, compareAddresses); diff != "" {
		t.Errorf("neighbours in a part (-want +got):\n%s", diff)
	}
}

// TestSweepsOfMany has several batches of targets. Not the most that there can be: the
// kernel has one table of neighbours, 1024 by default, for all namespaces, and others test
// at the same time.
func TestSweepsOfMany(t *testing.T) {
	if !netnstest.InChild() {
		lab := netnstest.New(t)
		me := lab.Host("me", netip.MustParsePrefix("10.8.4.7/23"))
		lab.Host("near", netip.MustParsePrefix("10.8.4.1/23"))
		lab.Host("far", netip.MustParsePrefix("10.8.5.254/23"))
		netnstest.RunTest(t, me.Command)
		return
	}
	const both = "10.8.4.1,10.8.5.254"
	sweepAllHere(t, networksHere(t, 1)[0], "ping= arp="+both+" udp="+both+" tcp="+both)
}

// TestTCPFindsWhoAccepts has a listener, and all of the loopback network.
func TestTCPFindsWhoAccepts(t *testing.T) {
	if !netnstest.InChild() {
		netnstest.RunTest(t, netnstest.New(t).Host("me").Unprivileged)
		return
	}
	netnstest.RequireInside(t)
	listener, err := net.Listen("tcp4", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	n := networkOf("127.0.0.1/8")
	s := Sweeps(listener.Addr().(*net.TCPAddr).Port)[3]
	found, err := sweepHere(t.Context(), t, s, n, addressList("127.0.0.2 127.0.0.3"))
	if diff := cmp.Diff(addressList("127.0.0.2 127.0.0.3"), found, compareAddresses); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if from := conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr(); from != n.Own {
		t.Errorf("it came from %v", from)
	}
}

// TestSweepsSayWhatTheyCannot has targets that there is no way to, an own address
// that is none, and an interface that is no Ethernet.
func TestSweepsSayWhatTheyCannot(t *testing.T) {
	if !netnstest.InChild() {
		netnstest.RunTest(t, netnstest.New(t).Host("me", netip.MustParsePrefix("10.9.0.7/24")).Command)
		return
	}
	lan := networksHere(t, 1)[0]
	foreign := lan
	foreign.Own = netip.MustParseAddr("10.9.0.77")
	loopback := Network{"lo", 1, netip.MustParseAddr("127.0.0.1"), netip.MustParsePrefix("127.0.0.0/8")}
	removed := lan
	removed.Index = 99
	for _, c := range []struct {
		name    string
		sweep   Sweep
		network Network
		targets string
		says    string
	}{
		{"udp without a way", udpSweep{}, lan, "10.9.0.8 11.0.0.1 11.0.0.2", "could not ask 2 of 3 addresses"},
		{"tcp without a way", tcpSweep{sweepPort}, lan, "10.9.0.8 11.0.0.1 11.0.0.2", "could not ask 2 of 3 addresses"},
		{"ping from nowhere", ping{}, foreign, "10.9.0.8", "cannot assign"},
		{"udp from nowhere", udpSweep{}, foreign, "10.9.0.8", "cannot assign"},
		{"tcp from nowhere", tcpSweep{sweepPort}, foreign, "10.9.0.8", "could not ask 1 of 1"},
		{"arp on what is gone", arpSweep{}, removed, "10.9.0.8", "no such network interface"},
		{"arp without Ethernet", arpSweep{}, loopback, "127.0.0.2", ErrUnsupported.Error()},
	} {
		t.Run(c.name, func(t *testing.T) {
			found, err := sweepHere(t.Context(), t, c.sweep, c.network, addressList(c.targets))
			if err == nil || !strings.Contains(err.Error(), c.says) || len(found) > 0 {
				t.Errorf("found %v, %v; want %q", found, err, c.says)
			}
		})
	}
}

// TestSweepsEndWithContext cancels sweeps of a network where nobody answers, and
// which therefore would take long.
func TestSweepsEndWithContext(t *testing.T) {
	if !netnstest.InChild() {
		netnstest.RunTest(t, netnstest.New(t).Host("me", netip.MustParsePrefix("10.8.4.7/23")).Command)
		return
	}
	n := networksHere(t, 1)[0]
	targets, _ := n.Targets(nil)
	for _, s := range Sweeps(sweepPort) {
		t.Run(s.Name(), func(t *testing.T) {
			quickest := time.Hour
			// Other programs on this machine may delay one attempt, but not all.
			for range 5 {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
				began := time.Now()
				found, err := sweepHere(ctx, t, s, n, targets)
				quickest = min(quickest, time.Since(began))
				cancel()
				if err != context.DeadlineExceeded || len(found) > 0 {
					t.Fatalf("found %v, %v", found, err)
				}
				if quickest < 100*time.Millisecond {
					return
				}
			}
			t.Errorf("the quickest of 5 took %v", quickest)
		})
	}
}
