package activeobject_test

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
)

// burst is how many events are posted before the sink has to have handled them
// all: as many as the channel beside it holds, so that neither queue is full and
// neither grows.
const burst = 1024

// sink counts events, and tells after each burst.
type sink struct {
	*activeobject.ActiveObject
	got  int
	done chan struct{}
}

const sinking hsm.State = 1

func (s *sink) sinking(e hsm.Event) hsm.Status {
	if e.Signal != press {
		return hsm.Super
	}
	if s.got++; s.got%burst == 0 {
		s.done <- struct{}{}
	}
	return hsm.Handled
}

var sinks = hsm.MustCompile([]hsm.Spec[*sink]{sinking: {Name: "sinking", Handle: (*sink).sinking}})

func newSink(b *testing.B) *sink {
	s := &sink{done: make(chan struct{}, 1)}
	s.ActiveObject = activeobject.New("sink", hsm.NewMachine(sinks, s), activeobject.Config{QueueSize: burst})
	if err := s.Start(b.Context(), sinking); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Stop(b.Context()) })
	return s
}

// producers runs post b.N times, in bursts, from that many goroutines, and waits
// after each burst.
func producers(b *testing.B, n int, post func(), done <-chan struct{}) {
	b.ReportAllocs()
	begin := make([]chan struct{}, n)
	var ends sync.WaitGroup
	for i := range begin {
		begin[i] = make(chan struct{}, 1)
		ends.Go(func() {
			for range begin[i] {
				for range burst / n {
					post()
				}
			}
		})
	}
	b.ResetTimer()
	for posted := 0; posted < b.N; posted += burst {
		for i := range begin {
			begin[i] <- struct{}{}
		}
		<-done
	}
	b.StopTimer()
	for i := range begin {
		close(begin[i])
	}
	ends.Wait()
}

// BenchmarkPost is from post to dispatch; BenchmarkChan beside it is the same
// with a goroutine on a channel.
func BenchmarkPost(b *testing.B) {
	for _, n := range []int{1, 8} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := newSink(b)
			e := hsm.Event{Signal: press}
			producers(b, n, func() {
				if _, err := s.PostFIFO(e); err != nil {
					b.Error(err)
				}
			}, s.done)
		})
	}
}

func BenchmarkChan(b *testing.B) {
	for _, n := range []int{1, 8} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			c := make(chan hsm.Event, burst)
			s := &sink{done: make(chan struct{}, 1)}
			go func() {
				for e := range c {
					s.sinking(e)
				}
			}()
			e := hsm.Event{Signal: press}
			producers(b, n, func() { c <- e }, s.done)
			close(c)
		})
	}
}

// BenchmarkIdle reports the memory of objects that wait for their first event.
func BenchmarkIdle(b *testing.B) {
	for b.Loop() {
		const n = 10000
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		all := make([]*sink, n)
		for i := range all {
			s := &sink{}
			s.ActiveObject = activeobject.New("sink", hsm.NewMachine(sinks, s), activeobject.Config{})
			if err := s.Start(b.Context(), sinking); err != nil {
				b.Fatal(err)
			}
			all[i] = s
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapInuse+after.StackInuse-before.HeapInuse-before.StackInuse)/n, "B/object")
		for _, s := range all {
			s.Stop(b.Context())
		}
	}
}

// BenchmarkTimer arms a timer and cancels it.
func BenchmarkTimer(b *testing.B) {
	s := newSink(b)
	e := hsm.Event{Signal: press}
	b.ReportAllocs()
	for b.Loop() {
		id, err := s.PostFIFO(e, activeobject.Once(3600e9))
		if err != nil {
			b.Fatal(err)
		}
		s.CancelEvent(id)
	}
}

// player posts the ball back to the other player.
type player struct {
	*activeobject.ActiveObject
	other *player
	left  int
	done  chan struct{}
}

var players = hsm.MustCompile([]hsm.Spec[*player]{1: {Name: "playing", Handle: (*player).playing}})

func (p *player) playing(e hsm.Event) hsm.Status {
	if e.Signal != press {
		return hsm.Super
	}
	if p.left--; p.left <= 0 {
		p.done <- struct{}{}
		return hsm.Handled
	}
	p.other.PostFIFO(e)
	return hsm.Handled
}

// BenchmarkPingPong is a post from object to object, each parked while the other
// has the ball.
func BenchmarkPingPong(b *testing.B) {
	pingPong(b, activeobject.Config{})
}

func pingPong(b *testing.B, c activeobject.Config) {
	all := [2]player{}
	done := make(chan struct{}, 1)
	for i := range all {
		p := &all[i]
		p.ActiveObject = activeobject.New("player", hsm.NewMachine(players, p), c)
		p.other, p.done = &all[1-i], done
		if err := p.Start(b.Context(), 1); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { p.Stop(b.Context()) })
	}
	b.ReportAllocs()
	b.ResetTimer()
	all[0].left, all[1].left = b.N/2+1, b.N
	if _, err := all[0].PostFIFO(hsm.Event{Signal: press}); err != nil {
		b.Fatal(err)
	}
	<-done
}

// BenchmarkWatched is what a watchdog adds to BenchmarkPost/1 and BenchmarkPingPong.
func BenchmarkWatched(b *testing.B) {
	c := activeobject.Config{QueueSize: burst, Watchdog: time.Second, OnSlow: func(_ *activeobject.ActiveObject, s *activeobject.Slow) { b.Error(s) }}
	b.Run("Post", func(b *testing.B) {
		s := &sink{done: make(chan struct{}, 1)}
		s.ActiveObject = activeobject.New("sink", hsm.NewMachine(sinks, s), c)
		if err := s.Start(b.Context(), sinking); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { s.Stop(b.Context()) })
		e := hsm.Event{Signal: press}
		producers(b, 1, func() { s.PostFIFO(e) }, s.done)
	})
	b.Run("PingPong", func(b *testing.B) { pingPong(b, c) })
}
