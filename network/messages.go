package network

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/network/broker"
	"github.com/statemesh/statemesh/network/seal"
)

// Errors of Transmit, and why a message that came is dropped.
var (
	ErrPayload       = errors.New("network: the payload cannot be sent as CBOR")
	ErrSignalName    = errors.New("network: a signal's name that is sent has to be printable and of at most 255 bytes")
	ErrNodeClosed    = errors.New("network: the node is closed")
	errMalformed     = errors.New("not a message of the mesh")
	errUnknownSignal = errors.New("unknown signal")
	errBadPayload    = errors.New("payload does not fit")
)

// OutboxError is the error of Transmit when outboxes had no room, see Config.WhenFull: who is
// at one of these brokers will not get the event. All others get it as usual, so that
// transmitting it again would send it to them twice.
type OutboxError struct {
	Brokers []string // addresses, without passwords
}

func (e *OutboxError) Error() string {
	return "network: outbox full, event lost for " + strings.Join(e.Brokers, ", ")
}

// transmit is ActiveObject.Transmit.
func (n *Node) transmit(o *ActiveObject, e hsm.Event) error {
	m, err := n.speak(n.mesh, o, e)
	if err != nil {
		return err
	}
	m.lane = events
	return n.send(m)
}

// speak gives an event to the other objects of the node, and returns the message for all others.
func (n *Node) speak(c *channel, o *ActiveObject, e hsm.Event) (outMessage, error) {
	if err := hsm.CheckPost(e); err != nil {
		return outMessage{}, err
	}
	body, err := encodeEvent(e, o.Name(), o.NewOrigin())
	if err != nil {
		return outMessage{}, err
	}
	plain := numbered(body, o.number.Add(1))
	sealed, err := c.sealer.Seal(nil, plain, c.exchange, o.transmitKey)
	if err != nil {
		return outMessage{}, err
	}
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		return outMessage{}, ErrNodeClosed
	}
	n.stats.Transmitted++
	n.mu.Unlock()
	n.deliver(c, body, o.transmitKey, o)
	return outMessage{exchange: c.exchange, key: o.transmitKey, body: sealed, plain: plain}, nil
}

// send gives a sealed message to every broker.
func (n *Node) send(m outMessage) error { return n.sendTo(n.peers.all(), m) }

func (n *Node) sendTo(peers []*peer, m outMessage) error {
	m.at = time.Now()
	until := m.at.Add(n.config.MaxWait)
	var full []string
	for _, p := range peers {
		put := p.outbox.put
		if p.via == ViaOwn { // more of them would add up
			put = p.give
		}
		if !put(m, until) {
			full = append(full, p.address.String())
			n.report.report("outbox "+p.address.String(), "an outbox is full, messages are lost", "broker", p.address.String())
		}
	}
	if full != nil {
		return &OutboxError{Brokers: full}
	}
	return nil
}

// renew seals a message anew, so that whoever has started meanwhile takes it. Who has got
// what came after it must be able to tell.
func (n *Node) renew(m outMessage) []byte {
	plain := m.plain
	if m.again && m.exchange == ExchangeMesh {
		plain = sentAgain(plain)
	}
	for _, c := range n.channels() {
		if c.exchange == m.exchange {
			if body, err := c.sealer.Reseal(nil, m.body, plain, m.exchange, m.key); err == nil {
				return body
			}
		}
	}
	return m.body
}

// channels returns all networks of the node.
func (n *Node) channels() []*channel { return []*channel{n.mesh, n.traces, n.spies, n.control, n.kept} }

// deliver decodes an event and posts it to the objects that hear the key. Each
// gets a payload of its own. What is kept comes to AtLeastOnce objects by other ways.
func (n *Node) deliver(c *channel, body []byte, key string, except *ActiveObject) bool {
	n.mu.RLock()
	var hearers []*ActiveObject
	for _, o := range n.objects {
		if o != except && (c != n.kept || o.keeper == nil) && broker.MatchTopic(o.receiveKey, key) {
			hearers = append(hearers, o)
		}
	}
	n.mu.RUnlock()
	var delivered, rejected uint64
	for _, o := range hearers {
		e, origin, err := decodeEvent(body)
		if err != nil {
			n.refuse(err, c.exchange)
			return false
		}
		if err := o.Deliver(e, origin); err != nil {
			rejected++
			if errors.Is(err, hsm.ErrQueueFull) {
				n.report.report("queue_full", "an object's queue is full, an event is lost", "object", o.Name(), "signal", e.Signal.String())
			}
			continue
		}
		delivered++
	}
	n.mu.Lock()
	n.stats.Delivered += delivered
	n.stats.Rejected += rejected
	n.mu.Unlock()
	return true
}

