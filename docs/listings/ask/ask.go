// Package ask has a request and its reply over the mesh: a customer asks for a
// price, a shop answers.
package ask

import (
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/network"
)

// question and answer have fields with names, since they go over the wire.
type question struct {
	Customer string
	Number   int
	Item     string
}

type answer struct {
	Customer string
	Number   int
	Price    int
}

var (
	want     = hsm.MustBind[string](hsm.NewSignal("want")) // what the customer is to ask for
	asked    = hsm.MustBind[question](hsm.NewSignal("asked"))
	answered = hsm.MustBind[answer](hsm.NewSignal("answered"))
	tooLate  = hsm.NewSignal("too_late")
)

const (
	idle hsm.State = iota + 1
	waiting
)

type customer struct {
	*network.ActiveObject
	number int // of the newest question
	price  int // 0 if nobody answered
}

var customers = hsm.MustCompile([]hsm.Spec[*customer]{
	idle:    {Name: "idle", Handle: (*customer).idle},
	waiting: {Name: "waiting", Handle: (*customer).waiting},
})

func (c *customer) idle(e hsm.Event) hsm.Status {
	switch e.Signal {
	case want:
		item, _ := hsm.Payload[string](e)
		c.number++
		c.Transmit(hsm.Event{Signal: asked, Payload: question{c.Name(), c.number, item}})
		return hsm.Tran(waiting)
	}
	return hsm.Super
}

func (c *customer) waiting(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		c.PostFIFO(hsm.Event{Signal: tooLate}, activeobject.Once(5*time.Second))
		return hsm.Handled
	case hsm.Exit:
		c.CancelEvents(tooLate)
		return hsm.Handled
	case answered:
		a, _ := hsm.Payload[answer](e)
		if a.Customer != c.Name() || a.Number != c.number {
			return hsm.Unhandled // for somebody else, or too old
		}
		c.price = a.Price
		return hsm.Tran(idle)
	case tooLate:
		c.price = 0
		return hsm.Tran(idle)
	}
	return hsm.Super
}

const open hsm.State = 1

type shop struct {
	*network.ActiveObject
	prices map[string]int
}

var shops = hsm.MustCompile([]hsm.Spec[*shop]{
	open: {Name: "open", Handle: (*shop).open},
})

func (s *shop) open(e hsm.Event) hsm.Status {
	switch e.Signal {
	case asked:
		q, _ := hsm.Payload[question](e)
		price, ok := s.prices[q.Item]
		if !ok {
			return hsm.Unhandled
		}
		s.Transmit(hsm.Event{Signal: answered, Payload: answer{q.Customer, q.Number, price}})
		return hsm.Handled
	}
	return hsm.Super
}
