package main

import (
	"math/rand/v2"
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/network"
)

const (
	battle hsm.State = iota + 1
	deceitInDetail
	advance
	circleAndFire
	skirmish
	waitingToLure
	feignedRetreat
	marshal
	waitingToAdvance
)

// What happens to an archer.
var (
	second               = hsm.NewSignal("Second")
	closeEnoughForCircle = hsm.NewSignal("Close_Enough_For_Circle")
	officerLured         = hsm.NewSignal("Officer_Lured")
	ammunitionLow        = hsm.NewSignal("Ammunition_Low")
	outOfArrows          = hsm.NewSignal("Out_Of_Arrows")
	ready                = hsm.NewSignal("Ready")
	resetTactic          = hsm.NewSignal("Reset_Tactic")
)

// What it decides, and what its seniors do.
var (
	advanceWarCry        = hsm.NewSignal("Advance_War_Cry")
	skirmishWarCry       = hsm.NewSignal("Skirmish_War_Cry")
	retreatReadyWarCry   = hsm.NewSignal("Retreat_Ready_War_Cry")
	retreatWarCry        = hsm.NewSignal("Retreat_War_Cry")
	seniorAdvanceWarCry  = hsm.NewSignal("Senior_Advance_War_Cry")
	seniorSkirmishWarCry = hsm.NewSignal("Senior_Skirmish_War_Cry")
	seniorRetreatWarCry  = hsm.NewSignal("Senior_Retreat_War_Cry")
)

// What archers cry to each other, each with a cry as text.
var (
	otherAnnounceArrival    = hsm.MustBind[string](hsm.NewSignal("Other_Announce_Arrival_On_Field"))
	otherAdvanceWarCry      = hsm.MustBind[string](hsm.NewSignal("Other_Advance_War_Cry"))
	otherSkirmishWarCry     = hsm.MustBind[string](hsm.NewSignal("Other_Skirmish_War_Cry"))
	otherRetreatReadyWarCry = hsm.MustBind[string](hsm.NewSignal("Other_Retreat_Ready_War_Cry"))
	otherRetreatWarCry      = hsm.MustBind[string](hsm.NewSignal("Other_Retreat_War_Cry"))
	otherReadyWarCry        = hsm.MustBind[string](hsm.NewSignal("Other_Ready_War_Cry"))
)

// quiver is how many arrows an archer carries at most.
const quiver = 60

// archer is the data of one tactic.
type archer struct {
	*network.ActiveObject
	fast   float64 // how many seconds of the story pass in one
	rng    *rand.Rand
	called string              // the name that it cries
	number uint64              // of the manoeuvre that it is in, 0 if it is new
	others map[string]*empathy // by the names that they cry
	arrows int
	ticks  int
}

var tactic = hsm.MustCompile([]hsm.Spec[*archer]{
	battle:           {Name: "battle", Handle: (*archer).battle, Init: deceitInDetail},
	deceitInDetail:   {Name: "deceit_in_detail", Parent: battle, Handle: (*archer).deceitInDetail, Init: advance},
	advance:          {Name: "advance", Parent: deceitInDetail, Handle: (*archer).advance},
	circleAndFire:    {Name: "circle_and_fire", Parent: advance, Handle: (*archer).circleAndFire},
	skirmish:         {Name: "skirmish", Parent: deceitInDetail, Handle: (*archer).skirmish},
	waitingToLure:    {Name: "waiting_to_lure", Parent: skirmish, Handle: (*archer).waitingToLure},
	feignedRetreat:   {Name: "feigned_retreat", Parent: deceitInDetail, Handle: (*archer).feignedRetreat},
	marshal:          {Name: "marshal", Parent: deceitInDetail, Handle: (*archer).marshal},
	waitingToAdvance: {Name: "waiting_to_advance", Parent: marshal, Handle: (*archer).waitingToAdvance},
})

// battle is on the field, whatever the tactic.
func (a *archer) battle(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		a.announce()
		return hsm.Handled
	case otherAnnounceArrival:
		return a.welcome(e)
	case otherRetreatReadyWarCry, otherReadyWarCry:
		return a.heed(e)
	}
	return hsm.Super
}

// deceitInDetail is the tactic: whatever an archer does, a war cry takes it along.
func (a *archer) deceitInDetail(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		a.arrows, a.ticks = quiver, 0
		a.PostFIFO(hsm.Event{Signal: second}, activeobject.Every(a.between(1, 1)))
		return hsm.Handled
	case hsm.Exit:
		a.CancelEvents(second)
		return hsm.Handled
	case second:
		a.ticks++
		return hsm.Handled
	case advanceWarCry:
		return a.give(advancing)
	case skirmishWarCry:
		return a.give(skirmishing)
	case retreatWarCry:
		return a.give(retreating)
	case otherAdvanceWarCry:
		return a.follow(e, advancing)
	case otherSkirmishWarCry:
		return a.follow(e, skirmishing)
	case otherRetreatWarCry:
		return a.follow(e, retreating)
	case seniorAdvanceWarCry:
		return a.remind(advanceWarCry)
	case seniorSkirmishWarCry:
		return a.remind(skirmishWarCry)
	case seniorRetreatWarCry:
		return a.remind(retreatWarCry)
	case resetTactic:
		a.give(advancing) // which is where the tactic begins
		return hsm.Tran(deceitInDetail)
	}
	return hsm.Super
}

