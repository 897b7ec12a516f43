package network_test

import (
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/statemesh/statemesh/network"
)

// Somebody else deletes exchanges, and with them what the nodes' queues were bound to. Nodes
// declare and bind anew, also those that do not publish there themselves.
func TestExchangesAreDeleted(t *testing.T) {
	for name, gone := range map[string][]string{
		"events": {network.ExchangeMesh},
		"all":    {network.ExchangeMesh, network.ExchangeTrace, network.ExchangeSpy, network.ExchangeNode, network.ExchangeKept},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each takes some seconds
			b := newKeptBed(newBed(t))
			c := &b.bed.config
			c.Listen, c.Password, c.User, c.Heartbeat = freeAddress(t), network.NewSecret("secret"), "u", time.Second
			speaker := b.ear(b.node("one"), "speaker", network.ObjectConfig{})
			far := b.ear(b.node("two"), "far", network.ObjectConfig{ReceiveKey: "speaker"})
			keeps := b.worker(b.node("three"), "keeps", nil)
			kept := b.worker(b.node("four"), "kept", nil)
			speaker.say(t, 1)
			keeps.say(t, 2)
			far.expect(t, words(1, 1)...)
			kept.expect(t, words(2, 2)...)

			conn, err := amqp.Dial("amqp://u:secret@" + c.Listen + "/")
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			ch, err := conn.Channel()
			if err != nil {
				t.Fatal(err)
			}
			for _, exchange := range gone {
				if err := ch.ExchangeDelete(exchange, false, false); err != nil {
					t.Fatal(err)
				}
			}
			again := func(from, to *ear) {
				t.Helper()
				before := len(to.heard())
				tick := time.NewTicker(50 * time.Millisecond)
				defer tick.Stop()
				for late := time.After(deadline); len(to.heard()) == before; {
					select {
					case <-tick.C:
						from.say(t, "again")
					case <-late:
						t.Fatalf("%s does not hear %s any more", to.Name(), from.Name())
					}
				}
			}
			again(speaker, far)
			again(&keeps.ear, &kept.ear)
		})
	}
}
