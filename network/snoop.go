package network

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/statemesh/statemesh/instrument"
)

// snoop prints what is heard of traces and spies, of the node's own objects and
// of others, in the order in which it came. The printing has a goroutine of its
// own, so that a terminal that stands still holds nothing up.
type snoop struct {
	printer *instrument.Printer
	tell    func(Heard)      // in place of printing; nil for none
	traces  *instrument.Live // of the own objects
	spies   *instrument.Live
	step    []string // the spy lines so far of a step; belongs to the goroutine of spies

	done    chan struct{} // closed by the goroutine when it ends
	abandon chan struct{} // closed by close when it cannot wait any more

	mu      sync.Mutex // guards what follows
	wake    sync.Cond
	lines   []func() error
	closed  bool
	dropped uint64
}

// maxUnprinted bounds the lines that wait to be printed.
const maxUnprinted = 8192

func newSnoop(p *instrument.Printer, tell func(Heard), sendTrace func(instrument.Trace), sendSpy func(name string, lines []string)) *snoop {
	s := &snoop{printer: p, tell: tell, done: make(chan struct{}), abandon: make(chan struct{})}
	s.wake.L = &s.mu
	s.traces = instrument.NewLive(instrument.LiveConfig{Trace: func(t instrument.Trace) error {
		t.Signal, t.From, t.To = clean(t.Signal, maxName), clean(t.From, maxName), clean(t.To, maxName)
		s.say(Heard{Own: true, Time: t.Time, Name: t.Name, Node: t.Node, Trace: t})
		sendTrace(t)
		return nil
	}})
	s.spies = instrument.NewLive(instrument.LiveConfig{Spy: func(name, line string) error {
		line = clean(line, maxLine)
		s.say(Heard{Own: true, Name: name, Spy: []string{line}})
		// One message a step: each step ends with this line.
		if s.step = append(s.step, line); strings.HasPrefix(line, "<- Queued:(") {
			sendSpy(name, s.step)
			s.step = s.step[:0]
		}
		return nil
	}})
	go s.run()
	return s
}

// print takes a line, or counts it as dropped.
func (s *snoop) print(line func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.lines) >= maxUnprinted {
		s.dropped++
		return
	}
	s.lines = append(s.lines, line)
	s.wake.Signal()
}

// Heard is something that was heard of the trace or the spy of an object: a transition,
// lines of the spy, or a scribble.
type Heard struct {
	Own      bool             // of an object of this node
	Time     time.Time        // zero for lines of the spy
	Name     string           // of the object
	Node     string           // where it is; "" if not known
	Trace    instrument.Trace // if its Signal is not empty
	Spy      []string         // lines, in their order
	Scribble string           // what SnoopScribble was given, "" for trace and spy
}

// say prints something, or tells it to who wants to hear it instead.
func (s *snoop) say(h Heard) {
	if s.tell != nil {
		s.print(func() error { s.tell(h); return nil })
		return
	}
	switch {
	case h.Scribble != "":
		s.print(func() error { return s.printer.Scribble(h.Time, h.Name, h.Scribble, h.Own) })
	case len(h.Spy) > 0:
		for _, line := range h.Spy {
			s.print(func() error { return s.printer.SnoopSpy(h.Name, line, h.Own) })
		}
	default:
		s.print(func() error { return s.printer.SnoopTrace(h.Trace, h.Own) })
	}
}

// heard makes of a message what it says.
func (m traceMessage) heard() Heard {
	h := Heard{Name: m.Name, Node: m.Node, Scribble: m.Text, Spy: m.Lines}
	if len(m.Lines) == 0 {
		h.Time = time.Unix(0, m.Unix)
	}
	if m.Signal != "" {
		h.Trace = m.trace()
	}
	return h
}

func (s *snoop) run() {
	defer close(s.done)
	var batch []func() error
	for {
		s.mu.Lock()
		for len(s.lines) == 0 && !s.closed {
			s.wake.Wait()
		}
		batch, s.lines = s.lines, batch[:0]
		s.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		for _, line := range batch {
			if s.abandoned() || !written(line) {
				s.mu.Lock()
				s.dropped++
				s.mu.Unlock()
			}
		}
		clear(batch)
	}
}

// written calls line and reports whether that went well. A panic is the writer's.
func written(line func() error) (ok bool) {
	defer func() { _ = recover() }()
	return line() == nil
}

func (s *snoop) abandoned() bool {
	select {
	case <-s.abandon:
		return true
	default:
		return false
	}
}

// closeLives hands on what the own objects did until now, and takes no more.
func (s *snoop) closeLives() {
	s.traces.Close()
	s.spies.Close()
}

// close prints what waits and ends the goroutine. It blocks no longer than ctx
// allows, and returns its error then: the goroutine prints no further line, and
// ends as soon as the writer returns from the one it has.
func (s *snoop) close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.wake.Signal()
	s.mu.Unlock()
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		close(s.abandon)
		return fmt.Errorf("network: lines were not printed: %w", ctx.Err())
	}
}

// sendTrace, sendSpy and scribble let the mesh hear of the node's objects. What
// finds an outbox full is counted there.
func (n *Node) sendTrace(t instrument.Trace) {
	b, err := encodeTrace(t)
	n.sendSnoop(n.traces, traceKey, b, err)
}

func (n *Node) sendSpy(name string, lines []string) {
	b, err := encodeSpy(name, n.config.Name, lines)
	n.sendSnoop(n.spies, spyKey, b, err)
}

func (n *Node) scribble(c *channel, key string, at time.Time, name, text string) {
	n.snoop.say(Heard{Own: true, Time: at, Name: name, Node: n.config.Name, Scribble: text})
	b, err := encodeScribble(at, name, n.config.Name, text)
	n.sendSnoop(c, key, b, err)
}

func (n *Node) sendSnoop(c *channel, key string, body []byte, err error) {
	if err == nil {
		var sealed []byte
		if sealed, err = c.sealer.Seal(nil, body, c.exchange, key); err == nil {
			_ = n.send(outMessage{exchange: c.exchange, key: key, body: sealed, lane: talk})
			return
		}
	}
	n.report.report("snoop", "a line of trace or spy could not be sent", "error", err)
}

// HearTrace makes the node hear the trace channel, whether an object of its own is heard
// there or not. It waits for the broker to take the binding, if there is one.
func (n *Node) HearTrace() { n.bind(Binding{ExchangeTrace, traceKey}) }

// HearSpy is HearTrace for the spy channel.
func (n *Node) HearSpy() { n.bind(Binding{ExchangeSpy, spyKey}) }
