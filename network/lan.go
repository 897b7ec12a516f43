package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/statemesh/statemesh/instrument"
	"github.com/statemesh/statemesh/network/discovery"
	"github.com/statemesh/statemesh/network/seal"
)

// lan joins a node with discovery: it makes peers of what discovery finds, and has
// those scouted who speak to us.
type lan struct {
	node      *Node
	discovery *discovery.Discovery
	options   discovery.Options

	limit  limiter
	mu     sync.Mutex // guards aliens
	aliens map[netip.AddrPort]time.Time
}

// alienEvery is how often one address is scouted because of its hellos.
const alienEvery = 500 * time.Millisecond

// aliensInASecond is how many of all are.
const aliensInASecond = 128

// maxAliens bounds what is remembered of them.
const maxAliens = 1024

func newLAN(n *Node, i instrument.Config) (*lan, error) {
	l := &lan{node: n, options: n.config.Discovery, aliens: make(map[netip.AddrPort]time.Time)}
	d, err := discovery.New(discovery.Config{
		Options:    n.config.Discovery,
		Port:       n.config.own.Port,
		Prober:     n.prober(),
		Known:      l.known,
		Found:      l.found,
		Random:     n.config.chance("lan"),
		Logger:     n.config.Logger,
		Instrument: i,
	})
	if err != nil {
		return nil, misconfigured("Discovery", "%w", err)
	}
	l.discovery = d
	return l, nil
}

// prober returns what scouts for the node.
func (n *Node) prober() *prober {
	return &prober{
		transport: n.config.Transport, defaults: n.config.own, control: n.control,
		sender: n.sender, name: n.config.Name, directory: &n.directory,
	}
}

// known says whether there is a connection that works.
func (l *lan) known(a netip.AddrPort) bool {
	p := l.node.peers.at(a.String())
	if p == nil {
		return false
	}
	state := p.current().state
	return state == PeerUp || state == PeerBlocked
}

// found takes a verdict, on the goroutine of discovery.
func (l *lan) found(c discovery.Candidate) {
	if c.Verdict != discovery.Ours {
		if c.Verdict != discovery.Self && c.Verdict != discovery.Dead && c.Verdict != discovery.Refused || c.Name != "" {
			l.node.report.report("no peer at "+c.Address.String(), "somebody is no peer", "address", c.Address.String(), "verdict", c.Verdict.String(), "error", c.Err)
		}
		return
	}
	nodes := make([]nodeAt, len(c.Nodes))
	for i, there := range c.Nodes {
		nodes[i] = nodeAt{seal.SenderID(there.ID), there.Name}
	}
	if p := l.node.peers.at(c.Address.String()); p != nil {
		p.heardAt(nodes)
		p.tryNow()
		return
	}
	if p := l.reaches(nodes); p != nil {
		return // the same broker, by another way
	}
	via := c.Via
	if via == discovery.RungAlien {
		via = ViaAlien
	}
	l.node.meet(l.node.prober().address(c.Address), via, nodes)
}

// reaches returns a peer that is up with one of these nodes.
func (l *lan) reaches(nodes []nodeAt) *peer {
	for _, p := range l.node.peers.all() {
		if state := p.current().state; state != PeerUp && state != PeerBlocked && state != PeerConnecting {
			continue
		}
		for _, there := range p.nodesThere() {
			for _, n := range nodes {
				if n.id == there.id {
					return p
				}
			}
		}
	}
	return nil
}

// alien has somebody scouted who says that his broker is at this address, if that is in a
// network that is searched and has the port that all have: nobody shall make nodes knock
// elsewhere by what he says in a hello.
func (l *lan) alien(a netip.AddrPort) {
	if int(a.Port()) != l.node.config.own.Port || l.known(a) || !l.options.Allowed(a.Addr()) {
		return
	}
	now := time.Now()
	l.mu.Lock()
	last := l.aliens[a]
	if now.Sub(last) < alienEvery {
		l.mu.Unlock()
		return
	}
	if !l.limit.allow(now, aliensInASecond) {
		l.mu.Unlock()
		l.node.report.report("aliens", "too many say where they are; some are not looked for before their next hello")
		return
	}
	if len(l.aliens) >= maxAliens {
		clear(l.aliens)
	}
	l.aliens[a] = now
	l.mu.Unlock()
	l.discovery.Alien(a)
}

// meet makes a peer of a broker, unless it is one.
func (n *Node) meet(address Address, via string, nodes []nodeAt) {
	p := n.newPeer(address, via)
	p.heardAt(nodes)
	p.forgetAfter = n.config.Forget
	p.leave = func() { n.work.Go(func() { n.forget(p) }) }
	added, err := n.peers.add(p, func() error { return p.Start(context.Background(), connectionTop) })
	switch {
	case err != nil:
		n.report.report("meet", "cannot talk to a peer", "broker", address.String(), "error", err)
	case added:
		n.config.Logger.Info("found a peer", "broker", address.String(), "via", via)
	}
}

