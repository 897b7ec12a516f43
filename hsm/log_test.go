package hsm_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/statemesh/statemesh/hsm"
)

// diary is the data of a machine of two states whose handlers write as many
// numbered records as a test wants into the log.
type diary struct {
	log  *hsm.Log
	adds int   // records to write at the next event
	next int64 // the number of the next one
}

const (
	diaryA hsm.State = iota + 1
	diaryB
)

var (
	diaryStay = hsm.NewSignal("STAY")
	diaryMove = hsm.NewSignal("MOVE")
)

// diaryState stands for both states; to is the other one.
func diaryState(to hsm.State) func(*diary, hsm.Event) hsm.Status {
	return func(d *diary, e hsm.Event) hsm.Status {
		switch e.Signal {
		case hsm.Exit:
			return hsm.Handled
		case diaryStay, diaryMove:
			for range d.adds {
				d.log.Add(hsm.Record{Kind: hsm.KindPublish, Signal: mGo, Number: d.next})
				d.next++
			}
			if e.Signal == diaryMove {
				return hsm.Tran(to)
			}
			return hsm.Handled
		}
		return hsm.Super
	}
}

var diaryChart = hsm.MustCompile([]hsm.Spec[*diary]{
	diaryA: {Name: "a", Handle: diaryState(diaryB)},
	diaryB: {Name: "b", Handle: diaryState(diaryA)},
})

// diaryModel is what the log should have been told, all of it.
type diaryModel struct {
	leaf        hsm.State
	next        int64
	records     []hsm.Record
	transitions []hsm.Transition
}

func (m *diaryModel) start() []hsm.Record {
	step := []hsm.Record{
		{Kind: hsm.KindStart, State: diaryA},
		{Kind: hsm.KindCall, State: diaryA, Signal: hsm.Entry},
		{Kind: hsm.KindCall, State: diaryA, Signal: hsm.Init},
		{Kind: hsm.KindEnd},
	}
	m.leaf = diaryA
	m.records = append(m.records, step...)
	m.transitions = append(m.transitions, hsm.Transition{To: diaryA})
	return step
}

func (m *diaryModel) dispatch(signal hsm.Signal, adds int) []hsm.Record {
	step := []hsm.Record{{Kind: hsm.KindCall, State: m.leaf, Signal: signal, Handled: true}}
	for range adds {
		step = append(step, hsm.Record{Kind: hsm.KindPublish, Signal: mGo, Number: m.next})
		m.next++
	}
	if signal == diaryStay {
		step = append(step, hsm.Record{Kind: hsm.KindHook, State: m.leaf, Signal: signal})
	} else {
		to := diaryA + diaryB - m.leaf
		step = append(step,
			hsm.Record{Kind: hsm.KindTran, State: m.leaf, Number: int64(to)},
			hsm.Record{Kind: hsm.KindCall, State: m.leaf, Signal: hsm.Exit, Handled: true},
			hsm.Record{Kind: hsm.KindCall, State: to, Signal: hsm.Entry},
			hsm.Record{Kind: hsm.KindCall, State: to, Signal: hsm.Init})
		m.transitions = append(m.transitions, hsm.Transition{Signal: signal, From: m.leaf, To: to})
		m.leaf = to
	}
	step = append(step, hsm.Record{Kind: hsm.KindEnd})
	m.records = append(m.records, step...)
	return step
}

var sameSignal = cmp.Comparer(func(a, b hsm.Signal) bool { return a == b })

// checkNewest compares what a log gave, asked for the newest n values, with all
// the values that it was told since it was cleared.
func checkNewest[T comparable](t *rapid.T, what string, got, all []T, n, size int) {
	if len(got) > n || len(got) > len(all) || len(got) < min(n, size, len(all)) {
		t.Fatalf("%s: %d of %d kept when asked for %d of a log of %d", what, len(got), len(all), n, size)
	}
	if want := all[len(all)-len(got):]; !slices.Equal(got, want) {
		t.Fatalf("%s: the newest %d (-want +got):\n%s", what, n, cmp.Diff(want, got, sameSignal))
	}
}

// withoutTime takes the times away, which only go up.
func withoutTime(t *rapid.T, list []hsm.Transition) []hsm.Transition {
	var last int64
	for i := range list {
		if list[i].Unix < last {
			t.Fatalf("transition %d is %d ns older than the one before", i, last-list[i].Unix)
		}
		last, list[i].Unix = list[i].Unix, 0
	}
	return list
}

