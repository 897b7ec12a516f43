package activeobject_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
)

// stepper is an object that a test leads by the hand: every handler says that
// it has begun and then does what it is told, until told nil.
type stepper struct {
	*activeobject.ActiveObject
	begun chan hsm.Event
	do    chan func()
}

var steppers = hsm.MustCompile([]hsm.Spec[*stepper]{
	1: {Name: "only", Handle: func(s *stepper, e hsm.Event) hsm.Status {
		if e.Signal.IsInner() {
			return hsm.Super
		}
		s.begun <- e
		for f := range s.do {
			if f == nil {
				break
			}
			f()
		}
		return hsm.Handled
	}},
})

// inHandler runs f in the handler that the object stands in. A panic of f, which
// is how a check of rapid fails, goes on in the caller.
func (s *stepper) inHandler(f func()) {
	failed := make(chan any)
	s.do <- func() { defer func() { failed <- recover() }(); f() }
	if failure := <-failed; failure != nil {
		panic(failure)
	}
}

// check is rapid.Check in virtual time. It hides that t is a *testing.T, whose
// deadline cannot be asked for there.
func check(t *testing.T, property func(*rapid.T)) {
	synctest.Test(t, func(t *testing.T) { rapid.Check(struct{ rapid.TB }{t}, property) })
}

// standing is an event of the model; timer is 0 or numbers the timer it is of.
type standing struct {
	name  string
	timer int
}

// queueModel is the naive reference: what an object's queues hold.
type queueModel struct {
	size              int
	overflow          hsm.Overflow
	waiting, deferred []standing
	rejected, dropped uint64

	discarded, restarts uint64
	keepTimers          bool
}

// put reports whether the event was taken.
func (m *queueModel) put(e standing, lifo bool) bool {
	if len(m.waiting) >= m.size {
		if m.overflow == hsm.Reject {
			m.rejected++
			return false
		}
		m.dropped++
		if lifo {
			m.waiting = m.waiting[:len(m.waiting)-1]
		} else {
			m.waiting = m.waiting[1:]
		}
	}
	if lifo {
		m.waiting = slices.Insert(slices.Clone(m.waiting), 0, e)
	} else {
		m.waiting = append(slices.Clone(m.waiting), e)
	}
	return true
}

func (m *queueModel) putAside(e standing) bool {
	if len(m.deferred) >= m.size {
		if m.overflow == hsm.Reject {
			m.rejected++
			return false
		}
		m.dropped++
		m.deferred = m.deferred[1:]
	}
	m.deferred = append(slices.Clone(m.deferred), e)
	return true
}

func (m *queueModel) recall() (was, ok bool) {
	if len(m.deferred) == 0 {
		return false, true
	}
	if !m.put(standing{name: m.deferred[0].name}, false) {
		return true, false
	}
	m.deferred = m.deferred[1:]
	return true, true
}

func (m *queueModel) cancel(timer int) bool {
	before := len(m.waiting)
	m.waiting = slices.DeleteFunc(slices.Clone(m.waiting), func(e standing) bool { return e.timer == timer })
	return len(m.waiting) < before
}

// fail is a failure and the restart that follows it: the events of timers go.
func (m *queueModel) fail() {
	m.restarts++
	if m.keepTimers {
		return
	}
	before := len(m.waiting)
	m.waiting = slices.DeleteFunc(slices.Clone(m.waiting), func(e standing) bool { return e.timer != 0 })
	m.discarded += uint64(before - len(m.waiting))
}

// TestQueueAgainstModel compares an object with the naive model, and with a
// hsm.Runner where no timer is in play, over random sequences of posts,
// timed posts, deferrals, recalls and cancellations, from inside and outside,
// with failures between them after which the object is restarted, at once or
// later.
func TestQueueAgainstModel(t *testing.T) { check(t, queueProperty) }

