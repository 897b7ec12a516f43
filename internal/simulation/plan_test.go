package simulation

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/network"
)

// plan is all that happens in a run, drawn from the seed before the run begins.
type plan struct {
	seed    uint64
	kept    bool // all objects are AtLeastOnce
	lan     bool // hosts find each other; else they know each other
	hosts   int
	full    network.FullOutbox
	outbox  int
	maxWait time.Duration // 0 unless full is WaitForRoom
	ttl     time.Duration
	forget  time.Duration // of LAN
	every   time.Duration // of LAN
	latency [][]time.Duration
	objects []object
	atOnce  bool   // the key is changed without the step of addKey
	memory  bool   // brokers keep in memory, and lose it when they go down
	moves   []move // in the order of their times
}

// object is one that every node of its host has.
type object struct {
	host     int
	name     string
	key      string // of what it sends, "" for a monitor, which sends nothing
	pattern  string // of what it hears
	queue    int
	overflow hsm.Overflow
	slow     time.Duration // a step of it takes so long while there are faults
	gap      time.Duration // between the events of a burst that it sends
}

// monitor says whether the object hears everything that its node gets.
func (o object) monitor() bool { return o.key == "" }

// kind says what a move does.
type kind int

const (
	send      kind = iota // events, by an object
	downs                 // a broker loses all it has
	refuses               // a broker lets nobody in
	blocks                // a broker takes nothing
	cuts                  // a host reaches a broker no more
	hangs                 // nothing that a node says or hears is on the move, and no link dies
	skews                 // the clock of a host is wrong
	crashes               // a node ends at once, another takes its place
	leaves                // a node is closed, another takes its place
	stops                 // an object is stopped, and started again
	addKey                // a node opens with a new key, too
	useKey                // a node seals with it
	retireKey             // a node opens with the new key alone
)

var kindNames = []string{"send", "down", "refuse", "block", "cut", "hang", "skew", "crash", "leave", "stop", "add key", "use key", "retire key"}

// move is one thing that happens. All have different times, so that no two are
// in a race with each other.
type move struct {
	at    time.Duration
	long  time.Duration // until it is put right, 0 for what is not
	kind  kind
	host  int
	other int           // of cuts: whose broker
	what  int           // of send and stops: index of the object; of send with count
	count int           // of send
	err   error         // of refuses
	ahead time.Duration // of skews
}

func (m move) String() string {
	s := fmt.Sprintf("%12v  h%d %s", m.at, m.host, kindNames[m.kind])
	if m.long > 0 {
		s += fmt.Sprintf(" for %v", m.long)
	}
	switch m.kind {
	case send:
		s += fmt.Sprintf(" %d by object %d", m.count, m.what)
	case stops:
		s += fmt.Sprintf(" object %d", m.what)
	case cuts:
		s += fmt.Sprintf(" from the broker of h%d", m.other)
	case refuses:
		s += fmt.Sprintf(": %v", m.err)
	case skews:
		s += fmt.Sprintf(": %v ahead", m.ahead)
	}
	return s
}

// Faults and events are in this part of a run.
const (
	faultsFrom = 5 * time.Second
	faultsFor  = time.Minute
)

var (
	keys     = []string{"a.x", "a.y", "b.x", "b", "c.y.z"}
	patterns = []string{"#", "#", "a.*", "*.x", "b.#", "#.z", "b", "nobody"}
	refusals = []error{network.ErrRefused, network.ErrUnreachable, network.ErrLost, network.ErrCredentials, network.ErrVHost, network.ErrNotAMQP}
	// For the others, discovery avoids a host for longer and longer, and does so on purpose.
	passing = refusals[:3]
)

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// between returns a time of that range, to the nanosecond.
func between(r *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(r.Int64N(int64(most-least)))
}

