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
}

// newPeer returns the peer of that connection; dial is how it gets its links.
func newPeer(c *connection, o *outbox, dial func(context.Context) (Link, error)) *peer {
	p := &peer{connection: c, outbox: o}
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
	p.outbox.open(link)
	var readers sync.WaitGroup // ended by the death of the link
	readers.Go(func() {
		for c := range link.Confirmed() {
			p.outbox.confirm(link, c)
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
	for {
		m, ok := p.outbox.next(link)
		if !ok {
			break
		}
		if link.Publish(m.exchange, m.key, m.body) != nil {
			break
		}
	}
	link.Close()
	readers.Wait()
}

// PeerStatus tells how it stands with one broker.
type PeerStatus struct {
	Address string    // without the password
	Own     bool      // it is the own host's broker
	State   string    // connecting, up, blocked or down
	Since   time.Time // when it came into that state
	Err     error     // why it is not up, nil if it is or nothing is known
	Queued  int       // messages that wait, or are not confirmed yet
	Sent    uint64    // messages that the broker took
	Dropped uint64    // messages that were given up: no room, too old, refused by the broker, left at Close
}

func (p *peer) peerStatus() PeerStatus {
	s := p.current()
	queued, o := p.outbox.counts()
	return PeerStatus{
		Address: p.address.String(), State: s.state, Since: s.since, Err: s.err,
		Queued: queued, Sent: o.Sent, Dropped: o.Full + o.Expired + o.Refused + o.Lost,
	}
}

// drain waits until the broker has confirmed everything, for as long as ctx allows
// and the broker takes it.
func (p *peer) drain(ctx context.Context) {
	if s := p.current(); s.state == "up" {
		p.outbox.drained(ctx.Done(), s.left)
	}
}
