package network_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/statemesh/statemesh/network"
	"github.com/statemesh/statemesh/network/seal"
)

// dialled is a Transport that takes note of where it is told to dial.
type dialled struct {
	network.Transport
	mu    sync.Mutex // guards where
	where map[string]int
}

func (d *dialled) Dial(ctx context.Context, a network.Address) (network.Link, error) {
	d.mu.Lock()
	d.where[a.HostPort()]++
	d.mu.Unlock()
	return d.Transport.Dial(ctx, a)
}

// A node on a LAN dials nobody outside of the networks it may look at, whatever addresses
// somebody with the key says in his hellos, and those inside not more often than
// discovery would.
func TestAbsurdHellos(t *testing.T) {
	onTheAir(t, func(a *air) {
		d := &dialled{Transport: a.memory, where: map[string]int{}}
		n := a.host(1, func(c *network.Config) {
			c.Transport, c.User, c.Password = d, "node", network.NewSecret("of the brokers")
		})
		e := a.ear(n, "ear", network.ObjectConfig{})
		a.pass(time.Second)
		link, err := a.memory.Dial(a.t.Context(), network.Address{Host: "10.0.0.1", Port: 5672})
		if err != nil {
			a.t.Fatal(err)
		}
		a.t.Cleanup(func() { link.Close() })
		ring, err := seal.NewRing(a.config.MeshKey.Derive(network.ExchangeNode))
		if err != nil {
			a.t.Fatal(err)
		}
		sealer := seal.NewSealer(ring, seal.SealerConfig{})
		hello := func(addresses ...string) {
			sealed, err := sealer.Seal(nil, encoded(a.t, fields{1: "insider", 2: addresses}), network.ExchangeNode, "hello")
			if err == nil {
				err = link.Publish(network.ExchangeNode, "hello", sealed)
			}
			if err != nil {
				a.t.Fatal(err)
			}
		}
		d.mu.Lock()
		clear(d.where)
		d.mu.Unlock()
		for _, address := range []string{
			"127.0.0.1:5672", "[::1]:5672", "0.0.0.0:0", "0.0.0.0:5672", "[::]:5672", "255.255.255.255:5672", "224.0.0.1:5672", "10.0.1.1:5672",
			"192.168.1.1:5672", "8.8.8.8:53", "[fe80::1%air0]:5672", "[::ffff:8.8.8.8]:5672", "10.0.0.256:1", "nowhere:5672", "", ":", "10.0.0.2", "\x1b[31m",
		} {
			hello(address)
		}
		hello("10.0.1.1:1", "10.0.1.2:1", "10.0.1.3:1", "10.0.1.4:1", "10.0.1.5:1", "10.0.1.6:1", "10.0.1.7:1", "10.0.1.8:1")
		a.pass(10 * time.Second)
		d.mu.Lock()
		if len(d.where) != 0 {
			a.t.Errorf("dialled %v, want nobody", d.where)
		}
		d.mu.Unlock()
		for i := range 2000 { // inside, any other port
			hello(fmt.Sprintf("10.0.0.%d:%d", 2+i%250, 1+i%7))
		}
		a.pass(10 * time.Second)
		d.mu.Lock()
		if len(d.where) != 0 {
			a.t.Errorf("dialled %v, want nobody at another port", d.where)
		}
		d.mu.Unlock()
		for i := range 2000 { // inside, where a broker could be, again and again
			hello(fmt.Sprintf("10.0.0.%d:5672", 2+i%250))
		}
		a.pass(10 * time.Second)
		d.mu.Lock()
		total := 0
		for _, n := range d.where {
			total += n
		}
		const most = 128 // a second
		if total > 2*most || total < most {
			a.t.Errorf("2000 hellos in no time made the node dial %d times, want at most %d addresses twice each", total, most)
		}
		a.t.Logf("2000 hellos made the node dial %d times at %d addresses", total, len(d.where))
		d.mu.Unlock()
		if n.Stats().Problems["aliens"] == 0 {
			a.t.Errorf("problems %v, want it to be told", n.Stats().Problems)
		}
		if peers := n.Peers(); len(peers) != 1 {
			a.t.Errorf("peers %+v, want its own broker only", peers)
		}
		e.nothing(a.t)
	})
}
