package hsm_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

// TestDeque holds a Deque against a slice.
func TestDeque(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var d hsm.Deque[int]
		var want []int
		next := 0
		t.Repeat(map[string]func(*rapid.T){
			"push back":  func(*rapid.T) { next++; d.PushBack(next); want = append(want, next) },
			"push front": func(*rapid.T) { next++; d.PushFront(next); want = slices.Insert(want, 0, next) },
			"pop front": func(t *rapid.T) {
				if len(want) == 0 {
					t.Skip("empty")
				}
				if got := d.PopFront(); got != want[0] {
					t.Fatalf("PopFront is %d, want %d", got, want[0])
				}
				want = want[1:]
			},
			"pop back": func(t *rapid.T) {
				if len(want) == 0 {
					t.Skip("empty")
				}
				last := len(want) - 1
				if got := d.PopBack(); got != want[last] {
					t.Fatalf("PopBack is %d, want %d", got, want[last])
				}
				want = want[:last]
			},
			"": func(t *rapid.T) {
				want = slices.Clone(want)
				if d.Len() != len(want) || !slices.Equal(d.Slice(), want) {
					t.Fatalf("deque is %v with Len %d, want %v", d.Slice(), d.Len(), want)
				}
				if len(want) == 0 {
					return
				}
				if front, back := d.Front(), d.Back(); front != want[0] || back != want[len(want)-1] {
					t.Fatalf("Front is %d and Back %d, want the ends of %v", front, back, want)
				}
				// What At points to may be changed in place.
				i := rapid.IntRange(0, len(want)-1).Draw(t, "at")
				if at := d.At(i); *at != want[i] {
					t.Fatalf("At(%d) is %d, want %d", i, *at, want[i])
				}
				next++
				*d.At(i), want[i] = next, next
			},
		})
	})
}

// TestDequeReuse: a deque that has grown once does not allocate, and forgets
// what was taken from it.
func TestDequeReuse(t *testing.T) {
	var d hsm.Deque[*int]
	x := new(int)
	if n := testing.AllocsPerRun(100, func() {
		for range 5 {
			d.PushBack(x)
			d.PushFront(x)
		}
		for d.Len() > 0 {
			d.PopFront()
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	d.PushBack(x)
	list := d.Slice()
	list[0] = nil
	if d.Front() != x {
		t.Error("changing the Slice changed the deque")
	}
}

// queueData notes what reaches its machine, and does what a test gives it to do.
type queueData struct {
	*hsm.Queue
	got []int
	do  func(hsm.Event) hsm.Status
}

var queueChart = hsm.MustCompile([]hsm.Spec[*queueData]{
	1: {Name: "s", Handle: func(d *queueData, e hsm.Event) hsm.Status {
		if e.Signal.IsInner() {
			return hsm.Super
		}
		n, _ := hsm.Payload[int](e)
		d.got = append(d.got, n)
		if d.do != nil {
			return d.do(e)
		}
		return hsm.Handled
	}},
})

func queueRunner(size int, overflow hsm.Overflow) *hsm.Runner[*queueData] {
	q := hsm.NewQueue(size, overflow)
	return hsm.NewRunner(hsm.NewMachine(queueChart, &queueData{Queue: q}), q, hsm.LogConfig{Spy: 100})
}

func numbered(n int) hsm.Event { return hsm.Event{Signal: mGo, Payload: n} }

func numbers(events []hsm.Event) []int {
	list := []int{}
	for _, e := range events {
		n, _ := hsm.Payload[int](e)
		list = append(list, n)
	}
	return list
}

// queueModel is a queue of slices, for events that are only numbers.
type queueModel struct {
	size              int
	drop              bool
	waiting, deferred []int
	lost              uint64
}

func (m *queueModel) fifo(n int) error { return m.put(&m.waiting, n, false) }
func (m *queueModel) lifo(n int) error { return m.put(&m.waiting, n, true) }
func (m *queueModel) wait(n int) error { return m.put(&m.deferred, n, false) }

func (m *queueModel) put(to *[]int, n int, front bool) error {
	full := len(*to) == m.size
	if full {
		m.lost++
		if !m.drop {
			return hsm.ErrQueueFull
		}
	}
	switch {
	case front && full:
		*to = (*to)[:len(*to)-1]
	case full:
		*to = (*to)[1:]
	}
	if front {
		*to = slices.Insert(slices.Clone(*to), 0, n)
	} else {
		*to = append(slices.Clone(*to), n)
	}
	return nil
}

func (m *queueModel) recall() (bool, error) {
	if len(m.deferred) == 0 {
		return false, nil
	}
	if err := m.fifo(m.deferred[0]); err != nil {
		return true, err // it stays deferred
	}
	m.deferred = m.deferred[1:]
	return true, nil
}

// TestQueue holds a queue and its runner against the model, with both ways to
// be full.
func TestQueue(t *testing.T) {
	for _, policy := range []struct {
		name     string
		overflow hsm.Overflow
	}{{"reject", hsm.Reject}, {"drop", hsm.Drop}} {
		t.Run(policy.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				size := rapid.IntRange(1, 6).Draw(t, "size")
				r := queueRunner(size, policy.overflow)
				if err := r.Start(1); err != nil {
					t.Fatal(err)
				}
				want := &queueModel{size: size, drop: policy.overflow == hsm.Drop}
				next := 0
				post := func(got func(hsm.Event) error, want func(int) error) func(*rapid.T) {
					return func(t *rapid.T) {
						next++
						err, wantErr := got(numbered(next)), want(next)
						if !errors.Is(err, wantErr) || (err == nil) != (wantErr == nil) {
							t.Fatalf("error is %v, want %v", err, wantErr)
						}
					}
				}
				t.Repeat(map[string]func(*rapid.T){
					"fifo":  post(r.PostFIFO, want.fifo),
					"lifo":  post(r.PostLIFO, want.lifo),
					"defer": post(r.Defer, want.wait),
					"recall": func(t *rapid.T) {
						ok, err := r.Recall()
						wantOK, wantErr := want.recall()
						if ok != wantOK || !errors.Is(err, wantErr) || (err == nil) != (wantErr == nil) {
							t.Fatalf("Recall is %v, %v; want %v, %v", ok, err, wantOK, wantErr)
						}
					},
					"next": func(t *rapid.T) {
						r.Data().got = nil
						more, err := r.Next()
						if err != nil || more != (len(want.waiting) > 0) {
							t.Fatalf("Next is %v, %v with %v waiting", more, err, want.waiting)
						}
						if more && !slices.Equal(r.Data().got, want.waiting[:1]) {
							t.Fatalf("Next ran %v of %v", r.Data().got, want.waiting)
						}
						want.waiting = want.waiting[min(1, len(want.waiting)):]
					},
					"run": func(t *rapid.T) {
						r.Data().got = nil
						if err := r.Run(); err != nil {
							t.Fatal(err)
						}
						if !slices.Equal(r.Data().got, want.waiting) {
							t.Fatalf("Run ran %v, want %v", r.Data().got, want.waiting)
						}
						want.waiting = nil
					},
					"": func(t *rapid.T) {
						if r.Len() != len(want.waiting) {
							t.Fatalf("Len is %d, want %d", r.Len(), len(want.waiting))
						}
						if got := numbers(r.Deferred()); !slices.Equal(got, want.deferred) {
							t.Fatalf("Deferred is %v, want %v", got, want.deferred)
						}
						if r.Lost() != want.lost {
							t.Fatalf("Lost is %d, want %d", r.Lost(), want.lost)
						}
					},
				})
			})
		})
	}
}

