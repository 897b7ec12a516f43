// Package schedule draws from a seed what will go wrong in a fault run, and when.
package schedule

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Kind says what goes wrong.
type Kind int

// The kinds of faults.
const (
	KillBroker Kind = iota // kill -9 of a host's broker, which is started again
	CutLink                // the cable of a host is pulled
	BadLink                // what a host sends is late, and some of it lost
	FillMemory             // the memory alarm of a host's broker
	KillNode               // kill -9 of a node, which is started again
	StopNode               // SIGSTOP of a node's process
	SkewClock              // the clock of a node's process is wrong
)

var kindNames = []string{"kill the broker", "cut the link", "bad link", "fill memory", "kill the node", "stop the process", "skew the clock"}

// String returns what is done, in words.
func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return fmt.Sprintf("Kind(%d)", int(k))
	}
	return kindNames[k]
}

// limits are the bounds of how long a fault of each kind lasts.
var limits = []struct{ least, most time.Duration }{
	KillBroker: {500 * time.Millisecond, 4 * time.Second},
	CutLink:    {2 * time.Second, 12 * time.Second},
	BadLink:    {5 * time.Second, 15 * time.Second},
	FillMemory: {4 * time.Second, 10 * time.Second},
	KillNode:   {500 * time.Millisecond, 4 * time.Second},
	StopNode:   {20 * time.Second, 20 * time.Second},
	SkewClock:  {5 * time.Second, 15 * time.Second},
}

// What a bad link does.
const (
	BadDelay  = 200 * time.Millisecond
	BadJitter = 20 * time.Millisecond
	BadLoss   = 0.05
)

// Small and large skews of clocks: messages that are not kept are refused over two minutes.
var (
	smallSkews = []time.Duration{-90 * time.Second, -30 * time.Second, 30 * time.Second, 90 * time.Second}
	largeSkews = []time.Duration{-10 * time.Minute, 10 * time.Minute}
)

// Fault is one thing that goes wrong, and is put right again after a time.
type Fault struct {
	At   time.Duration // since the begin
	For  time.Duration
	Kind Kind
	Host int
	Node int           // of the host; 0 where the kind is not about a node
	Skew time.Duration // of SkewClock
	Seed uint64        // of BadLink
}

// End is when the fault is over.
func (f Fault) End() time.Duration { return f.At + f.For }

// AboutNode says whether the fault happens to one node of its host.
func (f Fault) AboutNode() bool {
	return f.Kind == KillNode || f.Kind == StopNode || f.Kind == SkewClock
}

// String returns a line: when, how long, where, and what.
func (f Fault) String() string {
	where := fmt.Sprintf("h%d", f.Host+1)
	if f.AboutNode() {
		where += string(rune('a' + f.Node))
	}
	what := f.Kind.String()
	switch f.Kind {
	case SkewClock:
		what += fmt.Sprintf(" by %v", f.Skew)
	case BadLink:
		what += fmt.Sprintf(": %v late, %v%% lost", BadDelay, 100*BadLoss)
	}
	return fmt.Sprintf("%6.1fs for %4.1fs  %-4s %s", f.At.Seconds(), f.For.Seconds(), where, what)
}

// Plan says what may happen.
type Plan struct {
	Hosts int
	Nodes int // of each host
	For   time.Duration
	Kinds []Kind
	// NodesHost says that a host's broker is one of its nodes.
	NodesHost bool
	// Majority says that at most one broker may be away at any time.
	Majority bool
}

// Draw returns the faults in the order in which they begin. Nothing happens to what
// another fault is about at the time, each is over before the plan is, and all kinds
// come about equally often. The same arguments give the same faults.
func Draw(seed uint64, p Plan) []Fault {
	rng := rand.New(rand.NewPCG(seed, 0x5eed))
	var faults []Fault
	var deck []Kind
	for at := time.Second; at < p.For-time.Second; at += between(rng, 1500*time.Millisecond, 5*time.Second) {
		if len(deck) == 0 {
			deck = slices.Clone(p.Kinds)
			rng.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
		}
		// The first kind that something is free for, in the order of the deck.
		for i, kind := range deck {
			if f, ok := p.place(rng, kind, at, faults); ok {
				faults = append(faults, f)
				deck = slices.Delete(deck, i, i+1)
				break
			}
		}
	}
	return faults
}

// place draws a fault of a kind that begins now, if there is one.
func (p Plan) place(rng *rand.Rand, kind Kind, at time.Duration, others []Fault) (Fault, bool) {
	least, most := limits[kind].least, limits[kind].most
	least, most = min(least, p.For/3), min(most, p.For/3)
	f := Fault{At: at, For: between(rng, least, most), Kind: kind, Seed: rng.Uint64()}
	if kind == SkewClock {
		skews := smallSkews
		if rng.IntN(3) == 0 {
			skews = largeSkews
		}
		f.Skew = skews[rng.IntN(len(skews))]
	}
	if f.End() > p.For {
		f.For = max(least, (p.For - at).Truncate(100*time.Millisecond))
	}
	if f.End() > p.For {
		return Fault{}, false
	}
	for _, place := range rng.Perm(p.Hosts * p.Nodes) {
		f.Host = place / p.Nodes
		if f.AboutNode() {
			f.Node = place % p.Nodes
		}
		if !slices.ContainsFunc(others, func(o Fault) bool { return o.End()+pause > f.At && p.collide(f, o) }) {
			return f, true
		}
	}
	return Fault{}, false
}

// pause is how long what was put right is left alone.
const pause = time.Second

// collide says whether two faults are about the same thing.
func (p Plan) collide(a, b Fault) bool {
	if p.Endangers(a) && p.Endangers(b) {
		return true
	}
	if a.Host != b.Host {
		return false
	}
	aProcess, bProcess := a.AboutNode(), b.AboutNode()
	if p.NodesHost {
		// Which node it will be is not known yet.
		if a.Kind == KillBroker && bProcess || b.Kind == KillBroker && aProcess {
			return true
		}
	} else if a.aboutBroker() && b.aboutBroker() {
		return true
	}
	return aProcess && bProcess && a.Node == b.Node || a.Kind == b.Kind && !aProcess
}

func (f Fault) aboutBroker() bool { return f.Kind == KillBroker || f.Kind == FillMemory }

// Endangers says whether the fault takes a broker from the majority there has to be.
func (p Plan) Endangers(f Fault) bool {
	return p.Majority && (f.Kind == KillBroker || f.Kind == CutLink || f.Kind == BadLink)
}

// between draws a time in tenths of a second.
func between(rng *rand.Rand, least, most time.Duration) time.Duration {
	const tenth = 100 * time.Millisecond
	return (least + time.Duration(rng.Int64N(int64(most-least)+1))).Truncate(tenth)
}

// Digest returns a few letters that are the same for the same faults, and for others not.
func Digest(faults []Fault) string {
	h := sha256.New()
	for _, f := range faults {
		fmt.Fprintf(h, "%d %d %d %d %d %d %d\n", f.At, f.For, f.Kind, f.Host, f.Node, f.Skew, f.Seed)
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:6])
}

// Print returns the faults, a line each.
func Print(faults []Fault) string {
	var b strings.Builder
	for _, f := range faults {
		fmt.Fprintln(&b, f)
	}
	return b.String()
}
