package network

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

// A connection keeps one link to one broker alive. It is a chart:
//
//	connection
//	  connecting        a goroutine dials
//	  up                a goroutine works on the link
//	    flowing
//	    blocked         the broker takes nothing at the moment
//	  down              waits before it dials again, longer each time
//	forgotten           it was away for too long; nothing more is done
const (
	connectionTop hsm.State = iota + 1
	connecting
	connectionUp
	flowing
	blocked
	down
	forgotten
)

var (
	linkUp          = hsm.NewSignal("link_up")
	linkFailed      = hsm.NewSignal("link_failed")
	linkLost        = hsm.NewSignal("link_lost")
	brokerBlocked   = hsm.NewSignal("broker_blocked")
	brokerUnblocked = hsm.NewSignal("broker_unblocked")
	retry           = hsm.NewSignal("retry")
	forget          = hsm.NewSignal("forget")
)

// session is a link with the work to be done on it.
type session struct {
	link Link
	// work runs on a goroutine of its own and returns when the link has died.
	// It is told how long there was no link before, 0 for the first one if that
	// was there at once.
	work func(outage time.Duration)
}

// connection is the data of the chart.
type connection struct {
	*activeobject.ActiveObject
	address Address
	backoff backoff
	chance  chance // of the waits
	// open dials and prepares the work. It runs on a goroutine of its own.
	open func(context.Context) (session, error)
	// first, if set, is told the first session, or why there will be none.
	first    func(error)
	attempts int
	report   *reporter
	// forgetAfter is how long the broker may be away until it is forgotten; 0 is
	// for ever. leave is told then, on the chart's goroutine.
	forgetAfter time.Duration
	leave       func()
	// changed, if set, is told of every new state. It must not block.
	changed func()

	session    session
	cancel     context.CancelFunc // ends the dialling
	upAt       time.Time
	outSince   time.Time // when a link was missing first, zero for never
	forgetting bool      // forget will come
	failures   int
	work       sync.WaitGroup // the goroutines of open and work

	mu     sync.Mutex // guards status
	status connectionStatus
}

type connectionStatus struct {
	state PeerState
	since time.Time
	err   error         // of the newest failure
	left  chan struct{} // closed by enter, for the next state

	connects uint64        // how often there was a link
	blocked  time.Duration // that the broker took nothing, before this state
}

var connections = hsm.MustCompile([]hsm.Spec[*connection]{
	connectionTop: {Name: "connection", Handle: (*connection).top, Init: connecting},
	connecting:    {Name: "connecting", Parent: connectionTop, Handle: (*connection).connecting},
	connectionUp:  {Name: "up", Parent: connectionTop, Handle: (*connection).up, Init: flowing},
	flowing:       {Name: "flowing", Parent: connectionUp, Handle: (*connection).flowing},
	blocked:       {Name: "blocked", Parent: connectionUp, Handle: (*connection).blocked},
	down:          {Name: "down", Parent: connectionTop, Handle: (*connection).down},
	forgotten:     {Name: "forgotten", Parent: connectionTop, Handle: (*connection).forgotten},
})

// newConnection returns a connection that has not been started.
func newConnection(name string, address Address, b backoff, report *reporter, i instrument.Config) *connection {
	c := &connection{address: address, backoff: b, chance: anyTime, report: report}
	c.ActiveObject = activeobject.New(name, hsm.NewMachine(connections, c), activeobject.Config{
		Fabric: activeobject.NewFabric(), Instrument: i,
	})
	return c
}

// close ends the connection and its goroutines. It blocks until they have ended,
// no longer than the link's write time-out.
func (c *connection) close() {
	// Not Stop: a link that waits in the queue must not be forgotten.
	_ = c.Drain(context.Background())
	if c.cancel != nil {
		c.cancel()
	}
	if c.session.link != nil {
		c.session.link.Close()
	}
	c.work.Wait()
	if c.current().state != PeerForgotten {
		c.enter(PeerDown, ErrNodeClosed)
	}
}

func (c *connection) enter(state PeerState, err error) {
	c.mu.Lock()
	if c.status.left != nil {
		close(c.status.left)
	}
	now := time.Now()
	next := connectionStatus{state: state, since: now, err: err, left: make(chan struct{}), connects: c.status.connects, blocked: c.status.blocked}
	if c.status.state == PeerBlocked {
		next.blocked += now.Sub(c.status.since)
	}
	if state == PeerUp && c.status.state != PeerBlocked {
		next.connects++
	}
	c.status = next
	c.mu.Unlock()
	if c.changed != nil {
		c.changed()
	}
}

func (c *connection) current() connectionStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

func (c *connection) top(e hsm.Event) hsm.Status {
	switch e.Signal {
	case linkUp: // of a dialling that was given up
		s, _ := hsm.Payload[session](e)
		s.link.Close()
		return hsm.Handled
	case linkFailed, linkLost: // of a link that is not served any more
		return hsm.Handled
	case forget:
		return hsm.Tran(forgotten)
	}
	return hsm.Super
}

// away takes note that there is no link, and since when. Links that die young do
// not end that, or a broker that takes and drops us would never be forgotten.
func (c *connection) away(since time.Time) {
	if c.outSince != since {
		c.outSince, c.forgetting = since, false
		c.CancelEvents(forget)
	}
	if c.forgetAfter > 0 && !c.forgetting {
		c.PostFIFO(hsm.Event{Signal: forget}, activeobject.Once(c.forgetAfter))
		c.forgetting = true
	}
}

