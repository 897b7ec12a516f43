package network

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/network/seal"
)

// Guarantee says what a networked object can rely on.
type Guarantee int

// The values of ObjectConfig.Delivery.
const (
	// AtMostOnce: an event arrives once, or is lost and counted: with a connection, a full
	// queue, a process that ends. It costs the least.
	AtMostOnce Guarantee = iota

	// AtLeastOnce keeps what the object transmits and hears until it has been handled:
	//
	//  1. What it transmits waits in the outbox of each broker, without a limit of time,
	//     until the broker has confirmed it. It is lost, and that is reported, only if an
	//     outbox is full when it is transmitted, the peer is forgotten, or the node is closed
	//     or dies before the broker has it. TransmitConfirmed waits for the brokers.
	//  2. Each AtLeastOnce object that hears it has a durable queue at its own host's
	//     broker, KeptQueueName of the object's name, from its first NewActiveObject on. What
	//     is transmitted before that is not kept for it. Events wait there while the object is
	//     not running or not there at all, for Config.KeepFor.
	//  3. An event is acknowledged when the step that handled it has ended without a failure;
	//     if the chart deferred it, when the step has that handled it after its recall. When
	//     the step fails, it comes again after a short pause, of 100 ms at first and 5 s at
	//     most; when the object stops, or the process dies, the next consumer of the queue
	//     gets it. It then comes out of order.
	//  4. What comes again though it was handled, or comes by two ways, is dropped and
	//     counted. For that, each object has a file .statemesh_handled_NAME in Config.Dir
	//     with the last 65536 events it handled, written after each step. A process that is
	//     killed may see that one event again in whose step it was killed; after a power
	//     failure it may be more.
	//  5. An event that could not be handled MaxDeliveries times is put aside, in the queue
	//     AsideQueueName, and so is at once what cannot be opened or decoded, or means nothing
	//     to this program. It is reported and counted, and the object goes on. Who dies with
	//     the event is counted too: see Prefetch. What waited longer than KeepFor goes there
	//     as well. The newest 10,000 are kept.
	//
	// To see how many are aside, and why: rabbitmqctl list_queues name messages, and in the
	// management the headers x-death of the queue's messages; or ActiveObject.Aside. They
	// are as sealed as before. To try one again, publish it to the exchange statemesh.kept
	// with its first routing key. rabbitmqctl delete_queue removes a queue whose object is
	// no more; until then events gather in it.
	//
	// Processes with an object of the same name at one broker share its queue, and each
	// event goes to one of them. Processes that share Config.Dir know what the others have
	// handled. What one of them transmits does not come back to any of those that share
	// Config.Dir.
	//
	// An ordinary object hears an AtLeastOnce one at most once, and the reverse: both have
	// to be AtLeastOnce. An AtLeastOnce object hears each event of another object of its
	// node by way of the broker.
	//
	// It needs RabbitMQ 3.10 or newer, where the queues are quorum queues. With a broker
	// that a node hosts, events survive the crash of the receiving process, but not that of
	// the process which hosts the broker; the node says so, once. The queues go with it: what
	// is transmitted before an object's process has connected to the next broker is confirmed
	// by that, and kept for nobody.
	AtLeastOnce
)

// String returns "at most once" or "at least once".
func (g Guarantee) String() string {
	switch g {
	case AtMostOnce:
		return "at most once"
	case AtLeastOnce:
		return "at least once"
	}
	return fmt.Sprintf("Guarantee(%d)", int(g))
}

// Defaults of AtLeastOnce.
const (
	DefaultKeepFor       = 24 * time.Hour
	DefaultMaxDeliveries = 5
	DefaultKeptPrefetch  = 16

	minKeepFor       = time.Second
	maxKeepFor       = 30 * 24 * time.Hour
	mostDeliveries   = 1000
	mostKeptPrefetch = 1000
)

// KeptStats counts the events of a node's AtLeastOnce objects.
type KeptStats struct {
	Handled     uint64 // steps that handled one without a failure
	Redelivered uint64 // deliveries of something that had been delivered before
	Duplicates  uint64 // dropped, because it was handled already or came twice
	Failed      uint64 // steps with one that failed
	Aside       uint64 // put aside by this node
}

type keptCounts struct {
	handled, redelivered, duplicates, failed, aside atomic.Uint64
}

func (c *keptCounts) stats() KeptStats {
	return KeptStats{c.handled.Load(), c.redelivered.Load(), c.duplicates.Load(), c.failed.Load(), c.aside.Load()}
}

// Errors of AtLeastOnce.
var (
	// ErrNotKept: TransmitConfirmed of an object whose Delivery is AtMostOnce.
	ErrNotKept = errors.New("network: the object's Delivery is not AtLeastOnce")

	// ErrGivenUp: an event that a broker has not confirmed will not be sent to it any more.
	ErrGivenUp = errors.New("network: given up: the outbox was full, the broker forgotten or the node closed")
)

// UnconfirmedError says which brokers have not confirmed an event, and why nobody waits
// for them any more: ErrGivenUp, or the error of the context, with which they may still
// get it.
type UnconfirmedError struct {
	Brokers []string
	Err     error
}

