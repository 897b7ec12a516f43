package network_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/network"
	"github.com/statemesh/statemesh/network/discovery"
	"github.com/statemesh/statemesh/network/seal"
)

// air is a LAN that is not there: 10.0.0.0/24 on a Memory transport.
type air struct {
	*bed
	mu    sync.Mutex // guards hosts
	hosts []string   // that are found by a sweep
}

// onTheAir runs a test of several hosts in virtual time.
func onTheAir(t *testing.T, test func(a *air)) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		b.memory = network.NewMemory()
		b.config.Transport = b.memory
		test(&air{bed: b})
	})
}

// Name and Sweep make the air a discovery.Sweep.
func (a *air) Name() string { return "air" }

func (a *air) Sweep(ctx context.Context, _ discovery.Network, targets []netip.Addr, found func(netip.Addr)) error {
	a.mu.Lock()
	hosts := slices.Clone(a.hosts)
	a.mu.Unlock()
	for _, host := range hosts {
		if address := netip.MustParseAddr(host); slices.Contains(targets, address) {
			found(address)
		}
	}
	return ctx.Err()
}

// host makes a node on a host of its own, which is found from then on.
func (a *air) host(i int, change ...func(*network.Config)) *network.Node {
	a.t.Helper()
	address := fmt.Sprintf("10.0.0.%d", i)
	own := netip.MustParseAddr(address)
	n := a.node("host"+fmt.Sprint(i), append([]func(*network.Config){func(c *network.Config) {
		c.LAN = true
		c.Broker = address
		c.Discovery = discovery.Options{
			Dir:    a.t.TempDir(),
			Sweeps: []discovery.Sweep{a},
			Networks: func() ([]discovery.Network, error) {
				return []discovery.Network{{Interface: "air0", Index: 1, Own: own, Prefix: netip.MustParsePrefix("10.0.0.0/24")}}, nil
			},
			Own: func() ([]netip.Addr, error) { return []netip.Addr{own}, nil },
		}
	}}, change...)...)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hosts = append(a.hosts, address)
	return n
}

// peers describes the peers of a node but for its own, sorted.
func peers(n *network.Node) []string {
	all := []string{}
	for _, p := range n.Peers()[1:] {
		host := strings.TrimSuffix(p.Address[strings.LastIndex(p.Address, "@")+1:], ":5672/")
		all = append(all, strings.TrimSpace(host+" "+string(p.State)+" "+strings.Join(p.Nodes, " ")))
	}
	slices.Sort(all)
	return all
}

func (a *air) expectPeers(n *network.Node, want ...string) {
	a.t.Helper()
	if want == nil {
		want = []string{}
	}
	if diff := cmp.Diff(want, peers(n)); diff != "" {
		a.t.Errorf("peers of %s (-want +got):\n%s\nlog:\n%s", n.Name(), diff, a.log.String())
	}
}

// said is what is heard of these words.
func said(words ...any) []string {
	var list []string
	for _, w := range words {
		list = append(list, fmt.Sprintf("word(%v)", w))
	}
	return list
}

func TestHostsFindEachOther(t *testing.T) {
	onTheAir(t, func(a *air) {
		t := a.t
		one, two, three := a.host(1), a.host(2), a.host(3)
		var ears []*ear
		for i, n := range []*network.Node{one, two, three} {
			ears = append(ears, a.ear(n, fmt.Sprint("ear", i+1), network.ObjectConfig{}))
		}
		a.pass(time.Second)
		for _, n := range []*network.Node{one, two, three} {
			if err := n.Settled(a.t.Context()); err != nil {
				t.Error(err)
			}
		}
		a.expectPeers(one, "10.0.0.2 up host2", "10.0.0.3 up host3")
		a.expectPeers(two, "10.0.0.1 up host1", "10.0.0.3 up host3")
		a.expectPeers(three, "10.0.0.1 up host1", "10.0.0.2 up host2")
		for i, e := range ears {
			e.say(t, i)
			a.settle()
		}
		ears[0].expect(t, said(1, 2)...)
		ears[1].expect(t, said(0, 2)...)
		ears[2].expect(t, said(0, 1)...)
	})
}

// A latecomer is heard both ways within a second of its first message, though the
// others do not look for hosts at that time.
func TestLatecomer(t *testing.T) {
	onTheAir(t, func(a *air) {
		t := a.t
		one := a.host(1)
		here := a.ear(one, "here", network.ObjectConfig{})
		a.pass(10 * time.Second)
		a.expectPeers(one)
		late := a.ear(a.host(2), "late", network.ObjectConfig{})
		a.pass(time.Second)
		late.say(t, "from late")
		here.say(t, "from here")
		a.settle()
		here.expect(t, said("from late")...)
		late.expect(t, said("from here")...)
	})
}