func (c *connection) forgotten(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		c.enter(PeerForgotten, c.current().err)
		if c.leave != nil {
			c.leave()
		}
		return hsm.Handled
	case forget:
		return hsm.Handled
	}
	return hsm.Super
}

func (c *connection) connecting(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		c.enter(PeerConnecting, c.current().err)
		ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
		c.cancel = cancel
		c.work.Go(func() {
			s, err := c.open(ctx)
			if err != nil {
				c.PostFIFO(hsm.Event{Signal: linkFailed, Payload: err})
				return
			}
			if _, err := c.PostFIFO(hsm.Event{Signal: linkUp, Payload: s}); err != nil {
				s.link.Close()
			}
		})
		return hsm.Handled
	case hsm.Exit:
		c.cancel()
		return hsm.Handled
	case linkUp:
		c.session, _ = hsm.Payload[session](e)
		return hsm.Tran(connectionUp)
	case linkFailed:
		err, _ := hsm.Payload[error](e)
		c.failed(err)
		return hsm.Tran(down)
	}
	return hsm.Super
}

// dialTimeout bounds one attempt to connect.
const dialTimeout = 10 * time.Second

// failed takes note of a failure to connect.
func (c *connection) failed(err error) {
	c.failures++
	if c.outSince.IsZero() {
		c.away(time.Now())
	}
	c.enter(PeerDown, err)
	final := errors.Is(err, ErrCredentials) || errors.Is(err, ErrVHost) || errors.Is(err, ErrConfig) ||
		errors.Is(err, ErrNotAMQP) || errors.Is(err, ErrTLS) || errors.Is(err, ErrTopology)
	if c.first != nil {
		if final || c.failures >= c.attempts {
			c.first(err)
			c.first = nil
		}
		return
	}
	c.report.report("connect "+c.address.String(), "cannot connect to a broker, trying again", "broker", c.address.String(), "error", err)
}

func (c *connection) up(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		c.upAt = time.Now()
		var outage time.Duration
		if !c.outSince.IsZero() {
			outage = max(c.upAt.Sub(c.outSince), 1)
		}
		s := c.session
		c.work.Go(func() {
			s.work(outage)
			c.PostFIFO(hsm.Event{Signal: linkLost, Payload: s.link})
		})
		return hsm.Handled
	case hsm.Exit:
		c.session.link.Close()
		return hsm.Handled
	case linkLost:
		if link, _ := hsm.Payload[Link](e); link != c.session.link {
			return hsm.Handled
		}
		return c.lost()
	case forget:
		c.forgetting = false
		return hsm.Handled
	}
	return hsm.Super
}

// lost dials again at once after a link that had worked for a while, and slowly
// after one that died young.
func (c *connection) lost() hsm.Status {
	err := c.session.link.Err()
	c.enter(PeerDown, err)
	c.report.report("lost "+c.address.String(), "lost a broker, connecting again", "broker", c.address.String(), "error", err)
	now := time.Now()
	if now.Sub(c.upAt) < youngLink {
		if c.outSince.IsZero() {
			c.outSince = now
		}
		c.away(c.outSince)
		c.failures++
		return hsm.Tran(down)
	}
	c.failures = 0
	c.away(now)
	return hsm.Tran(connecting)
}

// youngLink is how long a link must have worked for its loss to be the broker's
// death, and not a sign that this one takes and drops us again and again.
const youngLink = time.Second

func (c *connection) flowing(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		c.enter(PeerUp, nil)
		if c.first != nil {
			c.first(nil)
			c.first = nil
		} else if !c.outSince.IsZero() {
			c.report.log.Info("a broker is back", "broker", c.address.String(), "away", time.Since(c.outSince).Round(time.Millisecond))
		}
		return hsm.Handled
	case brokerBlocked:
		return hsm.Tran(blocked)
	}
	return hsm.Super
}

func (c *connection) blocked(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		c.enter(PeerBlocked, nil)
		c.report.report("blocked "+c.address.String(), "a broker takes nothing at the moment", "broker", c.address.String())
		return hsm.Handled
	case brokerUnblocked:
		return hsm.Tran(flowing)
	}
	return hsm.Super
}

func (c *connection) down(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		c.enter(PeerDown, c.current().err)
		c.PostFIFO(hsm.Event{Signal: retry}, activeobject.Once(c.backoff.after(c.failures, c.chance)))
		return hsm.Handled
	case hsm.Exit:
		c.CancelEvents(retry)
		return hsm.Handled
	case retry:
		return hsm.Tran(connecting)
	}
	return hsm.Super
}

// backoff says how long to wait after so many failures in a row: a random time
// from the upper half of a bound that doubles, so that nodes which lost the same
// broker do not come back in step.
type backoff struct {
	least, most time.Duration
}

// How often the own host's broker is dialled, and how often others are.
var (
	fast = backoff{2 * time.Millisecond, time.Second}
	slow = backoff{100 * time.Millisecond, 10 * time.Second}
)

func (b backoff) after(failures int, random chance) time.Duration {
	bound := b.least
	for i := 1; i < failures && bound < b.most; i++ {
		bound *= 2
	}
	bound = min(bound, b.most)
	return bound/2 + random(bound/2)
}

// tryNow cuts the wait short before the next attempt to connect, if there is one.
func (c *connection) tryNow() { c.PostFIFO(hsm.Event{Signal: retry}) }
