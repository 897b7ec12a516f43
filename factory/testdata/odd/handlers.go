package main

import "github.com/statemesh/statemesh/hsm"

// odd is the data of a chart whose names are no identifiers, or taken.
type odd struct {
	*base
	heard []string
}

type base struct{ n int }

func (b *base) promoted(hsm.Event) hsm.Status {
	b.n++
	return hsm.Unhandled
}

func (o *odd) hear(e hsm.Event) hsm.Status {
	o.heard = append(o.heard, e.Signal.String())
	return hsm.Handled
}

func (o *odd) init(hsm.Event) hsm.Status { return hsm.Tran(number2) }

// c, e and passOn have the names that the source would like for itself.
func c(o *odd, e hsm.Event) hsm.Status      { return o.hear(e) }
func e(event hsm.Event) hsm.Status          { return hsm.Handled }
func passOn(o *odd, e hsm.Event) hsm.Status { return o.hear(e) }

func generic[T any](o *odd, e hsm.Event) hsm.Status { return o.hear(e) }

// The numbers of states, under names of which no state's name is made.
const (
	number1 hsm.State = iota + 1
	number2
	number3
	number4
	number5
	number6
	number7
	number8
	number9
	number10
	number11
)
