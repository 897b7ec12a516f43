package works

import "github.com/statemesh/statemesh/hsm"

// The chart of the works W1 to W4: s{ s1{s11,s12}, s2{s21{s211}} }, with initial
// transitions s1->s11, s2->s21, s21->s211. Every entry, every exit and the internal
// handler is one action.
const (
	stateS hsm.State = iota + 1
	stateS1
	stateS11
	stateS12
	stateS2
	stateS21
	stateS211
)

// The events of the works: a hook three levels up, a transition to the sibling, one
// across, and one across that the superstates handle and initial transitions end.
var (
	w1 = hsm.NewSignal("W1")
	w2 = hsm.NewSignal("W2")
	w3 = hsm.NewSignal("W3")
	w4 = hsm.NewSignal("W4")
)

// tally is the data of the chart.
type tally struct{ actions int }

func (c *tally) s(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry, hsm.Exit, w1:
		c.actions++
		return hsm.Handled
	}
	return hsm.Super
}

func (c *tally) s1(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry, hsm.Exit:
		c.actions++
		return hsm.Handled
	case hsm.Init:
		return hsm.Tran(stateS11)
	case w4:
		return hsm.Tran(stateS2)
	}
	return hsm.Super
}

func (c *tally) s11(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry, hsm.Exit:
		c.actions++
		return hsm.Handled
	case w2:
		return hsm.Tran(stateS12)
	case w3:
		return hsm.Tran(stateS211)
	}
	return hsm.Super
}

func (c *tally) s12(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry, hsm.Exit:
		c.actions++
		return hsm.Handled
	case w2:
		return hsm.Tran(stateS11)
	}
	return hsm.Super
}

func (c *tally) s2(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry, hsm.Exit:
		c.actions++
		return hsm.Handled
	case hsm.Init:
		return hsm.Tran(stateS21)
	case w4:
		return hsm.Tran(stateS1)
	}
	return hsm.Super
}

func (c *tally) s21(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry, hsm.Exit:
		c.actions++
		return hsm.Handled
	case hsm.Init:
		return hsm.Tran(stateS211)
	}
	return hsm.Super
}

func (c *tally) s211(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry, hsm.Exit:
		c.actions++
		return hsm.Handled
	case w3:
		return hsm.Tran(stateS11)
	}
	return hsm.Super
}

// The chart as it would be written for speed: its states say what they catch, and
// their initial transitions are in the table. undeclared has only the handlers,
// which know all that too.
var tallying, undeclared = tallyingChart(true), tallyingChart(false)

func tallyingChart(declared bool) *hsm.Chart[*tally] {
	specs := []hsm.Spec[*tally]{
		stateS:    {Name: "s", Handle: (*tally).s},
		stateS1:   {Name: "s1", Parent: stateS, Handle: (*tally).s1},
		stateS11:  {Name: "s11", Parent: stateS1, Handle: (*tally).s11},
		stateS12:  {Name: "s12", Parent: stateS1, Handle: (*tally).s12},
		stateS2:   {Name: "s2", Parent: stateS, Handle: (*tally).s2},
		stateS21:  {Name: "s21", Parent: stateS2, Handle: (*tally).s21},
		stateS211: {Name: "s211", Parent: stateS21, Handle: (*tally).s211},
	}
	if declared {
		for s, signals := range [][]hsm.Signal{stateS: {w1}, stateS1: {w4}, stateS11: {w2, w3}, stateS12: {w2}, stateS2: {w4}, stateS21: {}, stateS211: {w3}} {
			if s > 0 {
				specs[s].Catches = append([]hsm.Signal{hsm.Entry, hsm.Exit}, signals...)
			}
		}
		specs[stateS1].Init, specs[stateS2].Init, specs[stateS21].Init = stateS11, stateS21, stateS211
	}
	return hsm.MustCompile(specs)
}
