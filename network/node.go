package network

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/instrument"
	"github.com/statemesh/statemesh/network/seal"
)

// Node is one process on the mesh. It consumes from its own host's broker, and
// publishes to that one and to every peer's. Any number of objects share it, and
// a process may have several nodes. Create it with NewNode. Any goroutine may
// call its methods.
type Node struct {
	config   settings
	sender   seal.SenderID
	mesh     *channel
	traces   *channel
	spies    *channel
	control  *channel // between nodes
	kept     *channel // events of AtLeastOnce objects
	host     *host
	peers    peerSet
	receiver *receiver
	report   *reporter
	snoop    *snoop
	lan      *lan // nil if the node does not look for others
	watch    *peerWatch
	trace    chartTrace

	keysMu sync.Mutex // guards keys, and serializes their changes
	keys   keyLists

	keptOpener   *seal.Opener // of what comes from durable queues
	keptCounts   keptCounts
	warnVolatile sync.Once

	heardSelf atomic.Bool // the broker gave back what we say to nodes
	deaf      int         // how often it has not, in a row; belongs to sayHello
	listened  int         // how often that was looked at; belongs to sayHello
	directory directory
	numbers   numbers
	gaps      gaps

	healthLimit limiter
	healthAsked chan string // routing keys of answers to be given, at most healthsInASecond

	started time.Time
	work    sync.WaitGroup // goroutines that end after ending is closed
	ending  chan struct{}  // closed by Close

	mu      sync.RWMutex // guards what follows
	objects map[string]*ActiveObject
	stats   NodeStats
	closed  bool
}

// NodeStats counts what a node did since it was made.
type NodeStats struct {
	Transmitted uint64 // events that the node's objects transmitted
	Received    uint64 // events that came from other nodes, opened, decoded and delivered to who hears them
	Delivered   uint64 // deliveries to objects of the node; one event may be several
	Rejected    uint64 // deliveries that an object did not take: its queue was full, or it was stopped
	Unprinted   uint64 // lines of trace and spy that were not printed
	Kept        KeptStats
	// Missed counts events of other nodes that were sent and have not come, as gaps in their
	// numbers tell: lost on the way, or dropped by the sender, who counted them there. What
	// was sent before the first event that came, or after the last one, is not seen.
	Missed uint64
	// Peers sums up what became of messages, of events and of trace and spy lines.
	Peers PeerTotals
	// Senders says what came from each other node; the newest 4096 are known.
	Senders []SenderStats
	// Problems counts what was dropped or went wrong, by reason.
	Problems map[string]uint64
}

// NewNode joins the mesh. Without Config.Broker it joins the broker that listens
// on Config.Listen, or hosts one there. It returns when the own host's broker has
// taken both connections, and waits for no peer. The error says why there is no
// way to the broker: one of the package's errors, after Config.ConnectionAttempts
// attempts, or the first that more attempts would not mend; or ctx.Err().
func NewNode(ctx context.Context, c Config) (*Node, error) {
	config, err := c.complete()
	if err != nil {
		return nil, err
	}
	n := &Node{
		config:      config,
		sender:      seal.NewSenderID(),
		report:      newReporter(config.Logger),
		trace:       newChartTrace(config.TraceCharts),
		keys:        config.keyLists,
		started:     time.Now(),
		ending:      make(chan struct{}),
		healthAsked: make(chan string, healthsInASecond),
		objects:     make(map[string]*ActiveObject),
	}
	n.gaps.clock = config.Clock
	epoch := uint64(config.Clock().UnixNano())
	for _, c := range []struct {
		channel  **channel
		exchange string
	}{
		{&n.mesh, ExchangeMesh},
		{&n.traces, ExchangeTrace},
		{&n.spies, ExchangeSpy},
		{&n.control, ExchangeNode},
		{&n.kept, ExchangeKept},
	} {
		if *c.channel, err = newChannel(c.exchange, n.sender, epoch, config); err != nil {
			return nil, err
		}
	}
	n.keptOpener = newKeptOpener(n.kept, config)
	if err := n.connect(ctx); err != nil {
		return nil, err
	}
	return n, nil
}

