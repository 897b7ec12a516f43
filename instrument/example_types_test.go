package instrument_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

// A line of the trace is text for people and JSON for programs, which read it back.
func ExampleTrace() {
	line := instrument.Trace{
		Time: time.Date(2018, 5, 4, 8, 2, 40, 594301000, time.UTC),
		Name: "gate", Signal: "push", From: "closed", To: "open",
		Node: "hall-4711", Event: 0xbeef, Cause: 0xf00d,
	}
	fmt.Println(line)
	text, err := json.Marshal(line)
	fmt.Println(string(text), err)

	var back instrument.Trace
	err = json.Unmarshal(text, &back)
	fmt.Println(back == line, err)
	// Output:
	// [2018-05-04 08:02:40.594301] [gate] e->push() closed->open
	// {"time":"2018-05-04T08:02:40.594301Z","node":"hall-4711","name":"gate","signal":"push","from":"closed","to":"open","event":"beef","cause":"f00d"} <nil>
	// true <nil>
}

// A printer writes whole lines, from any goroutine. With colours it would tell what
// is of this program from what was heard.
func ExamplePrinter() {
	p := instrument.NewPrinter(os.Stdout, false) // or instrument.Colours(os.Stdout)
	at := time.Date(2018, 5, 4, 8, 2, 40, 0, time.UTC)
	line := instrument.Trace{Time: at, Name: "gate", Signal: "push", From: "closed", To: "open"}
	err := errors.Join(
		p.Trace(line),
		p.Spy("gate", "push:closed"),
		p.JSON(line),
		p.SnoopTrace(line, false),
		p.SnoopSpy("gate", "push:closed", false),
		p.Scribble(at, "gate", "it squeaks", false),
	)
	fmt.Println(err)
	// Output:
	// [2018-05-04 08:02:40.000000] [gate] e->push() closed->open
	// gate push:closed
	// {"time":"2018-05-04T08:02:40Z","name":"gate","signal":"push","from":"closed","to":"open"}
	// [+t] [2018-05-04 08:02:40.000000] [gate] e->push() closed->open
	// [+s] gate push:closed
	// [2018-05-04 08:02:40.000000] [gate] # it squeaks
	// <nil>
}

// A source makes text of what a machine's log holds.
func ExampleSource() {
	m := hsm.NewMachine(gates, &gate{pushed: 1})
	m.SetLog(hsm.NewLog(hsm.LogConfig{Spy: 100, Trace: 10}))
	if err := errors.Join(m.Start(closed), m.Dispatch(hsm.Event{Signal: push})); err != nil {
		fmt.Println(err)
	}
	source := instrument.Source{Name: "gate", Tree: m.Tree(), NoSearch: true}
	for _, t := range m.Log().Transitions(10) {
		line := source.Trace(t)
		fmt.Println(line.Name, line.Signal, line.From, line.To)
	}
	spy := source.Spy(m.Log().Records(100))
	fmt.Println(strings.Join(spy[4:], ", "))
	// Output:
	// gate start_at top closed
	// gate push closed open
	// push:closed, EXIT_SIGNAL:closed, ENTRY_SIGNAL:open, INIT_SIGNAL:open, <- Queued:(0) Deferred:(0)
}

// What is not asked for is not recorded. The size is how much is kept at least.
func ExampleConfig() {
	m := hsm.NewMachine(gates, &gate{})
	r := instrument.NewRecorder(instrument.Source{Name: "gate", Tree: m.Tree()},
		instrument.Config{Spy: true, Size: 100}, nil)
	m.SetLog(r.Log())
	if err := m.Start(closed); err != nil {
		fmt.Println(err)
	}
	fmt.Println(len(r.Trace()), "lines of trace")
	for _, line := range r.Spy() {
		fmt.Println(line)
	}
	// Output:
	// 0 lines of trace
	// START
	// SEARCH_FOR_SUPER_SIGNAL:closed
	// ENTRY_SIGNAL:closed
	// INIT_SIGNAL:closed
	// <- Queued:(0) Deferred:(0)
}

// A function that fails is counted, and holds up nobody.
func ExampleLiveStats() {
	live := instrument.NewLive(instrument.LiveConfig{
		Trace: func(instrument.Trace) error { return errors.New("the disk is full") },
	})
	m := hsm.NewMachine(gates, &gate{})
	r := instrument.NewRecorder(instrument.Source{Name: "gate", Tree: m.Tree()},
		instrument.Config{Trace: true, Live: []*instrument.Live{live}}, nil)
	m.SetLog(r.Log())
	if err := m.Start(closed); err != nil {
		fmt.Println(err)
	}
	live.Close()
	s := live.Stats()
	fmt.Println("delivered:", s.Delivered, "failed:", s.Failed, "dropped:", s.Dropped, s.LastError)
	// Output:
	// delivered: 0 failed: 1 dropped: 0 the disk is full
}