func queueProperty(t *rapid.T) {
	model := &queueModel{
		size:     rapid.IntRange(1, 5).Draw(t, "size"),
		overflow: rapid.SampledFrom([]hsm.Overflow{hsm.Reject, hsm.Drop}).Draw(t, "overflow"),

		keepTimers: rapid.Bool().Draw(t, "keep timers"),
	}
	var double *twin // nil in a run with timers, which a Runner has not
	withTimers := rapid.Bool().Draw(t, "with timers")
	if !withTimers {
		double = newTwin(model.size, model.overflow)
	}
	s := &stepper{begun: make(chan hsm.Event), do: make(chan func())}
	s.ActiveObject = activeobject.New("stepper", hsm.NewMachine(steppers, s),
		activeobject.Config{QueueSize: model.size, Overflow: model.overflow, Supervise: activeobject.Supervision{
			Policy: activeobject.Restart, MaxRestarts: -1, KeepTimers: model.keepTimers,
			Backoff: rapid.SampledFrom([]time.Duration{-1, time.Minute}).Draw(t, "backoff"), MaxBackoff: time.Minute,
		}})
	defer func() {
		close(s.do)
		go func() {
			for range s.begun {
			}
		}()
		s.Stop(context.Background())
		close(s.begun)
	}()
	if err := s.Start(context.Background(), 1); err != nil {
		t.Fatal(err)
	}

	var current *standing // what the object handles, nil while it is parked or waits for a restart
	resting := false      // it waits for a restart
	var timers []activeobject.TimerID
	number := 0
	// begin follows the object into the handler of what should come next.
	begin := func(t *rapid.T) {
		synctest.Wait()
		current = nil
		if len(model.waiting) == 0 || resting {
			select {
			case e := <-s.begun:
				t.Fatalf("%v is handled, want nothing", e)
			default:
			}
			return
		}
		current, model.waiting = &model.waiting[0], model.waiting[1:]
		select {
		case e := <-s.begun:
			if e.Signal.String() != current.name {
				t.Fatalf("%v is handled, want %s", e, current.name)
			}
		default:
			t.Fatalf("nothing is handled, want %s", current.name)
		}
		double.next(t, current.name)
	}
	// act runs f by the goroutine that the run chose, and follows the object if
	// it was parked.
	act := func(t *rapid.T, f func()) {
		if current == nil {
			f()
			begin(t)
			return
		}
		if rapid.Bool().Draw(t, "inside") {
			s.inHandler(f)
		} else {
			f()
		}
	}
	event := func() (hsm.Event, standing) {
		number++
		name := fmt.Sprint("e", number)
		return hsm.Event{Signal: hsm.Intern(name)}, standing{name: name}
	}
	agree := func(t *rapid.T, what string, ok bool, err error) {
		if ok != (err == nil) {
			t.Fatalf("%s gives %v, the model says %v", what, err, ok)
		}
	}
	post := func(t *rapid.T, lifo, timed bool) {
		e, is := event()
		by, when := s.PostFIFO, []activeobject.Timing(nil)
		if lifo {
			by = s.PostLIFO
		}
		if timed {
			is.timer = len(timers) + 1
			when = append(when, activeobject.Once(time.Hour).AtOnce())
		}
		act(t, func() {
			ok := model.put(is, lifo)
			double.post(e, lifo)
			id, err := by(e, when...)
			agree(t, "posting", ok, err)
			if ok && timed {
				timers = append(timers, id)
			}
		})
	}
	t.Repeat(map[string]func(*rapid.T){
		"PostFIFO": func(t *rapid.T) { post(t, false, false) },
		"PostLIFO": func(t *rapid.T) { post(t, true, false) },
		"timed": func(t *rapid.T) {
			if !withTimers {
				t.Skip()
			}
			post(t, rapid.Bool().Draw(t, "lifo"), true)
		},
		"cancel": func(t *rapid.T) {
			if len(timers) == 0 {
				t.Skip()
			}
			i := rapid.IntRange(1, len(timers)).Draw(t, "timer")
			act(t, func() {
				if was, is := model.cancel(i), s.CancelEvent(timers[i-1]); is != was {
					t.Fatalf("cancelling is %v, want %v", is, was)
				}
			})
		},
		"Defer": func(t *rapid.T) {
			if current == nil {
				t.Skip()
			}
			e, is := event()
			if rapid.Bool().Draw(t, "the current") {
				e, is = hsm.Event{Signal: hsm.Intern(current.name)}, standing{name: current.name}
			}
			s.inHandler(func() {
				agree(t, "deferring", model.putAside(is), s.Defer(e))
				double.putAside(e)
			})
		},
		"Recall": func(t *rapid.T) {
			if current == nil {
				t.Skip()
			}
			s.inHandler(func() {
				was, ok := model.recall()
				is, err := s.Recall()
				if is != was {
					t.Fatalf("recalling is %v, want %v", is, was)
				}
				agree(t, "recalling", ok, err)
				double.recall()
			})
		},
		"step": func(t *rapid.T) {
			if current == nil {
				t.Skip()
			}
			s.do <- nil
			begin(t)
		},
		"fail": func(t *rapid.T) {
			if current == nil {
				t.Skip()
			}
			s.do <- func() { panic("told to") }
			synctest.Wait()
			model.fail()
			resting = strings.HasSuffix(s.String(), "(restarting)")
			begin(t)
		},
		"wait": func(t *rapid.T) {
			if !resting {
				t.Skip()
			}
			time.Sleep(time.Minute)
			resting = false
			begin(t)
		},
		"": func(t *rapid.T) {
			stats := s.Stats()
			want := activeobject.Stats{
				Waiting: len(model.waiting), Rejected: model.rejected, Dropped: model.dropped,
				Discarded: model.discarded, Restarts: model.restarts,
			}
			if resting {
				want.Restarts--
			}
			if diff := cmp.Diff(want, stats); diff != "" {
				t.Fatalf("stats (-model +object):\n%s", diff)
			}
			double.compare(t, model)
			if current != nil {
				s.inHandler(func() {
					if n := s.Deferred(); n != len(model.deferred) {
						t.Fatalf("%d are deferred, want %d", n, len(model.deferred))
					}
				})
			}
		},
	})
}

