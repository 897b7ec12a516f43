package network_test

import (
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/network"
)

// How large an attack is: the units of it in all, from STATEMESH_ATTACK, and the seed, from
// STATEMESH_ATTACK_SEED.
const (
	attackUnits     = 60_000
	attackUnitsRace = 12_000
)

// TestAttack: while one node sends events to another, somebody throws at the broker whatever
// he can make. Who has no credentials has raw bytes; who has credentials and no key has what
// he has recorded, and changes it; who has the key seals rubbish. Nothing is delivered but
// what was sent, once and in order; every message that is refused is counted under the reason
// that an oracle of the test says; memory, goroutines and sockets stay within bounds; and the
// events go on.
//
// How the rate is measured: the events come at a fixed pace, an eighth of what the same two
// nodes were able to do just before and at most 1000 a second, and what could not be sent in
// time is caught up with. The rate of a stretch of time is that of the events that were sent
// in it, until the last of them is heard, so that nothing is counted to the wrong stretch
// and a processor that is busy elsewhere for a moment does not count as an attack's success.
// Each kind of attack goes on for attackTime at least, between two quiet times, whose rate
// it is compared with. The attacker, the broker and both nodes share one process and so the
// processors, which the attacker takes without any limit but one: of what the node has to
// refuse, never more than attackAhead messages are under way, which keeps it busy all the
// time and makes the counts exact. An attack that takes away more than half is repeated: what
// is due to other work on the machine does not happen three times in a row. TestFlood is
// the one without that limit.
func TestAttack(t *testing.T) {
	a := newArena(t)
	quietBefore := a.measure(a.quiet)
	before := a.resources()
	began := time.Now()
	done := 0
	for _, c := range campaigns {
		n := max(int(float64(a.units)*c.share), c.least)
		chunk := n
		if n > 1000 {
			chunk = n / 4
		}
		for try := 1; ; try++ {
			a.capture()
			quiet := a.measure(a.quiet)
			units, start := 0, time.Now()
			under := a.measure(func() {
				for units < n || time.Since(start) < attackTime {
					c.run(a, chunk)
					units += chunk
				}
			})
			took := time.Since(start)
			quiet = (quiet + a.measure(a.quiet)) / 2
			done += units
			share := under / quiet
			t.Logf("%-16s %7d units in %6.2fs, %6.0f/s; events %5.0f/s quiet, %5.0f/s under attack: %3.0f%%",
				c.name, units, took.Seconds(), float64(units)/took.Seconds(), quiet, under, 100*share)
			if share < 0.5 && try == 3 {
				t.Errorf("%s: events went on at %.0f%% of their rate, want at least 50%%", c.name, 100*share)
			}
			if t.Failed() {
				t.Fatalf("%s failed with seed %d", c.name, a.seed)
			}
			if share >= 0.5 {
				break
			}
		}
	}
	took := time.Since(began)
	quietAfter := a.measure(a.quiet)
	a.load.stop()
	a.settled("the last events", func() bool { return a.victim.last.Load() == a.load.sent.Load() })
	a.check(before)
	s := a.a.Stats()
	t.Logf("%d units in %v, seed %d; events %.0f/s before, %.0f/s after; %d sent, %d heard, %d lost; peak heap %d MiB; lines logged %d; problems %v",
		done, took.Round(time.Millisecond), a.seed, quietBefore, quietAfter, a.load.sent.Load(), a.victim.heard.Load(), a.victim.lost.Load(),
		a.peak.Load()>>20, a.logged.Load(), s.Problems)
	if lost := a.victim.lost.Load(); lost > 0 {
		t.Errorf("%d of %d events were lost though the queue was never full", lost, a.load.sent.Load())
	}
}

const (
	quietTime   = 150 * time.Millisecond
	attackTime  = 300 * time.Millisecond
	attackAhead = 512
	attackBytes = 32 << 20 // the same, in bytes
)

// campaign is one kind of attack. Its share is of all units.
type campaign struct {
	name  string
	share float64
	least int
	run   func(a *arena, n int)
}