// connect makes the connections, starts them, and waits for the own broker.
func (n *Node) connect(ctx context.Context) error {
	own := n.config.own
	n.host = newHost(n.config)
	ownDial := func(ctx context.Context) (Link, error) {
		if err := n.host.ensure(ctx); err != nil {
			return nil, err
		}
		return n.dialOwn(ctx)
	}
	colours := n.config.Color == ColorAlways || n.config.Color == ColorAuto && instrument.Colours(n.config.SnoopOutput)
	n.snoop = newSnoop(instrument.NewPrinter(n.config.SnoopOutput, colours), n.config.OnSnoop, n.sendTrace, n.sendSpy)
	n.watch = newPeerWatch(n.config.OnPeer)
	n.receiver = newReceiver(n.connection("receiver", own, fast), ownDial, n.receive)
	n.receiver.bindings = []Binding{{ExchangeNode, helloKey}}

	peers := []*peer{newPeer(n.connection("broker", own, fast), ViaOwn, n.newOutbox(), ownDial)}
	for _, address := range n.config.peers {
		peers = append(peers, n.newPeer(address, ViaConfig))
	}
	n.peers.list.Store(&peers)
	if n.config.LAN {
		var err error
		if n.lan, err = newLAN(n, n.trace.config()); err != nil {
			_ = n.shutdown(context.Background()) // nothing waits to be printed
			return err
		}
	}
	if err := n.startConnections(ctx); err != nil {
		_ = n.shutdown(context.Background())
		return err
	}
	n.work.Go(func() { n.sayHello(n.ending) })
	n.work.Go(n.answerHealth)
	n.work.Go(func() { n.watchKeys(n.config.givenKeys) })
	if n.config.HealthEvery > 0 {
		n.work.Go(func() { n.logHealth(n.config.HealthEvery) })
	}
	if n.lan == nil {
		return nil
	}
	if err := n.lan.discovery.Start(context.Background()); err != nil {
		_ = n.shutdown(context.Background())
		return err
	}
	n.work.Go(func() {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		go func() { // ends with ctx
			select {
			case <-n.ending:
				cancel()
			case <-ctx.Done():
			}
		}()
		if n.Settled(ctx) == nil {
			n.checkReachable(ctx)
		}
	})
	return nil
}

