package discovery

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/factory"
	"github.com/statemesh/statemesh/hsm"
)

// The LAN chart leads a round of discovery:
//
//	discovering    look is deferred
//	  searching    the files are read and the networks searched; what is found is scouted at once
//	  scouting     all is found; the last scouts are out
//	resting        entry: recall; look after a while
//
// An alien who is heard while it rests is scouted in scouting, which is no round then.
const (
	discovering hsm.State = iota + 1
	searching
	scouting
	resting
)

var (
	look             = hsm.NewSignal("look")
	addressFound     = hsm.NewSignal("address_found")
	filesRead        = hsm.NewSignal("files_read")
	recceComplete    = hsm.NewSignal("recce_complete")
	candidateScouted = hsm.NewSignal("candidate_scouted")
	searchEnded      = hsm.NewSignal("search_ended")
	scoutsBack       = hsm.NewSignal("scouts_back")
	alien            = hsm.NewSignal("alien")
)

// Bounds of a round.
const (
	scoutsAtOnce = 64
	maxNoticed   = 4096 // addresses in a round: the files and a few networks of 1022
	queueSize    = 8192
)

// lan is the data of the chart.
type lan struct {
	*activeobject.ActiveObject
	config Config
	ctx    context.Context
	cancel context.CancelFunc // called by Discovery.Close
	work   sync.WaitGroup     // all goroutines that the charts start
	hosts  *hosts
	cache  *cache
	recce  *recce

	round  *round
	own    []netip.Addr
	live   map[*scout]bool         // that have been started; Discovery.Close stops those left
	ours   map[netip.AddrPort]bool // what the cache file is to say
	wary   wariness
	settle func() // after the first round; nil later

	mu      sync.Mutex // guards what follows
	report  Report
	noticed map[netip.AddrPort]bool // that were handed in for this round
}

// round is what is known in a round, or of the aliens between two.
type round struct {
	whole   bool // not for aliens
	report  Report
	sources int // that have not reported: the two files and the networks
	seen    map[netip.AddrPort]sight
	waiting []Candidate
	out     int // scouts
}

// sight is what happens to an address in a round.
type sight uint8

const (
	unseen  sight = iota
	pending       // a scout is out, or will be
	calling       // the same, and somebody there has spoken to us meanwhile
	settled       // there is a verdict
)

var lanChart = factory.New[*lan]().
	Create(discovering, "discovering").
	Catch(hsm.Init, (*lan).begin).
	Catch(look, (*lan).later).
	Catch(addressFound, (*lan).consider).
	Catch(alien, (*lan).considerAlien).
	Catch(candidateScouted, (*lan).scouted).
	Create(searching, "searching").
	Catch(filesRead, (*lan).sourceDone).
	Catch(recceComplete, (*lan).sourceDone).
	Catch(searchEnded, func(*lan, hsm.Event) hsm.Status { return hsm.Tran(scouting) }).
	Create(scouting, "scouting").
	Catch(hsm.Entry, (*lan).lastScouts).
	Catch(scoutsBack, (*lan).end).
	Create(resting, "resting").
	Catch(hsm.Entry, (*lan).rest).
	Catch(hsm.Exit, (*lan).getUp).
	Catch(look, func(*lan, hsm.Event) hsm.Status { return hsm.Tran(discovering) }).
	Catch(alien, (*lan).meetAlien).
	Nest(searching, discovering).
	Nest(scouting, discovering).
	MustCompile()

// newLAN returns the chart with those that it leads. settle is called once.
func newLAN(c Config, settle func()) *lan {
	l := &lan{config: c, settle: settle, live: map[*scout]bool{}, ours: map[netip.AddrPort]bool{}}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.ActiveObject = activeobject.New("lan", hsm.NewMachine(lanChart, l), activeobject.Config{
		QueueSize: queueSize, Fabric: activeobject.NewFabric(), Instrument: c.Instrument,
	})
	l.hosts = newHosts(l.ctx, c, &l.work, func(found []namedHost, rung RungReport) {
		for _, h := range found {
			l.found(Candidate{Address: h.address, Name: h.name, Via: RungHosts})
		}
		l.PostFIFO(hsm.Event{Signal: filesRead, Payload: []RungReport{rung}})
	})
	l.cache = newCache(c, &l.work, func(file Cache, rung RungReport) {
		for _, a := range file.Addresses {
			if a.Port() == 0 {
				a = netip.AddrPortFrom(a.Addr(), uint16(c.Port))
			}
			l.found(Candidate{Address: a, Via: RungCache})
		}
		l.PostFIFO(hsm.Event{Signal: filesRead, Payload: []RungReport{rung}})
	})
	l.recce = newRecce(l.ctx, c, &l.work, func(rung string, a netip.Addr) {
		l.found(Candidate{Address: netip.AddrPortFrom(a, uint16(c.Port)), Via: rung})
	}, func(rungs []RungReport) {
		l.PostFIFO(hsm.Event{Signal: recceComplete, Payload: rungs})
	})
	return l
}