// twin is a hsm.Runner that is given the same as the object. A nil one does
// nothing.
type twin struct {
	runner *hsm.Runner[*[]string]
	got    []string
}

func newTwin(size int, overflow hsm.Overflow) *twin {
	w := &twin{}
	chart := hsm.MustCompile([]hsm.Spec[*[]string]{
		1: {Name: "only", Handle: func(got *[]string, e hsm.Event) hsm.Status {
			if !e.Signal.IsInner() {
				*got = append(*got, e.Signal.String())
			}
			return hsm.Handled
		}},
	})
	w.runner = hsm.NewRunner(hsm.NewMachine(chart, &w.got), hsm.NewQueue(size, overflow), hsm.LogConfig{})
	if err := w.runner.Start(1); err != nil {
		panic(err)
	}
	return w
}

func (w *twin) post(e hsm.Event, lifo bool) {
	if w == nil {
		return
	}
	if lifo {
		w.runner.PostLIFO(e)
	} else {
		w.runner.PostFIFO(e)
	}
}

func (w *twin) putAside(e hsm.Event) {
	if w != nil {
		w.runner.Defer(e)
	}
}

func (w *twin) recall() {
	if w != nil {
		w.runner.Recall()
	}
}

func (w *twin) next(t *rapid.T, want string) {
	if w == nil {
		return
	}
	if more, err := w.runner.Next(); !more || err != nil {
		t.Fatalf("the runner has %v, %v; want an event", more, err)
	}
	if got := w.got[len(w.got)-1]; got != want {
		t.Fatalf("the runner handles %s, the object %s", got, want)
	}
}

func (w *twin) compare(t *rapid.T, m *queueModel) {
	if w == nil {
		return
	}
	var deferred, want []string
	for _, e := range w.runner.Deferred() {
		deferred = append(deferred, e.Signal.String())
	}
	for _, e := range m.deferred {
		want = append(want, e.name)
	}
	if !slices.Equal(deferred, want) {
		t.Fatalf("the runner has deferred [%s], the model [%s]", strings.Join(deferred, " "), strings.Join(want, " "))
	}
	if w.runner.Len() != len(m.waiting) || w.runner.Lost() != m.rejected+m.dropped {
		t.Fatalf("the runner has %d waiting and %d lost, the model %d and %d",
			w.runner.Len(), w.runner.Lost(), len(m.waiting), m.rejected+m.dropped)
	}
}