var campaigns = []campaign{
	{"truncated", 0.12, 500, func(a *arena, n int) { a.outside(n, (*arena).truncated) }},
	{"bits flipped", 0.18, 1000, func(a *arena, n int) { a.outside(n, (*arena).flipped) }},
	{"replayed", 0.14, 500, func(a *arena, n int) { a.outside(n, (*arena).replayed) }},
	{"reordered", 0.08, 500, func(a *arena, n int) { a.outside(n, (*arena).reordered) }},
	{"wrong channel", 0.08, 500, func(a *arena, n int) { a.outside(n, (*arena).elsewhere) }},
	{"random bytes", 0.10, 500, func(a *arena, n int) { a.outside(n, (*arena).noise) }},
	{"identities", 0.10, 500, func(a *arena, n int) { a.outside(n, (*arena).identities) }},
	{"odd properties", 0.04, 200, func(a *arena, n int) { a.outside(n, (*arena).oddly) }},
	{"bundles", 0.02, 300, func(a *arena, n int) { a.outside(n, (*arena).bundles) }},
	{"oversized", 0.0002, 4, func(a *arena, n int) { a.outside(n, (*arena).oversized) }},
	{"wrong requests", 0.0005, 18, (*arena).wrongRequests},
	{"sealed rubbish", 0.09, 500, func(a *arena, n int) { a.inside(n, (*arena).rubbish) }},
	{"questions", 0.01, 500, func(a *arena, n int) { a.inside(n, (*arena).questions) }},
	{"sealed senders", 0.05, 500, func(a *arena, n int) { a.inside(n, (*arena).senders) }},
	{"raw bytes", 0.01, 200, (*arena).rawBytes},
}

// arena is two nodes on an embedded broker that one of them hosts, and what happens there.
type arena struct {
	*bed
	units   int
	seed    uint64
	random  *rand.Rand
	a, b    *network.Node
	victim  *victim
	speaker *ear
	load    *load
	sums    tally // what was sent to be refused
	logged  atomic.Int64
	printed atomic.Int64
	peak    atomic.Uint64

	records []record // what B said, as the broker carries it
	turn    int      // of the next unit
	wire    *wire
	insider *insider
}

func newArena(t *testing.T) *arena {
	a := &arena{bed: newBed(t), units: attackUnits, seed: rand.Uint64()}
	if raceEnabled {
		a.units = attackUnitsRace
	}
	number := func(name string, into func(uint64)) {
		if text := os.Getenv(name); text != "" {
			n, err := strconv.ParseUint(text, 10, 64)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			into(n)
		}
	}
	number("STATEMESH_ATTACK", func(n uint64) { a.units = int(n) })
	number("STATEMESH_ATTACK_SEED", func(n uint64) { a.seed = n })
	a.random = rand.New(rand.NewPCG(a.seed, 0))
	a.config.Logger = slog.New(slog.NewTextHandler(lineCounter{&a.logged}, nil))
	a.config.Listen, a.config.Password = freeAddress(t), network.NewSecret("secret-of-the-broker")
	a.config.User = "node"
	a.config.Heartbeat = 30 * time.Second // a machine that is busy elsewhere is no dead peer
	a.config.Outbox = 1 << 14
	a.config.SnoopOutput = printedLines{a}
	a.a = a.node("a")
	a.b = a.node("b", func(c *network.Config) { c.SnoopOutput = io.Discard })
	if !a.a.Hosting() {
		t.Fatal("the node under attack does not host the broker")
	}
	a.victim = newVictim(a.bed, a.a)
	a.speaker = a.object(a.b, "speaker", network.ObjectConfig{ReceiveKey: "nobody"})
	for _, enable := range []func() error{a.speaker.EnableSnoopTrace, a.speaker.EnableSnoopSpy} {
		if err := enable(); err != nil {
			t.Fatal(err)
		}
	}
	a.start(a.speaker)
	a.insider = newInsider(a)
	stop := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { a.watchMemory(stop) })
	t.Cleanup(func() { close(stop); watching.Wait() })
	a.load = newLoad(a)
	a.load.pace(min(a.capacity()/8, 1000))
	a.wire = a.connect()
	for exchange, s := range a.insider.seals { // so that its epochs are known
		a.throw(a.insider.bare(s, exchange, nil, "malformed"))
	}
	a.settle()
	t.Cleanup(func() { a.wire.close(); a.load.stop() })
	return a
}