// TestLog holds the two rings of a log against a list of all that happened,
// with sizes from 1 and steps up to some times longer than the ring.
func TestLog(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spy, trace := rapid.IntRange(1, 200).Draw(t, "spy"), rapid.IntRange(1, 200).Draw(t, "trace")
		var lived []hsm.Record
		var moved *hsm.Transition
		d := &diary{}
		d.log = hsm.NewLog(hsm.LogConfig{Spy: spy, Trace: trace, Live: func(records []hsm.Record, tr *hsm.Transition) {
			lived, moved = slices.Clone(records), tr
		}})
		m := hsm.NewMachine(diaryChart, d)
		m.SetLog(d.log)
		var want diaryModel
		longest := rapid.SampledFrom([]int{0, 3, 70, 700}).Draw(t, "longest step")

		check := func(step []hsm.Record, tran bool, err error) {
			if err != nil {
				t.Fatal(err)
			}
			checkNewest(t, "live", lived, step, len(step), min(spy, len(step)))
			if (moved != nil) != tran || tran && moved.To != want.leaf {
				t.Fatalf("live is told the transition %+v", moved)
			}
			n := rapid.IntRange(0, 3*max(spy, trace)).Draw(t, "asked for")
			for _, n := range []int{n, 1 << 20} {
				checkNewest(t, "records", d.log.Records(n), want.records, n, spy)
				checkNewest(t, "transitions", withoutTime(t, d.log.Transitions(n)), want.transitions, n, trace)
			}
		}
		check(want.start(), true, m.Start(diaryA))
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch rapid.IntRange(0, 5).Draw(t, "clear") {
			case 5:
				d.log.ClearRecords()
				want.records = nil
			case 4:
				d.log.ClearTransitions()
				want.transitions = nil
			}
			d.adds = rapid.IntRange(0, longest).Draw(t, "adds")
			signal := rapid.SampledFrom([]hsm.Signal{diaryMove, diaryStay}).Draw(t, "signal")
			step := want.dispatch(signal, d.adds)
			check(step, signal == diaryMove, m.Dispatch(hsm.Event{Signal: signal}))
		}
	})
}

// TestLogHalves: a log keeps what it is asked to keep, and no log is no log.
func TestLogHalves(t *testing.T) {
	var none *hsm.Log
	if none.Spying() || none.Tracing() {
		t.Error("a nil Log records")
	}
	for _, tt := range []struct {
		name                 string
		config               hsm.LogConfig
		records, transitions int
	}{
		{"nothing", hsm.LogConfig{}, 0, 0},
		{"negative", hsm.LogConfig{Spy: -1, Trace: -1}, 0, 0},
		{"spy", hsm.LogConfig{Spy: 1}, 5, 0},
		{"trace", hsm.LogConfig{Trace: 1}, 0, 2},
		{"both", hsm.LogConfig{Spy: 1, Trace: 1}, 5, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			steps := 0
			tt.config.Live = func(records []hsm.Record, tr *hsm.Transition) {
				steps++
				if (len(records) > 0) != (tt.records > 0) || (tr != nil) != (tt.transitions > 0) {
					t.Errorf("live is told %d records and the transition %v", len(records), tr)
				}
			}
			d := &diary{log: hsm.NewLog(tt.config), adds: 1}
			m := hsm.NewMachine(diaryChart, d)
			m.SetLog(d.log)
			if m.Log() != d.log || d.log.Spying() != (tt.records > 0) || d.log.Tracing() != (tt.transitions > 0) {
				t.Errorf("Spying %v, Tracing %v", d.log.Spying(), d.log.Tracing())
			}
			if err := m.Start(diaryA); err != nil {
				t.Fatal(err)
			}
			if err := m.Dispatch(hsm.Event{Signal: diaryMove}); err != nil {
				t.Fatal(err)
			}
			if steps != 2 {
				t.Errorf("live is told %d steps, want 2", steps)
			}
			if got := d.log.Records(5); len(got) != tt.records {
				t.Errorf("%d records, want %d", len(got), tt.records)
			}
			if got := d.log.Transitions(2); len(got) != tt.transitions {
				t.Errorf("%d transitions, want %d", len(got), tt.transitions)
			}
		})
	}
}

// TestLogDepths: the depths are asked at the end of every step.
func TestLogDepths(t *testing.T) {
	for _, want := range [][2]int{{0, 0}, {3, 2}, {1 << 30, 1<<31 - 1}} {
		d := &diary{log: hsm.NewLog(hsm.LogConfig{Spy: 1, Depths: func() (int, int) { return want[0], want[1] }})}
		m := hsm.NewMachine(diaryChart, d)
		m.SetLog(d.log)
		if err := m.Start(diaryA); err != nil {
			t.Fatal(err)
		}
		queued, deferred := d.log.Records(1)[0].Counts()
		if queued != want[0] || deferred != want[1] {
			t.Errorf("Counts are %d, %d; want %v", queued, deferred, want)
		}
	}
}

