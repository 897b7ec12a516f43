package main

import "github.com/statemesh/statemesh/hsm"

const (
	s hsm.State = iota + 1
	s1
	s11
	s2
	s21
	s211
)

var (
	e         = hsm.NewSignal("E")
	i         = hsm.NewSignal("I")
	a         = hsm.NewSignal("A")
	b         = hsm.NewSignal("B")
	c         = hsm.NewSignal("C")
	d         = hsm.NewSignal("D")
	f         = hsm.NewSignal("F")
	g         = hsm.NewSignal("G")
	h         = hsm.NewSignal("H")
	terminate = hsm.NewSignal("TERMINATE")
)
