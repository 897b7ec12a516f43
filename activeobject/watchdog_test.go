package activeobject_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
)

// report is what OnSlow was told, and when.
type report struct {
	*activeobject.Slow
	at time.Time
}

// reports are what OnSlow was told.
type reports struct {
	mu  sync.Mutex // guards all
	all []report
}

func (r *reports) told() []report {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

// watched returns a configuration with a watchdog of a second, and where its
// reports go.
func watched() (activeobject.Config, *reports) {
	r := &reports{}
	return activeobject.Config{
		Watchdog: time.Second,
		OnSlow: func(_ *activeobject.ActiveObject, s *activeobject.Slow) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.all = append(r.all, report{s, time.Now()})
		},
	}, r
}

// hangHere is a function to look for in stacks.
//
//go:noinline
func hangHere(d time.Duration) { time.Sleep(d) }

// TestSlow: a step that hangs is told once, as soon as it has taken too long,
// while it hangs; wherever it hangs.
func TestSlow(t *testing.T) {
	for _, test := range []struct {
		name          string
		state, signal string // told
		hangs         func(at hsm.State, e hsm.Event) bool
		post          bool // A, once it runs
	}{
		{"handler of the leaf", "left", "A", func(at hsm.State, e hsm.Event) bool { return at == left && e.Signal == sigA }, true},
		{"handler of the superstate", "left", "A", func(at hsm.State, e hsm.Event) bool { return at == root && e.Signal == sigA }, true},
		{"entry of the target", "left", "A", func(at hsm.State, e hsm.Event) bool { return at == right && e.Signal == hsm.Entry }, true},
		{"exit of the source", "left", "A", func(at hsm.State, e hsm.Event) bool { return at == left && e.Signal == hsm.Exit }, true},
		{"entry of the start", "top", "start_at", func(at hsm.State, e hsm.Event) bool { return at == root && e.Signal == hsm.Entry }, false},
	} {
		inBubble(t, test.name, func(t *testing.T) {
			c, slow := watched()
			p := newProbe("fuse", c)
			p.react = func(at hsm.State, e hsm.Event) hsm.Status {
				if test.hangs(at, e) {
					hangHere(time.Hour)
				}
				if at == left && e.Signal == sigA {
					if test.hangs(root, e) {
						return 0
					}
					return hsm.Tran(right)
				}
				return 0
			}
			begin := time.Now()
			if !test.post {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				p.Start(ctx, left)
			} else {
				p.start(t, left)
				time.Sleep(5 * time.Second)
				begin = time.Now()
				p.fifo(t, sigA)
				time.Sleep(time.Minute)
			}
			synctest.Wait()
			told := slow.told()
			if len(told) != 1 {
				t.Fatalf("told %d times while it hangs, want once", len(told))
			}
			r := told[0]
			if took := r.at.Sub(begin); took != time.Second || r.For != time.Second {
				t.Errorf("told after %v, of %v; want a second", took, r.For)
			}
			want := fmt.Sprintf("activeobject: fuse in state %s on %s takes longer than 1s, in github.com/statemesh/statemesh/activeobject_test.init.func", test.state, test.signal)
			if !strings.HasPrefix(r.String(), want) || r.State != test.state || r.Object != "fuse" {
				t.Errorf("text %q\nwant one that begins with %q", r, want)
			}
			if test.post != (r.Event.Signal == sigA) {
				t.Errorf("event %v", r.Event)
			}
			if !strings.HasPrefix(r.Stack, "goroutine ") || !strings.Contains(r.Stack, "activeobject_test.hangHere(") || strings.Count(r.Stack, "goroutine ") > 2 {
				t.Errorf("the stack is not that of the handler:\n%s", r.Stack)
			}
			time.Sleep(2 * time.Hour)
			p.fifo(t, sigB)
			p.drained(t)
			if n := p.Stats().Slow; n != 1 || len(slow.told()) != 1 {
				t.Errorf("told %d times, counted %d; want once", len(slow.told()), n)
			}
		})
	}
}

// TestSlowOfAMethod names the method that the chart names.
func TestSlowOfAMethod(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		c, slow := watched()
		s := &sleeper{}
		s.ActiveObject = activeobject.New("sleeper", hsm.NewMachine(sleepers, s), c)
		if err := s.Start(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		s.PostFIFO(hsm.Event{Signal: sigA, Payload: time.Minute})
		time.Sleep(time.Hour)
		s.Stop(t.Context())
		if told := slow.told(); len(told) != 1 || told[0].Handler != "github.com/statemesh/statemesh/activeobject_test.(*sleeper).bed" {
			t.Errorf("told %v", told)
		}
	})
}

// sleeper sleeps as long as A says.
type sleeper struct{ *activeobject.ActiveObject }

func (s *sleeper) bed(e hsm.Event) hsm.Status {
	if d, ok := e.Payload.(time.Duration); ok {
		time.Sleep(d)
	}
	return hsm.Handled
}

var sleepers = hsm.MustCompile([]hsm.Spec[*sleeper]{1: {Name: "bed", Handle: (*sleeper).bed}})