// found hands in an address, from any goroutine. A storm of answers stops here, so that
// the queue has room for what a round cannot do without.
func (l *lan) found(c Candidate) {
	l.mu.Lock()
	old := l.noticed[c.Address] || len(l.noticed) >= maxNoticed
	if !old {
		l.noticed[c.Address] = true
	}
	l.mu.Unlock()
	if !old {
		l.PostFIFO(hsm.Event{Signal: addressFound, Payload: c})
	}
}

// begin starts a round.
func (l *lan) begin(hsm.Event) hsm.Status {
	l.round = &round{whole: true, sources: 3, seen: map[netip.AddrPort]sight{}, report: Report{Began: time.Now()}}
	l.wary.nextRound()
	l.mu.Lock()
	l.noticed = map[netip.AddrPort]bool{}
	l.mu.Unlock()
	l.own, _ = l.config.Own() // the networks' chart reports the error
	l.hosts.PostFIFO(hsm.Event{Signal: readHosts})
	l.cache.PostFIFO(hsm.Event{Signal: readCache})
	l.recce.PostFIFO(hsm.Event{Signal: recceLAN})
	return hsm.Tran(searching)
}

func (l *lan) later(e hsm.Event) hsm.Status {
	if l.Deferred() == 0 {
		_ = l.Defer(e)
	}
	return hsm.Handled
}

// consider sends a scout to an address that was found, unless there is a reason not to.
func (l *lan) consider(e hsm.Event) hsm.Status {
	c, _ := hsm.Payload[Candidate](e)
	l.admit(c)
	return hsm.Handled
}

func (l *lan) considerAlien(e hsm.Event) hsm.Status {
	a, _ := hsm.Payload[netip.AddrPort](e)
	l.admit(Candidate{Address: a, Via: RungAlien})
	return hsm.Handled
}

// meetAlien leaves the rest for somebody who has to be scouted.
func (l *lan) meetAlien(e hsm.Event) hsm.Status {
	l.round = &round{seen: map[netip.AddrPort]sight{}, report: Report{Began: time.Now()}}
	if l.considerAlien(e); l.round.out == 0 {
		return hsm.Handled
	}
	return hsm.Tran(scouting)
}

func (l *lan) admit(c Candidate) {
	r := l.round
	switch before := r.seen[c.Address]; {
	case !c.Address.IsValid(), before != unseen && c.Via != RungAlien:
		return
	case before == pending || before == calling:
		r.seen[c.Address] = calling // it may have got ready after it was knocked at
		return
	}
	r.seen[c.Address] = settled
	switch {
	case int(c.Address.Port()) == l.config.Port && slices.Contains(l.own, c.Address.Addr()):
		c.Verdict = Self
		r.report.Candidates = append(r.report.Candidates, c)
	case l.config.Known(c.Address):
		c.Verdict = Ours
		l.ours[c.Address] = true
		r.report.Candidates = append(r.report.Candidates, c)
	case c.Via != RungHosts && !l.config.allows(c.Address.Addr()):
		c.Verdict = NotAllowed
		c.Err = fmt.Errorf("%v is outside of the networks that may be contacted", c.Address.Addr())
		l.judged(c)
	case c.Via != RungAlien && l.wary.avoids(c.Address):
		// It was no peer the last time, and would be no other today.
	default:
		r.seen[c.Address] = pending
		r.waiting = append(r.waiting, c)
		l.send()
	}
}

// send starts scouts, as many as may be out.
func (l *lan) send() {
	r := l.round
	for len(r.waiting) > 0 && r.out < scoutsAtOnce {
		c := r.waiting[0]
		r.waiting = r.waiting[1:]
		r.out++
		var s *scout
		s = newScout(l.ctx, l.config, c, &l.work, func(c Candidate) {
			l.PostFIFO(hsm.Event{Signal: candidateScouted, Payload: scouted{s, c}})
		})
		l.live[s] = true
		if err := s.Start(context.Background(), knocking); err != nil {
			delete(l.live, s)
			r.out--
			c.Verdict, c.Err = Dead, err
			l.judged(c)
		}
	}
}

