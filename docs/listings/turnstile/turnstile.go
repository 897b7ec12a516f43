// Package turnstile is a gate that lets one person through for a coin: a chart
// without a goroutine.
package turnstile

import "github.com/statemesh/statemesh/hsm"

const (
	locked hsm.State = iota + 1
	unlocked
)

var (
	coin = hsm.NewSignal("coin")
	push = hsm.NewSignal("push")
)

type turnstile struct {
	coins, people int
}

func newTurnstile(*hsm.Queue) *hsm.Machine[*turnstile] {
	return hsm.NewMachine(chart, &turnstile{})
}

var chart = hsm.MustCompile([]hsm.Spec[*turnstile]{
	locked:   {Name: "locked", Handle: (*turnstile).locked},
	unlocked: {Name: "unlocked", Handle: (*turnstile).unlocked},
})

func (s *turnstile) locked(e hsm.Event) hsm.Status {
	switch e.Signal {
	case coin:
		s.coins++
		return hsm.Tran(unlocked)
	}
	return hsm.Super
}

func (s *turnstile) unlocked(e hsm.Event) hsm.Status {
	switch e.Signal {
	case coin: // kept, with thanks
		s.coins++
		return hsm.Handled
	case push:
		s.people++
		return hsm.Tran(locked)
	}
	return hsm.Super
}
