// Package director makes a fault run: hosts, brokers and actors, faults at random but
// drawn from a seed, and in the end a verdict.
package director

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/statemesh/statemesh/internal/faults/actor"
	"github.com/statemesh/statemesh/internal/faults/judge"
	"github.com/statemesh/statemesh/internal/faults/schedule"
	"github.com/statemesh/statemesh/internal/netnstest"
	"github.com/statemesh/statemesh/network"
	"github.com/statemesh/statemesh/network/seal"
)

// The kinds of brokers.
const (
	Embedded = "embedded" // one of the nodes of a host hosts it
	RabbitMQ = "rabbitmq" // one a host
	Cluster  = "cluster"  // one a host, and all are one
)

// Options say which run it is to be.
type Options struct {
	Seed   uint64
	For    time.Duration // of the faults
	Broker string
	Keep   bool // the files, even if all promises are held
	Out    io.Writer
}

// Size of the mesh.
const (
	hosts      = 3
	nodesAHost = 2
	charts     = 10 // of a host
)

// every is how long a chart waits between two events. Each at-least-once event goes to 12
// queues, and a cluster writes each of those down three times.
func every(broker string) time.Duration {
	if broker == Cluster {
		return time.Second
	}
	return 200 * time.Millisecond
}

// Bounds and waits.
const (
	settle      = 3 * time.Second  // from a node's start to its base line
	readyWithin = 60 * time.Second // from the start of all to the base line of all
	quietWithin = 2 * time.Minute
	endWithin   = 20 * time.Second
)

// quietFor is how long nothing arrives, until all has arrived. RabbitMQ may be busy with
// itself for a while after a member has come back.
func quietFor(broker string) time.Duration {
	if broker == Embedded {
		return 3 * time.Second
	}
	return 10 * time.Second
}

func bounds(broker string) judge.Bounds {
	b := judge.Bounds{Blocked: time.Second, Again: 20 * time.Second, Heap: 8 << 20}
	if broker == Cluster {
		b.Again = 45 * time.Second // a member that was cut off restarts itself
	}
	return b
}

// Plan returns what may happen in a run.
func (o Options) Plan() schedule.Plan {
	p := schedule.Plan{Hosts: hosts, Nodes: nodesAHost, For: o.For, Kinds: []schedule.Kind{
		schedule.KillBroker, schedule.CutLink, schedule.BadLink, schedule.KillNode, schedule.StopNode,
	}}
	if actor.CanSkew {
		p.Kinds = append(p.Kinds, schedule.SkewClock)
	}
	p.NodesHost, p.Majority = o.Broker == Embedded, o.Broker == Cluster
	if o.Broker != Embedded {
		p.Kinds = append(p.Kinds, schedule.FillMemory)
	}
	return p
}

// director is a run.
type director struct {
	Options
	lab     *netnstest.Lab
	dir     string
	hosts   []*netnstest.Host
	nodes   [][]*node // of each host
	rabbits []*rabbit // of each host; none if nodes host the brokers
	places  []place   // of each host
	// majority is held while a broker may be away, if at most one may be: it may take longer
	// than planned.
	majority sync.Mutex
	began    time.Time

	mu       sync.Mutex // guards what follows, and Out
	happened []judge.Happened
	errs     []error
}

// place has the locks for what happens to a host.
type place struct{ link, impairment, broker sync.Mutex }

// ErrBroken is returned for a run in which a promise was broken.
var ErrBroken = errors.New("director: a promise was broken")

// Run makes a run and writes its verdict. The error wraps netnstest.ErrUnavailable or
// ErrNotInstalled where there can be none, ErrBroken if a promise was broken, and otherwise
// says what went wrong with the run itself.
func Run(ctx context.Context, o Options) (err error) {
	if err := netnstest.Available(); err != nil {
		return err
	}
	if o.Broker != Embedded {
		if _, err := rabbitHome(); err != nil {
			return err
		}
	}
	d := &director{Options: o, places: make([]place, hosts)}
	faults := schedule.Draw(o.Seed, o.Plan())
	fmt.Fprintf(o.Out, "seed %d, %v, broker %s: %d faults, %s\n%s", o.Seed, o.For, o.Broker, len(faults), schedule.Digest(faults), schedule.Print(faults))
	if !actor.CanSkew {
		fmt.Fprintln(o.Out, "left out: wrong clocks, because the program was not compiled for them; see scripts/faults.sh")
	}
	if d.dir, err = os.MkdirTemp("", "statemesh-faults-"); err != nil {
		return err
	}
	defer func() {
		if o.Keep || err != nil && ctx.Err() == nil {
			fmt.Fprintf(o.Out, "ledgers and logs are in %s\n", d.dir)
			return
		}
		err = errors.Join(err, os.RemoveAll(d.dir))
	}()
	if d.lab, err = netnstest.Make("faults"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.lab.Close()) }()
	if err := d.prepare(ctx); err != nil {
		return err
	}
	return d.play(ctx, faults)
}

