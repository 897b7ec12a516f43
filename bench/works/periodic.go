package works

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/bench/measure"
	"github.com/statemesh/statemesh/hsm"
)

const (
	tickers = "a goroutine with a Ticker"
	period  = time.Second
	// settling is how long what ticks is left alone before it is looked at.
	settling = period / 2
)

// ticking is many things that tick once a second, and what is known of the ticks.
type ticking struct {
	on    atomic.Bool // ticks are looked at
	ticks atomic.Int64
	late  []atomic.Int64 // nanoseconds, of the ticks that were looked at; 0 is not there yet
}

// tick notes that a tick came that was due then, and returns when the next is due.
func (t *ticking) tick(due time.Time) time.Time {
	late, next := lateness(time.Since(due))
	if t.on.Load() {
		if i := t.ticks.Add(1); int(i) <= len(t.late) {
			t.late[i-1].Store(int64(max(late, 1)))
		}
	}
	return due.Add(next)
}

// lateness says, of a tick that comes so long after it was due, how late it is and by
// how much later the next is due. After whole periods were missed, which nobody makes
// up for, the next is due in the future; a tick that comes before that had waited, and
// is one of the period before.
func lateness(after time.Duration) (late, next time.Duration) {
	if after < 0 {
		return after + period, 0
	}
	return after, period * (1 + after/period)
}

// arm makes one that ticks from now on.
type arm func() error

// periodic is a contestant that makes n things and arms them evenly over a second;
// when all have been armed it looks at them for that window.
func periodic(kind func(ctx context.Context, n int, t *ticking) ([]arm, func(), error), window time.Duration) func(context.Context) (*measure.Session, error) {
	return func(ctx context.Context) (*measure.Session, error) {
		end := func() {}
		return &measure.Session{
			Do: func(n int) (measure.Sample, error) {
				// Twice what should come, so that a chart which ticks too often is seen.
				t := &ticking{late: make([]atomic.Int64, 2*n*int(window/period+1))}
				memory, others := inUse(), runtime.NumGoroutine()
				began := time.Now()
				all, stop, err := kind(ctx, n, t)
				if err != nil {
					return nil, err
				}
				end = stop
				start := time.Since(began)
				began = time.Now()
				for i, arm := range all {
					if due := began.Add(period * time.Duration(i) / time.Duration(n)); time.Until(due) > 0 {
						time.Sleep(time.Until(due))
					}
					if err := arm(); err != nil {
						return nil, err
					}
				}
				used := inUse()
				time.Sleep(settling) // what measuring the memory has held up
				before := cpuTime()
				t.on.Store(true)
				began = time.Now()
				time.Sleep(window)
				t.on.Store(false)
				took, busy := time.Since(began), cpuTime()-before
				return t.sample(n, took, measure.Sample{
					startAll.Name:   start.Seconds() * 1000,
					megabytes.Name:  (used - memory) / 1e6,
					goroutines.Name: float64(runtime.NumGoroutine() - others),
					core.Name:       busy.Seconds() / took.Seconds() * 100,
				})
			},
			End: func() { end() },
		}, nil
	}
}

// sample adds what is known of the ticks, whose number has to be right.
func (t *ticking) sample(n int, took time.Duration, s measure.Sample) (measure.Sample, error) {
	got, want := int(t.ticks.Load()), float64(n)*took.Seconds()/period.Seconds()
	// Some are on this side or that of the window's ends, and a machine that is busy
	// with other things makes timers miss whole periods, which lateness tells.
	if float64(got) > want*1.05+1 || float64(got) < want/2 {
		return nil, counted("ticks", got, int(want))
	}
	late := make([]float64, 0, got)
	for i := range t.late[:got] {
		if l := t.late[i].Load(); l > 0 {
			late = append(late, float64(l)/1000)
		}
	}
	s[late50.Name], s[late99.Name] = measure.Quantile(late, 0.5), measure.Quantile(late, 0.99)
	return s, nil
}

// ticker is an active object with periodic timers, whose events carry the number of
// the timer.
type ticker struct {
	*activeobject.ActiveObject
	ticks *ticking
	due   []time.Time // each is written before its timer is armed, then the object's
}

var tick = hsm.NewSignal("bench_tick")

var tickerChart = hsm.MustCompile([]hsm.Spec[*ticker]{
	taking: {Name: "taking", Handle: func(c *ticker, e hsm.Event) hsm.Status {
		if e.Signal != tick {
			return hsm.Super
		}
		i, _ := hsm.Payload[int](e)
		c.due[i] = c.ticks.tick(c.due[i])
		return hsm.Handled
	}},
})

// objectTickers are n periodic timers of active objects, each of which has so many.
// The objects share a wheel of that resolution; 0 is none.
func objectTickers(each int, resolution time.Duration) func(context.Context, int, *ticking) ([]arm, func(), error) {
	return func(ctx context.Context, n int, t *ticking) (all []arm, end func(), err error) {
		config := activeobject.Config{QueueSize: each + 1}
		if resolution > 0 {
			config.Wheel = activeobject.NewWheel(resolution)
		}
		objects := make([]*ticker, 0, n/each)
		end = func() {
			for _, o := range objects {
				_ = o.Stop(context.Background())
			}
		}
		for range n / each {
			o := &ticker{ticks: t, due: make([]time.Time, each)}
			o.ActiveObject = activeobject.New("ticker", hsm.NewMachine(tickerChart, o), config)
			if err := o.Start(ctx, taking); err != nil {
				end()
				return nil, nil, err
			}
			objects = append(objects, o)
		}
		for i := range n / each * each {
			o, number := objects[i%len(objects)], i/len(objects)
			e := hsm.Event{Signal: tick, Payload: number}
			all = append(all, func() error {
				o.due[number] = time.Now().Add(period)
				_, err := o.PostFIFO(e, activeobject.Every(period))
				return err
			})
		}
		return all, end, nil
	}
}

// goroutineTickers are goroutines that wait for a ticker of their own.
func goroutineTickers(_ context.Context, n int, t *ticking) (all []arm, end func(), err error) {
	stop := make(chan struct{}) // closed by end
	var ended sync.WaitGroup
	for range n {
		begin := make(chan struct{})
		ended.Go(func() {
			select {
			case <-begin:
			case <-stop:
				return
			}
			due := time.Now().Add(period)
			ticker := time.NewTicker(period)
			defer ticker.Stop()
			for {
				select {
				case <-ticker.C:
					due = t.tick(due)
				case <-stop:
					return
				}
			}
		})
		all = append(all, func() error { close(begin); return nil })
	}
	return all, func() { close(stop); ended.Wait() }, nil
}
