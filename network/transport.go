package network

import "context"

// Transport connects a node with brokers. The default one, AMQP, speaks AMQP 0-9-1 to
// RabbitMQ and to the embedded broker; Memory keeps everything in the process,
// so that a whole mesh can be tested without a socket and in virtual time.
type Transport interface {
	// Dial connects to the broker at that address. It returns when the broker
	// has accepted the credentials and declared the exchanges, or with an error that
	// wraps one of ErrCredentials, ErrVHost, ErrNotAMQP, ErrTLS, ErrTopology, ErrRefused,
	// ErrUnreachable, ErrLost and ErrConfig. It blocks no longer than ctx allows; the error
	// then wraps ctx.Err() too.
	Dial(ctx context.Context, address Address) (Link, error)
}

// Link is one connection to a broker, with the topic exchanges of the mesh
// declared. A node uses one for consuming and, per broker, one for publishing.
// Its methods may be called from any goroutine.
type Link interface {
	// Publish hands one message to the broker. The broker confirms it later,
	// under a number that counts the successful calls of Publish from 1; who needs the
	// numbers calls it again when it has returned. It blocks while the connection cannot take
	// more, at most the transport's write time-out; it does not while all before it is
	// confirmed, when Transmit itself calls it. The body is not kept and not changed.
	// After an error the link is dead, but for ErrRoutingKey, which leaves it as it was.
	Publish(exchange, key string, body []byte) error

	// Confirmed delivers the numbers of published messages that the broker has taken or
	// refused. With Several set, all up to the number are meant that were not delivered
	// before. The link closes the channel when it dies; what it had not delivered by then
	// nobody knows. A slow reader costs a little memory and holds up nobody.
	Confirmed() <-chan Confirm

	// Consume makes the link receive what is published under the bindings, in a
	// queue that lives and dies with the link. It is called once. The link
	// closes the channel when it dies. A slow reader holds the broker back, not
	// the process: what does not fit waits in the queue, and the oldest are dropped there.
	Consume(bindings []Binding) (<-chan Delivery, error)

	// Bind adds a binding to the queue of Consume.
	Bind(b Binding) error

	// Keep makes sure that there is a durable queue, bound to ExchangeKept, and one for
	// what is put aside. A queue that is there keeps its bindings and what it was
	// declared with. The error wraps ErrTopology if the broker refused, which leaves the
	// link as it was; else the link is dead.
	Keep(q KeptQueue) (KeptState, error)

	// ConsumeKept begins to take messages from the queue of that object, of which
	// prefetch, at least 1, may wait for their Ack or Nack. Any number of consumers share a
	// queue, and each message goes to one. The error is as for Keep.
	ConsumeKept(object string, prefetch int) (KeptConsumer, error)

	// Blocked tells when the broker stops (true) and begins again (false) to
	// take messages; a slow reader hears the newest. The link closes the channel when it
	// dies. Without a word the broker takes messages.
	Blocked() <-chan bool

	// Done is closed when the link has died. Err then says why, with an error that wraps
	// ErrLost or what the broker had against a request; nil after Close, and before.
	Done() <-chan struct{}
	Err() error

	// Close ends the link, if it has not died, and returns when all its goroutines have
	// ended, within the transport's write time-out. It returns nil.
	Close() error
}

// Confirm tells that the broker has taken a message, or all up to one. Refused
// says that it has not and will not.
type Confirm struct {
	Number  uint64 // of the message, 1 for the first one that the link published
	Several bool   // and of all before it that nothing was said of yet
	Refused bool   // the broker has not taken them
}

// Binding says which messages of an exchange a queue gets. Key is an AMQP topic
// pattern: words parted by dots, * for one word, # for any number; at most 255 bytes.
type Binding struct {
	Exchange string // its name, such as ExchangeMesh
	Key      string // the pattern
}

// Delivery is one message that a Link received.
type Delivery struct {
	Exchange string // that it was published to
	Key      string // the routing key that it was published with
	Body     []byte // the reader's own
}
