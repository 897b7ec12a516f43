package activeobject

import "github.com/statemesh/statemesh/hsm"

// Step tells how a step ended, for whoever has to know when an event that it
// posted or delivered has been handled: its Origin is the one that Deliver was
// given. An event that was deferred has another step after its recall, with the
// same origin.
//
// It is told on the object's goroutine, before the next step, before a restart,
// and before Done is closed; the object waits for it. It may post, and must not
// call what only handlers may, or panic: that would be a failure of the object, and the
// second one ends the program. Events that are
// discarded when the object stops have no step: who waits for one watches Done.
type Step struct {
	Event    hsm.Event // zero for a start
	Origin   hsm.Origin
	Deferred bool     // the event waits for its recall; Defer of another signal does not count
	Failure  *Failure // nil if all went well
}

// afterStep tells of the step that has just ended.
func (o *ActiveObject) afterStep(f *Failure) {
	s := Step{Event: o.current.event, Origin: o.current.origin, Deferred: o.putAside, Failure: f}
	o.putAside = false
	o.config.AfterStep(s)
}