func (e *UnconfirmedError) Error() string {
	return fmt.Sprintf("network: not confirmed by %s: %v", strings.Join(e.Brokers, ", "), e.Err)
}

// Unwrap returns Err.
func (e *UnconfirmedError) Unwrap() error { return e.Err }

// keptNumbers is the name under which the events of a routing key are numbered.
func keptNumbers(key string) string { return ExchangeKept + " " + key }

// newKeptOpener returns what opens the messages of durable queues, as often as they come.
// A clock that is ahead does not lose them: nobody would send them again.
func newKeptOpener(c *channel, config settings) *seal.Opener {
	return seal.NewOpener(c.ring, seal.OpenerConfig{
		MaxSize: config.MaxMessage, MaxAge: config.KeepFor + clockSlack, MaxAhead: config.KeepFor + clockSlack,
		AllowRepeats: true, Now: config.Clock,
	})
}

// TransmitConfirmed is Transmit, and waits until every broker that is known now has
// confirmed that it keeps the event. The error is one of Transmit's if nothing was sent, or
// an *UnconfirmedError. It blocks as long as ctx allows, also where it is called by a
// handler. ErrNotKept if the object's Delivery is not AtLeastOnce.
func (o *ActiveObject) TransmitConfirmed(ctx context.Context, e hsm.Event) error {
	if o.keeper == nil {
		return ErrNotKept
	}
	peers := o.node.peers.all()
	outboxes := make([]*outbox, len(peers))
	for i, p := range peers {
		outboxes[i] = p.outbox
	}
	t := newTicket(outboxes)
	if err := o.node.transmitKept(o, e, peers, t); err != nil && !errors.As(err, new(*OutboxError)) {
		return err
	}
	why := ErrGivenUp
	select {
	case <-t.done:
	case <-ctx.Done():
		why = ctx.Err()
	}
	var missing []string
	for _, p := range peers {
		if t.missing(p.outbox) {
			missing = append(missing, p.address.String())
		}
	}
	if missing == nil {
		return nil
	}
	return &UnconfirmedError{Brokers: missing, Err: why}
}

// transmitKept is Transmit of an AtLeastOnce object.
func (n *Node) transmitKept(o *ActiveObject, e hsm.Event, peers []*peer, t *ticket) error {
	m, err := n.speak(n.kept, o, e)
	if err != nil {
		return err
	}
	m.lane, m.ticket = kept, t
	return n.sendTo(peers, m)
}

// Aside asks the own host's broker how many events were put aside because the object
// could not handle them; see AtLeastOnce. It waits for the answer. ErrLost means that
// there is no connection now.
func (o *ActiveObject) Aside() (int, error) {
	if o.keeper == nil {
		return 0, nil
	}
	link := o.keeper.current()
	if link == nil {
		return 0, ErrLost
	}
	state, err := link.Keep(o.keeper.queue)
	return state.Aside, err
}

// keep makes a keeper, if the object is to have one, and completes the configuration for
// it. It is called before the object itself is made.
func (o *ActiveObject) keep(name string, c *ObjectConfig) error {
	wrong := func(what, reason string, args ...any) error {
		return misconfigured(what+" of object "+name, reason, args...)
	}
	setDefault(&c.MaxDeliveries, DefaultMaxDeliveries)
	setDefault(&c.Prefetch, DefaultKeptPrefetch)
	switch {
	case c.Delivery != AtMostOnce && c.Delivery != AtLeastOnce:
		return wrong("Delivery", "it has to be AtMostOnce or AtLeastOnce")
	case c.Delivery == AtMostOnce:
		return nil
	case c.MaxDeliveries < 1 || c.MaxDeliveries > mostDeliveries:
		return wrong("MaxDeliveries", "it has to be a number from 1 to %d", mostDeliveries)
	case c.Prefetch < 1 || c.Prefetch > mostKeptPrefetch:
		return wrong("Prefetch", "it has to be a number from 1 to %d", mostKeptPrefetch)
	case c.Overflow != hsm.Reject:
		return wrong("Overflow", "a queue that drops events cannot be AtLeastOnce")
	case len(name) > maxKeptName:
		return misconfigured("object name", "with AtLeastOnce it has at most %d bytes", maxKeptName)
	}
	setDefault(&c.QueueSize, hsm.DefaultQueueSize)
	k, err := newKeeper(o, name, *c)
	if err != nil {
		return err
	}
	o.keeper, o.number = k, o.node.numbers.of(keptNumbers(o.transmitKey))
	users := c.AfterStep
	c.AfterStep = func(s activeobject.Step) {
		k.afterStep(s)
		if users != nil {
			users(s)
		}
	}
	return nil
}

// keepUp begins the keeper's work, when the object is there and the node knows it.
func (o *ActiveObject) keepUp() error {
	if o.keeper == nil {
		return nil
	}
	err := o.node.receiver.keep(o.keeper)
	if err != nil {
		o.node.leave(o)
		o.keeper.close()
	}
	return err
}

// leave takes out an object that has not become one.
func (n *Node) leave(o *ActiveObject) {
	n.receiver.leave(o.keeper)
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.objects, o.Name())
}
