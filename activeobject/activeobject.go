package activeobject

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

// Machine is what an object runs: a *hsm.Machine of any chart. New takes it over,
// and its methods are called on the object's goroutine.
type Machine interface {
	StartFrom(hsm.State, hsm.Origin) error
	DispatchFrom(hsm.Event, hsm.Origin) error
	Reset()
	State() hsm.State
	In(hsm.State) bool
	Child(hsm.State) (hsm.State, bool)
	Tree() *hsm.Tree
	SetLog(*hsm.Log)
}

// Config has what one may want otherwise of an object. The zero value is good.
type Config struct {
	// QueueSize is how many events may wait, and how many may be deferred; 0
	// means hsm.DefaultQueueSize. Memory is taken as the queue fills.
	QueueSize int
	// Overflow says what a full queue does; by default it rejects.
	Overflow hsm.Overflow
	// Fabric carries what the object publishes; nil means DefaultFabric.
	Fabric *Fabric
	// Instrument says what is recorded; by default nothing, at no cost.
	Instrument instrument.Config
	// Causes records for every transition which event caused it. A post made
	// while a step runs then costs some microseconds, to find out who posts.
	Causes bool
	// Node goes into the trace: the process on the mesh.
	Node string
	// Supervise says what becomes of the object after a failure; by default it
	// stops.
	Supervise Supervision
	// OnFailure, if set, is called when the object stopped by itself, after
	// Done was closed, on the goroutine that ran the object last. It may start the
	// object again. A panic in it ends the program.
	OnFailure func(*ActiveObject, *Failure)
	// Watchdog, if above zero, is how long a step may take. One that takes longer
	// is counted and told to OnSlow, once, while it runs, and is otherwise left
	// alone: nothing can end a handler from outside. The steps are looked at every
	// eighth of that time, every millisecond at most, and so much later a step may
	// be found. While the object is idle nothing looks. A step costs some
	// tens of nanoseconds more; without a watchdog it costs nothing.
	Watchdog time.Duration
	// OnSlow, if set, is told of a step that takes longer than Watchdog says. It
	// runs on a goroutine of its own, one call at a time for an object; until it
	// returns, the object's steps are not watched. A panic in it ends the program.
	OnSlow func(*ActiveObject, *Slow)
	// AfterStep, if set, is told of each step, of a start too, when it has come to
	// its end; see Step. Without it nothing is spent.
	AfterStep func(Step)
}

// ActiveObject is a machine that runs on its own goroutine. Create it with New;
// it must not be copied. Unless a method says otherwise, any goroutine may call
// it, the object's own handlers too, and it does not block.
type ActiveObject struct {
	name    string
	machine Machine
	config  Config
	size    int
	fabric  *Fabric
	base    time.Time // what times of timers count from

	// Changed under mu, and only while no goroutine of the object runs.
	recorder *instrument.Recorder
	spying   bool
	watching bool // needs to know whether a post comes from the step that runs
	careful  bool // notes when a step begins and ends: it watches, or is watched

	_ apart

	mu    sync.Mutex // guards all down to the next empty line
	wake  sync.Cond
	phase phase
	queue hsm.Deque[item] // what was posted since the goroutine last took the queue
	front hsm.Deque[item] // what was posted lifo: comes before taken
	batch int             // how many of taken were left when the goroutine last had mu
	dead  int             // items of cancelled timers that still stand somewhere
	// prioritized counts the published events in queue. While there are any, the
	// goroutine takes its events one at a time.
	prioritized int
	parked      bool   // the goroutine waits for wake
	ids         uint64 // of the last event that got one
	stats       Stats
	late        []hsm.Record // for the spy, from others than the object's goroutine
	timers
	failure *Failure
	resting bool          // between a failure and the start after it
	done    chan struct{} // closed by the goroutine when it ends

	_ apart

	urgent atomic.Bool   // the goroutine must look under the lock before its next step
	left   atomic.Int64  // how many of taken are left
	inStep atomic.Uint64 // the id of the goroutine if a step runs on it, else 0; kept only when watching

	// What follows belongs to the object's goroutine.
	taken     hsm.Deque[item]
	deferred  hsm.Deque[item]
	current   item
	putAside  bool         // the step that runs has deferred its own event
	first     hsm.State    // where it was started, and is after a failure
	starting  bool         // the step that runs is a start
	started   chan<- error // what Start waits on, nil once it was told
	failed    *Failure     // what the next start comes after, nil if that is Start
	restarts  restarts
	watchdog  *watchdog // nil if there is none
	goroutine uint64    // its id, kept only when careful
}

// apart keeps what posters write and what the object's goroutine writes on
// different cache lines. Without it each event moves lines between cores, which
// costs more than all the rest.
type apart [64]byte