// victim is the object under attack. It takes note of what it hears, which has to be
// word(1), word(2) ... without any twice.
type victim struct {
	*network.ActiveObject
	last  atomic.Uint64
	heard atomic.Uint64
	lost  atomic.Uint64

	mu        sync.Mutex // guards intruders
	intruders []string
}

var victims = hsm.MustCompile([]hsm.Spec[*victim]{outer: {Name: "outer", Handle: (*victim).hear}})

func (v *victim) hear(e hsm.Event) hsm.Status {
	if e.Signal.IsInner() {
		return hsm.Super
	}
	n, ok := e.Payload.(int64)
	last := v.last.Load()
	if e.Signal != word || !ok || uint64(n) <= last {
		v.mu.Lock()
		defer v.mu.Unlock()
		if len(v.intruders) < 20 {
			v.intruders = append(v.intruders, fmt.Sprintf("%.100s after %d", e, last))
		}
		return hsm.Handled
	}
	v.lost.Add(uint64(n) - last - 1)
	v.last.Store(uint64(n))
	v.heard.Add(1)
	return hsm.Handled
}

func newVictim(b *bed, n *network.Node) *victim {
	v := &victim{}
	var err error
	c := network.ObjectConfig{}
	c.QueueSize = 1 << 16
	if v.ActiveObject, err = n.NewActiveObject("victim", hsm.NewMachine(victims, v), c); err != nil {
		b.t.Fatal(err)
	}
	for _, enable := range []func() error{v.EnableSnoopTrace, v.EnableSnoopSpy} {
		if err := enable(); err != nil {
			b.t.Fatal(err)
		}
	}
	n.HearTrace()
	if err := v.Start(b.t.Context(), outer); err != nil {
		b.t.Fatal(err)
	}
	return v
}

// lineCounter counts what is logged.
type lineCounter struct{ n *atomic.Int64 }

func (c lineCounter) Write(p []byte) (int, error) {
	c.n.Add(1)
	return len(p), nil
}

// printedLines checks that what node A prints of others does no more to a terminal than to be
// seen, and is of the two objects that there are.
type printedLines struct{ a *arena }

func (w printedLines) Write(p []byte) (int, error) {
	w.a.printed.Add(1)
	for _, r := range string(p) {
		if r != '\n' && !unicode.IsPrint(r) {
			w.a.t.Errorf("printed %q", p)
			break
		}
	}
	return len(p), nil
}

// quiet lets time pass without an attack.
func (a *arena) quiet() { a.pause(quietTime) }

// pause lets real time pass, which is what a rate needs.
func (a *arena) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
}

// measure returns how many events a second are heard of those that are sent while f runs.
func (a *arena) measure(f func()) float64 {
	a.t.Helper()
	began, start := time.Now(), a.victim.heard.Load()
	f()
	sent := a.load.sent.Load()
	a.settled("events to be heard", func() bool { return a.victim.last.Load() >= sent })
	return float64(a.victim.heard.Load()-start) / time.Since(began).Seconds()
}

// settled waits until it is so, while it gets nearer.
func (a *arena) settled(what string, isSo func() bool) {
	a.t.Helper()
	// Asking costs the node something, too, if it has heard of thousands of others.
	for late := time.Now().Add(3 * deadline); ; {
		began := time.Now()
		if isSo() {
			return
		}
		if began.After(late) {
			a.t.Fatalf("waited in vain: %s; problems %v, wanted %v; seed %d", what, a.a.Stats().Problems, &a.sums, a.seed)
		}
		a.pause(max(2*time.Millisecond, 10*time.Since(began)))
	}
}
