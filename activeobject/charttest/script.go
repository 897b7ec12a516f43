package charttest

import (
	"errors"
	"strings"
	"time"

	"github.com/statemesh/statemesh/hsm"
)

// Post posts an event with each of the signals, and no payload, one after the
// other: each is posted when the chart has done all that follows from the one
// before.
func (c *Chart[D]) Post(signals ...hsm.Signal) {
	c.tb.Helper()
	for _, s := range signals {
		c.send(hsm.Event{Signal: s})
	}
}

// PostEvent is Post for events that carry something.
func (c *Chart[D]) PostEvent(events ...hsm.Event) {
	c.tb.Helper()
	for _, e := range events {
		c.send(e)
	}
}

func (c *Chart[D]) send(e hsm.Event) {
	c.tb.Helper()
	c.step()
	if err := c.subject.post(e); err != nil {
		c.tb.Fatalf("charttest: cannot post %v: %v", e.Signal, err)
	}
	c.note(c.subject.settle())
}

// After lets that much time pass. What timers do meanwhile is done when it
// returns, also what they do at the very end of that time.
func (c *Chart[D]) After(d time.Duration) {
	c.tb.Helper()
	c.step()
	if d < 0 {
		c.tb.Fatalf("charttest: time does not go back by %v", -d)
	}
	time.Sleep(d) // in the bubble, where it takes no time
	c.note(c.subject.settle())
}

// Settle lets the chart do what follows from what the script did by itself, such
// as calling methods of Data. Post and After end with it.
func (c *Chart[D]) Settle() {
	c.tb.Helper()
	c.step()
	c.note(c.subject.settle())
}

// State returns the current leaf.
func (c *Chart[D]) State() hsm.State { return c.subject.state() }

// WantState reports an error if another state than that is the current leaf.
func (c *Chart[D]) WantState(s hsm.State) {
	c.tb.Helper()
	c.alive()
	if got := c.State(); got != s {
		c.tb.Errorf("charttest: in %s, want %s%s", c.name(got), c.name(s), c.soFar())
	}
}

// WantIn reports an error if the chart is not in that state or in one inside it.
func (c *Chart[D]) WantIn(s hsm.State) {
	c.tb.Helper()
	c.alive()
	if got := c.State(); !c.subject.tree().Contains(s, got) {
		c.tb.Errorf("charttest: in %s, want to be inside %s%s", c.name(got), c.name(s), c.soFar())
	}
}

// WantErr reports an error if no handler has failed by now, or not with that
// error, as errors.Is sees it: activeobject.ErrPanic, or one of the mistakes that
// package hsm names. A failure that no WantErr wants fails the test at the next
// step. An object has stopped after it; a machine that has not panicked goes on.
func (c *Chart[D]) WantErr(want error) {
	c.tb.Helper()
	got := c.failure
	c.failure = nil
	if !errors.Is(got, want) || want == nil {
		c.tb.Errorf("charttest: a handler's failure is %v, want %v", got, want)
	}
}

// note keeps the first failure for WantErr or for the next step. An object tells
// of its failure again and again.
func (c *Chart[D]) note(err error) {
	if err != nil && err != c.failed && c.failure == nil {
		c.failure, c.failed = err, err
	}
}

// alive ends the test if a handler failed and the script goes on.
func (c *Chart[D]) alive() {
	c.tb.Helper()
	if c.failure != nil {
		err := c.failure
		c.failure = nil
		c.tb.Fatalf("charttest: a handler failed: %v", err)
	}
}

// step begins a step in which charts work.
func (c *Chart[D]) step() {
	c.tb.Helper()
	c.alive()
	c.bench.release()
}

// soFar tells of the newest transitions that the script has not looked at.
func (c *Chart[D]) soFar() string {
	const most = 10
	lines := traceLines(c.subject.recorder())
	if len(lines) == 0 {
		return ""
	}
	head := "\nthe trace so far:\n"
	if len(lines) > most {
		head, lines = "\nthe end of the trace so far:\n", lines[len(lines)-most:]
	}
	return head + "  " + strings.Join(lines, "\n  ")
}
