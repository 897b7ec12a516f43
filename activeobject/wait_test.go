package activeobject

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/hsm"
)

// where is where the goroutine is, now that nothing in the bubble moves.
func (o *ActiveObject) where() place {
	synctest.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.place
}

// TestGoroutineLeaves when there has been no event since the start, or for a while,
// and comes back with the next.
func TestGoroutineLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, data := newCounted(Config{})
		ctx := t.Context()
		want := func(when string, p place) {
			t.Helper()
			if got := o.where(); got != p {
				t.Errorf("%s it is at place %d, want %d", when, got, p)
			}
		}
		for range 2 {
			data.got = nil
			if err := o.Start(ctx, 1); err != nil {
				t.Fatal(err)
			}
			want("after the start", away)
			for range 3 {
				o.PostFIFO(hsm.Event{Signal: hsm.NewSignal("A")})
				want("after an event", parked)
				time.Sleep(linger - 1)
				want("a moment before its time", parked)
				time.Sleep(2 * time.Nanosecond)
				want("after its time", away)
			}
			for range 10 {
				o.PostFIFO(hsm.Event{Signal: hsm.NewSignal("A")})
				want("between events", parked)
				time.Sleep(linger - 1)
			}
			want("after many events", parked)
			time.Sleep(linger + 2)
			want("long after many events", away)
			if err := o.Stop(ctx); err != nil {
				t.Fatal(err)
			}
			want("after the end", atWork)
			if len(data.got) != 13 {
				t.Errorf("%d events were handled, want 13", len(data.got))
			}
		}
	})
}

// TestStaysForTimers keeps the goroutine of an object that a timer will bring an event, and
// no longer.
func TestStaysForTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := newCounted(Config{})
		if err := o.Start(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		defer o.Stop(context.Background())
		if _, err := o.PostFIFO(hsm.Event{Signal: hsm.NewSignal("A")}, Times(3, 10*linger)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10*linger + 1)
		for range 2 {
			time.Sleep(9 * linger)
			if got := o.where(); got != parked {
				t.Errorf("with posts to come it is at place %d, want %d", got, parked)
			}
			time.Sleep(linger)
		}
		time.Sleep(linger + 1)
		if got := o.where(); got != away {
			t.Errorf("after the last post it is at place %d, want %d", got, away)
		}
	})
}

// TestWithoutGoroutine does to an object whose goroutine has left what one can do
// to an object.
func TestWithoutGoroutine(t *testing.T) {
	a := hsm.Event{Signal: hsm.NewSignal("A")}
	b := hsm.Event{Signal: hsm.NewSignal("B")}
	for _, test := range []struct {
		name string
		do   func(o *ActiveObject, ctx context.Context)
		want []string
		end  bool
	}{
		{"PostFIFO", func(o *ActiveObject, _ context.Context) { o.PostFIFO(a); o.PostFIFO(b) }, []string{"A", "B"}, false},
		{"PostLIFO", func(o *ActiveObject, _ context.Context) { o.PostLIFO(a) }, []string{"A"}, false},
		{"Deliver", func(o *ActiveObject, _ context.Context) { o.Deliver(a, hsm.Origin{}) }, []string{"A"}, false},
		{"Publish", func(o *ActiveObject, _ context.Context) { o.Publish(b, 1) }, []string{"B"}, false},
		{"timer", func(o *ActiveObject, _ context.Context) {
			o.PostFIFO(a, Times(2, time.Hour))
			time.Sleep(3 * time.Hour)
		}, []string{"A", "A"}, false},
		{"cancelled timer", func(o *ActiveObject, _ context.Context) {
			id, _ := o.PostFIFO(a, Once(time.Hour))
			o.CancelEvent(id)
			time.Sleep(2 * time.Hour)
		}, nil, false},
		{"Stop", func(o *ActiveObject, ctx context.Context) { o.Stop(ctx) }, nil, true},
		{"Stop that does not wait", func(o *ActiveObject, ctx context.Context) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			o.Stop(ctx)
		}, nil, true},
		{"Drain", func(o *ActiveObject, ctx context.Context) { o.Drain(ctx) }, nil, true},
		{"Drain of what was just posted", func(o *ActiveObject, ctx context.Context) { o.PostFIFO(a); o.Drain(ctx) }, []string{"A"}, true},
		{"Start", func(o *ActiveObject, ctx context.Context) { o.Start(ctx, 1) }, nil, false},
	} {
		for _, c := range []Config{{}, {Overflow: hsm.Drop}, {Watchdog: time.Minute, Causes: true}} {
			t.Run(fmt.Sprintf("%s/%v %v", test.name, c.Overflow, c.Watchdog), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c.Fabric = NewFabric()
					o, data := newCounted(c)
					if err := o.Subscribe(b.Signal, FIFO); err != nil {
						t.Fatal(err)
					}
					if err := o.Start(t.Context(), 1); err != nil {
						t.Fatal(err)
					}
					if at := o.where(); at != away {
						t.Fatalf("the goroutine is at place %d, want away", at)
					}
					test.do(o, t.Context())
					synctest.Wait()
					if diff := cmp.Diff(test.want, data.got); diff != "" {
						t.Errorf("handled (-want +got):\n%s", diff)
					}
					select {
					case <-o.Done():
						if !test.end {
							t.Error("it has stopped")
						}
					default:
						if test.end {
							t.Error("it has not stopped")
						}
					}
					if err := o.Stop(t.Context()); err != nil {
						t.Error(err)
					}
				})
			})
		}
	}
}

