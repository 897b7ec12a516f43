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
		return session{link, func() { p.publish(link) }}, nil
	}
	return p
}

// publish hands what the outbox holds to the link until that dies.
func (p *peer) publish(link Link) {
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
	Dropped uint64    // messages that were given up: no room, too old, refused by the broker
}

func (p *peer) peerStatus() PeerStatus {
	s, o := p.current(), p.outbox.counts()
	return PeerStatus{
		Address: p.address.String(), State: s.state, Since: s.since, Err: s.err,
		Queued: p.outbox.queued(), Sent: o.Sent, Dropped: o.Full + o.Expired + o.Refused + o.Lost,
	}
}
