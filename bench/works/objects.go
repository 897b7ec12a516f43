package works

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/bench/measure"
	"github.com/statemesh/statemesh/hsm"
)

const (
	// burst is how many events are posted to one object before it has to have handled
	// them all: as many as the channel beside it holds, so that neither queue is ever
	// full.
	burst = 1024
	// fans is how many objects a fan-out goes to, and passes how often it goes round
	// before all have to have handled everything.
	fans, passes = 1000, 250

	channel = "chan(1024)"
	proto   = "protoactor-go"
)

var press = hsm.NewSignal("bench_press")

// objects are posts from one goroutine to another.
func objects() []measure.Work {
	atMost := func(v float64) measure.Target { return measure.Target{Kind: measure.AtMost, Value: v} }
	goals := func(t measure.Target) []measure.Goal {
		return []measure.Goal{
			{Metric: measure.Time, Rival: channel, Target: t},
			{Metric: measure.Time, Rival: proto},
		}
	}
	post := func(name, about string, producers int, target float64) measure.Work {
		return measure.Work{
			Name: "post/" + name, About: about, Step: burst,
			Contestants: []measure.Contestant{
				{Name: Ours, Begin: posts(producers, objectSinks, 1, burst)},
				{Name: channel, Begin: posts(producers, channelSinks, 1, burst)},
				{Name: proto, Begin: posts(producers, protoSinks, 1, burst)},
			},
			Goals: goals(atMost(target)),
		}
	}
	return []measure.Work{
		post("one", "from post to dispatch, one producer", 1, 1.0),
		post("eight", "from post to dispatch, eight producers", 8, 1.4),
		{
			Name: "post/fan-out", About: "one producer posts to 1000 objects in turn", Step: fans * passes,
			Contestants: []measure.Contestant{
				{Name: Ours, Begin: posts(1, objectSinks, fans, passes)},
				{Name: channel, Begin: posts(1, channelSinks, fans, passes)},
				{Name: proto, Begin: posts(1, protoSinks, fans, passes)},
			},
			Goals: goals(atMost(1.6)),
		},
		{
			Name: "ping-pong", About: "an event to another object and its answer",
			Contestants: []measure.Contestant{
				{Name: Ours, Begin: objectPingPong},
				{Name: channel, Begin: channelPingPong},
				{Name: proto, Begin: protoPingPong},
			},
			Goals: goals(atMost(1.3)),
		},
	}
}

// sink counts the events that it gets, and tells when all sinks have had a burst.
type sink struct {
	got  int
	each int // events a burst
	all  *sinks
}

// sinks are those that a producer posts to.
type sinks struct {
	number int
	left   atomic.Int32  // sinks that have not had their burst
	done   chan struct{} // gets a value after every burst
}

func newSinks(number int) *sinks {
	s := &sinks{number: number, done: make(chan struct{}, 1)}
	s.left.Store(int32(number))
	return s
}

func (s *sink) take() {
	if s.got++; s.got%s.each == 0 && s.all.left.Add(-1) == 0 {
		s.all.left.Store(int32(s.all.number))
		s.all.done <- struct{}{}
	}
}

// maker makes the sinks of a contestant: what posts to each of them, and what ends
// them.
type maker func(ctx context.Context, all []*sink) (post []func() error, end func(), err error)

// posts is a contestant: that many producers post to that many sinks of a kind, each
// of which gets each events a burst.
func posts(producers int, make maker, number, each int) func(context.Context) (*measure.Session, error) {
	return func(ctx context.Context) (*measure.Session, error) {
		group := newSinks(number)
		var all []*sink
		for range number {
			all = append(all, &sink{each: each, all: group})
		}
		post, end, err := make(ctx, all)
		if err != nil {
			return nil, err
		}
		run := newProducers(producers, number*each, post)
		return &measure.Session{
			Do: func(n int) (measure.Sample, error) {
				for _, s := range all {
					s.got = 0 // nobody is at work
				}
				for range n / (number * each) {
					run.burst()
					if err := wait(group.done, "a burst of posts"); err != nil {
						return nil, errors.Join(err, run.failure())
					}
				}
				if err := run.failure(); err != nil {
					return nil, err
				}
				got := 0
				for _, s := range all {
					got += s.got
				}
				return nil, counted("events", got, n)
			},
			End: func() { run.end(); end() },
		}, nil
	}
}

