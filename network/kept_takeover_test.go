package network_test

import (
	"testing"

	"github.com/statemesh/statemesh/network"
)

// What is lost when the process goes that hosts the broker: what its durable queues held, and,
// as the queues are gone too, what is transmitted until an object is back that has one. The
// new broker's confirmation is its word that it has done all that was to be done, which is
// nothing. An object whose process lives has its queue again before others publish.
func TestKeptOnBrokerThatChangesHands(t *testing.T) {
	b := newKeptBed(newBed(t))
	b.bed.config.Listen, b.bed.config.Password = freeAddress(t), network.NewSecret("secret-of-the-broker")
	host := b.node("host")
	speaker := b.worker(b.node("speaking"), "speaker", nil)
	lives := b.worker(b.node("living"), "lives", nil)
	away := b.node("away")
	w := b.worker(away, "w", nil)
	confirmed(t, speaker, 1)
	w.expect(t, words(1, 1)...)
	lives.expect(t, words(1, 1)...)
	awaitKept(t, lives.Node(), "1", handled(1))
	closeNode(t, away)
	confirmed(t, speaker, 2) // waits in the queue
	lives.expect(t, words(1, 2)...)
	awaitKept(t, lives.Node(), "2", handled(2))
	closeNode(t, host)
	confirmed(t, speaker, 3) // there is no queue for the one that is away
	lives.expect(t, words(1, 3)...)
	again := b.worker(b.node("back"), "w", nil)
	confirmed(t, speaker, 4)
	again.expect(t, "word(4)")
	lives.expect(t, words(1, 4)...)
}