// draw returns the plan of a seed.
func draw(seed uint64) *plan {
	r := rand.New(rand.NewPCG(seed, 0x5eed))
	p := &plan{
		seed:   seed,
		kept:   r.IntN(3) == 0,
		lan:    r.IntN(2) == 0,
		hosts:  3 + r.IntN(3),
		full:   pick(r, network.RejectNewest, network.DropOldest, network.WaitForRoom),
		outbox: pick(r, 4, 16, 64, 1024),
		ttl:    pick(r, 3*time.Second, 10*time.Second, network.DefaultTTL),
		forget: pick(r, 2*time.Second, 10*time.Second, network.DefaultForget),
		every:  pick(r, 5*time.Second, time.Minute),
	}
	if p.full == network.WaitForRoom {
		p.maxWait = pick(r, 10*time.Millisecond, time.Second, 3*time.Second)
	}
	p.memory = p.kept && r.IntN(3) == 0
	p.drawLatency(r)
	p.drawObjects(r)
	p.drawTraffic(r)
	p.drawFaults(r)
	slices.SortFunc(p.moves, func(a, b move) int { return cmp.Compare(a.at, b.at) })
	return p
}

func (p *plan) drawLatency(r *rand.Rand) {
	p.latency = make([][]time.Duration, p.hosts)
	near := r.IntN(4) == 0
	for from := range p.hosts {
		for to := range p.hosts {
			d := between(r, 50*time.Microsecond, pick(r, time.Millisecond, 30*time.Millisecond))
			if from == to {
				d /= 10
			}
			if near {
				d = between(r, time.Microsecond, 50*time.Microsecond)
			}
			p.latency[from] = append(p.latency[from], d)
		}
	}
}

func (p *plan) drawObjects(r *rand.Rand) {
	for host := range p.hosts {
		if r.IntN(5) > 0 && !p.kept {
			p.objects = append(p.objects, object{host: host, name: fmt.Sprintf("h%d_monitor", host), pattern: "#", queue: 1 << 16})
		}
		for i := range 1 + r.IntN(3) {
			o := object{
				host: host, name: fmt.Sprintf("h%d_%d", host, i),
				key: pick(r, keys...), pattern: pick(r, patterns...), queue: 1 << 16,
				gap: between(r, time.Microsecond, pick(r, 100*time.Microsecond, time.Millisecond, 20*time.Millisecond)),
			}
			if r.IntN(4) == 0 {
				o.queue, o.overflow = pick(r, 1, 4, 20), pick(r, hsm.Reject, hsm.Drop)
				if p.kept {
					o.overflow = hsm.Reject
				}
				o.slow = between(r, time.Millisecond, pick(r, 100*time.Millisecond, 3*time.Second))
			}
			p.objects = append(p.objects, o)
		}
	}
}

func (p *plan) drawTraffic(r *rand.Rand) {
	for i, o := range p.objects {
		if o.monitor() {
			continue
		}
		for range 4 + r.IntN(12) {
			count := 1
			if r.IntN(4) == 0 {
				count = 1 + r.IntN(30)
			}
			p.moves = append(p.moves, move{at: between(r, faultsFrom, faultsFrom+faultsFor), kind: send, host: o.host, what: i, count: count})
		}
	}
}

func (p *plan) drawFaults(r *rand.Rand) {
	away := make([]time.Duration, p.hosts) // until when a node is not there
	for range r.IntN(10) {
		m := move{
			at:   between(r, faultsFrom, faultsFrom+faultsFor-time.Second),
			long: between(r, time.Millisecond, pick(r, 300*time.Millisecond, 5*time.Second, 30*time.Second)),
			kind: pick(r, downs, downs, refuses, blocks, blocks, cuts, cuts, cuts, hangs, skews, crashes, leaves, stops),
			host: r.IntN(p.hosts),
		}
		m.long = min(m.long, faultsFrom+faultsFor-m.at-between(r, 0, time.Millisecond)) // no two at one time
		switch m.kind {
		case cuts:
			m.other = r.IntN(p.hosts)
			if r.IntN(2) == 0 {
				m.at = p.onTheWay(r, m)
			}
		case skews:
			m.ahead = between(r, -5*time.Minute, 5*time.Minute)
		case refuses:
			m.err = pick(r, refusals...)
			if p.lan {
				m.err = pick(r, passing...)
			}
		case crashes, leaves:
			if away[m.host] != 0 {
				continue // one of a host is enough: they must not overlap
			}
			away[m.host] = m.at + m.long
		case stops:
			var may []int
			for i, o := range p.objects {
				if o.host == m.host && !o.monitor() {
					may = append(may, i)
				}
			}
			m.what = pick(r, may...)
		}
		p.moves = append(p.moves, m)
	}
	if r.IntN(3) == 0 {
		p.drawRotation(r)
	}
}