func (a *archer) advance(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		a.tell(otherAdvanceWarCry)
		a.PostFIFO(hsm.Event{Signal: closeEnoughForCircle}, a.in(3, 3))
		return hsm.Handled
	case hsm.Exit:
		a.CancelEvents(closeEnoughForCircle)
		return hsm.Handled
	case closeEnoughForCircle:
		return hsm.Tran(circleAndFire)
	case advanceWarCry:
		return hsm.Handled
	case otherAdvanceWarCry:
		return a.swallow(e)
	}
	return hsm.Super
}

func (a *archer) circleAndFire(e hsm.Event) hsm.Status {
	if e.Signal != second {
		return hsm.Super
	}
	if a.ticks++; a.ticks%6 == 0 {
		a.shoot(1 + a.rng.IntN(3))
		if a.arrows < 20 {
			a.remind(skirmishWarCry)
		}
	}
	return hsm.Handled
}

func (a *archer) skirmish(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		a.tell(otherSkirmishWarCry)
		a.PostFIFO(hsm.Event{Signal: officerLured}, a.in(40, 200))
		a.checkAmmunition()
		return hsm.Handled
	case hsm.Exit:
		a.CancelEvents(officerLured)
		a.CancelEvents(retreatWarCry)
		return hsm.Handled
	case second:
		if a.ticks++; a.ticks%3 == 0 && a.rng.IntN(100) < 40 {
			a.shoot(1)
			a.checkAmmunition()
		}
		return hsm.Handled
	case officerLured:
		return a.remind(retreatWarCry)
	case ammunitionLow:
		return a.remind(retreatReadyWarCry)
	case retreatReadyWarCry:
		when := a.in(30, 60)
		if a.allWait() {
			when = a.in(10, 50)
		}
		a.CancelEvents(retreatWarCry)
		a.PostFIFO(hsm.Event{Signal: retreatWarCry}, when)
		return hsm.Tran(waitingToLure)
	case skirmishWarCry:
		return hsm.Handled
	case otherSkirmishWarCry:
		return a.swallow(e)
	}
	return hsm.Super
}

func (a *archer) checkAmmunition() {
	if a.arrows < 10 {
		a.remind(ammunitionLow)
	}
}

func (a *archer) waitingToLure(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		a.tell(otherRetreatReadyWarCry)
		a.Scribble("bow away, scimitar out")
		a.Scribble("act scared")
		return hsm.Handled
	case hsm.Exit:
		a.Scribble("stop acting")
		a.Scribble("scimitar away, bow out")
		return hsm.Handled
	case second:
		a.ticks++
		return hsm.Handled
	case ammunitionLow:
		return hsm.Handled
	}
	return hsm.Super
}

func (a *archer) feignedRetreat(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		a.tell(otherRetreatWarCry)
		a.Scribble("fire")
		a.checkQuiver()
		return hsm.Handled
	case second:
		if a.ticks++; a.ticks%3 == 0 && a.rng.IntN(100) < 80 {
			a.shoot(1)
			a.checkQuiver()
		}
		return hsm.Handled
	case outOfArrows:
		return hsm.Tran(marshal)
	case retreatWarCry:
		return hsm.Handled
	case otherRetreatWarCry:
		return a.swallow(e)
	}
	return hsm.Super
}

func (a *archer) checkQuiver() {
	if a.arrows == 0 {
		a.remind(outOfArrows)
	}
}

func (a *archer) marshal(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		a.Scribble("halt")
		a.Scribble("wrap wounds")
		a.Scribble("drink")
		a.arrows = quiver
		a.PostFIFO(hsm.Event{Signal: ready}, a.in(60, 60))
		return hsm.Handled
	case hsm.Exit:
		a.CancelEvents(ready)
		return hsm.Handled
	case ready:
		return hsm.Tran(waitingToAdvance)
	}
	return hsm.Super
}

func (a *archer) waitingToAdvance(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		a.tell(otherReadyWarCry)
		if a.allWait() {
			return a.remind(advanceWarCry)
		}
		a.PostFIFO(hsm.Event{Signal: advanceWarCry}, a.in(130, 300)) // impatient
		return hsm.Handled
	case hsm.Exit:
		a.CancelEvents(advanceWarCry)
		return hsm.Handled
	}
	return hsm.Super
}

// shoot takes arrows from the quiver, as many as there are.
func (a *archer) shoot(arrows int) { a.arrows = max(0, a.arrows-arrows) }

// remind makes the signal the very next that the archer handles, so that nothing
// can come between a reason and what follows from it.
func (a *archer) remind(signal hsm.Signal) hsm.Status {
	a.PostLIFO(hsm.Event{Signal: signal})
	return hsm.Handled
}

// in is once, after a random time from least to most seconds of the story.
func (a *archer) in(least, most float64) activeobject.Timing {
	return activeobject.Once(a.between(least, most))
}

func (a *archer) between(least, most float64) time.Duration {
	seconds := least + a.rng.Float64()*(most-least)
	return max(time.Duration(seconds/a.fast*float64(time.Second)), 1)
}
