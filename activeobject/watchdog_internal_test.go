package activeobject

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/statemesh/statemesh/hsm"
)

// TestWatchdogSleeps while the object is idle, wakes for the next step, and is
// gone soon after the object.
func TestWatchdogSleeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := newCounted(Config{Watchdog: time.Second})
		if err := o.Start(context.Background(), 1); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			o.PostFIFO(hsm.Event{Signal: hsm.NewSignal("A")})
			synctest.Wait()
			if !o.config.watchdog.armed.Load() {
				t.Fatal("it sleeps after a step")
			}
			time.Sleep(2*o.config.watchdog.tick + 1)
			synctest.Wait()
			if o.config.watchdog.armed.Load() || o.config.watchdog.timer.Stop() {
				t.Fatal("it looks at an idle object")
			}
		}
		o.PostFIFO(hsm.Event{Signal: hsm.NewSignal("A")})
		if err := o.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2*o.config.watchdog.tick + 1)
		synctest.Wait()
		if o.config.watchdog.armed.Load() || o.config.watchdog.timer.Stop() {
			t.Fatal("it looks at an object that has stopped")
		}
	})
}

// TestWatchedStepsDoNotAllocate.
func TestWatchedStepsDoNotAllocate(t *testing.T) {
	o, _ := newCounted(Config{Watchdog: time.Hour})
	w := o.config.watchdog
	n := testing.AllocsPerRun(1000, func() {
		w.begin(1)
		w.end()
	})
	if n != 0 {
		t.Errorf("a step allocates %v times", n)
	}
	w.timer.Stop()
}

func TestHandlerIn(t *testing.T) {
	const machine = "github.com/statemesh/statemesh/hsm.(*Machine[...]).DispatchFrom(0xc000, {{0xc001}})\n\t/hsm/machine.go:133 +0x4f\n"
	for _, test := range []struct{ name, stack, want string }{
		{"nothing", "", ""},
		{"no machine", "goroutine 7 [running]:\nmain.work(0x1)\n\t/main.go:1 +0x2\ncreated by main.main in goroutine 1\n", ""},
		{"method", "goroutine 7 [sleep]:\ntime.Sleep(0x1)\n\t/usr/time.go:1\nmain.(*light).on(0xc0, {{0x1}, {0x0, 0x0}})\n\t/main.go:1 +0x2\n" + machine, "main.(*light).on"},
		{"function, inlined call", "goroutine 7 [select (no cases)]:\nmain.hang(...)\n\t/main.go:1\nmain.init.func1(0xc0)\n\t/main.go:1 +0x2\n" + machine, "main.init.func1"},
		{"two machines", "goroutine 7 [running]:\nmain.inner(0xc0)\n\t/main.go:1 +0x2\n" + machine + "main.outer(0xc0)\n\t/main.go:9 +0x2\n" + machine, "main.inner"},
		{"factory", "goroutine 7 [running]:\nmain.(*light).on(0xc0)\n\t/main.go:1 +0x2\n" +
			"github.com/statemesh/statemesh/factory.(*builder[...]).specs.func1(0xc0)\n\t/factory/compile.go:1 +0x2\n" + machine, "main.(*light).on"},
		{"one of the same name", "goroutine 7 [running]:\nmain.on(0xc0)\n\t/main.go:1 +0x2\nexample.com/hsm.(*Machine[...]).Run(0xc0)\n\t/x.go:1 +0x2\n" + machine, "example.com/hsm.(*Machine[...]).Run"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := handlerIn(test.stack); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// TestStackOf finds goroutines by their whole number only.
func TestStackOf(t *testing.T) {
	ids, end := make(chan uint64), make(chan struct{})
	defer close(end)
	go func() { ids <- goroutineID(); <-end }()
	id := <-ids
	stack := stackOf(id)
	if !strings.HasPrefix(stack, "goroutine ") || !strings.Contains(stack, "TestStackOf.func") || strings.Contains(stack, "\n\n") {
		t.Errorf("the stack is\n%s", stack)
	}
	for _, other := range []uint64{0, math.MaxUint64, id / 10, id / 100} {
		if stack := stackOf(other); stack != "" && !strings.HasPrefix(stack, fmt.Sprintf("goroutine %d [", other)) {
			t.Errorf("goroutine %d has the stack\n%s", other, stack)
		}
	}
}

// TestWaitIsBounded however many restarts there were.
func TestWaitIsBounded(t *testing.T) {
	for _, s := range []Supervision{
		{}, {Backoff: 1, MaxBackoff: math.MaxInt64 - 1}, {Backoff: math.MaxInt64 - 1}, {Backoff: time.Hour, MaxBackoff: 1}, {Backoff: -1},
	} {
		for _, row := range []int{0, 1, 62, 63, 64, math.MaxInt} {
			most := s.MaxBackoff
			if most == 0 {
				most = max(10*time.Second, s.Backoff)
			}
			if wait := s.wait(row); wait < 0 || wait > most || (s.Backoff < 0 && wait != 0) {
				t.Errorf("%+v waits %v after %d restarts", s, wait, row)
			}
		}
	}
}