// scouted is what a scout comes back with.
type scouted struct {
	scout     *scout
	candidate Candidate
}

func (l *lan) scouted(e hsm.Event) hsm.Status {
	back, _ := hsm.Payload[scouted](e)
	delete(l.live, back.scout)
	l.work.Go(func() { _ = back.scout.Stop(context.Background()) })
	c := back.candidate
	again := l.round.seen[c.Address] == calling && c.Verdict != Ours
	l.round.seen[c.Address] = settled
	l.round.out--
	l.judged(c)
	if again {
		l.admit(Candidate{Address: c.Address, Via: RungAlien})
	}
	l.send()
	if l.round.out == 0 && l.In(scouting) {
		l.PostFIFO(hsm.Event{Signal: scoutsBack})
	}
	return hsm.Handled
}

// judged takes note of a verdict.
func (l *lan) judged(c Candidate) {
	l.round.report.Candidates = append(l.round.report.Candidates, c)
	if c.Verdict == Ours {
		l.ours[c.Address] = true
	} else {
		delete(l.ours, c.Address)
	}
	l.wary.note(c)
	l.config.Found(c)
}

// sourceDone takes what the files and the networks report.
func (l *lan) sourceDone(e hsm.Event) hsm.Status {
	rungs, _ := hsm.Payload[[]RungReport](e)
	for _, rung := range rungs {
		switch rung.Rung {
		case RungHosts, RungCache:
			if rung.Err != nil {
				l.config.Logger.Warn("a file of discovery cannot be used, or not all of it", "file", rung.Rung, "error", rung.Err)
			}
		case RungTable:
			if rung.Err != nil && rung.Interface == "" {
				l.config.Logger.Warn("the networks of this host are not known", "error", rung.Err)
			}
		}
	}
	r := l.round
	r.report.Rungs = append(r.report.Rungs, rungs...)
	if r.sources--; r.sources == 0 {
		l.PostFIFO(hsm.Event{Signal: searchEnded})
	}
	return hsm.Handled
}

func (l *lan) lastScouts(hsm.Event) hsm.Status {
	if l.round.out == 0 {
		l.PostFIFO(hsm.Event{Signal: scoutsBack})
	}
	return hsm.Handled
}

// end closes the round.
func (l *lan) end(hsm.Event) hsm.Status {
	r := l.round
	if r.out > 0 { // an alien came in between
		return hsm.Handled
	}
	if r.whole {
		r.report.Elapsed = time.Since(r.report.Began)
		r.report.sort()
		l.mu.Lock()
		l.report = r.report
		l.mu.Unlock()
		if l.settle != nil {
			l.settle()
			l.settle = nil
		}
	}
	l.remember()
	return hsm.Tran(resting)
}

// remember writes the cache file, if there is somebody to be remembered.
func (l *lan) remember() {
	if len(l.ours) == 0 {
		return
	}
	addresses := make([]netip.AddrPort, 0, len(l.ours))
	for a := range l.ours {
		addresses = append(addresses, a)
	}
	slices.SortFunc(addresses, netip.AddrPort.Compare)
	l.cache.PostFIFO(hsm.Event{Signal: writeCache, Payload: addresses})
}

func (l *lan) rest(hsm.Event) hsm.Status {
	every := l.config.Every
	l.PostFIFO(hsm.Event{Signal: look}, activeobject.Once(every-every/20+l.config.Random(every/10)))
	_, _ = l.Recall()
	return hsm.Handled
}

func (l *lan) getUp(hsm.Event) hsm.Status {
	l.CancelEvents(look)
	return hsm.Handled
}

// wariness keeps scouts from addresses that were no peers: each time one is not, it
// is tried again after twice as many rounds, up to 32. Hosts that refused or were silent
// cost little and may become peers, so they are tried in every round.
type wariness struct {
	now   int
	until map[netip.AddrPort]avoided
}

type avoided struct{ round, step int }

// maxAvoided bounds what is kept in mind.
const maxAvoided = 4096

func (w *wariness) nextRound() { w.now++ }

func (w *wariness) avoids(a netip.AddrPort) bool { return w.until[a].round > w.now }

func (w *wariness) note(c Candidate) {
	switch c.Verdict {
	case WrongCredentials, NotAMQP, NotOurs:
		if w.until == nil || len(w.until) >= maxAvoided {
			w.until = map[netip.AddrPort]avoided{}
		}
		step := min(max(2*w.until[c.Address].step, 1), 32)
		w.until[c.Address] = avoided{w.now + step, step}
	default:
		delete(w.until, c.Address)
	}
}