// receive handles what the own broker delivers, on the receiver's goroutine. Of a bundle,
// each part is as good as a message that came alone.
func (n *Node) receive(d Delivery) {
	if !isBundle(d.Body) || !bundled(d.Exchange) {
		n.receiveOne(d)
		return
	}
	err := unbundle(d.Body, func(part []byte) {
		n.receiveOne(Delivery{Exchange: d.Exchange, Key: d.Key, Body: part})
	})
	if err != nil {
		n.refuse(fmt.Errorf("%w: %w", errMalformed, err), d.Exchange)
	}
}

// receiveOne handles one message.
func (n *Node) receiveOne(d Delivery) {
	if sender, ok := seal.ClaimedSender(d.Body); ok && sender == n.sender {
		if d.Exchange == ExchangeNode {
			n.heardSelf.Store(true)
		}
		return // our own, back from the broker; who heard it here has it already
	}
	var c *channel
	switch d.Exchange {
	case ExchangeMesh:
		c = n.mesh
	case ExchangeTrace:
		c = n.traces
	case ExchangeSpy:
		c = n.spies
	case ExchangeNode:
		c = n.control
	case ExchangeKept:
		c = n.kept
	default:
		n.report.report("exchange", "a message came by an exchange that is not ours", "exchange", d.Exchange)
		return
	}
	m, err := c.opener.Open(nil, d.Body, d.Exchange, d.Key)
	if err != nil {
		n.refuse(err, d.Exchange)
		return
	}
	switch c {
	case n.mesh, n.kept:
		n.heardEvent(c, m, d.Key)
		return
	case n.control:
		n.heardNode(m, d.Key)
		return
	}
	t, err := decodeTrace(m.Body, d.Exchange)
	if err != nil {
		n.refuse(err, d.Exchange)
		return
	}
	n.snoop.say(t.heard())
}

// clocksDiffer is how much the clocks of two hosts may differ until it is reported.
const clocksDiffer = 5 * time.Second

// heardEvent delivers what another node transmitted.
func (n *Node) heardEvent(c *channel, m seal.Message, key string) {
	event, number, again, ok := cutNumber(m.Body)
	if !ok {
		n.refuse(errMalformed, c.exchange)
		return
	}
	if again && n.gaps.passed(m.Sender, key, number) {
		n.report.report("late", "an event that was sent again came after later ones, and is dropped", "node", n.directory.name(m.Sender))
		return
	}
	numbers := key
	if c == n.kept {
		numbers = keptNumbers(key)
	}
	if ahead := n.gaps.received(m.Sender, numbers, number, m.Time); ahead.Abs() > clocksDiffer {
		n.report.report("clock", "the clocks of two hosts differ, or the events of one are slow",
			"node", n.directory.name(m.Sender), "ahead", ahead.Round(time.Millisecond))
	}
	if n.deliver(c, event, key, nil) {
		n.mu.Lock()
		n.stats.Received++
		n.mu.Unlock()
	}
}

// refuse counts a message that is dropped, and says why, once a minute a reason.
func (n *Node) refuse(err error, exchange string) {
	why := seal.Reason(err)
	switch {
	case errors.Is(err, errUnknownSignal):
		why = "unknown_signal"
	case errors.Is(err, errBadPayload):
		why = "bad_payload"
	case errors.Is(err, errMalformed):
		why = "malformed"
	}
	message := "dropped a message"
	if errors.Is(err, seal.ErrUnknownKey) {
		message = "dropped a message that was sealed with another key: " + keyVariable(exchange) + " is not the same there and here"
	}
	n.report.report(why, message, "reason", why, "exchange", exchange, "error", err)
}
