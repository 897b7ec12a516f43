package activeobject_test

import (
	"runtime"
	"sync"
	"testing"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
)

// sink counts events, and tells when it had as many as it should.
type sink struct {
	*activeobject.ActiveObject
	got, want int
	done      chan struct{}
}

const sinking hsm.State = 1

var sinks = hsm.MustCompile([]hsm.Spec[*sink]{
	sinking: {Name: "sinking", Handle: func(s *sink, e hsm.Event) hsm.Status {
		if e.Signal != press {
			return hsm.Super
		}
		if s.got++; s.got == s.want {
			s.done <- struct{}{}
		}
		return hsm.Handled
	}},
})

func newSink(b *testing.B, want int) *sink {
	s := &sink{want: want, done: make(chan struct{})}
	s.ActiveObject = activeobject.New("sink", hsm.NewMachine(sinks, s), activeobject.Config{QueueSize: 1 << 30})
	if err := s.Start(b.Context(), sinking); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Stop(b.Context()) })
	return s
}

// BenchmarkPost is from post to dispatch; BenchmarkChan beside it is what a
// goroutine on a channel does.
func BenchmarkPost(b *testing.B) {
	for _, producers := range []int{1, 8} {
		b.Run(map[int]string{1: "one", 8: "eight"}[producers], func(b *testing.B) {
			s := newSink(b, b.N/producers*producers)
			e := hsm.Event{Signal: press}
			b.ReportAllocs()
			b.ResetTimer()
			for range producers {
				go func() {
					for range b.N / producers {
						s.PostFIFO(e)
					}
				}()
			}
			if b.N >= producers {
				<-s.done
			}
		})
	}
}

func BenchmarkChan(b *testing.B) {
	for _, producers := range []int{1, 8} {
		b.Run(map[int]string{1: "one", 8: "eight"}[producers], func(b *testing.B) {
			c := make(chan hsm.Event, 1024)
			done := make(chan int)
			go func() {
				n := 0
				for e := range c {
					if e.Signal == press {
						n++
					}
				}
				done <- n
			}()
			e := hsm.Event{Signal: press}
			b.ResetTimer()
			var wg sync.WaitGroup
			for range producers {
				wg.Go(func() {
					for range b.N / producers {
						c <- e
					}
				})
			}
			wg.Wait()
			close(c)
			<-done
		})
	}
}

// BenchmarkIdle reports the memory of an idle object, its goroutine included.
func BenchmarkIdle(b *testing.B) {
	for b.Loop() {
		const n = 10000
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		all := make([]*sink, n)
		for i := range all {
			s := &sink{want: -1}
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
	s := newSink(b, -1)
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
