package main

import "github.com/statemesh/statemesh/hsm"

// qhsmtst is the data of Samek's test chart.
type qhsmtst struct {
	foo  int
	done bool
}

func (q *qhsmtst) handled(hsm.Event) hsm.Status { return hsm.Handled }

func (q *qhsmtst) toS(hsm.Event) hsm.Status    { return hsm.Tran(s) }
func (q *qhsmtst) toS1(hsm.Event) hsm.Status   { return hsm.Tran(s1) }
func (q *qhsmtst) toS11(hsm.Event) hsm.Status  { return hsm.Tran(s11) }
func (q *qhsmtst) toS2(hsm.Event) hsm.Status   { return hsm.Tran(s2) }
func (q *qhsmtst) toS21(hsm.Event) hsm.Status  { return hsm.Tran(s21) }
func (q *qhsmtst) toS211(hsm.Event) hsm.Status { return hsm.Tran(s211) }

func (q *qhsmtst) sI(hsm.Event) hsm.Status {
	if q.foo == 0 {
		return hsm.Unhandled
	}
	q.foo = 0
	return hsm.Handled
}

func (q *qhsmtst) s1D(hsm.Event) hsm.Status {
	if q.foo != 0 {
		return hsm.Unhandled
	}
	q.foo = 1
	return hsm.Tran(s)
}

func (q *qhsmtst) s11D(hsm.Event) hsm.Status {
	if q.foo == 0 {
		return hsm.Unhandled
	}
	q.foo = 0
	return hsm.Tran(s1)
}

// s2I shows that a function may be a handler too.
func s2I(q *qhsmtst, _ hsm.Event) hsm.Status {
	if q.foo != 0 {
		return hsm.Unhandled
	}
	q.foo = 1
	return hsm.Handled
}

func (q *qhsmtst) quit(hsm.Event) hsm.Status {
	q.done = true
	return hsm.Handled
}