// onTheWay returns a time at which events, or their confirms, are on the way that is cut.
func (p *plan) onTheWay(r *rand.Rand, cut move) time.Duration {
	var sends []move
	for _, m := range p.moves {
		if m.kind == send && m.host == cut.host && m.at+cut.long < faultsFrom+faultsFor-time.Second {
			sends = append(sends, m)
		}
	}
	if len(sends) == 0 {
		return cut.at
	}
	return pick(r, sends...).at + between(r, 0, 2*p.latency[cut.host][cut.other]+1)
}

// drawRotation changes the key: with care, as Node.ChangeKeys says, or all at once.
func (p *plan) drawRotation(r *rand.Rand) {
	steps := []kind{addKey, useKey, retireKey}
	least, most := faultsFrom, faultsFrom+4*time.Second
	p.atOnce = r.IntN(3) == 0
	for _, step := range steps {
		for host := range p.hosts {
			p.moves = append(p.moves, move{at: between(r, least, most), kind: step, host: host})
		}
		least, most = most, most+4*time.Second
		if step == useKey && !p.atOnce {
			wait := min(2*p.ttl, faultsFrom+faultsFor-most-time.Second)
			least, most = least+wait, most+wait
		}
	}
	if p.atOnce {
		p.moves = slices.DeleteFunc(p.moves, func(m move) bool { return m.kind == addKey })
	}
}

// careless says whether nodes may get what is sealed with a key that they do not have yet,
// or no longer.
func (p *plan) careless() bool {
	retired := faultsFrom + faultsFor
	var used time.Duration
	for _, m := range p.moves {
		switch m.kind {
		case useKey:
			used = max(used, m.at)
		case retireKey:
			retired = min(retired, m.at)
		}
	}
	return p.atOnce || used > 0 && retired-used < 2*p.ttl
}

// wrongClocks returns how far any clock is ahead at most, 0 if all are right, and how far
// two of them differ.
func (p *plan) wrongClocks() (ahead, differ time.Duration) {
	var behind time.Duration
	for host := range p.hosts {
		var most, least time.Duration // if all of a kind are on at one time
		for _, m := range p.moves {
			if m.kind == skews && m.host == host {
				most, least = most+max(m.ahead, 0), least+min(m.ahead, 0)
			}
		}
		ahead, behind = max(ahead, most), min(behind, least)
	}
	return ahead, ahead - behind
}

// settleFor is how long it may take until all hosts hear all others, from when
// everything is whole: the longest wait before a dial; for LAN a round of discovery, after as
// many as a host is avoided that was no peer while there were faults; and until all clocks
// are past what the clock showed when a node began, which takes nothing that was sealed
// before.
func (p *plan) settleFor() time.Duration {
	ahead, _ := p.wrongClocks()
	d := 15*time.Second + ahead
	if p.lan {
		d += faultsFor + 2*p.every
		d += d / 10
	}
	return d
}

// String returns the plan as it is printed when a promise was broken.
func (p *plan) String() string {
	var b strings.Builder
	how := "static peers"
	if p.kept {
		how = "at least once, " + how
	}
	if p.memory {
		how = "volatile brokers, " + how
	}
	if p.lan {
		how = strings.Replace(how, "static peers", "", 1) + fmt.Sprintf("LAN, forget %v, every %v", p.forget, p.every)
	}
	fmt.Fprintf(&b, "seed %d: %d hosts, %s; outbox %d, when full %d, max wait %v, TTL %v\n", p.seed, p.hosts, how, p.outbox, p.full, p.maxWait, p.ttl)
	for from, row := range p.latency {
		fmt.Fprintf(&b, "  h%d to each broker: %v\n", from, row)
	}
	for i, o := range p.objects {
		fmt.Fprintf(&b, "  object %2d: %s, key %q, pattern %q, queue %d, overflow %d, slow %v, gap %v\n", i, o.name, o.key, o.pattern, o.queue, o.overflow, o.slow, o.gap)
	}
	for _, m := range p.moves {
		fmt.Fprintf(&b, "  %v\n", m)
	}
	return b.String()
}