// producers are goroutines that post a burst together. They are ended by end.
type producers struct {
	begin []chan struct{} // closed by end
	ended sync.WaitGroup
	err   atomic.Pointer[error] // the first error of a post
}

func newProducers(number, events int, post []func() error) *producers {
	p := &producers{}
	for range number {
		begin := make(chan struct{}, 1)
		p.begin = append(p.begin, begin)
		p.ended.Go(func() {
			for range begin {
				for range events / number / len(post) {
					for _, f := range post {
						if err := f(); err != nil {
							first := err // so that it is on the heap only now
							p.err.CompareAndSwap(nil, &first)
						}
					}
				}
			}
		})
	}
	return p
}

// burst makes the producers begin.
func (p *producers) burst() {
	for _, begin := range p.begin {
		begin <- struct{}{}
	}
}

// failure is the first error of a post, if there was one.
func (p *producers) failure() error {
	if err := p.err.Load(); err != nil {
		return *err
	}
	return nil
}

func (p *producers) end() {
	for _, begin := range p.begin {
		close(begin)
	}
	p.ended.Wait()
}

// object is an active object that passes on to a function what it gets.
type object struct {
	*activeobject.ActiveObject
	take func()
}

const taking hsm.State = 1

var objectChart = hsm.MustCompile([]hsm.Spec[*object]{
	taking: {Name: "taking", Handle: func(o *object, e hsm.Event) hsm.Status {
		if e.Signal != press {
			return hsm.Super
		}
		o.take()
		return hsm.Handled
	}},
})

func newObject(take func()) *object {
	o := &object{take: take}
	o.ActiveObject = activeobject.New("object", hsm.NewMachine(objectChart, o), activeobject.Config{QueueSize: burst})
	return o
}

func (o *object) stop() { _ = o.Stop(context.Background()) }

// objectSinks are active objects.
func objectSinks(ctx context.Context, all []*sink) (post []func() error, end func(), err error) {
	var objects []*object
	end = func() {
		for _, o := range objects {
			o.stop()
		}
	}
	e := hsm.Event{Signal: press}
	for _, s := range all {
		o := newObject(s.take)
		if err := o.Start(ctx, taking); err != nil {
			end()
			return nil, nil, err
		}
		objects = append(objects, o)
		post = append(post, func() error { _, err := o.PostFIFO(e); return err })
	}
	return post, end, nil
}

// objectPingPong is two active objects that post to each other.
func objectPingPong(ctx context.Context) (*measure.Session, error) {
	e := hsm.Event{Signal: press}
	done := make(chan struct{}, 1)
	var one, two *object
	var rest, pings, pongs int
	var failure error // of a post; read when done
	pass := func(to *object) {
		if _, err := to.PostFIFO(e); err != nil {
			failure = err
			done <- struct{}{}
		}
	}
	one = newObject(func() {
		pings++
		if rest--; rest > 0 {
			pass(two)
			return
		}
		done <- struct{}{}
	})
	two = newObject(func() { pongs++; pass(one) })
	for _, o := range []*object{one, two} {
		if err := o.Start(ctx, taking); err != nil {
			return nil, err
		}
	}
	return &measure.Session{
		Do: func(n int) (measure.Sample, error) {
			rest, pings, pongs = n, 0, 0
			pass(two)
			if err := wait(done, "a ping-pong"); err != nil {
				return nil, err
			}
			if failure != nil {
				return nil, failure
			}
			return nil, counted("passes", pings+pongs, 2*n)
		},
		End: func() { one.stop(); two.stop() },
	}, nil
}
