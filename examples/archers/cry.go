package main

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/statemesh/statemesh/hsm"
)

// A cry is the payload of a signal between archers: the name of who cries and,
// behind a blank, which manoeuvre of the battle it is in, as in "4a2f1_archer 7".
// The number may be missing: who has just arrived does not know it, and somebody
// who is no archer need not.
//
// Advances have the numbers 0, 3, 6 and so on, skirmishes 1, 4, 7, retreats 2, 5, 8.
// Whoever gives an order takes the next number of its kind, and only a later number
// than the own is an order to follow. So everybody who hears the same cries ends up
// in the same manoeuvre, in whatever order they come, and nobody cries twice for one
// number. A cry without a number is an order in any case.
type cry struct {
	name    string
	number  uint64
	counted bool // it has a number
}

func parseCry(text string) cry {
	name, number, _ := strings.Cut(text, " ")
	n, err := strconv.ParseUint(number, 10, 62) // there is always a later one
	return cry{name: name, number: n, counted: err == nil}
}

func (c cry) String() string {
	if !c.counted {
		return c.name
	}
	return fmt.Sprintf("%s %d", c.name, c.number)
}

// A manoeuvre is what a war cry orders. Its value is the remainder of its numbers
// by three.
type manoeuvre uint64

const (
	advancing manoeuvre = iota
	skirmishing
	retreating
)

// state is the manoeuvre's in the tactic.
func (m manoeuvre) state() hsm.State {
	return [...]hsm.State{advance, skirmish, feignedRetreat}[m]
}

// own is the signal of an archer's own order.
func (m manoeuvre) own() hsm.Signal {
	return [...]hsm.Signal{advanceWarCry, skirmishWarCry, retreatWarCry}[m]
}

// after returns the first number of the manoeuvre after n.
func (m manoeuvre) after(n uint64) uint64 {
	n++
	return n + (uint64(m)+3-n%3)%3
}

// tell cries to everybody on the field. An archer that has not heard any number
// yet cries without one.
func (a *archer) tell(signal hsm.Signal) {
	a.transmit(signal, cry{a.called, a.number, a.number > 0})
}

func (a *archer) transmit(signal hsm.Signal, c cry) {
	a.Transmit(hsm.Event{Signal: signal, Payload: c.String()})
}

// listen returns who cries. If that is somebody of the archer's own name, the
// others cannot tell the two apart, so it takes another name.
func (a *archer) listen(e hsm.Event) cry {
	text, _ := hsm.Payload[string](e)
	c := parseCry(text)
	if c.name == a.called {
		a.called = fmt.Sprintf("%s_%08x", a.Name(), rand.Uint32()) // not from the seed, which the other may have too
		a.announce()
		c.name = ""
	}
	return c
}

// announce tells everybody that the archer is here. What has no number asks for
// an answer.
func (a *archer) announce() {
	a.transmit(otherAnnounceArrival, cry{name: a.called})
}

// welcome answers a new archer, and is the answer for a new one.
func (a *archer) welcome(e hsm.Event) hsm.Status {
	c := a.listen(e)
	a.feel(c.name, e.Signal)
	switch {
	case !c.counted:
		a.transmit(otherAnnounceArrival, cry{a.called, a.number, true})
	case a.number == 0:
		a.number = c.number
	}
	return hsm.Handled
}

// heed notes a cry that is no order.
func (a *archer) heed(e hsm.Event) hsm.Status {
	a.feel(a.listen(e).name, e.Signal)
	return hsm.Handled
}

// give is the archer's own order.
func (a *archer) give(m manoeuvre) hsm.Status {
	a.number = m.after(a.number)
	a.feelOwn(m.own())
	return hsm.Tran(m.state())
}

// follow lets another archer take this one along.
func (a *archer) follow(e hsm.Event, m manoeuvre) hsm.Status {
	c := a.listen(e)
	if c.counted && c.number <= a.number {
		a.feel(c.name, e.Signal)
		return hsm.Handled
	}
	if !c.counted {
		c.number = m.after(a.number)
	}
	a.number = c.number
	// The own cry first: it is news to all the others, the other's answers it.
	a.feelOwn(m.own())
	a.feel(c.name, e.Signal)
	return hsm.Tran(m.state())
}

// swallow notes a cry for the manoeuvre that the archer is in.
func (a *archer) swallow(e hsm.Event) hsm.Status {
	c := a.listen(e)
	a.number = max(a.number, c.number)
	a.feel(c.name, e.Signal)
	return hsm.Handled
}
