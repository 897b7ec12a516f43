package simulation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/network"
	"github.com/statemesh/statemesh/network/discovery"
	"github.com/statemesh/statemesh/network/seal"
)

// world is one run of a plan, in a bubble of virtual time.
type world struct {
	plan   *plan
	began  time.Time
	memory *network.Memory
	wires  []*wire
	dir    string
	keys   [2]seal.Key
	clocks []atomic.Int64 // by host: by how many nanoseconds it is ahead
	work   sync.WaitGroup // goroutines of moves, which end when those are put right

	mu       sync.Mutex     // guards what follows
	lives    []*life        // in the order of their begin
	current  []*life        // by host, nil while there is none
	keyStep  []kind         // by host: the newest step of a change of keys, 0 for none
	trouble  map[string]int // how many faults of a kind are on at a host
	trace    []string       // what was done, which follows from the plan alone
	failures []string
	log      bytes.Buffer
}

// life is a node of a host, from its begin to its end.
type life struct {
	world   *world
	name    string
	host    int
	number  int // of the host, 0, 1 ...
	node    *network.Node
	ears    []*ear
	serving sync.WaitGroup // the goroutines of ears, which end with the life
	turn    chan struct{}  // of length 1: full while an object transmits that may wait for room
	ended   chan struct{}  // closed when the life is about to end
	last    []network.PeerStatus
	stats   network.NodeStats // of the end
}

func address(host int) string { return fmt.Sprintf("10.99.77.%d", host+1) }

// simulate runs the plan and returns what became of it. It is called in a bubble.
func simulate(t *testing.T, p *plan) *world {
	w := &world{
		plan: p, began: time.Now(), memory: &network.Memory{TTL: p.ttl, Volatile: p.memory}, dir: t.TempDir(),
		keys: [2]seal.Key{seal.NewKey(), seal.NewKey()}, trouble: map[string]int{},
		clocks: make([]atomic.Int64, p.hosts), current: make([]*life, p.hosts), keyStep: make([]kind, p.hosts),
	}
	for from := range p.hosts {
		latency := map[string]time.Duration{}
		for to, d := range p.latency[from] {
			latency[address(to)] = d
		}
		w.wires = append(w.wires, &wire{inner: w.memory, latency: latency, isCut: map[string]int{}, links: map[string][]*wireLink{}})
	}
	for host := range p.hosts {
		if err := os.Mkdir(w.dirOf(host), 0o700); err != nil {
			t.Fatal(err)
		}
		w.arrive(host)
	}
	for _, m := range p.moves {
		w.until(m.at)
		w.make(m)
	}
	w.until(faultsFrom + faultsFor)
	w.until(w.now() + p.settleFor())
	w.work.Wait()
	w.everybodySpeaks()
	w.check()
	w.end()
	return w
}

func (w *world) now() time.Duration { return time.Since(w.began) }

// until lets time pass, and then everything happen that does not need time.
func (w *world) until(at time.Duration) {
	time.Sleep(at - w.now())
	synctest.Wait()
}

// broken notes that a promise was not kept.
func (w *world) broken(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failures = append(w.failures, fmt.Sprintf("BROKEN at %v: ", w.now())+fmt.Sprintf(format, args...))
}

func (w *world) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trace = append(w.trace, fmt.Sprintf("%v ", w.now())+fmt.Sprintf(format, args...))
}

// Write takes what the nodes log.
func (w *world) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(b)
}

// Name and Sweep make the world a discovery.Sweep, by which all hosts are found.
func (w *world) Name() string { return "air" }

func (w *world) Sweep(ctx context.Context, _ discovery.Network, targets []netip.Addr, found func(netip.Addr)) error {
	for host := range w.plan.hosts {
		if a := netip.MustParseAddr(address(host)); slices.Contains(targets, a) {
			found(a)
		}
	}
	return ctx.Err()
}

