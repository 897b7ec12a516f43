package network

import (
	"sync/atomic"
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

// ObjectConfig has what one may want otherwise of a networked object.
type ObjectConfig struct {
	// TransmitKey is the routing key of what the object transmits, such as
	// heya.man; empty means the object's name.
	TransmitKey string
	// ReceiveKey is the pattern of the keys that the object hears: words parted
	// by dots, * for any one word, # for any number of them; empty means #.
	ReceiveKey string
	// Delivery says whether events are kept until they have been handled; by default
	// they are not.
	Delivery Guarantee
	// MaxDeliveries is how often an AtLeastOnce object is given an event that it does not
	// handle, until that is put aside; 0 means DefaultMaxDeliveries, and 1000 is the most.
	MaxDeliveries int
	// Prefetch is how many events the broker gives an AtLeastOnce object ahead of what it
	// has handled; 0 means DefaultKeptPrefetch, and 1000 is the most. The object does not hold
	// more of them, in its queue and deferred together, so with a chart that defers it has to
	// be more than it defers. When the process dies, all of them count as delivered in
	// vain, and those that happen to stand behind one that kills it MaxDeliveries times are
	// put aside with it. Fewer are safer, more are faster.
	Prefetch int
	// Config is that of the object itself. Node is set by the network.
	activeobject.Config
}

// ActiveObject is an active object on the mesh. Create it with
// Node.NewActiveObject and embed it in the chart's data.
type ActiveObject struct {
	*activeobject.ActiveObject
	node        *Node
	transmitKey string
	receiveKey  string
	number      *atomic.Uint64 // of the last event under transmitKey, shared by the node's objects
	instrument  instrument.Config
	trace, spy  bool    // snooped; set before the start
	keeper      *keeper // nil if the object's Delivery is AtMostOnce
}

// NewActiveObject makes an object for the machine and joins it to the mesh. From
// now on it gets what other objects transmit under its receive key, as if it had
// been posted fifo; its queue keeps it until the object is started. The name
// stands in every line of trace and spy: it must be printable, without brackets
// or blanks, and no other object of the node may have it. ErrConfig says what is
// wrong; after Close it is ErrNodeClosed. It waits for the broker to take a new receive
// key, and the durable queue of an AtLeastOnce object; ErrTopology says that it does not
// take that.
func (n *Node) NewActiveObject(name string, m activeobject.Machine, c ObjectConfig) (*ActiveObject, error) {
	if !isObjectName(name) {
		return nil, misconfigured("object name", "%q is not a name: it has to be printable, without blanks and brackets, of at most %d bytes", name, maxName)
	}
	if c.TransmitKey == "" {
		c.TransmitKey = name
	}
	if c.ReceiveKey == "" {
		c.ReceiveKey = "#"
	}
	if len(c.TransmitKey) > 255 || len(c.ReceiveKey) > 255 {
		return nil, ErrRoutingKey
	}
	c.Config.Node = n.config.Name
	o := &ActiveObject{
		node:        n,
		transmitKey: c.TransmitKey,
		receiveKey:  c.ReceiveKey,
		number:      n.numbers.of(c.TransmitKey),
		instrument:  c.Config.Instrument,
	}
	if err := o.keep(name, &c); err != nil {
		return nil, err
	}
	o.ActiveObject = activeobject.New(name, m, c.Config)
	if err := n.join(o); err != nil {
		if o.keeper != nil {
			o.keeper.journal.close()
		}
		return nil, err
	}
	if err := o.keepUp(); err != nil {
		return nil, err
	}
	return o, nil
}

// Node returns the node that the object belongs to.
func (o *ActiveObject) Node() *Node { return o.node }

// Transmit sends the event to every object on the mesh whose receive key
// matches the transmit key of this one: in other processes, on other hosts and
// in this node, and never to this object. Any goroutine may call it, and it does
// not block, but for Config.MaxWait at most where Config.WhenFull is WaitForRoom: the
// event waits in an outbox for each broker. The error says what
// is known to be lost already: ErrPayload, if the payload cannot be encoded as
// CBOR, or not so that a receiver would take it (the type that is bound to the
// signal, text in UTF-8, at most 15 levels and 65536 elements each); ErrSignalName;
// seal.ErrTooLarge; ErrNodeClosed; an *OutboxError that names the brokers which it
// could not be kept for. The payload must not contain itself.
func (o *ActiveObject) Transmit(e hsm.Event) error {
	if o.keeper != nil {
		return o.node.transmitKept(o, e, o.node.peers.all(), nil)
	}
	return o.node.transmit(o, e)
}

// EnableSnoopTrace makes the object's trace heard on the whole mesh, and prints
// here what others let hear. Call it before Start; later it gives
// activeobject.ErrRunning.
func (o *ActiveObject) EnableSnoopTrace() error {
	c := o.instrument
	c.Trace = true
	if !o.trace {
		c.Live = append(c.Live[:len(c.Live):len(c.Live)], o.node.snoop.traces)
	}
	return o.enable(c, &o.trace, Binding{ExchangeTrace, traceKey})
}

// EnableSnoopSpy is EnableSnoopTrace for the spy.
func (o *ActiveObject) EnableSnoopSpy() error {
	c := o.instrument
	c.Spy = true
	if !o.spy {
		c.Live = append(c.Live[:len(c.Live):len(c.Live)], o.node.snoop.spies)
	}
	return o.enable(c, &o.spy, Binding{ExchangeSpy, spyKey})
}

func (o *ActiveObject) enable(c instrument.Config, enabled *bool, b Binding) error {
	if err := o.SetInstrument(c); err != nil {
		return err
	}
	o.instrument, *enabled = c, true
	o.node.bind(b)
	return nil
}

// SnoopScribble sends a remark to whoever hears the trace channel, if the
// object's trace is snooped; else the spy channel, if its spy is; else it writes
// it into the object's own spy, which only a handler may do. What cannot be
// printed becomes blank, what goes beyond 4096 bytes is cut, and an empty text is
// nothing. Any goroutine may call it otherwise, and it does not block.
func (o *ActiveObject) SnoopScribble(text string) {
	if text = clean(text, maxLine); text == "" {
		return
	}
	switch {
	case o.trace:
		o.node.scribble(o.node.traces, traceKey, time.Now(), o.Name(), text)
	case o.spy:
		o.node.scribble(o.node.spies, spyKey, time.Now(), o.Name(), text)
	default:
		o.Scribble(text)
	}
}
