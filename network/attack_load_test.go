package network_test

import (
	"maps"
	"os"
	"runtime"
	"runtime/metrics"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/statemesh/statemesh/hsm"
)

// load transmits word(1), word(2) ... at a pace, and makes the speaker's trace and spy be
// heard now and then.
type load struct {
	a       *arena
	sent    atomic.Uint64
	rate    atomic.Int64 // a second; 0 is as fast as they are heard, with a few under way
	ending  chan struct{}
	once    sync.Once
	sending sync.WaitGroup
}

func newLoad(a *arena) *load {
	l := &load{a: a, ending: make(chan struct{})}
	l.sending.Go(l.run)
	return l
}

func (l *load) pace(rate float64) { l.rate.Store(int64(rate)) }

func (l *load) stop() {
	l.once.Do(func() { close(l.ending) })
	l.sending.Wait()
}

const loadTick = 2 * time.Millisecond

func (l *load) run() {
	tick := time.NewTicker(loadTick)
	defer tick.Stop()
	for last, ticks := time.Now(), 0; ; ticks++ {
		select {
		case <-l.ending:
			return
		case <-tick.C:
		}
		if ticks%25 == 0 {
			signal := toInner
			if ticks%50 == 0 {
				signal = toOuter
			}
			_, _ = l.a.speaker.PostFIFO(hsm.Event{Signal: signal})
		}
		rate := l.rate.Load()
		if rate == 0 {
			for range max(int64(l.a.victim.last.Load()+1024)-int64(l.sent.Load()), 0) {
				l.send()
			}
			last = time.Now()
			continue
		}
		// What could not be sent in time is caught up with.
		due := int64(time.Since(last)) * rate / int64(time.Second)
		last = last.Add(time.Duration(due * int64(time.Second) / rate))
		for range due {
			l.send()
		}
	}
}

func (l *load) send() {
	if err := l.a.speaker.Transmit(hsm.Event{Signal: word, Payload: l.sent.Load() + 1}); err != nil {
		l.a.t.Errorf("Transmit: %v", err)
	}
	l.sent.Add(1)
}

// capacity is how many events a second the two nodes manage.
func (a *arena) capacity() float64 {
	a.quiet()
	return a.measure(a.quiet)
}

// resources is what a process holds.
type resources struct {
	heap       uint64
	goroutines int
	files      int
}

func (a *arena) resources() resources {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return resources{m.HeapAlloc, runtime.NumGoroutine(), openFiles()}
}

// openFiles counts the process's files and sockets, 0 where that cannot be known.
func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}

const (
	// heapGrowth bounds what is remembered of strangers: 4096 senders on each of four
	// channels, the gaps of 16384 routing keys, the names of 4096 nodes, buffers.
	heapGrowth = 48 << 20
	// heapPeak bounds all that is held at any moment: what may wait in the node's queue at
	// the broker, its copies on the way, and what of it is garbage already.
	heapPeak = 768 << 20
)

// check checks that all is as it was before.
func (a *arena) check(before resources) {
	a.t.Helper()
	a.wire.close()
	a.settled("goroutines and sockets to end", func() bool {
		return runtime.NumGoroutine() <= before.goroutines && openFiles() <= before.files
	})
	after := a.resources()
	a.t.Logf("before %+v, after %+v", before, after)
	if after.heap > before.heap+heapGrowth {
		// Connections keep the last large message until the next one, such as a hello.
		a.settled("memory to be given back", func() bool { after = a.resources(); return after.heap <= before.heap+heapGrowth })
		a.t.Logf("later %+v", after)
	}
	if peak := a.peak.Load(); peak > heapPeak {
		a.t.Errorf("the heap had %d MiB for a moment, want at most %d", peak>>20, heapPeak>>20)
	}
	for why, n := range a.a.Stats().Problems {
		if !slices.Contains(refusals, why) && why != "answers" {
			a.t.Errorf("%d times %q, want no trouble but what is refused", n, why)
		}
	}
	a.victim.mu.Lock()
	defer a.victim.mu.Unlock()
	if len(a.victim.intruders) > 0 {
		a.t.Errorf("delivered though nobody sent it, or not then (seed %d): %q", a.seed, a.victim.intruders)
	}
	if err := a.victim.Err(); err != nil {
		a.t.Errorf("the object stopped: %v", err)
	}
	for _, p := range a.b.Peers() {
		if p.State != "up" || p.Connects != 1 {
			a.t.Errorf("B's way to the broker is %s after %d connects, want up after 1", p.State, p.Connects)
		}
	}
}

// watchMemory keeps the largest heap.
func (a *arena) watchMemory(stop <-chan struct{}) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		metrics.Read(sample)
		if n := sample[0].Value.Uint64(); n > a.peak.Load() {
			a.peak.Store(n)
		}
	}
}

// tally counts what was sent to be refused, by reason.
type tally struct {
	sent  map[string]uint64
	total uint64
	seen  uint64 // of these, known to be refused
	bytes int    // thrown since all before was known to be refused
}

// replayOf is one word for the reasons that a copy may be refused for: which one depends on
// how long ago it was.
func replayOf(reason string) string {
	switch reason {
	case "behind", "expired", "replay":
		return "replay"
	}
	return reason
}

var refusals = []string{
	"too_short", "too_large", "version", "algorithm", "unknown_key", "forged", "future", "old_epoch",
	"behind", "expired", "replay", "malformed", "unknown_signal", "bad_payload", "exchange",
}

// refused is what the node under attack has counted.
func (a *arena) refused() (byReason map[string]uint64, total uint64) {
	problems := a.a.Stats().Problems
	byReason = map[string]uint64{}
	for _, why := range refusals {
		if n := problems[why]; n > 0 {
			byReason[replayOf(why)] += n
			total += n
		}
	}
	return byReason, total
}

func (t *tally) add(reason string) {
	if reason == "" {
		return
	}
	if t.sent == nil {
		t.sent = map[string]uint64{}
	}
	t.sent[replayOf(reason)]++
	t.total++
}

// settle waits until all that was sent is refused, and compares.
func (a *arena) settle() {
	a.t.Helper()
	a.wire.flush()
	a.settled("messages to be refused", func() bool { _, n := a.refused(); return n >= a.sums.total })
	byReason, _ := a.refused()
	if !maps.Equal(byReason, a.sums.sent) {
		a.t.Errorf("refused %v, want %v (seed %d)", byReason, a.sums.sent, a.seed)
	}
}