// TestQueueRefuses: what no machine would take is not queued and not counted.
func TestQueueRefuses(t *testing.T) {
	q := hsm.NewQueue(0, hsm.Reject)
	for _, tt := range []struct {
		name   string
		signal hsm.Signal
		want   error
	}{
		{"no signal", hsm.Signal{}, hsm.ErrNoSignal},
		{"inner", hsm.Entry, hsm.ErrInnerSignal},
	} {
		for how, post := range map[string]func(hsm.Event) error{"fifo": q.PostFIFO, "lifo": q.PostLIFO, "defer": q.Defer} {
			if err := post(hsm.Event{Signal: tt.signal}); !errors.Is(err, tt.want) {
				t.Errorf("%s, %s: error is %v, want %v", tt.name, how, err, tt.want)
			}
		}
	}
	if q.Len() != 0 || len(q.Deferred()) != 0 || q.Lost() != 0 {
		t.Errorf("%d wait, %d are deferred, %d lost; want none", q.Len(), len(q.Deferred()), q.Lost())
	}
}

func TestQueueFullError(t *testing.T) {
	q := hsm.NewQueue(1, hsm.Reject)
	if err := q.PostFIFO(numbered(1)); err != nil {
		t.Fatal(err)
	}
	err := q.PostLIFO(numbered(2))
	var full *hsm.SignalError
	if !errors.As(err, &full) || full.Signal != mGo || !errors.Is(err, hsm.ErrQueueFull) {
		t.Errorf("error is %v, want a SignalError of GO with %v", err, hsm.ErrQueueFull)
	}
}

func TestDefaultQueueSize(t *testing.T) {
	for _, size := range []int{0, -1} {
		q := hsm.NewQueue(size, hsm.Reject)
		n := 0
		for q.PostFIFO(numbered(n)) == nil {
			n++
		}
		if n != hsm.DefaultQueueSize {
			t.Errorf("NewQueue(%d) holds %d, want %d", size, n, hsm.DefaultQueueSize)
		}
	}
}