func TestPeerIsForgottenAndFoundAgain(t *testing.T) {
	onTheAir(t, func(a *air) {
		t := a.t
		forgetful := func(c *network.Config) { c.Forget = 30 * time.Second }
		one := a.host(1, forgetful)
		two := a.host(2, forgetful)
		here, there := a.ear(one, "here", network.ObjectConfig{}), a.ear(two, "there", network.ObjectConfig{})
		a.pass(time.Second)
		here.say(t, 1)
		a.settle()
		there.expect(t, said(1)...)

		a.memory.Refuse("10.0.0.2", network.ErrUnreachable)
		a.memory.Down("10.0.0.2")
		a.pass(time.Second)
		if got := peers(one); len(got) != 1 || !strings.Contains(got[0], " down") {
			t.Errorf("a second after its broker died: %v", got)
		}
		here.say(t, 2, 3)
		a.pass(30 * time.Second)
		a.expectPeers(one)
		if got := one.Stats().Peers; got.Events.Dropped() != 2 || got.Events.Queued != 0 {
			t.Errorf("totals %+v, want the 2 events for the forgotten peer as dropped", got)
		}

		a.memory.Refuse("10.0.0.2", nil)
		a.memory.Up("10.0.0.2")
		a.pass(2 * time.Minute)
		if got := peers(one); len(got) != 1 || !strings.Contains(got[0], "up host2") {
			t.Errorf("after its broker came back: %v\n%s", got, a.log.String())
		}
		here.say(t, 4)
		there.say(t, 5)
		a.settle()
		there.expect(t, said(1, 4)...)
		here.expect(t, said(5)...)
		// What was dropped shows as missing there.
		if s := two.Stats(); s.Missed != 2 || len(s.Senders) != 1 || s.Senders[0] != (network.SenderStats{Node: "host1", Received: 2, Missed: 2}) {
			t.Errorf("missed %d, senders %+v, want 2 missed of 4", s.Missed, s.Senders)
		}
	})
}