// TestWhatIsSlow has steps that follow each other, each told or not.
func TestWhatIsSlow(t *testing.T) {
	const s, ms = time.Second, time.Millisecond
	for _, test := range []struct {
		name  string
		steps []time.Duration
		want  []bool
	}{
		{"all in time", []time.Duration{s - 1, s - 1, s - 1, 0, s - 1}, []bool{false, false, false, false, false}},
		{"slow ones only", []time.Duration{s + 125*ms + 1, s - 1, 2 * s, 1, 0, 0, time.Hour, 100 * ms, 3 * s},
			[]bool{true, false, true, false, false, false, true, false, true}},
		{"many short ones", []time.Duration{99 * ms, 99 * ms, 99 * ms, 99 * ms, 99 * ms, 99 * ms, 99 * ms, 99 * ms, 99 * ms, 99 * ms, 99 * ms, 99 * ms, 1200 * ms},
			[]bool{12: true}},
	} {
		for _, apart := range []time.Duration{0, 50 * ms, time.Minute} {
			inBubble(t, fmt.Sprint(test.name, ", apart ", apart), func(t *testing.T) {
				c, slow := watched()
				p := started(t, c)
				for i, d := range test.steps {
					p.PostFIFO(hsm.Event{Signal: hsm.Intern(fmt.Sprint(i)), Payload: func() { time.Sleep(d) }})
					time.Sleep(apart)
				}
				p.drained(t, 10*time.Hour)
				got := make([]bool, len(test.steps))
				for _, r := range slow.told() {
					i, err := strconv.Atoi(r.Event.Signal.String())
					if err != nil || got[i] || r.For > test.steps[i] || r.For < time.Second {
						t.Fatalf("told %v", r)
					}
					got[i] = true
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("told (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestSlowHook: what is supervised is a step like others.
func TestSlowHook(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		c, slow := watched()
		c.Supervise = always
		c.Supervise.OnRestart = func(*activeobject.ActiveObject, *activeobject.Failure) { hangHere(time.Minute) }
		p := failing(c, sigA, func() hsm.Status { hangHere(2 * time.Second); panic(1) })
		p.start(t, left)
		p.fifo(t, sigA)
		time.Sleep(time.Hour)
		p.drained(t)
		var got []string
		for _, r := range slow.told() {
			got = append(got, fmt.Sprint(r.State, " ", r.Event, " ", r.Handler != "", strings.Contains(r.Stack, "hangHere")))
		}
		if diff := cmp.Diff([]string{"left A true true", "top  false true"}, got); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
	})
}

// TestOnSlow is called one at a time, may take its time, and may end the object.
func TestOnSlow(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		inside, calls := 0, 0
		var p *probe
		p = started(t, activeobject.Config{Watchdog: time.Second, OnSlow: func(o *activeobject.ActiveObject, _ *activeobject.Slow) {
			if inside++; inside > 1 || o != p.ActiveObject {
				t.Errorf("%d calls at a time, with %v", inside, o)
			}
			defer func() { inside-- }()
			if calls++; calls < 3 {
				time.Sleep(time.Minute)
				return
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			if err := o.Stop(ctx); err == nil {
				t.Error("Stop says that the object has ended")
			}
		}})
		for range 100 {
			p.PostFIFO(hsm.Event{Signal: run, Payload: func() { time.Sleep(11 * time.Second) }})
		}
		<-p.Done()
		synctest.Wait()
		// Steps six, or seven, begin after a minute.
		if calls != 3 || p.Stats().Slow != 3 || p.Stats().Discarded < 80 {
			t.Errorf("%d calls, %+v", calls, p.Stats())
		}
	})
}

// TestSlowToTheNanosecond, whatever the time is that a step may take.
func TestSlowToTheNanosecond(t *testing.T) {
	for _, limit := range []time.Duration{1, 999, time.Millisecond, 9*time.Millisecond + 7, time.Second + 7, time.Hour} {
		inBubble(t, limit.String(), func(t *testing.T) {
			c, slow := watched()
			c.Watchdog = limit
			p := started(t, c)
			time.Sleep(24 * time.Hour)
			begin := time.Now()
			p.PostFIFO(hsm.Event{Signal: run, Payload: func() { time.Sleep(2 * limit) }})
			time.Sleep(3 * limit)
			p.drained(t)
			if told := slow.told(); len(told) != 1 || told[0].at.Sub(begin) != limit || told[0].For != limit {
				t.Errorf("told %v", told)
			}
		})
	}
}

// TestSlowIsCounted though nobody wants to be told.
func TestSlowIsCounted(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		p := started(t, activeobject.Config{Watchdog: time.Second})
		for range 3 {
			p.inside(t, func() { time.Sleep(5 * time.Second) })
		}
		p.drained(t)
		if diff := cmp.Diff(activeobject.Stats{Slow: 3}, p.Stats()); diff != "" {
			t.Errorf("stats (-want +got):\n%s", diff)
		}
	})
}

// TestSlowInRealTime finds the stack among those of other goroutines, and of a
// handler that waits for nothing.
func TestSlowInRealTime(t *testing.T) {
	told := make(chan *activeobject.Slow, 2)
	c := activeobject.Config{Watchdog: time.Millisecond, OnSlow: func(_ *activeobject.ActiveObject, s *activeobject.Slow) { told <- s }}
	p, others := started(t, c), [50]*probe{}
	for i := range others {
		others[i] = started(t, activeobject.Config{})
		others[i].hold(t)
	}
	var over atomic.Bool
	p.PostFIFO(hsm.Event{Signal: run, Payload: func() { spin(&over) }})
	select {
	case s := <-told:
		if !strings.Contains(s.Stack, "activeobject_test.spin(") || s.State != "root" || s.Event.Signal != run {
			t.Errorf("%v, with the stack:\n%s", s, s.Stack)
		}
	case <-time.After(time.Minute):
		t.Error("not told within a minute")
	}
	over.Store(true)
	p.drained(t)
	if len(told) != 0 {
		t.Errorf("told again: %v", <-told)
	}
}

func spin(over *atomic.Bool) {
	for !over.Load() {
	}
}
