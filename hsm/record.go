package hsm

import "time"

// Kind says what a Record tells.
type Kind uint8

// The kinds of records, with what the fields of a Record mean for each.
const (
	KindStart         Kind = iota + 1 // the machine is started in State
	KindCall                          // State is called with Signal; Handled says whether it answered Handled or a transition
	KindHook                          // State handled Signal without a transition
	KindTran                          // the handler of State asked for a transition to Target
	KindInitTran                      // State has an initial transition to Target
	KindEnd                           // the step ended with Queued and Deferred events waiting
	KindPostFIFO                      // a handler posted Signal
	KindPostLIFO                      // a handler posted Signal in front of the others
	KindDefer                         // a handler deferred Signal
	KindRecall                        // a handler recalled Signal
	KindRejected                      // a queue was full and Signal was not taken
	KindSubscribe                     // a handler subscribed to Signal, fifo
	KindSubscribeLIFO                 // a handler subscribed to Signal, lifo
	KindUnsubscribe                   // a handler ended its subscription to Signal
	KindPublish                       // a handler published Signal with Priority
	KindScribble                      // a handler wrote the text that is the name of Signal
)

// Record tells one thing that happened in a step. It has a fixed size, so that
// a ring of them costs no allocation; package instrument makes the text.
type Record struct {
	Signal  Signal
	Number  int64 // what Target, Counts and Priority read
	State   State
	Kind    Kind
	Handled bool
}

// set sets all fields of a record. One by one: a Record that is put together
// elsewhere and copied to its place costs more than the rest of the spy.
func (r *Record) set(kind Kind, signal Signal, s State, number int64) {
	r.Signal, r.Number, r.State, r.Kind, r.Handled = signal, number, s, kind, false
}

// Target is the target of a KindTran or KindInitTran.
func (r Record) Target() State { return State(r.Number) }

// Counts are the events that wait at a KindEnd.
func (r Record) Counts() (queued, deferred int) {
	return int(r.Number >> 32), int(int32(r.Number))
}

// Priority is that of a KindPublish.
func (r Record) Priority() int { return int(r.Number) }

// Transition tells one whole step that changed the state, a start included. Its
// text is a line of the trace.
type Transition struct {
	Signal Signal // zero for a start
	From   State  // the leaf before, Top for a start
	To     State  // the leaf after
	Unix   int64  // when the handler had asked for it, in nanoseconds of Unix time
	Origin Origin
}

// Time is Unix as a time in the local zone.
func (t Transition) Time() time.Time { return time.Unix(0, t.Unix) }

func counts(queued, deferred int) int64 {
	return int64(queued)<<32 | int64(uint32(int32(deferred)))
}