// config is that of the next node of a host.
func (w *world) config(host int, name string) network.Config {
	p := w.plan
	c := network.Config{
		Name: name, Dir: w.dirOf(host), Broker: address(host), Transport: w.wires[host], User: "mesh", Password: network.NewSecret("of the brokers"), SnoopOutput: io.Discard,
		Outbox: p.outbox, WhenFull: p.full, MaxWait: p.maxWait, TTL: p.ttl,
		Seed: p.seed, Clock: func() time.Time { return time.Now().Add(time.Duration(w.clocks[host].Load())) },
		Logger: slog.New(slog.NewTextHandler(w, nil)),
	}
	w.mu.Lock()
	c.MeshKey, c.OpenMeshKeys = w.keysAt(w.keyStep[host])
	w.mu.Unlock()
	if !p.lan {
		for other := range p.hosts {
			if other != host {
				c.Peers = append(c.Peers, address(other))
			}
		}
		return c
	}
	self := netip.MustParseAddr(address(host))
	c.LAN, c.Forget = true, p.forget
	c.Discovery = discovery.Options{
		Dir: w.dirOf(host) + "/nowhere", Every: p.every, Sweeps: []discovery.Sweep{w},
		Networks: func() ([]discovery.Network, error) {
			return []discovery.Network{{Interface: "air0", Index: 1, Own: self, Prefix: netip.PrefixFrom(self, 28).Masked()}}, nil
		},
		Own: func() ([]netip.Addr, error) { return []netip.Addr{self}, nil },
	}
	return c
}

// dirOf returns the directory of a host.
func (w *world) dirOf(host int) string { return filepath.Join(w.dir, fmt.Sprint("h", host)) }

// keysAt returns the keys of a node after a step.
func (w *world) keysAt(step kind) (seals seal.Key, opens []seal.Key) {
	switch step {
	case addKey:
		return w.keys[0], w.keys[1:]
	case useKey:
		if w.plan.atOnce {
			return w.keys[1], nil
		}
		return w.keys[1], w.keys[:1]
	case retireKey:
		return w.keys[1], nil
	}
	return w.keys[0], nil
}

// arrive begins a life at the host, as soon as its broker lets a node in.
func (w *world) arrive(host int) {
	w.mu.Lock()
	number := 0
	for _, l := range w.lives {
		if l.host == host {
			number++
		}
	}
	w.mu.Unlock()
	l := &life{
		world: w, host: host, number: number, name: fmt.Sprintf("h%d.%d", host, number),
		turn: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	for {
		var err error
		if l.node, err = network.NewNode(context.Background(), w.config(host, l.name)); err == nil {
			break
		}
		if errors.Is(err, network.ErrConfig) || w.now() > faultsFrom+faultsFor+time.Minute {
			panic(err) // it would be tried for ever
		}
		time.Sleep(300 * time.Millisecond)
	}
	for i, o := range w.plan.objects {
		if o.host == host {
			l.ears = append(l.ears, l.ear(i, o))
		}
	}
	fmt.Fprintf(w, "%v %s is there\n", w.now(), l.name)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lives = append(w.lives, l)
	w.current[host] = l
	w.useKeys(l) // they may have changed meanwhile
}

func (l *life) ear(i int, o object) *ear {
	e := &ear{index: i, plan: o, life: l, orders: make(chan int, 1024), handed: map[string]int{}, full: map[string]int{}}
	c := network.ObjectConfig{TransmitKey: o.key, ReceiveKey: o.pattern}
	c.QueueSize, c.Overflow = o.queue, o.overflow
	if l.world.plan.kept {
		c.Delivery, c.MaxDeliveries = network.AtLeastOnce, 100
	}
	var err error
	if e.ActiveObject, err = l.node.NewActiveObject(o.name, hsm.NewMachine(ears, e), c); err == nil {
		err = e.Start(context.Background(), listening)
	}
	if err != nil {
		l.world.broken("%s: %v", o.name, err)
	}
	l.serving.Go(e.serve)
	return e
}

// close ends the life: politely, or as if the process died.
func (l *life) close(politely bool) {
	close(l.ended)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	if !politely {
		cancel()
	}
	defer cancel()
	if err := l.node.Close(ctx); err != nil && politely && ctx.Err() == nil {
		l.world.broken("%s: Close: %v", l.name, err)
	}
	for _, e := range l.ears {
		close(e.orders)
	}
	l.serving.Wait() // a Transmit that waited for room comes to its end
	l.stats, l.last = l.node.Stats(), l.node.Peers()
}
