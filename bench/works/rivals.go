package works

import (
	"context"
	"io"
	"log/slog"
	"sync"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/statemesh/statemesh/bench/measure"
	"github.com/statemesh/statemesh/hsm"
)

// channelSinks are goroutines on channels, which are closed in the end.
func channelSinks(_ context.Context, all []*sink) (post []func() error, end func(), err error) {
	var channels []chan hsm.Event
	var ended sync.WaitGroup
	e := hsm.Event{Signal: press}
	for _, s := range all {
		c := make(chan hsm.Event, burst)
		channels = append(channels, c)
		ended.Go(func() {
			for e := range c {
				if e.Signal == press {
					s.take()
				}
			}
		})
		post = append(post, func() error { c <- e; return nil })
	}
	return post, func() {
		for _, c := range channels {
			close(c)
		}
		ended.Wait()
	}, nil
}

// channelPingPong is two goroutines on channels.
func channelPingPong(context.Context) (*measure.Session, error) {
	one, two := make(chan hsm.Event, burst), make(chan hsm.Event, burst)
	done := make(chan struct{}, 1)
	var rest, pings, pongs int
	var ended sync.WaitGroup
	ended.Go(func() {
		for e := range one {
			pings++
			if rest--; rest > 0 {
				two <- e
				continue
			}
			done <- struct{}{}
		}
	})
	ended.Go(func() {
		for e := range two {
			pongs++
			one <- e
		}
	})
	return &measure.Session{
		Do: func(n int) (measure.Sample, error) {
			rest, pings, pongs = n, 0, 0
			two <- hsm.Event{Signal: press}
			if err := wait(done, "a ping-pong"); err != nil {
				return nil, err
			}
			return nil, counted("passes", pings+pongs, 2*n)
		},
		End: func() { close(one); close(two); ended.Wait() },
	}, nil
}

// message is the event of the actors, made once.
type message struct{}

func newSystem() *actor.ActorSystem {
	return actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
		return slog.New(slog.NewTextHandler(io.Discard, nil))
	}))
}

// stopActors waits until the actors have stopped, and ends their system.
func stopActors(system *actor.ActorSystem, pids []*actor.PID) {
	var futures []*actor.Future
	for _, pid := range pids {
		futures = append(futures, system.Root.StopFuture(pid))
	}
	for _, f := range futures {
		_ = f.Wait()
	}
	system.Shutdown()
}

// spawn starts an actor that calls take for every message.
func spawn(system *actor.ActorSystem, take func(actor.Context)) *actor.PID {
	return system.Root.Spawn(actor.PropsFromFunc(func(c actor.Context) {
		if _, ok := c.Message().(*message); ok {
			take(c)
		}
	}))
}

// protoSinks are actors.
func protoSinks(_ context.Context, all []*sink) (post []func() error, end func(), err error) {
	system := newSystem()
	var pids []*actor.PID
	m := &message{}
	for _, s := range all {
		pid := spawn(system, func(actor.Context) { s.take() })
		pids = append(pids, pid)
		post = append(post, func() error { system.Root.Send(pid, m); return nil })
	}
	return post, func() { stopActors(system, pids) }, nil
}

// protoPingPong is two actors that send to each other.
func protoPingPong(context.Context) (*measure.Session, error) {
	system, m := newSystem(), &message{}
	done := make(chan struct{}, 1)
	var rest, pings, pongs int
	var one, two *actor.PID
	one = spawn(system, func(c actor.Context) {
		pings++
		if rest--; rest > 0 {
			c.Send(two, m)
			return
		}
		done <- struct{}{}
	})
	two = spawn(system, func(c actor.Context) { pongs++; c.Send(one, m) })
	return &measure.Session{
		Do: func(n int) (measure.Sample, error) {
			rest, pings, pongs = n, 0, 0
			system.Root.Send(two, m)
			if err := wait(done, "a ping-pong"); err != nil {
				return nil, err
			}
			return nil, counted("passes", pings+pongs, 2*n)
		},
		End: func() { stopActors(system, []*actor.PID{one, two}) },
	}, nil
}
