package broker

import (
	"fmt"
	"time"
)

// overflowPolicy is what a queue does with a message too many.
type overflowPolicy string

const (
	dropHead      overflowPolicy = "drop-head" // lose the oldest
	rejectPublish overflowPolicy = "reject-publish"
)

// queueSettings is what a queue is declared with.
type queueSettings struct {
	durable, autoDelete, exclusive bool

	ttl       optional // x-message-ttl, ms
	expires   optional // x-expires, ms
	maxLength optional // x-max-length
	maxBytes  optional // x-max-length-bytes
	overflow  overflowPolicy

	quorum        bool     // x-queue-type: counts how often each message is delivered
	deliveryLimit optional // x-delivery-limit, of a quorum queue
	dead          deadLetters
}

// The arguments RabbitMQ knows and this broker does not: they change what happens to messages, so they are refused
// rather than ignored.
var (
	refusedQueueArguments    = []string{"x-max-priority", "x-single-active-consumer"}
	refusedExchangeArguments = []string{"alternate-exchange"}
	refusedConsumerArguments = []string{"x-priority"}
)

// refuseArguments refuses a table that has one of the arguments.
func refuseArguments(t table, names []string) *exception {
	if len(t) == 0 {
		return nil
	}
	for _, name := range names {
		if _, found := t.find(name); found {
			return refuse(notImplemented, "argument '%s'", name)
		}
	}
	return nil
}

// parse reads the arguments of a queue.
func (s *queueSettings) parse(t table) *exception {
	s.overflow = dropHead
	if len(t) == 0 {
		return nil
	}
	if e := refuseArguments(t, refusedQueueArguments); e != nil {
		return e
	}
	if e := s.parseType(t); e != nil {
		return e
	}
	if e := s.dead.parse(t); e != nil {
		return e
	}
	for _, c := range []struct {
		name        string
		into        *optional
		least, most int64
	}{
		{"x-message-ttl", &s.ttl, 0, maxTTL},
		{"x-expires", &s.expires, 1, maxTTL},
		{"x-max-length", &s.maxLength, 0, 1<<63 - 1},
		{"x-max-length-bytes", &s.maxBytes, 0, 1<<63 - 1},
		{"x-delivery-limit", &s.deliveryLimit, 0, 1<<63 - 1},
	} {
		f, found := t.find(c.name)
		if !found {
			continue
		}
		v, ok := f.integer()
		if !ok || v < c.least || v > c.most {
			return refuse(preconditionFailed, "invalid arg '%s': not an integer from %d to %d", c.name, c.least, c.most)
		}
		*c.into = optional{v, true}
	}
	if f, found := t.find("x-overflow"); found {
		switch policy := overflowPolicy(f.value); {
		case policy == dropHead:
		case policy == rejectPublish:
			s.overflow = rejectPublish
		case policy == "reject-publish-dlx":
			return refuse(notImplemented, "argument 'x-overflow' of 'reject-publish-dlx'")
		default:
			return refuse(preconditionFailed, "invalid arg 'x-overflow': none of drop-head, reject-publish, reject-publish-dlx")
		}
	}
	return nil
}

// parseType reads x-queue-type. A quorum queue is one like any other here, in memory on one host; what it is asked for is
// that it counts deliveries, which a classic one does not.
func (s *queueSettings) parseType(t table) *exception {
	f, found := t.find("x-queue-type")
	switch {
	case !found:
	case f.kind != 'S', string(f.value) != "classic" && string(f.value) != "quorum" && string(f.value) != "stream":
		return refuse(preconditionFailed, "invalid arg 'x-queue-type': neither classic nor quorum")
	case string(f.value) == "stream":
		return refuse(notImplemented, "argument 'x-queue-type' of 'stream'")
	case string(f.value) == "quorum":
		s.quorum = true
	}
	switch _, limited := t.find("x-delivery-limit"); {
	case limited && !s.quorum:
		return refuse(preconditionFailed, "invalid arg 'x-delivery-limit' for a queue of type classic")
	case !s.quorum:
		return nil
	case s.exclusive:
		return refuse(preconditionFailed, "invalid property 'exclusive-owner' for a queue of type quorum")
	case s.autoDelete:
		return refuse(preconditionFailed, "invalid property 'auto-delete' for a queue of type quorum")
	case !s.durable:
		return refuse(preconditionFailed, "invalid property 'non-durable' for a queue of type quorum")
	}
	return nil
}

// optional is an integer that may be missing.
type optional struct {
	value int64
	set   bool
}

// String returns what reply texts say.
func (o optional) String() string {
	if !o.set {
		return "none"
	}
	return fmt.Sprint(o.value)
}

// nanoseconds is a time given in milliseconds, of maxTTL at most, in the unit of the server's clock.
func (o optional) nanoseconds() int64 { return o.value * int64(time.Millisecond) }
