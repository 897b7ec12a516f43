package network

import (
	"time"

	"github.com/statemesh/statemesh/network/seal"
)

// The routing keys of the snoop exchanges.
const (
	traceKey = "snoop.trace"
	spyKey   = "snoop.spy"
)

// channel is one of the three networks of a node: an exchange with its keys.
type channel struct {
	exchange string
	ring     *seal.Ring
	sealer   *seal.Sealer
	opener   *seal.Opener
}

// clockSlack is how much the clocks of two hosts may differ when a message has
// waited as long as it may.
const clockSlack = 20 * time.Second

// newChannel makes a channel whose messages are sealed with a key derived from
// the one of the exchange, so that none opens on another channel even if they share it. A
// message may wait Config.TTL in its sender's outbox and again in the queue at the broker,
// and opens all the same.
func newChannel(exchange string, sender seal.SenderID, epoch uint64, config settings) (*channel, error) {
	ring := new(seal.Ring)
	if err := change(ring, config.keyLists.of(exchange)); err != nil {
		return nil, err
	}
	// What nodes say to each other needs no memory of an earlier life: an answer is under a
	// random key, and a hello that is replayed sends a scout where he is let in or not.
	notBefore := config.Clock()
	if exchange == ExchangeNode {
		notBefore = time.Time{}
	}
	return &channel{
		exchange: exchange,
		ring:     ring,
		sealer:   seal.NewSealer(ring, seal.SealerConfig{Sender: sender, Epoch: epoch, MaxSize: config.MaxMessage, Now: config.Clock}),
		opener: seal.NewOpener(ring, seal.OpenerConfig{
			MaxSize:   config.MaxMessage,
			NotBefore: notBefore,
			MaxAge:    max(seal.DefaultMaxAge, 2*config.TTL+clockSlack),
			Now:       config.Clock,
		}),
	}, nil
}

// keyVariable is where the key of an exchange comes from, if nothing else is said.
func keyVariable(exchange string) string {
	switch exchange {
	case ExchangeTrace:
		return EnvTraceKey
	case ExchangeSpy:
		return EnvSpyKey
	}
	return EnvMeshKey
}
