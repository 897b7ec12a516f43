package actor

import (
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/internal/faults/ledger"
	"github.com/statemesh/statemesh/network"
)

const sending hsm.State = iota + 1

var (
	tick     = hsm.NewSignal("faults_tick")
	numbered = hsm.MustBind[message](hsm.NewSignal("faults_numbered"))
)

// message is the payload of what charts transmit.
type message struct {
	Life   string `cbor:"1,keyasint"`
	Chart  string `cbor:"2,keyasint"`
	Number uint64 `cbor:"3,keyasint"`
}

// chart transmits a numbered event with every tick, and writes down what it hears.
type chart struct {
	*network.ActiveObject
	actor   *actor
	number  uint64        // of the last event
	calling chan struct{} // holds one while TransmitConfirmed has not returned
}

var table = hsm.MustCompile([]hsm.Spec[*chart]{
	sending: {Name: "sending", Handle: (*chart).sending},
})

func (a *actor) newChart(name string) (*chart, error) {
	c := &chart{actor: a, calling: make(chan struct{}, 1)}
	config := network.ObjectConfig{TransmitKey: MostOnce + "." + name, ReceiveKey: MostOnce + ".#"}
	if AtLeastOnce(name) {
		config.TransmitKey, config.ReceiveKey = LeastOnce+"."+name, LeastOnce+".#"
		config.Delivery = network.AtLeastOnce
	}
	var err error
	c.ActiveObject, err = a.node.NewActiveObject(name, hsm.NewMachine(table, c), config)
	return c, err
}

func (c *chart) sending(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		if _, err := c.PostFIFO(hsm.Event{Signal: tick}, activeobject.Every(c.actor.Every)); err != nil {
			c.actor.write(ledger.Line{Kind: ledger.Failed, Event: ledger.Event{Chart: c.Name()}, Err: err.Error()})
		}
		return hsm.Handled
	case tick:
		if !c.actor.silent.Load() {
			c.send()
		}
		return hsm.Handled
	case numbered:
		m, _ := hsm.Payload[message](e)
		c.actor.write(ledger.Line{Kind: ledger.Got, Event: ledger.Event{Life: m.Life, Chart: m.Chart, Number: m.Number}, By: c.Name()})
		return hsm.Handled
	}
	return hsm.Super
}

// send transmits an event; every fifth of those that are at-least-once waits to be
// confirmed, on a goroutine of its own, while the others go on.
func (c *chart) send() {
	c.number++
	m := message{c.actor.Life, c.Name(), c.number}
	e := hsm.Event{Signal: numbered, Payload: m}
	line := ledger.Line{Event: ledger.Event{Chart: m.Chart, Number: m.Number}}
	tell := func(kind ledger.Kind, took time.Duration, err error) {
		line := line
		line.Kind, line.Took = kind, took
		if err != nil {
			line.Err = err.Error()
		}
		c.actor.write(line)
	}
	tell(ledger.Try, 0, nil)
	began := time.Now()
	if AtLeastOnce(m.Chart) && c.number%5 == 0 {
		select {
		case c.calling <- struct{}{}:
			c.actor.calls.Go(func() { // ends when the call returns, at the latest with ctx
				defer func() { <-c.calling }()
				kind := ledger.Confirmed
				err := c.TransmitConfirmed(c.actor.ctx, e)
				if err != nil {
					kind = ledger.Unconfirmed
				}
				tell(kind, time.Since(began), err)
			})
			return
		default: // the last one has not returned
		}
	}
	kind := ledger.Sent
	err := c.Transmit(e)
	if err != nil {
		kind = ledger.Failed
	}
	tell(kind, time.Since(began), err)
}
