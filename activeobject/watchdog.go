package activeobject

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/statemesh/statemesh/hsm"
)

// Slow tells of a step that takes longer than Config.Watchdog says. It was true
// when the stack was taken: the step cannot have ended before that.
type Slow struct {
	Object  string
	State   string        // the leaf that the step began in, top for a start
	Event   hsm.Event     // the event of the step, zero for a start
	Handler string        // the function that the machine has called and waits for, as in Stack; "" if not found there
	For     time.Duration // how long the step takes already, at least
	Stack   string        // of the object's goroutine
}

// String is one line: object, state, signal, how long and in which function.
func (s *Slow) String() string {
	text := fmt.Sprintf("activeobject: %s in state %s on %s takes longer than %v", s.Object, s.State, signalName(s.Event), s.For)
	if s.Handler != "" {
		text += ", in " + s.Handler
	}
	return text
}

// watchdog looks after the steps of one object. The object's goroutine says by
// one atomic store that a step begins and by one exchange that it has ended. A
// timer looks at that as long as there are steps, and finds a step slow that it
// has seen run for so long: no step has to ask for the time.
type watchdog struct {
	object      *ActiveObject
	limit, tick time.Duration

	// step is the number of the step, and in its lower bits one of idle, inside
	// and claimed. A step that is claimed cannot end before mu is free.
	step  atomic.Uint64
	armed atomic.Bool // the timer is set, or look runs

	// What follows belongs to the object's goroutine; look reads leaf, and the
	// object's current item, of a step that it has claimed.
	number uint64
	leaf   hsm.State

	mu    sync.Mutex // guards the rest
	timer *time.Timer
	seen  uint64    // step, when look last found it changed
	since time.Time // when that was
}

const (
	idle    = iota // no step runs
	inside         // a step runs
	claimed        // a step runs that was found to be slow
	kinds          // numbers are multiples of this
)

func newWatchdog(o *ActiveObject, limit time.Duration) *watchdog {
	return &watchdog{object: o, limit: limit, tick: max(limit/8, min(limit, time.Millisecond))}
}

// begin says that a step begins.
func (w *watchdog) begin(leaf hsm.State) {
	w.leaf = leaf
	w.number += kinds
	w.step.Store(w.number + inside)
	if !w.armed.Load() {
		w.arm()
	}
}

// end says that the step has ended.
func (w *watchdog) end() {
	if !w.step.CompareAndSwap(w.number+inside, w.number+idle) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.step.Store(w.number + idle)
	}
}

// arm sets the timer for a step that begins.
func (w *watchdog) arm() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.armed.CompareAndSwap(false, true) {
		w.note(w.step.Load())
		w.set(w.tick)
	}
}

// note remembers a step that was not there before. The caller holds mu.
func (w *watchdog) note(step uint64) { w.seen, w.since = step, time.Now() }

// set makes the timer call look. The caller holds mu.
func (w *watchdog) set(d time.Duration) {
	if w.timer == nil {
		w.timer = time.AfterFunc(d, w.look)
	} else {
		w.timer.Reset(d)
	}
}

// look runs when the timer says so, on a goroutine of the runtime. When no step
// has begun or ended since it last looked, and none runs but one that was told,
// the timer is left alone, and the next step sets it.
func (w *watchdog) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	step := w.step.Load()
	if step == w.seen && step%kinds == inside {
		left := w.limit - time.Since(w.since)
		if left > 0 {
			w.set(min(left, w.tick))
			return
		}
		if w.step.CompareAndSwap(step, step-inside+claimed) {
			w.tell()
		}
		step = w.step.Load()
	}
	if step == w.seen {
		w.armed.Store(false)
		now := w.step.Load()
		if now == step || !w.armed.CompareAndSwap(false, true) {
			return // a step that has begun since then sets the timer itself
		}
		step = now
	}
	w.note(step)
	w.set(w.tick)
}

// tell reports the step that was claimed. The caller holds mu, which is free
// while OnSlow runs.
func (w *watchdog) tell() {
	o := w.object
	told := o.config.OnSlow
	var slow *Slow
	if told != nil {
		slow = &Slow{Object: o.name, State: o.machine.Tree().Name(w.leaf), Event: o.current.event, For: time.Since(w.since), Stack: stackOf(o.extra.goroutine)}
		slow.Handler = handlerIn(slow.Stack)
	}
	w.mu.Unlock()
	defer w.mu.Lock()
	o.mu.Lock()
	o.config.slow++
	o.mu.Unlock()
	if told != nil {
		told(o, slow)
	}
}

// maxStacks bounds the memory that stackOf takes.
const maxStacks = 64 << 20

// stackOf returns the stack of another goroutine, as in the text of a panic. The
// runtime gives the stacks of all goroutines or of one's own, so this holds up
// the process for some microseconds a goroutine.
func stackOf(id uint64) string {
	header := fmt.Appendf(nil, "\n\ngoroutine %d [", id) // the first in the text is the caller
	for size := 1 << 16; ; size *= 4 {
		text := make([]byte, size)
		n := runtime.Stack(text, true)
		if n == size && size < maxStacks {
			continue
		}
		_, rest, _ := bytes.Cut(text[:n], header)
		stack, _, _ := bytes.Cut(rest, []byte("\n\n"))
		if len(stack) == 0 {
			return ""
		}
		return string(header[2:]) + string(stack)
	}
}

const module = "github.com/statemesh/statemesh/"

// handlerIn finds the function in a stack that was called by a machine: the one
// above the innermost frame of a machine, or above those of package factory there.
func handlerIn(stack string) string {
	above := ""
	for line := range strings.Lines(stack) {
		arguments := strings.LastIndexByte(line, '(')
		if arguments < 0 || line[0] == '\t' {
			continue // goroutine 7 [running]: or a place in a file
		}
		name := line[:arguments]
		if strings.HasPrefix(name, module+"hsm.(*Machine[") {
			return above
		}
		if !strings.HasPrefix(name, module+"factory.") {
			above = name
		}
	}
	return ""
}
