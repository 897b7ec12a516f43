package main

import "github.com/statemesh/statemesh/hsm"

const (
	empathyTop hsm.State = iota + 1
	notWaiting
	waiting
	dead
)

// empathy is what an archer believes of another one.
type empathy struct {
	machine *hsm.Machine[*empathy]
}

var empathies = hsm.MustCompile([]hsm.Spec[*empathy]{
	empathyTop: {Name: "empathy", Handle: (*empathy).top},
	notWaiting: {Name: "not_waiting", Parent: empathyTop, Handle: (*empathy).notWaiting},
	waiting:    {Name: "waiting", Parent: notWaiting, Handle: (*empathy).waiting},
	dead:       {Name: "dead", Parent: empathyTop, Handle: (*empathy).dead},
})

// newEmpathy returns the chart for an archer that was just heard.
func newEmpathy() *empathy {
	y := &empathy{}
	y.machine = hsm.NewMachine(empathies, y)
	_ = y.machine.Start(notWaiting) // fails only for a mistake in the chart
	return y
}

// dispatch takes one step within that of the archer, and returns what changed,
// "" if nothing did.
func (y *empathy) dispatch(signal hsm.Signal) string {
	from := y.machine.State()
	_ = y.machine.Dispatch(hsm.Event{Signal: signal}) // fails only for a mistake in the chart
	to := y.machine.State()
	if from == to {
		return ""
	}
	return empathies.Name(from) + "->" + empathies.Name(to)
}

// holdsUp reports whether the archer has to be waited for.
func (y *empathy) holdsUp() bool {
	return !y.machine.In(waiting) && !y.machine.In(dead)
}

func (y *empathy) top(e hsm.Event) hsm.Status {
	switch e.Signal {
	case otherAdvanceWarCry, otherSkirmishWarCry, otherRetreatWarCry:
		return hsm.Tran(notWaiting)
	case otherRetreatReadyWarCry, otherReadyWarCry:
		return hsm.Tran(waiting)
	}
	return hsm.Super
}

func (y *empathy) notWaiting(e hsm.Event) hsm.Status {
	switch e.Signal {
	case retreatWarCry, advanceWarCry:
		return hsm.Tran(dead)
	}
	return hsm.Super
}

func (y *empathy) waiting(e hsm.Event) hsm.Status {
	switch e.Signal {
	case retreatWarCry, advanceWarCry:
		return hsm.Tran(notWaiting)
	}
	return hsm.Super
}

func (y *empathy) dead(e hsm.Event) hsm.Status {
	if e.Signal == otherAnnounceArrival {
		return hsm.Tran(notWaiting)
	}
	return hsm.Super // every other cry is the superstate's
}

// feel gives another archer's cry to its chart, a new one if the archer was never
// heard before.
func (a *archer) feel(name string, signal hsm.Signal) {
	if name == "" {
		return
	}
	y, known := a.others[name]
	if !known {
		y = newEmpathy()
		a.others[name] = y
	}
	a.note(name, y.dispatch(signal))
}

// feelOwn gives the archer's own cry to all the charts.
func (a *archer) feelOwn(signal hsm.Signal) {
	for name, y := range a.others {
		a.note(name, y.dispatch(signal))
	}
}

// note writes a change into the spy.
func (a *archer) note(name, change string) {
	if change != "" {
		a.Scribble(name + ": " + change)
	}
}

// allWait reports whether every living other archer waits.
func (a *archer) allWait() bool {
	for _, y := range a.others {
		if y.holdsUp() {
			return false
		}
	}
	return true
}