// TestTransitionTime: a transition has the time at which its handler asked for
// it, on the machine's clock.
func TestTransitionTime(t *testing.T) {
	d := &diary{log: hsm.NewLog(hsm.LogConfig{Trace: 10})}
	m := hsm.NewMachine(diaryChart, d)
	m.SetLog(d.log)
	before := time.Now()
	if err := m.StartFrom(diaryA, hsm.Origin{ID: 1}); err != nil {
		t.Fatal(err)
	}
	if err := m.DispatchFrom(hsm.Event{Signal: diaryMove}, hsm.Origin{ID: 2, Cause: 1}); err != nil {
		t.Fatal(err)
	}
	after := time.Now()
	list := d.log.Transitions(10)
	if len(list) != 2 {
		t.Fatalf("%d transitions, want 2", len(list))
	}
	for _, tr := range list {
		if at := tr.Time(); at.UnixNano() < before.UnixNano() || at.UnixNano() > after.UnixNano() || at.Location() != time.Local {
			t.Errorf("%v is not from %v to %v, in the local zone", at, before, after)
		}
	}
	if list[0].Origin != (hsm.Origin{ID: 1}) || list[1].Origin != (hsm.Origin{ID: 2, Cause: 1}) {
		t.Errorf("origins are %v and %v", list[0].Origin, list[1].Origin)
	}
}

// TestLogReaders reads and clears a log while its machine runs. Readers see
// whole steps, in order, however many they ask for.
func TestLogReaders(t *testing.T) {
	const steps, adds = 3000, 5
	d := &diary{log: hsm.NewLog(hsm.LogConfig{Spy: 300, Trace: 100}), adds: adds}
	m := hsm.NewMachine(diaryChart, d)
	m.SetLog(d.log)
	if err := m.Start(diaryA); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{}) // closed when the machine has made its steps
	var wg sync.WaitGroup
	for reader := range 3 {
		wg.Go(func() {
			for {
				checkSteps(t, d.log.Records([]int{100, 1 << 20, 300}[reader]), adds)
				transitions := d.log.Transitions(1000)
				for i := 1; i < len(transitions); i++ {
					if transitions[i].From != transitions[i-1].To {
						t.Errorf("a transition from %d follows one to %d", transitions[i].From, transitions[i-1].To)
						return
					}
				}
				if reader == 2 {
					d.log.ClearRecords()
					d.log.ClearTransitions()
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for range steps {
		if err := m.Dispatch(hsm.Event{Signal: diaryMove}); err != nil {
			t.Error(err)
		}
	}
	close(done)
	wg.Wait()
	if d.next != steps*adds {
		t.Errorf("%d records added, want %d", d.next, steps*adds)
	}
}

// checkSteps takes records apart into steps, of which the first may have lost
// its beginning.
func checkSteps(t *testing.T, records []hsm.Record, adds int) {
	if len(records) == 0 {
		return
	}
	if last := records[len(records)-1]; last.Kind != hsm.KindEnd {
		t.Errorf("the last record is of kind %d, not the end of a step", last.Kind)
	}
	published, first, number := 0, true, int64(-1)
	for _, r := range records {
		switch r.Kind {
		case hsm.KindPublish:
			if number >= 0 && r.Number != number+1 {
				t.Errorf("record %d follows record %d", r.Number, number)
			}
			number = r.Number
			published++
		case hsm.KindEnd:
			if published != adds && !first {
				t.Errorf("a step with %d records in it, want %d", published, adds)
			}
			published, first = 0, false
		}
	}
}

// TestLogHandledInLongStep: a record that the ring still shows says whether its
// call was handled, however many records its step wrote meanwhile.
func TestLogHandledInLongStep(t *testing.T) {
	for adds := range 300 {
		d := &diary{log: hsm.NewLog(hsm.LogConfig{Spy: 129}), adds: adds}
		m := hsm.NewMachine(diaryChart, d)
		m.SetLog(d.log)
		if err := m.Start(diaryA); err != nil {
			t.Fatal(err)
		}
		if err := m.Dispatch(hsm.Event{Signal: diaryStay}); err != nil {
			t.Fatal(err)
		}
		for _, r := range d.log.Records(1000) {
			if r.Kind == hsm.KindCall && r.Signal == diaryStay && !r.Handled {
				t.Errorf("with %d records added the call is shown as not handled", adds)
			}
		}
	}
}

// TestLogForgets: a log that serves as long as its program must not grow.
func TestLogForgets(t *testing.T) {
	d := &diary{log: hsm.NewLog(hsm.LogConfig{Spy: 200, Trace: 200}), adds: 20}
	m := hsm.NewMachine(diaryChart, d)
	m.SetLog(d.log)
	if err := m.Start(diaryA); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		if err := m.Dispatch(hsm.Event{Signal: diaryMove}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(d.log.Records(1 << 20)); n < 200 || n > 400 {
		t.Errorf("%d records kept of 25000, asked to keep 200", n)
	}
	if n := len(d.log.Transitions(1 << 20)); n < 200 || n > 400 {
		t.Errorf("%d transitions kept of 1001, asked to keep 200", n)
	}
}
