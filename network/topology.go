package network

import "time"

// The topic exchanges of the mesh, on every broker.
const (
	ExchangeMesh  = "statemesh.mesh"  // events between objects
	ExchangeTrace = "statemesh.trace" // what the trace says of them
	ExchangeSpy   = "statemesh.spy"   // what the spy says of them
	ExchangeNode  = "statemesh.node"  // what nodes say to each other of themselves
)

var exchanges = []string{ExchangeMesh, ExchangeTrace, ExchangeSpy, ExchangeNode, ExchangeKept}

// Defaults of the transports.
const (
	DefaultConnectTimeout = 5 * time.Second
	DefaultWriteTimeout   = 2 * time.Second
	DefaultQueueLength    = 10_000
	DefaultPrefetch       = 256

	queueBytes    = 64 << 20 // of a consumer's queue at the broker
	maxRoutingKey = 255      // bytes, a short string of AMQP
)

// checkKey refuses routing and binding keys that do not fit on the wire.
func checkKey(key string) error {
	if len(key) > maxRoutingKey {
		return ErrRoutingKey
	}
	return nil
}

// orDefault returns the value, or def if it is zero or less.
func orDefault[T int | time.Duration](value, def T) T {
	if value <= 0 {
		return def
	}
	return value
}
