package works

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/bench/measure"
	"github.com/statemesh/statemesh/hsm"
)

// bytesEach is the memory of one of many, its goroutine included.
var bytesEach = measure.Metric{Name: "memory of one", Unit: "B"}

const smallChannel = "chan(64)"

// idle is the memory of objects that wait. Each round has a process of its own,
// since what ended before leaves memory behind that the next one finds.
func idle(env Env) []measure.Work {
	n, rounds := 100_000, 3
	rest, few := n, 10_000 // a channel of 1024 takes 24 KiB
	if env.Quick {
		rest, few, rounds = 20_000, 2_000, 1
	}
	target := measure.Target{Kind: measure.AtMost, Value: 3200}
	return []measure.Work{{
		Name: "idle object", About: "an object that waits for its first event", Fresh: true, N: n, Rounds: rounds,
		Contestants: []measure.Contestant{
			{Name: Ours, Begin: memory(idleObjects)},
			{Name: smallChannel, Begin: memory(idleChannels(64)), N: rest},
			{Name: channel, Begin: memory(idleChannels(burst)), N: few},
			{Name: proto, Begin: memory(idleActors), N: rest},
		},
		Goals: []measure.Goal{
			{Metric: bytesEach, Target: target, Aim: 1000},
			{Metric: bytesEach, Rival: smallChannel},
			{Metric: bytesEach, Rival: channel},
			{Metric: bytesEach, Rival: proto},
		},
	}, {
		Name: "idle object/used", About: "an object that had an event, and has waited for some seconds since", Fresh: true, N: n, Rounds: rounds,
		Contestants: []measure.Contestant{{Name: Ours, Begin: memory(usedObjects)}},
		Goals:       []measure.Goal{{Metric: bytesEach, Target: target, Aim: 1000}},
	}}
}

// memory is a contestant that makes n idle things, and measures what they take. What
// make returns keeps them alive and ends them.
func memory(make func(ctx context.Context, n int) (end func(), err error)) func(context.Context) (*measure.Session, error) {
	return func(ctx context.Context) (*measure.Session, error) {
		end := func() {}
		return &measure.Session{
			Do: func(n int) (measure.Sample, error) {
				before, goroutines := inUse(), runtime.NumGoroutine()
				var err error
				if end, err = make(ctx, n); err != nil {
					end = func() {}
					return nil, err
				}
				if err := settle(goroutines, n); err != nil {
					return nil, err
				}
				after := inUse()
				return measure.Sample{bytesEach.Name: (after - before) / float64(n)}, nil
			},
			End: func() { end() },
		}, nil
	}
}

// settle waits until each of n things has a goroutine, or none has any more: objects
// and actors need none while they wait, and theirs may still be on their way out.
func settle(before, n int) error {
	extra := runtime.NumGoroutine() - before
	for deadline := time.Now().Add(patience); extra > 0 && extra < n; extra = runtime.NumGoroutine() - before {
		if time.Now().After(deadline) {
			return counted("goroutines", extra, n)
		}
		runtime.Gosched()
	}
	return nil
}

// inUse is the memory of all objects and stacks that are alive.
func inUse() float64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what the first one only made ready to be freed
	runtime.ReadMemStats(&m)
	return float64(m.HeapInuse + m.StackInuse)
}

func idleObjects(ctx context.Context, n int) (end func(), err error) {
	_, end, err = startedObjects(ctx, n, func() {})
	return end, err
}

// usedObjects are objects that had an event, and have no goroutine any more.
func usedObjects(ctx context.Context, n int) (end func(), err error) {
	goroutines := runtime.NumGoroutine()
	var taken atomic.Int64
	all, end, err := startedObjects(ctx, n, func() { taken.Add(1) })
	if err != nil {
		return nil, err
	}
	for _, o := range all {
		if _, err := o.PostFIFO(hsm.Event{Signal: press}); err != nil {
			end()
			return nil, err
		}
	}
	for deadline := time.Now().Add(patience); runtime.NumGoroutine() > goroutines; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			break // what waits with a goroutine is measured so
		}
	}
	if err := counted("events", int(taken.Load()), n); err != nil {
		end()
		return nil, err
	}
	return end, nil
}

func startedObjects(ctx context.Context, n int, take func()) (all []*object, end func(), err error) {
	all = make([]*object, 0, n)
	end = func() {
		for _, o := range all {
			o.stop()
		}
	}
	for range n {
		o := &object{take: take}
		o.ActiveObject = activeobject.New("object", hsm.NewMachine(objectChart, o), activeobject.Config{})
		if err := o.Start(ctx, taking); err != nil {
			end()
			return nil, nil, err
		}
		all = append(all, o)
	}
	return all, end, nil
}

func idleChannels(size int) func(context.Context, int) (func(), error) {
	return func(_ context.Context, n int) (func(), error) {
		all := make([]chan hsm.Event, 0, n)
		var ended sync.WaitGroup
		for range n {
			c := make(chan hsm.Event, size)
			ended.Go(func() {
				for range c {
				}
			})
			all = append(all, c)
		}
		return func() {
			for _, c := range all {
				close(c)
			}
			ended.Wait()
		}, nil
	}
}

// idleActors are actors that have been started. Each is waited for before the next,
// so that no more goroutines have been than one would need.
func idleActors(_ context.Context, n int) (func(), error) {
	system := newSystem()
	pids := make([]*actor.PID, 0, n)
	end := func() { stopActors(system, pids) }
	started := make(chan struct{}, 1)
	for range n {
		pid := spawn(system, func(actor.Context) { started <- struct{}{} })
		pids = append(pids, pid)
		system.Root.Send(pid, &message{})
		if err := wait(started, "an actor"); err != nil {
			end()
			return nil, err
		}
	}
	return end, nil
}
