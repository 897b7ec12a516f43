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
}

// The arguments RabbitMQ knows and this broker does not: they change what happens to messages, so they are refused
// rather than ignored.
var (
	refusedQueueArguments    = []string{"x-dead-letter-exchange", "x-dead-letter-routing-key", "x-max-priority", "x-single-active-consumer"}
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
	if f, found := t.find("x-queue-type"); found && string(f.value) != "classic" {
		return refuse(notImplemented, "argument 'x-queue-type' other than 'classic'")
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
		case policy == rejectPublish, policy == "reject-publish-dlx": // there is no dead-lettering
			s.overflow = rejectPublish
		default:
			return refuse(preconditionFailed, "invalid arg 'x-overflow': none of drop-head, reject-publish, reject-publish-dlx")
		}
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
