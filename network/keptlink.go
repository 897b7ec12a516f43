package network

import "time"

// ExchangeKept carries the events of objects whose Delivery is AtLeastOnce, to durable
// queues of objects that are, and to the queues of nodes like the other exchanges.
// It is durable itself, and what is published there is persistent.
const ExchangeKept = "statemesh.kept"

const (
	keptPrefix  = "statemesh.kept."
	asidePrefix = "statemesh.aside."

	maxKeptName = maxRoutingKey - len(asidePrefix) // bytes of an object's name

	// What was put aside is kept up to these, the oldest is dropped then.
	asideLength = 10_000
	asideBytes  = 64 << 20
)

// KeptQueueName returns the name of the queue of an object whose Delivery is
// AtLeastOnce, on its own host's broker.
func KeptQueueName(object string) string { return keptPrefix + object }

// AsideQueueName returns the name of the queue for what that object could not handle.
func AsideQueueName(object string) string { return asidePrefix + object }

// KeptQueue is a durable queue that outlives the links which use it. On RabbitMQ it
// is a quorum queue.
type KeptQueue struct {
	Object        string        // whose queue it is; see KeptQueueName
	Key           string        // the pattern of what it gets of ExchangeKept
	KeepFor       time.Duration // how long a message waits, whole milliseconds
	MaxDeliveries int           // how often one is delivered before it is put aside; at least 1
}

// KeptState is what a broker says of a KeptQueue.
type KeptState struct {
	Aside int // messages that were put aside

	// Differs tells that the queue was there with another KeepFor or MaxDeliveries, and
	// has kept them.
	Differs bool

	// Volatile tells that what the broker keeps dies with its process.
	Volatile bool
}

// KeptConsumer takes messages from a KeptQueue. Any goroutine may call its methods.
type KeptConsumer interface {
	// Deliveries has what is delivered, of which no more than the prefetch is ahead of
	// Ack and Nack. It is closed when the link dies, after Cancel, and when the broker
	// ends the consumer, because the queue was deleted.
	Deliveries() <-chan KeptDelivery

	// Ack tells the broker that a message has been handled; it is gone then.
	Ack(tag uint64) error

	// Nack gives it back, to be delivered again, here or elsewhere, or puts it aside, as
	// it is if it has been delivered MaxDeliveries times.
	Nack(tag uint64, again bool) error

	// Cancel ends the consumer. What was not acknowledged goes back to the queue, which
	// counts as a delivery that came to nothing. It blocks no longer than the transport's
	// write time-out.
	Cancel()
}

// KeptDelivery is a message from a KeptQueue.
type KeptDelivery struct {
	Delivery
	Tag         uint64 // for Ack and Nack, of the same consumer
	Redelivered bool
	Count       int // how often it was delivered before, as far as the broker counts
}
