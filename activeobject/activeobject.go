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
	// Wheel, if set, times the posts of the object together with those of others,
	// which then come up to its resolution later. Without one each object has a timer
	// of the runtime, and its posts come as exactly as that does.
	Wheel *Wheel
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
//
// The order of the fields is that of the cache: what posters write comes first,
// what the object's goroutine writes comes last, and what hardly changes keeps the
// two apart. Each event would otherwise move lines between cores, which costs more
// than all the rest.
type ActiveObject struct {
	mu       sync.Mutex // guards all down to the next empty line
	phase    phase
	place    place           // where the goroutine is
	resting  bool            // between a failure and the start after it
	drops    bool            // Config.Overflow is hsm.Drop; never changed
	watching atomic.Bool     // needs to know whether a post comes from the step that runs; atomic, as others than who holds mu look
	queue    hsm.Deque[item] // what was posted since the goroutine last took the queue
	ids      uint64          // of the last event that got one
	size     int             // of the queue; never changed
	front    hsm.Deque[item] // what was posted lifo: comes before taken
	dead     int             // items of cancelled timers that still stand somewhere
	batch    int32           // how many of taken were left when the goroutine last had mu
	// prioritized counts the published events in queue. While there are any, the
	// goroutine takes its events one at a time.
	prioritized int32
	wake        sync.Cond
	stats       counts
	*timers     // nil until the first is armed
	failure     *Failure
	eventful    bool          // there has been an event since the start
	lingering   bool          // a clock is set that asks the goroutine to leave if it still waits
	stirred     bool          // it has not waited all the time since that was set
	done        chan struct{} // closed by the goroutine when it ends; nil until somebody asks for it

	// Never changed.
	name   string
	config *settings // shared by those that have nothing special
	fabric *Fabric
	base   time.Time // what times of timers count from
	wheel  *Wheel    // nil if there is none

	// Changed under mu, and only while no goroutine of the object runs.
	record  *record // nil if there is none
	machine Machine
	spying  bool
	careful bool // notes when a step begins and ends: it watches, or is watched
	tells   bool // there is an AfterStep

	// What follows belongs to the object's goroutine, but for the atomic ones.
	putAside bool // the step that runs has deferred its own event
	patience patience
	first    hsm.State     // where it was started, and is after a failure
	left     atomic.Int32  // how many of taken are left
	urgent   atomic.Bool   // the goroutine must look under the lock before its next step
	inStep   atomic.Uint64 // the id of the goroutine if a step runs on it, else 0; kept only when watching
	taken    hsm.Deque[item]
	current  stimulus
	extra    *extra // nil until it is needed
}

// item is an event that waits.
type item struct {
	event    hsm.Event
	origin   hsm.Origin
	timer    TimerID // 0, or the timer that posted it
	priority int     // 0, or that of a published event
}

// stimulus is what a step handles.
type stimulus struct {
	event  hsm.Event
	origin hsm.Origin
}

// extra is what few objects need, and then only their goroutines.
type extra struct {
	deferred  hsm.Deque[item]
	started   chan<- error // what Start waits on, nil once it was told
	failed    *Failure     // what the next start comes after, nil if that is Start
	restarts  restarts
	goroutine uint64 // its id, kept only when careful
}

// settings are what was asked for beyond what has a field of its own.
type settings struct {
	Config
	watchdog *watchdog // nil if there is none
	restarts uint64    // guarded by the object's mu, like slow
	slow     uint64
}

// plain are those of objects that asked for nothing.
var plain settings

// special reports whether c asks for something.
func (c *Config) special() bool {
	return c.Causes || c.Node != "" || c.Supervise.Policy != Stop || c.OnFailure != nil || c.Watchdog > 0 || c.AfterStep != nil
}

// record is what an object records, and what the spy is to tell of others than
// the object's goroutine; late is guarded by mu.
type record struct {
	*instrument.Recorder
	late []hsm.Record
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

// counts are those of Stats that every object may have.
type counts struct{ Rejected, Dropped, Discarded, Missed uint64 }

// New returns an object that has not been started. The machine must not be used
// by anybody else from then on.
func New(name string, m Machine, c Config) *ActiveObject {
	o := &ActiveObject{name: name, machine: m, size: c.QueueSize, drops: c.Overflow == hsm.Drop, fabric: c.Fabric, config: &plain, tells: c.AfterStep != nil, base: time.Now(), ids: rand.Uint64()}
	o.wake.L = &o.mu
	if c.Wheel != nil {
		o.wheel, o.base = c.Wheel, c.Wheel.base
	}
	if o.size <= 0 {
		o.size = hsm.DefaultQueueSize
	}
	if o.fabric == nil {
		o.fabric = DefaultFabric
	}
	if c.special() {
		o.config = &settings{Config: c}
		if c.Watchdog > 0 {
			o.config.watchdog = newWatchdog(o, c.Watchdog)
		}
	}
	o.instrument(c.Instrument)
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
	o.instrument(c)
	return nil
}

func (o *ActiveObject) instrument(c instrument.Config) {
	o.record = nil
	o.machine.SetLog(nil)
	if c.Trace || c.Spy {
		o.record = &record{Recorder: instrument.NewRecorder(instrument.Source{Name: o.name, Node: o.config.Node, Tree: o.machine.Tree()}, c, o.depths)}
		o.machine.SetLog(o.record.Log())
	}
	o.spying = c.Spy
	o.watching.Store(o.spying || o.config.Causes)
	o.careful = o.watching.Load() || o.config.watchdog != nil
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
	if o.record == nil {
		return nil
	}
	return o.record.Recorder
}

// Scribble writes a line of text into the spy. Only the object's handlers may
// call it. Without a spy it does nothing.
func (o *ActiveObject) Scribble(text string) {
	if o.spying {
		o.record.Log().Add(hsm.Record{Kind: hsm.KindScribble, Signal: hsm.Intern(text)})
	}
}

// Stats returns the counts so far.
func (o *ActiveObject) Stats() Stats {
	o.mu.Lock()
	defer o.mu.Unlock()
	return Stats{
		Waiting: o.waiting(), Rejected: o.stats.Rejected, Dropped: o.stats.Dropped, Discarded: o.stats.Discarded,
		Missed: o.stats.Missed, Restarts: o.config.restarts, Slow: o.config.slow,
	}
}

// full reports whether the queue takes no more. Most of the time it does not
// look at left, which the goroutine writes at every event. The caller holds mu.
func (o *ActiveObject) full() bool {
	return o.queue.Len()+o.front.Len()+int(o.batch)-o.dead >= o.size && o.waiting() >= o.size
}

// waiting is how many events wait. The caller holds mu.
func (o *ActiveObject) waiting() int {
	return o.queue.Len() + o.front.Len() + int(o.left.Load()) - o.dead
}

// depths is asked at the end of every spied step.
func (o *ActiveObject) depths() (queued, deferred int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.waiting(), o.Deferred()
}

// own reports whether the caller is a handler of the object, and not somebody
// else while a step runs. It is exact only when watching.
func (o *ActiveObject) own() bool {
	if !o.watching.Load() { // inStep is where the goroutine writes
		return false
	}
	id := o.inStep.Load()
	return id != 0 && id == goroutineID()
}