// forget ends a peer that has been away for too long.
func (n *Node) forget(p *peer) {
	if !n.peers.remove(p) {
		return
	}
	p.close()
	p.outbox.end()
	p.outbox.settle(n.peers.late)
	status := p.peerStatus()
	n.peers.keep(status)
	n.config.Logger.Warn("forgot a peer that was away for too long", "broker", status.Address, "dropped", status.Dropped)
}

// Discovered returns what the newest round of discovery did, the zero Report if there was
// none yet or the node does not look for peers.
func (n *Node) Discovered() discovery.Report {
	if n.lan == nil {
		return discovery.Report{}
	}
	return n.lan.discovery.Report()
}

// Look begins another round of discovery, if the node looks for peers.
func (n *Node) Look() {
	if n.lan != nil {
		n.lan.discovery.Look()
	}
}

// Settled waits until the first round of discovery is over, and every peer that is known
// by then is up or could not be reached. What is transmitted before that, peers may
// not hear. The error is ctx.Err() or ErrNodeClosed.
func (n *Node) Settled(ctx context.Context) error {
	if n.lan != nil {
		select {
		case <-n.lan.discovery.Settled():
		case <-n.ending:
			return ErrNodeClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for _, p := range n.peers.all() {
		for s := p.current(); s.state == PeerConnecting && s.err == nil; s = p.current() {
			select {
			case <-s.left:
			case <-n.ending:
				return ErrNodeClosed
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return nil
}

// checkReachable warns of a broker that other hosts do not reach.
func (n *Node) checkReachable(ctx context.Context) {
	if n.config.listen == "" || n.Hosting() {
		return
	}
	networks, err := n.config.Discovery.Local()
	if err != nil {
		return
	}
	dialer := net.Dialer{Timeout: time.Second}
	for _, network := range networks {
		at := netip.AddrPortFrom(network.Own, uint16(n.config.own.Port)).String()
		conn, err := dialer.DialContext(ctx, "tcp", at)
		if err == nil {
			conn.Close()
			return
		}
	}
	if len(networks) > 0 && ctx.Err() == nil {
		n.report.report("reachable", "the broker of this host does not listen on the LAN: other hosts cannot send to it", "port", n.config.own.Port)
	}
}

// Discover runs one round of discovery, without a node, and returns what each rung did
// and what was found. It is what a node with Config.LAN does when it starts. The mesh
// key and the credentials are those of the Config, as for NewNode; a new key is not made.
// It blocks until the round is over, or ctx ends, which is an error.
func Discover(ctx context.Context, c Config) (discovery.Report, error) {
	c.LAN = true
	config, err := c.complete()
	if err != nil {
		return discovery.Report{}, err
	}
	sender := seal.NewSenderID()
	control, err := newChannel(ExchangeNode, sender, uint64(config.Clock().UnixNano()), config)
	if err != nil {
		return discovery.Report{}, err
	}
	trace := newChartTrace(config.TraceCharts)
	defer trace.close()
	report, err := discovery.Round(ctx, discovery.Config{
		Options: config.Discovery,
		Port:    config.own.Port,
		Prober: &prober{
			transport: config.Transport, defaults: config.own, control: control,
			sender: sender, name: config.Name, directory: new(directory),
		},
		Logger:     config.Logger,
		Instrument: trace.config(),
	})
	if err != nil && errors.Is(err, discovery.ErrOptions) {
		err = misconfigured("Discovery", "%w", err)
	}
	return report, err
}

// dialOwn reaches the own host's broker, and takes note of what kind it is.
func (n *Node) dialOwn(ctx context.Context) (Link, error) {
	link, err := n.dialOwnAddresses(ctx)
	if l, ok := link.(*amqpLink); ok && err == nil && !l.ours() {
		n.host.occupied.Store(true)
	}
	return link, err
}

// dialOwnAddresses dials the broker where it listens: at its address, or if nobody is
// there and it is the default one, at an address of this host on the LAN.
func (n *Node) dialOwnAddresses(ctx context.Context) (Link, error) {
	own := n.config.own
	link, err := n.config.Transport.Dial(ctx, own)
	if err == nil || !n.config.LAN || n.config.listen == "" || !errors.Is(err, ErrRefused) {
		return link, err
	}
	networks, listErr := n.config.Discovery.Local()
	if listErr != nil {
		return nil, fmt.Errorf("%w; and %w", err, listErr)
	}
	for _, network := range networks {
		own.Host = network.Own.String()
		if link, lanErr := n.config.Transport.Dial(ctx, own); lanErr == nil {
			return link, nil
		} else if !errors.Is(lanErr, ErrRefused) {
			err = lanErr
		}
	}
	return nil, err
}