// TestRunnerOrder: what a handler posts runs after its step, fifo behind and
// lifo in front of what waits, and its spy lines stand inside its step.
func TestRunnerOrder(t *testing.T) {
	r := queueRunner(2, hsm.Reject)
	data := r.Data()
	data.do = func(e hsm.Event) hsm.Status {
		switch e.Payload {
		case 1:
			if err := data.PostLIFO(numbered(3)); err != nil {
				t.Error(err)
			}
			if err := data.PostFIFO(numbered(4)); !errors.Is(err, hsm.ErrQueueFull) {
				t.Errorf("third event: %v, want %v", err, hsm.ErrQueueFull)
			}
		case 3:
			if err := data.Defer(e); err != nil {
				t.Error(err)
			}
		case 2:
			if ok, err := data.Recall(); !ok || err != nil {
				t.Errorf("Recall is %v, %v", ok, err)
			}
			if ok, err := data.Recall(); ok || err != nil {
				t.Errorf("Recall of nothing is %v, %v", ok, err)
			}
			data.do = nil
		}
		return hsm.Handled
	}
	if err := r.Start(1); err != nil {
		t.Fatal(err)
	}
	r.Log().ClearRecords()
	for n := range 2 {
		if err := r.PostFIFO(numbered(n + 1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Run(); err != nil {
		t.Fatal(err)
	}
	if want := []int{1, 3, 2, 3}; !slices.Equal(data.got, want) {
		t.Errorf("ran %v, want %v", data.got, want)
	}
	source := instrument.Source{Tree: r.Tree()}
	if diff := cmp.Diff([]string{
		"GO:s", "POST_LIFO:GO", "QUEUE_FULL:GO", "GO:s:HOOK", "<- Queued:(2) Deferred:(0)",
		"GO:s", "POST_DEFERRED:GO", "GO:s:HOOK", "<- Queued:(1) Deferred:(1)",
		"GO:s", "RECALL:GO", "POST_FIFO:GO", "GO:s:HOOK", "<- Queued:(1) Deferred:(0)",
		"GO:s", "GO:s:HOOK", "<- Queued:(0) Deferred:(0)",
	}, source.Spy(r.Log().Records(100))); diff != "" {
		t.Errorf("spy (-want +got):\n%s", diff)
	}
}

// TestRunnerErrors: an event is not lost to a machine that cannot take it, and
// a handler's mistake stops Run but not the machine.
func TestRunnerErrors(t *testing.T) {
	r := queueRunner(0, hsm.Reject)
	data := r.Data()
	for n := range 3 {
		if err := r.PostFIFO(numbered(n + 1)); err != nil {
			t.Fatal(err)
		}
	}
	if more, err := r.Next(); more || !errors.Is(err, hsm.ErrNotStarted) || r.Len() != 3 {
		t.Errorf("Next before start is %v, %v with %d waiting; want false, %v, 3", more, err, r.Len(), hsm.ErrNotStarted)
	}
	if err := r.Run(); !errors.Is(err, hsm.ErrNotStarted) {
		t.Errorf("Run before start: %v, want %v", err, hsm.ErrNotStarted)
	}
	if err := r.Start(1); err != nil {
		t.Fatal(err)
	}
	data.do = func(e hsm.Event) hsm.Status {
		if err := r.Run(); !errors.Is(err, hsm.ErrBusy) {
			t.Errorf("Run from a handler: %v, want %v", err, hsm.ErrBusy)
		}
		if e.Payload == 2 {
			return hsm.Tran(99)
		}
		return hsm.Handled
	}
	if err := r.Run(); !errors.Is(err, hsm.ErrTarget) || r.Len() != 1 {
		t.Errorf("Run is %v with %d waiting, want %v and 1", err, r.Len(), hsm.ErrTarget)
	}
	if err := r.Run(); err != nil || !slices.Equal(data.got, []int{1, 2, 3}) {
		t.Errorf("Run is %v and ran %v, want all three", err, data.got)
	}
}

// TestRunnerSetLog: a log set later gets the queue's lines too.
func TestRunnerSetLog(t *testing.T) {
	q := hsm.NewQueue(0, hsm.Reject)
	chart := hsm.MustCompile([]hsm.Spec[*hsm.Queue]{1: {Name: "a", Handle: func(q *hsm.Queue, e hsm.Event) hsm.Status {
		if e.Signal != hsm.NewSignal("A") {
			return hsm.Super
		}
		q.PostFIFO(hsm.Event{Signal: hsm.NewSignal("B")})
		return hsm.Handled
	}}})
	r := hsm.NewRunner(hsm.NewMachine(chart, q), q, hsm.LogConfig{})
	if err := r.Start(1); err != nil {
		t.Fatal(err)
	}
	r.SetLog(hsm.NewLog(hsm.LogConfig{Spy: 100}))
	r.PostFIFO(hsm.Event{Signal: hsm.NewSignal("A")})
	if err := r.Run(); err != nil {
		t.Fatal(err)
	}
	source := instrument.Source{Tree: r.Tree()}
	want := []string{"A:a", "POST_FIFO:B", "A:a:HOOK", "<- Queued:(1) Deferred:(0)", "B:a", "<- Queued:(0) Deferred:(0)"}
	if diff := cmp.Diff(want, source.Spy(r.Log().Records(100))); diff != "" {
		t.Errorf("spy (-want +got):\n%s", diff)
	}
}