// prepare makes hosts with brokers and actors, and waits until they have settled.
func (d *director) prepare(ctx context.Context) error {
	d.began = time.Now()
	user, password, key, cookie := "faults", rand.Text(), seal.NewKey().Encode(), rand.Text()
	for i := range hosts {
		name := fmt.Sprintf("h%d", i+1)
		host, err := d.lab.SoftHost(name, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 77, 0, byte(i + 1)}), 24))
		if err != nil {
			return err
		}
		d.hosts = append(d.hosts, host)
		dir := filepath.Join(d.dir, name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		lan, broker := "1", ""
		if d.Broker != Embedded {
			broker = "amqp://" + host.Addr(0).String() + ":5672" // in clear, but inside the lab
			r, err := newRabbit(host, filepath.Join(dir, "rabbitmq"), cookie, user, password)
			if err != nil {
				return err
			}
			d.rabbits = append(d.rabbits, r)
		}
		if d.Broker == Cluster {
			lan = "0"
		}
		env := fmt.Sprintf("%s=%s\n%s=%s\n%s=%s\n%s=%s\n%s=2\n%s=1000000\n", network.EnvUser, user, network.EnvPassword, password,
			network.EnvMeshKey, key, network.EnvLAN, lan, network.EnvHeartbeat, network.EnvAttempts)
		if err := os.WriteFile(filepath.Join(dir, ".env"), []byte(env), 0o600); err != nil {
			return err
		}
		d.nodes = append(d.nodes, d.actors(host, dir, broker))
	}
	if err := d.startRabbits(ctx); err != nil {
		return err
	}
	for n := range nodesAHost {
		for _, nodes := range d.nodes {
			if err := nodes[n].start(); err != nil {
				return err
			}
		}
	}
	return d.ready(ctx)
}

// actors returns those of a host. The charts are dealt out so that each has as many that
// are at-least-once: what they hold is compared.
func (d *director) actors(host *netnstest.Host, dir, broker string) []*node {
	nodes := make([]*node, nodesAHost)
	for i := range nodes {
		nodes[i] = &node{host: host, dir: dir, name: host.Name() + string(rune('a'+i)),
			options: actor.Options{Broker: broker, Every: every(d.Broker), Settle: settle}}
	}
	for i := range charts {
		kind := actor.MostOnce
		if i%(charts/nodesAHost)%2 == 1 {
			kind = actor.LeastOnce
		}
		o := &nodes[i*nodesAHost/charts].options
		o.Charts = append(o.Charts, fmt.Sprintf("%s_%s_%d", kind, host.Name(), i))
	}
	return nodes
}

// startRabbits starts the servers at once, and makes a cluster of them if there is to
// be one.
func (d *director) startRabbits(ctx context.Context) error {
	errs := make([]error, len(d.rabbits))
	var starts sync.WaitGroup
	for i, r := range d.rabbits {
		starts.Go(func() { errs[i] = r.start(ctx) })
	}
	starts.Wait()
	if err := errors.Join(errs...); err != nil || d.Broker != Cluster {
		return err
	}
	for _, r := range d.rabbits[1:] {
		if err := r.join(ctx, d.rabbits[0]); err != nil {
			return err
		}
	}
	return nil
}

// say writes a line with the time since the begin.
func (d *director) say(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fmt.Fprintf(d.Out, "%7.1fs  %s\n", time.Since(d.began).Seconds(), fmt.Sprintf(format, args...))
}

// all returns all nodes.
func (d *director) all() []*node {
	var all []*node
	for _, nodes := range d.nodes {
		all = append(all, nodes...)
	}
	return all
}
