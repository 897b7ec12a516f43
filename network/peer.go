package network

import (
	"context"
	"sync"
	"time"

	"github.com/statemesh/statemesh/hsm"
)

// peer publishes to one broker: the own host's, or that of another host.
type peer struct {
	*connection
	outbox *outbox
	via    string // how it was found
	// hello, if set, makes what the peer is told of us; see peer.greet.
	hello func() (outMessage, bool)
	// renew, if set, seals a message anew that waited for the link.
	renew func(outMessage) []byte

	nodesMu sync.Mutex // guards nodes
	nodes   []nodeAt   // that answered there last
}

// newPeer returns the peer of that connection; dial is how it gets its links.
func newPeer(c *connection, via string, o *outbox, dial func(context.Context) (Link, error)) *peer {
	p := &peer{connection: c, via: via, outbox: o}
	c.open = func(ctx context.Context) (session, error) {
		link, err := dial(ctx)
		if err != nil {
			return session{}, err
		}
		return session{link, func(outage time.Duration) { p.publish(link, grace(outage)) }}, nil
	}
	return p
}

// grace is how long to wait with what the outbox holds when the broker is back:
// until its consumers are, for what is published before is lost to them. A
// consumer may have just missed the broker and wait for fast's next try, which is
// after twice the outage at most; then it needs some time to get ready.
func grace(outage time.Duration) time.Duration {
	if outage == 0 {
		return 0
	}
	return min(2*outage, fast.most) + getReady
}

// getReady is the time in which a consumer connects to a broker that is there.
const getReady = 100 * time.Millisecond

// publish hands what the outbox holds to the link until that dies, first after
// the wait.
func (p *peer) publish(link Link, wait time.Duration) {
	confirm := func(c Confirm) { p.outbox.confirm(link, c) }
	if l, can := link.(telling); can {
		l.tellConfirms(confirm)
	}
	p.outbox.open(link)
	p.greet()
	var readers sync.WaitGroup // ended by the death of the link
	readers.Go(func() {
		for c := range link.Confirmed() {
			confirm(c)
		}
	})
	readers.Go(func() {
		for isBlocked := range link.Blocked() {
			p.outbox.setPause(isBlocked)
			signal := brokerUnblocked
			if isBlocked {
				signal = brokerBlocked
			}
			p.PostFIFO(hsm.Event{Signal: signal})
		}
	})
	readers.Go(func() {
		<-link.Done()
		p.outbox.close()
	})
	if wait > 0 {
		select {
		case <-time.After(wait):
		case <-link.Done():
		}
	}
	var buffer []byte // for bundles
	for {
		batch, ok := p.outbox.next(link)
		if !ok {
			break
		}
		for i := range batch {
			if m := &batch[i]; m.stale && p.renew != nil {
				m.body = p.renew(*m)
			}
		}
		body := batch[0].body
		if len(batch) > 1 {
			buffer = bundle(buffer, batch)
			body = buffer
		}
		if link.Publish(batch[0].exchange, batch[0].key, body) != nil {
			break
		}
	}
	link.Close()
	readers.Wait()
}

// give is outbox.put, and publishes the message at once if nothing else is on its way.
func (p *peer) give(m outMessage, until time.Time) bool {
	taken, link := p.outbox.putOrLend(m, until)
	if link != nil {
		_ = link.Publish(m.exchange, m.key, m.body) // an error is the link's end, which publish sees
		p.outbox.giveBack(link)
	}
	return taken
}

// greet tells the nodes of a broker who we are and how they reach us, before anything
// else that waits.
func (p *peer) greet() {
	if p.hello == nil {
		return
	}
	if m, ok := p.hello(); ok {
		p.outbox.barge(m)
	}
}

// Ways in which a node came to know a broker; PeerStatus.Via may also name the rung of
// discovery that found it, such as "cache" or "arp".
const (
	ViaOwn    = "own"    // the own host's broker
	ViaConfig = "config" // it is in Config.Peers
	ViaAlien  = "alien"  // somebody there has spoken to us
)

// PeerState says how the connection to a broker is.
type PeerState string

// States of connections.
const (
	PeerConnecting PeerState = "connecting" // for the first time, or again
	PeerUp         PeerState = "up"         // the broker takes what is published
	PeerBlocked    PeerState = "blocked"    // connected, and it takes nothing: basic.blocked, see RabbitMQ's alarms
	PeerDown       PeerState = "down"       // waiting for the next attempt
	PeerForgotten  PeerState = "forgotten"  // and nothing is done about it; see Config.Forget
)

// PeerStatus tells how it stands with one broker.
type PeerStatus struct {
	Address   string // without the password
	Own       bool   // it is the own host's broker
	Via       string // how the node came to know it
	State     PeerState
	Since     time.Time     // when it came into that state
	Err       error         `json:"-" cbor:"-"` // why it is not up, nil if it is or nothing is known
	Queued    int           // messages that wait, or are not confirmed yet
	Sent      uint64        // messages that the broker took
	Dropped   uint64        // messages that were given up; Events and Snoop say why
	Events    Traffic       // of these, events between objects
	Snoop     Traffic       // of these, trace and spy
	RoundTrip time.Duration // from a message to the broker's word that it took it, smoothed; 0 if not known
	Connects  uint64        // how often there was a connection
	Blocked   time.Duration // how long the broker took nothing, in all
	Nodes     []string      // names of the nodes there, as far as discovery has heard them
}

func (p *peer) peerStatus() PeerStatus {
	s := p.current()
	traffic, roundTrip := p.outbox.traffic()
	status := PeerStatus{
		Address: p.address.String(), Own: p.via == ViaOwn, Via: p.via, State: s.state, Since: s.since, Err: s.err,
		Queued:  traffic[events].Queued + traffic[talk].Queued,
		Sent:    traffic[events].Sent + traffic[talk].Sent,
		Dropped: traffic[events].Dropped() + traffic[talk].Dropped(),
		Events:  traffic[events], Snoop: traffic[talk], RoundTrip: roundTrip,
		Connects: s.connects, Blocked: s.blocked,
	}
	if s.state == PeerBlocked {
		status.Blocked += time.Since(s.since)
	}
	for _, n := range p.nodesThere() {
		status.Nodes = append(status.Nodes, n.name)
	}
	return status
}

// drain waits until the broker has confirmed everything, for as long as ctx allows
// and the broker takes it.
func (p *peer) drain(ctx context.Context) {
	if s := p.current(); s.state == PeerUp {
		p.outbox.drained(ctx.Done(), s.left)
	}
}