// startConnections waits for the two with the own broker.
func (n *Node) startConnections(ctx context.Context) error {
	own := n.peers.own()
	own.hello, own.renew = n.helloTo(own.address), n.renew
	own.changed = func() { n.watch.changed(own) }
	first := make(chan error, 2)
	for _, c := range []*connection{n.receiver.connection, own.connection} {
		c.attempts, c.first = n.config.ConnectionAttempts, func(err error) { first <- err }
	}
	for _, c := range n.connections() {
		if err := c.Start(context.Background(), connectionTop); err != nil {
			return err
		}
	}
	for range 2 {
		var err error
		select {
		case err = <-first:
		case <-ctx.Done():
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (n *Node) connection(name string, address Address, b backoff) *connection {
	c := newConnection(name, address, b, n.report, n.trace.config())
	c.chance = n.config.chance(name)
	return c
}

// newPeer returns the peer of another host, not started.
func (n *Node) newPeer(address Address, via string) *peer {
	dial := func(ctx context.Context) (Link, error) { return n.config.Transport.Dial(ctx, address) }
	p := newPeer(n.connection(peerName(address), address, slow), via, n.newOutbox(), dial)
	p.hello, p.renew = n.helloTo(address), n.renew
	p.changed = func() { n.watch.changed(p) }
	return p
}

// peerName is how a broker stands in the trace, where a name has no colons.
func peerName(a Address) string {
	name := "peer_" + strings.ReplaceAll(a.Host, ":", "_")
	if a.Port != DefaultPort {
		name += fmt.Sprintf("_%d", a.Port)
	}
	return name
}

func (n *Node) newOutbox() *outbox {
	o := newOutbox(n.config.Outbox, n.config.TTL, n.config.WhenFull)
	o.kept.lost = func(events int) {
		n.report.report("kept_lost", "a broker has not confirmed events that are to be kept, and they are given up", "events", events)
	}
	return o
}

// connections returns all that the node has.
func (n *Node) connections() []*connection {
	all := []*connection{n.receiver.connection}
	for _, p := range n.peers.all() {
		all = append(all, p.connection)
	}
	return all
}

// Name returns the node's name.
func (n *Node) Name() string { return n.config.Name }

// Hosting reports whether the node's process serves its host's broker.
func (n *Node) Hosting() bool { return n.host.hosting() }

// Peers tells how it stands with every broker, the own host's first. It does not block. After
// Close it returns those that there were, which are down.
func (n *Node) Peers() []PeerStatus {
	var all []PeerStatus
	for _, p := range n.peers.all() {
		all = append(all, p.peerStatus())
	}
	return all
}

// Stats returns the counts so far, also after Close. It does not block.
func (n *Node) Stats() NodeStats {
	n.mu.RLock()
	s := n.stats
	n.mu.RUnlock()
	s.Problems = n.report.counts()
	s.Kept = n.keptCounts.stats()
	s.Peers = n.peers.totals()
	s.Senders, s.Missed = n.gaps.counts(n.directory.name)
	n.snoop.mu.Lock()
	s.Unprinted = n.snoop.dropped
	n.snoop.mu.Unlock()
	return s
}

// join adds an object.
func (n *Node) join(o *ActiveObject) error {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return ErrNodeClosed
	}
	if _, taken := n.objects[o.Name()]; taken {
		n.mu.Unlock()
		return misconfigured("object name", "the node has an object %q already", o.Name())
	}
	n.objects[o.Name()] = o
	if o.keeper != nil {
		go o.keeper.run() // ended by its close
	}
	n.mu.Unlock()
	n.bind(Binding{ExchangeMesh, o.receiveKey})
	if o.keeper == nil {
		n.bind(Binding{ExchangeKept, o.receiveKey})
	}
	return nil
}

// bind makes the node hear what is published under the binding, now or from its
// next connection on.
func (n *Node) bind(b Binding) {
	if err := n.receiver.bind(b); err != nil {
		n.report.report("bind", "a binding waits for the next connection", "exchange", b.Exchange, "key", b.Key, "error", err)
	}
}

// Close stops the node's objects, gives the brokers what waits in the outboxes
// while ctx allows and they take it, and ends the connections and the broker if
// the node hosts it. Others on this host take that over. What was still in an
// outbox is counted as dropped.
//
// It blocks as long as ctx allows for the objects' handlers, for the brokers and for
// Config.SnoopOutput to take the lines that wait, and beyond that for the time-out of
// a write to a broker. The error says what it could not wait for, and wraps ctx.Err().
// Calling it again does nothing.
func (n *Node) Close(ctx context.Context) error {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return nil
	}
	n.closed = true
	close(n.ending)
	objects := make([]*activeobject.ActiveObject, 0, len(n.objects))
	var keepers []*keeper
	for _, name := range slices.Sorted(maps.Keys(n.objects)) {
		o := n.objects[name]
		objects = append(objects, o.ActiveObject)
		if o.keeper != nil {
			keepers = append(keepers, o.keeper)
		}
	}
	n.mu.Unlock()
	var errs []error
	for _, o := range objects {
		if err := o.Stop(ctx); err != nil {
			errs = append(errs, fmt.Errorf("network: %s has not stopped: %w", o.Name(), err))
		}
	}
	for _, k := range keepers {
		k.close()
	}
	n.snoop.closeLives()
	if n.lan != nil {
		n.lan.discovery.Close()
	}
	n.peers.close()
	var drains sync.WaitGroup
	for _, p := range n.peers.all() {
		drains.Go(func() { p.drain(ctx) })
	}
	drains.Wait()
	return errors.Join(append(errs, n.shutdown(ctx))...)
}

// shutdown ends everything the node started. ctx bounds the wait for the printing.
func (n *Node) shutdown(ctx context.Context) error {
	n.snoop.closeLives()
	if n.lan != nil {
		n.lan.discovery.Close()
	}
	n.peers.close()
	var ends sync.WaitGroup
	for _, c := range n.connections() {
		ends.Go(c.close)
	}
	ends.Wait()
	for _, p := range n.peers.all() {
		p.outbox.end()
	}
	n.host.close()
	n.work.Wait()
	n.trace.close()
	return errors.Join(n.watch.close(ctx), n.snoop.close(ctx))
}