// deferring is the data of a chart that defers A, recalls it for B, and fails on C.
type deferring struct {
	*ActiveObject
	got []string
}

var deferringChart = hsm.MustCompile([]hsm.Spec[*deferring]{
	1: {Name: "only", Handle: func(d *deferring, e hsm.Event) hsm.Status {
		switch name := e.Signal.String(); name {
		case "A":
			if len(d.got) == 0 {
				d.Defer(e)
				return hsm.Handled
			}
			d.got = append(d.got, name)
			return hsm.Handled
		case "B":
			d.got = append(d.got, name)
			d.Recall()
			return hsm.Handled
		case "C":
			panic("C")
		}
		return hsm.Super
	}},
})

// TestLeavingKeeps what is deferred, and the supervision of what comes after it.
func TestLeavingKeeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &deferring{}
		d.ActiveObject = New("deferring", hsm.NewMachine(deferringChart, d), Config{Supervise: Supervision{Policy: Restart}})
		if err := d.Start(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"A", "C", "B"} {
			d.PostFIFO(hsm.Event{Signal: hsm.NewSignal(name)})
			time.Sleep(time.Minute)
			if at := d.where(); at != away {
				t.Fatalf("a minute after %s the goroutine is at place %d, want away", name, at)
			}
		}
		if diff := cmp.Diff([]string{"B", "A"}, d.got); diff != "" {
			t.Errorf("handled (-want +got):\n%s", diff)
		}
		if s := d.Stats(); s.Restarts != 1 {
			t.Errorf("%d restarts, want 1", s.Restarts)
		}
		if err := d.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestLeavingLosesNothing while somebody posts and somebody else sends the
// goroutine away, all the time.
func TestLeavingLosesNothing(t *testing.T) {
	const n = 2000
	o, data := newCounted(Config{QueueSize: 10})
	if err := o.Start(context.Background(), 1); err != nil {
		t.Fatal(err)
	}
	var left atomic.Int64
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-end:
				return
			default:
			}
			o.mu.Lock()
			if o.place == away {
				left.Add(1)
			}
			o.stirred = false
			o.mu.Unlock()
			o.dismiss()
			runtime.Gosched()
		}
	}()
	var want []string
	for i := range n {
		name := strconv.Itoa(i % 7)
		want = append(want, name)
		for {
			if _, err := o.PostFIFO(hsm.Event{Signal: hsm.NewSignal(name)}); err == nil {
				break
			}
		}
	}
	if err := o.Drain(context.Background()); err != nil {
		t.Fatal(err)
	}
	close(end)
	<-ended
	if diff := cmp.Diff(want, data.got); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
	if left.Load() == 0 {
		t.Error("the goroutine has never left")
	}
}

// TestPatience is tried less and less often while it is in vain, and again as soon
// as it pays.
func TestPatience(t *testing.T) {
	var p patience
	tries := func(n int, paid bool) (times int) {
		for range n {
			if p.tries() {
				times++
				p.learn(paid)
			}
		}
		return times
	}
	for _, test := range []struct {
		name    string
		n, want int
		paid    bool
	}{
		{"it pays", 100, 100, true},
		{"it does not", 1 + 2 + 4 + 8, 4, false},
		{"it never does", 16 + 32 + 64 + 128 + 5*256, 4 + 5, false},
		{"it pays again", 255 + 100, 100, true},
	} {
		if got := tries(test.n, test.paid); got != test.want {
			t.Errorf("%s: %d tries of %d, want %d", test.name, got, test.n, test.want)
		}
	}
}
