package netnstest

import (
	"math/rand/v2"
	"sync"
	"time"
)

// Impairment says what a wire does to the frames that a host sends. The zero value
// is a wire that does nothing to them.
type Impairment struct {
	Delay  time.Duration // that each frame takes
	Jitter time.Duration // at most, more or less than Delay; frames keep their order all the same
	Loss   float64       // which part of the frames is lost, 0 to 1
	Seed   uint64        // of what is random; the same seed loses the same frames by number
}

// SoftStats counts the frames that a host sent to a soft wire.
type SoftStats struct {
	Sent uint64 // by the host
	Lost uint64 // of these, as the Impairment said
	Full uint64 // of these, because too many waited
}

// softWire is a switch in this process: frames go from the TAP interface of one
// host to those of others. It learns who is where, as switches do.
type softWire struct {
	mu    sync.RWMutex // guards what follows
	ports []*softPort
	at    map[mac]*softPort
}

type mac [6]byte

func (m mac) several() bool { return m[0]&1 != 0 }

// softPort is where a host is plugged in.
type softPort struct {
	wire *softWire
	tap  tap
	work sync.WaitGroup // the goroutines of listen and forward

	mu      sync.Mutex // guards what follows
	is      Impairment
	rng     *rand.Rand
	cut     bool
	stats   SoftStats
	delayed []delayedFrame // in the order in which they are due
	closed  bool
	more    chan struct{} // holds one when there are delayed frames, or closed is true
}

type delayedFrame struct {
	due   time.Time
	frame []byte
}

const (
	maxFrame   = 65536
	maxDelayed = 10_000 // frames on their way from one host
)

// plug adds a host. The port works until it is closed.
func (w *softWire) plug(t tap) *softPort {
	p := &softPort{wire: w, tap: t, more: make(chan struct{}, 1)}
	w.mu.Lock()
	w.ports = append(w.ports, p)
	w.mu.Unlock()
	p.work.Go(p.listen)
	p.work.Go(p.forward)
	return p
}

// close ends the port and its interface.
func (p *softPort) close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.wake()
	err := p.tap.Close()
	p.work.Wait()
	return err
}

func (p *softPort) wake() {
	select {
	case p.more <- struct{}{}:
	default: // it has been told
	}
}

// impair replaces what was said before. What is on its way arrives as was said then.
func (p *softPort) impair(is Impairment) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.is, p.rng = is, rand.New(rand.NewPCG(is.Seed, 0))
}

func (p *softPort) plugged(is bool) error {
	p.mu.Lock()
	p.cut = !is
	if p.cut {
		p.delayed = nil
	}
	p.mu.Unlock()
	return p.tap.carrier(is)
}

// listen takes what the host sends until the interface is closed, or set down.
func (p *softPort) listen() {
	buffer := make([]byte, maxFrame)
	for {
		n, err := p.tap.Read(buffer)
		if err != nil {
			return
		}
		if frame := buffer[:n]; p.sends(frame) {
			p.wire.carry(p, frame)
		}
	}
}

// sends does to a frame what the wire does, and reports whether it arrives at once.
func (p *softPort) sends(frame []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stats.Sent++
	switch {
	case p.cut:
		return false
	case p.is.Loss > 0 && p.rng.Float64() < p.is.Loss:
		p.stats.Lost++
		return false
	case p.is.Delay <= 0 && p.is.Jitter <= 0 && len(p.delayed) == 0:
		return true
	case len(p.delayed) >= maxDelayed:
		p.stats.Full++
		return false
	}
	delay := p.is.Delay
	if p.is.Jitter > 0 {
		delay += time.Duration(p.rng.Int64N(int64(2*p.is.Jitter)+1)) - p.is.Jitter
	}
	due := time.Now().Add(delay)
	if last := len(p.delayed) - 1; last >= 0 && due.Before(p.delayed[last].due) {
		due = p.delayed[last].due
	}
	p.delayed = append(p.delayed, delayedFrame{due, append([]byte(nil), frame...)})
	p.wake()
	return false
}

// forward carries delayed frames when they are due, until the port is closed.
func (p *softPort) forward() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		p.mu.Lock()
		if p.closed {
			p.mu.Unlock()
			return
		}
		var due []delayedFrame
		now, wait := time.Now(), time.Hour
		for len(p.delayed) > len(due) && !p.delayed[len(due)].due.After(now) {
			due = p.delayed[:len(due)+1]
		}
		p.delayed = p.delayed[len(due):]
		if len(p.delayed) > 0 {
			wait = p.delayed[0].due.Sub(now)
		}
		p.mu.Unlock()
		for _, d := range due {
			p.wire.carry(p, d.frame)
		}
		if len(due) > 0 {
			continue
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-p.more:
		}
	}
}

// carry gives a frame to the host that it is for, or to all others where nobody knows.
func (w *softWire) carry(from *softPort, frame []byte) {
	if len(frame) < 14 {
		return
	}
	to, source := mac(frame[0:6]), mac(frame[6:12])
	w.mu.RLock()
	known, learnt := w.at[to], w.at[source]
	ports := w.ports
	w.mu.RUnlock()
	if learnt != from && !source.several() {
		w.mu.Lock()
		if w.at == nil {
			w.at = make(map[mac]*softPort)
		}
		w.at[source] = from
		w.mu.Unlock()
	}
	if known != nil && !to.several() {
		ports = []*softPort{known}
	}
	for _, p := range ports {
		if p != from {
			p.receives(frame)
		}
	}
}

// receives gives the host a frame. A host that does not take it, because it is not
// up, has lost it, as on every wire.
func (p *softPort) receives(frame []byte) {
	p.mu.Lock()
	cut := p.cut || p.closed
	p.mu.Unlock()
	if !cut {
		_, _ = p.tap.Write(frame)
	}
}

func (p *softPort) counts() SoftStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stats
}