func TestStrangersAreNoPeers(t *testing.T) {
	for name, spoil := range map[string]struct {
		config func(*network.Config)
		memory func(*network.Memory)
		want   discovery.Verdict
	}{
		"another key":     {config: func(c *network.Config) { c.MeshKey = seal.NewKey() }, want: discovery.NotOurs},
		"wrong password":  {memory: func(m *network.Memory) { m.Refuse("10.0.0.2", network.ErrCredentials) }, want: discovery.WrongCredentials},
		"no such vhost":   {memory: func(m *network.Memory) { m.Refuse("10.0.0.2", network.ErrVHost) }, want: discovery.NotOurs},
		"not AMQP":        {memory: func(m *network.Memory) { m.Refuse("10.0.0.2", network.ErrNotAMQP) }, want: discovery.NotAMQP},
		"nobody listens":  {memory: func(m *network.Memory) { m.Refuse("10.0.0.2", network.ErrRefused) }, want: discovery.Refused},
		"nobody is there": {memory: func(m *network.Memory) { m.Refuse("10.0.0.2", network.ErrUnreachable) }, want: discovery.Dead},
	} {
		t.Run(name, func(t *testing.T) {
			onTheAir(t, func(a *air) {
				t := a.t
				two := a.host(2, func(c *network.Config) {
					if spoil.config != nil {
						spoil.config(c)
					}
				})
				if spoil.memory != nil {
					spoil.memory(a.memory)
				}
				one := a.host(1)
				a.pass(5 * time.Second)
				a.expectPeers(one)
				if spoil.config != nil {
					a.expectPeers(two)
				}
				verdicts := map[string]discovery.Verdict{}
				for _, c := range one.Discovered().Candidates {
					verdicts[c.Address.String()] = c.Verdict
				}
				if diff := cmp.Diff(map[string]discovery.Verdict{"10.0.0.2:5672": spoil.want}, verdicts); diff != "" {
					t.Errorf("verdicts (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestOnPeer(t *testing.T) {
	onTheAir(t, func(a *air) {
		t := a.t
		var mu sync.Mutex
		var changes []string
		one := a.host(1, func(c *network.Config) {
			c.Forget = 20 * time.Second
			c.OnPeer = func(p network.PeerStatus) {
				mu.Lock()
				defer mu.Unlock()
				if !p.Own {
					changes = append(changes, string(p.State))
				}
			}
		})
		a.host(2)
		a.pass(time.Second)
		a.memory.Refuse("10.0.0.2", network.ErrUnreachable)
		a.memory.Down("10.0.0.2")
		a.pass(time.Minute)
		mu.Lock()
		defer mu.Unlock()
		last := ""
		var phases []string
		for _, c := range changes {
			if c != last && (c != "connecting" || last != "down") {
				phases = append(phases, c)
			}
			last = c
		}
		text := strings.Join(phases, " ")
		if !strings.Contains(text, "up") || !strings.HasSuffix(text, "down forgotten") {
			t.Errorf("changes of the peer: %q", changes)
		}
		a.expectPeers(one)
	})
}

func TestOnPeerThatHangsDoesNotHoldUpClose(t *testing.T) {
	onTheAir(t, func(a *air) {
		t := a.t
		hang := make(chan struct{})
		c := a.config
		c.OnPeer = func(network.PeerStatus) { <-hang }
		n, err := network.NewNode(a.t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := n.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close: %v, want that it could not wait for OnPeer", err)
		}
		close(hang)
	})
}

// The trace of the node's own charts explains a discovery.
func TestTraceOfDiscovery(t *testing.T) {
	onTheAir(t, func(a *air) {
		t := a.t
		a.host(1)
		a.pass(time.Second)
		trace := &text{}
		a.host(2, func(c *network.Config) { c.TraceCharts = trace })
		a.pass(time.Second)
		for _, want := range []string{
			"[lan] e->start_at() top->searching",
			"[hosts] e->read_hosts() waiting->reading",
			"[hosts] e->resolved() resolving->waiting",
			"[cache] e->read_cache() waiting->reading",
			"[recce] e->recce_lan() waiting->table",
			"[recce] e->table_read() table->air",
			"[recce] e->all_swept() listening->waiting",
			"[scout_10.0.0.1] e->start_at() top->knocking",
			"[scout_10.0.0.1] e->let_in() knocking->greeting",
			"[scout_10.0.0.1] e->answered() greeting->ours",
			"[lan] e->search_ended() searching->scouting",
			"[lan] e->scouts_back() scouting->resting",
			"[peer_10.0.0.1] e->link_up() connecting->flowing",
			"[cache] e->write_cache() waiting->writing",
		} {
			if len(trace.lines(want)) != 1 {
				t.Errorf("the trace has not once %q", want)
			}
		}
		if t.Failed() {
			t.Log(trace.String())
		}
	})
}

// What a LAN asks for, and what it says if something is missing.
func TestLANConfig(t *testing.T) {
	key := seal.NewKey()
	secret := network.NewSecret("hidden-password")
	for name, tc := range map[string]struct {
		config network.Config
		env    map[string]string
		want   []string // "" for none
	}{
		"no credentials and no key": {
			config: network.Config{LAN: true},
			want:   []string{"RABBIT_USER and RABBIT_PASSWORD", "MESH_ENCRYPTION_KEY", "statemesh keygen"},
		},
		"guest": {
			config: network.Config{LAN: true, MeshKey: key, User: "guest", Password: network.NewSecret("guest")},
			want:   []string{"RABBIT_USER and RABBIT_PASSWORD"},
		},
		"no key": {
			config: network.Config{LAN: true, User: "u", Password: secret},
			want:   []string{"MESH_ENCRYPTION_KEY"},
		},
		"options without LAN": {
			config: network.Config{Discovery: discovery.Options{Interfaces: []string{"eth0"}}},
			want:   []string{"Discovery: it has no effect without LAN"},
		},
		"bad options": {
			config: network.Config{LAN: true, MeshKey: key, User: "u", Password: secret, Discovery: discovery.Options{Every: 1}},
			want:   []string{"a second at least"},
		},
		"TLS": {
			config: network.Config{LAN: true, MeshKey: key, User: "u", Password: secret, Broker: "amqps://h/"},
			want:   []string{"TLS"},
		},
		"neither yes nor no": {
			env:  map[string]string{network.EnvLAN: "maybe"},
			want: []string{"STATEMESH_LAN in the environment", "1 or 0"},
		},
		"bad prefix": {
			env:  map[string]string{network.EnvLAN: "1", network.EnvLANPrefixes: "10.0.0.0/8, 300.0.0.0/8"},
			want: []string{"STATEMESH_LAN_PREFIXES", "192.168.1.0/24"},
		},
		"forgets at once": {
			config: network.Config{Forget: 1},
			want:   []string{"Forget"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tc.config.Dir = t.TempDir()
			for name, value := range tc.env {
				t.Setenv(name, value)
			}
			n, err := network.NewNode(t.Context(), tc.config)
			if err == nil {
				closeNode(t, n)
			}
			if !errors.Is(err, network.ErrConfig) {
				t.Fatalf("error %v, want ErrConfig", err)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want one that says %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "hidden") {
				t.Errorf("the error shows a password: %v", err)
			}
		})
	}
}

func TestLANFromTheEnvironment(t *testing.T) {
	t.Setenv(network.EnvLAN, "1")
	t.Setenv(network.EnvLANInterfaces, "eth0, wlan0")
	t.Setenv(network.EnvLANPrefixes, "10.1.2.3/16,192.168.0.0/24")
	c, err := network.Load(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	want := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("192.168.0.0/24")}
	if !c.LAN || !slices.Equal(c.Discovery.Interfaces, []string{"eth0", "wlan0"}) || !slices.Equal(c.Discovery.Prefixes, want) {
		t.Errorf("LAN %v, %+v", c.LAN, c.Discovery)
	}
	t.Setenv(network.EnvLAN, "0")
	if c, err = network.Load(t.TempDir()); err != nil || c.LAN || c.Discovery.Interfaces != nil {
		t.Errorf("LAN %v, %+v, %v", c.LAN, c.Discovery, err)
	}
}
