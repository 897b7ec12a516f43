package discovery_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/statemesh/statemesh/network/discovery"
)

// exampleSweep finds two hosts of the network 192.0.2.0/24.
type exampleSweep struct{}

func (exampleSweep) Name() string { return "pretend" }

func (exampleSweep) Sweep(ctx context.Context, _ discovery.Network, _ []netip.Addr, found func(netip.Addr)) error {
	found(netip.MustParseAddr("192.0.2.7"))
	found(netip.MustParseAddr("192.0.2.8"))
	return ctx.Err()
}

// exampleProber knows one of them.
type exampleProber struct{}

func (exampleProber) Knock(_ context.Context, a netip.AddrPort) (discovery.Verdict, error) {
	if a.Addr() == netip.MustParseAddr("192.0.2.8") {
		return discovery.WrongCredentials, errors.New("ACCESS_REFUSED")
	}
	return discovery.LetIn, nil
}

func (exampleProber) Greet(context.Context, netip.AddrPort) (discovery.Greeting, error) {
	return discovery.Greeting{Nodes: []discovery.Node{{Name: "hall-4711"}}, RoundTrip: time.Millisecond}, nil
}

// exampleConfig is that of the host 192.0.2.1, with files in dir. Without Sweeps,
// Networks and Own it would be about the networks of this host.
func exampleConfig(dir string) discovery.Config {
	own, prefix := netip.MustParseAddr("192.0.2.1"), netip.MustParsePrefix("192.0.2.0/24")
	return discovery.Config{
		Port:   5672,
		Prober: exampleProber{},
		Options: discovery.Options{
			Dir:    dir,
			Sweeps: []discovery.Sweep{exampleSweep{}},
			Networks: func() ([]discovery.Network, error) {
				return []discovery.Network{{Interface: "lan0", Index: 2, Own: own, Prefix: prefix}}, nil
			},
			Own: func() ([]netip.Addr, error) { return []netip.Addr{own}, nil },
		},
	}
}

// One round says what each rung of the ladder did, and what became of whom it found.
func ExampleRound() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	report, err := discovery.Round(context.Background(), exampleConfig(dir)) // a made-up network
	fmt.Println(err)
	found := map[string]int{}
	for _, r := range report.Rungs {
		found[r.Rung] = r.Found
	}
	fmt.Println(found)
	for _, c := range report.Candidates {
		fmt.Println(c.Address, c.Verdict, len(c.Nodes))
	}
	fmt.Println("peers:", report.Count(discovery.Ours))
	// Output:
	// <nil>
	// map[cache:0 hosts:0 pretend:2 table:0]
	// 192.0.2.7:5672 ours 1
	// 192.0.2.8:5672 wrong credentials 0
	// peers: 1
}

// A discovery goes on until it is closed. Found hears of every verdict.
func ExampleDiscovery() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	c := exampleConfig(dir) // a made-up network
	found := make(chan string, 10)
	c.Found = func(c discovery.Candidate) {
		if c.Verdict == discovery.Ours {
			found <- fmt.Sprint(c.Address, " ", c.Nodes[0].Name)
		}
	}
	d, err := discovery.New(c)
	if err != nil {
		fmt.Println(err) // wraps ErrOptions
		return
	}
	defer d.Close()
	fmt.Println(d.Start(context.Background()))
	<-d.Settled() // the first round is over
	fmt.Println(<-found)
	// Output:
	// <nil>
	// 192.0.2.7:5672 hall-4711
}

// The file in which a user names hosts. What can be used is used.
func ExampleReadHosts() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, discovery.DefaultHostsFile)
	if err := os.WriteFile(path, []byte(`{"hosts": ["10.0.0.7", "laptop.local:5673", "not a host"]}`), 0o600); err != nil {
		fmt.Println(err)
	}
	hosts, err := discovery.ReadHosts(path)
	fmt.Println(hosts)
	var bad *discovery.EntriesError
	if errors.As(err, &bad) {
		fmt.Println(bad.Bad, "of", bad.Total, "is no host:", bad.First[0].Text)
	}
	// Output:
	// [10.0.0.7 laptop.local:5673]
	// 1 of 3 is no host: not a host
}

// The file in which a node keeps whom it found, for a quick start the next time.
func ExampleWriteCache() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, discovery.DefaultCacheFile)
	fmt.Println(discovery.WriteCache(path, discovery.Cache{
		Addresses: []netip.AddrPort{netip.MustParseAddrPort("10.0.0.7:5672")},
		TimeOut:   10 * time.Minute,
	}))
	cache, err := discovery.ReadCache(path)
	fmt.Println(cache.Addresses, cache.TimeOut, err)
	fmt.Println(cache.Expired(cache.Written.Add(9*time.Minute)), cache.Expired(cache.Written.Add(11*time.Minute)))
	// Output:
	// <nil>
	// [10.0.0.7:5672] 10m0s <nil>
	// false true
}

// A cache that is not there is empty and has expired. One that is broken is an error.
func ExampleReadCache() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, discovery.DefaultCacheFile)
	cache, err := discovery.ReadCache(path)
	fmt.Println(cache.Addresses, cache.Expired(time.Now()), err)

	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		fmt.Println(err)
	}
	_, err = discovery.ReadCache(path)
	fmt.Println(errors.Is(err, discovery.ErrSyntax))
	// Output:
	// [] true <nil>
	// true
}

// Whom a sweep asks: everybody on the network but ourselves, the nearest first.
func ExampleNetwork_Targets() {
	n := discovery.Network{
		Interface: "lan0", Index: 2,
		Own: netip.MustParseAddr("192.0.2.3"), Prefix: netip.MustParsePrefix("192.0.2.0/29"),
	}
	targets, capped := n.Targets(nil)
	fmt.Println(n)
	fmt.Println(targets, capped)
	// Output:
	// 192.0.2.3/29 on lan0
	// [192.0.2.4 192.0.2.2 192.0.2.5 192.0.2.1 192.0.2.6] false
}

// Options say which addresses may be contacted, and so be sent a password.
func ExampleOptions_Allowed() {
	o := discovery.Options{Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/28")}}
	fmt.Println(o.Check())
	fmt.Println(o.Allowed(netip.MustParseAddr("192.0.2.7")), o.Allowed(netip.MustParseAddr("192.0.2.77")))

	o.Every = time.Millisecond
	fmt.Println(errors.Is(o.Check(), discovery.ErrOptions))
	// Output:
	// <nil>
	// true false
	// true
}