// item is an event that waits.
type item struct {
	event    hsm.Event
	origin   hsm.Origin
	timer    TimerID // 0, or the timer that posted it
	priority int     // 0, or that of a published event
}

type phase uint8

const (
	fresh    phase = iota // never started; takes events already
	running               // takes and handles events
	draining              // handles what waits, takes no more
	stopping              // ends after the step that runs
	stopped               // the goroutine has ended
)

// Stats counts what did not become a step, or not a good one, since the object
// was made.
type Stats struct {
	Waiting   int    // events that wait now
	Rejected  uint64 // events that a full queue refused
	Dropped   uint64 // events that a full queue gave up for others
	Discarded uint64 // events that waited, or were deferred, when the object stopped, and those that timers of a failed run had waiting
	Missed    uint64 // posts of periodic timers that came too late to be made
	Restarts  uint64 // starts by Supervision, after a failure each
	Slow      uint64 // steps that took longer than Watchdog says
}

// New returns an object that has not been started. The machine must not be used
// by anybody else from then on.
func New(name string, m Machine, c Config) *ActiveObject {
	o := &ActiveObject{name: name, machine: m, config: c, size: c.QueueSize, fabric: c.Fabric, base: time.Now(), ids: rand.Uint64()}
	o.wake.L = &o.mu
	if o.size <= 0 {
		o.size = hsm.DefaultQueueSize
	}
	if o.fabric == nil {
		o.fabric = DefaultFabric
	}
	if c.Watchdog > 0 {
		o.watchdog = newWatchdog(o, c.Watchdog)
	}
	o.record(c.Instrument)
	return o
}

// SetInstrument replaces what Config.Instrument said, and begins anew to
// record. While the object runs it gives ErrRunning.
func (o *ActiveObject) SetInstrument(c instrument.Config) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.phase != fresh && o.phase != stopped {
		return ErrRunning
	}
	o.record(c)
	return nil
}

func (o *ActiveObject) record(c instrument.Config) {
	o.recorder = nil
	o.machine.SetLog(nil)
	if c.Trace || c.Spy {
		o.recorder = instrument.NewRecorder(instrument.Source{Name: o.name, Node: o.config.Node, Tree: o.machine.Tree()}, c, o.depths)
		o.machine.SetLog(o.recorder.Log())
	}
	o.spying = c.Spy
	o.watching = o.spying || o.config.Causes
	o.careful = o.watching || o.watchdog != nil
}

// Name returns the name that the object was made with.
func (o *ActiveObject) Name() string { return o.name }

// Tree returns the shape of the object's chart.
func (o *ActiveObject) Tree() *hsm.Tree { return o.machine.Tree() }

// State returns the current leaf. Only the object's handlers may call it, or
// anybody while the object is not running.
func (o *ActiveObject) State() hsm.State { return o.machine.State() }

// In reports whether the object is in s. Who may call it is as for State.
func (o *ActiveObject) In(s hsm.State) bool { return o.machine.In(s) }

// Child is hsm.Machine.Child. Who may call it is as for State.
func (o *ActiveObject) Child(s hsm.State) (hsm.State, bool) { return o.machine.Child(s) }

// Recorder returns what the object records, nil if it was not asked to.
func (o *ActiveObject) Recorder() *instrument.Recorder {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.recorder
}

// Scribble writes a line of text into the spy. Only the object's handlers may
// call it. Without a spy it does nothing.
func (o *ActiveObject) Scribble(text string) {
	if o.spying {
		o.recorder.Log().Add(hsm.Record{Kind: hsm.KindScribble, Signal: hsm.Intern(text)})
	}
}

// Stats returns the counts so far.
func (o *ActiveObject) Stats() Stats {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.stats
	s.Waiting = o.waiting()
	return s
}

// full reports whether the queue takes no more. Most of the time it does not
// look at left, which the goroutine writes at every event. The caller holds mu.
func (o *ActiveObject) full() bool {
	return o.queue.Len()+o.front.Len()+o.batch-o.dead >= o.size && o.waiting() >= o.size
}

// waiting is how many events wait. The caller holds mu.
func (o *ActiveObject) waiting() int {
	return o.queue.Len() + o.front.Len() + int(o.left.Load()) - o.dead
}

// depths is asked at the end of every spied step.
func (o *ActiveObject) depths() (queued, deferred int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.waiting(), o.deferred.Len()
}

// own reports whether the caller is a handler of the object, and not somebody
// else while a step runs. It is exact only when watching.
func (o *ActiveObject) own() bool {
	id := o.inStep.Load()
	return id != 0 && id == goroutineID()
}
