package judge

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/statemesh/statemesh/internal/faults/ledger"
	"github.com/statemesh/statemesh/internal/faults/schedule"
	"github.com/statemesh/statemesh/network"
)

// began is when the runs of these tests began.
var began = time.UnixMicro(1_525_507_240_000_000)

func at(seconds float64) time.Time { return began.Add(time.Duration(seconds * 1e9)) }

// diary writes the ledger of a life.
type diary struct {
	t    *testing.T
	life *Life
	w    *ledger.Writer
}

func newDiary(t *testing.T, node, host, address string, charts ...string) *diary {
	t.Helper()
	name := node + "-0"
	d := &diary{t: t, life: &Life{Name: name, Node: node, Host: host, At: address, Charts: charts, Path: filepath.Join(t.TempDir(), name), Began: began}}
	var err error
	if d.w, err = ledger.Create(d.life.Path, name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.w.Close() })
	return d
}

func (d *diary) write(l ledger.Line) {
	d.t.Helper()
	if err := d.w.Write(l); err != nil {
		d.t.Fatal(err)
	}
}

func (d *diary) sent(seconds float64, chart string, number uint64) {
	d.t.Helper()
	e := ledger.Event{Chart: chart, Number: number}
	d.write(ledger.Line{Kind: ledger.Try, At: at(seconds), Event: e})
	d.write(ledger.Line{Kind: ledger.Sent, At: at(seconds), Event: e})
}

func (d *diary) got(seconds float64, by string, from *diary, chart string, number uint64) {
	d.t.Helper()
	d.write(ledger.Line{Kind: ledger.Got, At: at(seconds), Event: ledger.Event{Life: from.life.Name, Chart: chart, Number: number}, By: by})
}

func (d *diary) knows(broker string) {
	d.t.Helper()
	d.write(ledger.Line{Kind: ledger.Peering, At: began, Err: "amqp://" + broker + ":5672/ up"})
}

func (d *diary) ended(r ledger.Report) {
	d.t.Helper()
	d.write(ledger.Line{Kind: ledger.End, At: at(100), Report: &r})
}

// judged loads the lives and returns the promises that are broken, with their evidence.
func judged(t *testing.T, r Run, diaries ...*diary) string {
	t.Helper()
	r.Ready, r.Bounds = began, Bounds{Blocked: time.Second, Again: 20 * time.Second, Heap: 1 << 20}
	r.Healed = at(50)
	for _, d := range diaries {
		if err := d.life.Load(); err != nil {
			t.Fatal(err)
		}
		r.Lives = append(r.Lives, d.life)
	}
	var broken []string
	for _, p := range r.Judge() {
		if p.Held != (len(p.Evidence) == 0) {
			t.Errorf("%v: evidence %v", p, p.Evidence)
		}
		if !p.Held {
			broken = append(append(broken, p.Name), p.Evidence...)
		}
	}
	return strings.Join(broken, "\n")
}

// two returns two processes with two charts each that have talked without a fault.
func two(t *testing.T) (a, b *diary) {
	a = newDiary(t, "h1a", "h1", "10.0.0.1", "most_1", "least_1")
	b = newDiary(t, "h2a", "h2", "10.0.0.2", "most_2", "least_2")
	a.knows("10.0.0.2")
	b.knows("10.0.0.1")
	for n := uint64(1); n <= 3; n++ {
		when := float64(25 * n) // the last one after all is well
		for _, kind := range []string{"most", "least"} {
			a.sent(when, kind+"_1", n)
			b.got(when+1, kind+"_2", a, kind+"_1", n)
			b.sent(when, kind+"_2", n)
			a.got(when+1, kind+"_1", b, kind+"_2", n)
		}
	}
	return a, b
}

func TestJudge(t *testing.T) {
	missed := func(node string, missed, earlier uint64) ledger.Report {
		return ledger.Report{Stats: network.NodeStats{Senders: []network.SenderStats{{Node: node, Missed: missed, Earlier: earlier}}}}
	}
	for _, c := range []struct {
		name  string
		run   Run
		make  func(a, b *diary)
		wants []string // of what breaks promises; none if all are held
	}{
		{"all is well", Run{}, func(a, b *diary) { a.ended(ledger.Report{}); b.ended(ledger.Report{}) }, nil},
		{"a gap that is counted", Run{}, func(a, b *diary) {
			for n := uint64(4); n <= 5; n++ {
				a.sent(80, "most_1", n)
			}
			b.got(81, "most_2", a, "most_1", 5)
			a.ended(ledger.Report{})
			b.ended(missed("h1a-0", 1, 0))
		}, nil},
		{"a gap that is counted, of a sender without a name", Run{}, func(a, b *diary) {
			for n := uint64(4); n <= 5; n++ {
				a.sent(80, "most_1", n)
			}
			b.got(81, "most_2", a, "most_1", 5)
			a.ended(ledger.Report{})
			b.ended(ledger.Report{Stats: network.NodeStats{Senders: []network.SenderStats{
				{Node: "c0ffee00", Received: 3, Missed: 2}, {Node: "e12bd26b", Received: 4, Missed: 1},
			}}})
		}, nil},
		{"a gap that is not counted", Run{}, func(a, b *diary) {
			for n := uint64(4); n <= 5; n++ {
				a.sent(80, "most_1", n)
			}
			b.got(81, "most_2", a, "most_1", 5)
			a.ended(ledger.Report{})
			b.ended(missed("h1a-0", 0, 0))
		}, []string{"h1a-0 -> h2a-0: missing, and not counted"}},
		{"a count without a gap", Run{}, func(a, b *diary) { a.ended(missed("h2a-0", 0, 2)); b.ended(ledger.Report{}) },
			[]string{"h2a-0 -> h1a-0: counted as missing, and not"}},
		{"the last one is missing", Run{}, func(a, b *diary) {
			a.sent(80, "most_1", 4)
			a.ended(ledger.Report{})
			b.ended(ledger.Report{})
		}, []string{"h1a-0 -> h2a-0: the last ones are missing, and no drop was counted"}},
		{"the last one was dropped by the sender", Run{}, func(a, b *diary) {
			a.sent(80, "most_1", 4)
			a.ended(ledger.Report{Stats: network.NodeStats{Peers: network.PeerTotals{Events: network.Traffic{Lost: 1}}}})
			b.ended(ledger.Report{})
		}, nil},
		{"the last one has gone with its sender", Run{}, func(a, b *diary) {
			a.sent(80, "most_1", 4)
			a.life.Killed = at(81)
			b.ended(ledger.Report{})
		}, nil},
		{"twice, and out of order", Run{}, func(a, b *diary) {
			b.got(90, "most_2", a, "most_1", 3)
			b.got(90, "most_2", a, "most_1", 2)
			a.ended(ledger.Report{})
			b.ended(ledger.Report{})
		}, []string{"got event 3 of most_1 of h1a-0 twice", "got event 2 of most_1 of h1a-0 after 3"}},
		{"to one of two charts, and none was rejected", Run{}, func(a, b *diary) {
			b.life.Charts = append(b.life.Charts, "most_3")
			b.write(ledger.Line{Kind: ledger.Made, At: at(60), Event: ledger.Event{Chart: "most_3"}})
			a.ended(ledger.Report{})
			b.ended(ledger.Report{})
		}, []string{"h2a-0: its charts did not get 2 events that had come to it, and it says that 0 were rejected"}},
		{"to one of two charts, and two were rejected", Run{}, func(a, b *diary) {
			b.life.Charts = append(b.life.Charts, "most_3")
			b.write(ledger.Line{Kind: ledger.Made, At: at(60), Event: ledger.Event{Chart: "most_3"}})
			a.ended(ledger.Report{})
			b.ended(ledger.Report{Stats: network.NodeStats{Rejected: 2}})
		}, nil},
		{"never sent", Run{}, func(a, b *diary) {
			b.got(90, "most_2", a, "most_1", 9)
			a.ended(ledger.Report{})
			b.ended(missed("h1a-0", 5, 0))
		}, []string{"got event 9 of most_1 of h1a-0, which was never sent"}},
		{"at least once, and lost", Run{}, func(a, b *diary) {
			a.sent(80, "least_1", 4)
			a.ended(ledger.Report{})
			b.ended(ledger.Report{})
		}, []string{"least_2 of h2a has not got event 4 of least_1 of h1a-0"}},
		{"at least once, of a sender that was killed", Run{}, func(a, b *diary) {
			a.sent(80, "least_1", 4)
			a.life.Killed = at(81)
			b.ended(ledger.Report{})
		}, nil},
		{"at least once, confirmed, of a sender that was killed", Run{}, func(a, b *diary) {
			e := ledger.Event{Chart: "least_1", Number: 4}
			a.write(ledger.Line{Kind: ledger.Try, At: at(80), Event: e})
			a.write(ledger.Line{Kind: ledger.Confirmed, At: at(81), Event: e})
			a.life.Killed = at(81)
			b.ended(ledger.Report{})
		}, []string{"least_2 of h2a has not got event 4 of least_1 of h1a-0"}},
		{"at least once, and twice", Run{}, func(a, b *diary) {
			b.got(90, "least_2", a, "least_1", 1)
			a.ended(ledger.Report{})
			b.ended(ledger.Report{})
		}, []string{"least_2 got event 1 of least_1 of h1a-0 twice"}},
		{"lost with a broker in memory", Run{Faults: []Happened{{
			Fault: schedule.Fault{Kind: schedule.KillBroker, Host: 1}, Began: at(81), Ended: at(82), Node: "h2a", Hosted: true,
		}}}, func(a, b *diary) {
			a.sent(80, "least_1", 4)
			a.ended(ledger.Report{})
			b.ended(ledger.Report{})
		}, nil},
		{"lost long before a broker in memory was", Run{Faults: []Happened{{
			Fault: schedule.Fault{Kind: schedule.KillBroker, Host: 1}, Began: at(91), Ended: at(92), Node: "h2a", Hosted: true,
		}}}, func(a, b *diary) {
			a.sent(80, "least_1", 4)
			a.ended(ledger.Report{})
			b.ended(ledger.Report{})
		}, []string{"least_2 of h2a has not got event 4"}},
		{"put aside", Run{}, func(a, b *diary) {
			a.ended(ledger.Report{Aside: map[string]int{"least_1": 0}})
			b.ended(ledger.Report{Aside: map[string]int{"least_2": 1}})
		}, []string{"1 events are put aside for least_2 of h2a"}},
		{"goroutines and files are left", Run{}, func(a, b *diary) {
			a.ended(ledger.Report{Before: ledger.Usage{Goroutines: 2, Files: 8}, After: ledger.Usage{Goroutines: 3, Files: 8}})
			b.ended(ledger.Report{Before: ledger.Usage{Goroutines: 2, Files: 8}, After: ledger.Usage{Goroutines: 2, Files: 9}})
		}, []string{"h1a-0: 2 goroutines", "h2a-0: 2 goroutines"}},
		{"more than in the beginning", Run{}, func(a, b *diary) {
			for _, d := range []*diary{a, b} {
				d.write(ledger.Line{Kind: ledger.Base, At: at(3), Report: &ledger.Report{Now: ledger.Usage{Goroutines: 40, Files: 10}}})
			}
			a.ended(ledger.Report{Now: ledger.Usage{Goroutines: 41, Files: 10}})
			b.ended(ledger.Report{Now: ledger.Usage{Goroutines: 40, Files: 10, Heap: 2 << 20}})
		}, []string{"h1a-0: at most 40 goroutines", "h2a-0: 0 KiB of heap in the beginning, 2048 in the end"}},
		{"as many as others that host the broker", Run{}, func(a, b *diary) {
			a.write(ledger.Line{Kind: ledger.Base, At: at(3), Report: &ledger.Report{Hosting: true, Now: ledger.Usage{Goroutines: 60, Files: 20}}})
			b.write(ledger.Line{Kind: ledger.Base, At: at(3), Report: &ledger.Report{Now: ledger.Usage{Goroutines: 40, Files: 10}}})
			a.ended(ledger.Report{Now: ledger.Usage{Goroutines: 40, Files: 10}})
			b.ended(ledger.Report{Hosting: true, Now: ledger.Usage{Goroutines: 60, Files: 20}})
		}, nil},
		{"more than others that host the broker", Run{}, func(a, b *diary) {
			a.write(ledger.Line{Kind: ledger.Base, At: at(3), Report: &ledger.Report{Hosting: true, Now: ledger.Usage{Goroutines: 60, Files: 20}}})
			b.write(ledger.Line{Kind: ledger.Base, At: at(3), Report: &ledger.Report{Now: ledger.Usage{Goroutines: 40, Files: 10}}})
			a.ended(ledger.Report{Now: ledger.Usage{Goroutines: 40, Files: 11}})
			b.ended(ledger.Report{Hosting: true, Now: ledger.Usage{Goroutines: 61, Files: 20}})
		}, []string{"h1a-0: at most 40 goroutines and 10 files", "h2a-0: at most 60 goroutines"}},
		{"the goroutine of a connection", Run{}, func(a, b *diary) {
			peers := []ledger.Peer{{PeerStatus: network.PeerStatus{State: "up"}}}
			for _, d := range []*diary{a, b} {
				d.write(ledger.Line{Kind: ledger.Base, At: at(3), Report: &ledger.Report{Peers: peers, Now: ledger.Usage{Goroutines: 40, Files: 10}}})
			}
			a.ended(ledger.Report{Peers: peers, Now: ledger.Usage{Goroutines: 41, Files: 10}})
			b.ended(ledger.Report{Peers: peers, Now: ledger.Usage{Goroutines: 42, Files: 10}})
		}, []string{"h2a-0: at most 41 goroutines"}},
		{"memory of what was handled", Run{}, func(a, b *diary) {
			for _, d := range []*diary{a, b} {
				d.write(ledger.Line{Kind: ledger.Base, At: at(3), Report: &ledger.Report{}})
			}
			a.ended(ledger.Report{Now: ledger.Usage{Heap: 1<<20 + 3*208}})
			b.ended(ledger.Report{Now: ledger.Usage{Heap: 1<<20 + 3*208 + 1}})
		}, []string{"h2a-0: 0 KiB of heap in the beginning, 1024 in the end"}},
		{"a call that took long", Run{}, func(a, b *diary) {
			e := ledger.Event{Chart: "most_1", Number: 4}
			a.write(ledger.Line{Kind: ledger.Try, At: at(60), Event: e})
			a.write(ledger.Line{Kind: ledger.Failed, At: at(62), Event: e, Took: 2 * time.Second, Err: "full"})
			b.got(63, "most_2", a, "most_1", 4)
			a.ended(ledger.Report{})
			b.ended(ledger.Report{})
		}, []string{"most_1 of h1a-0: Transmit of event 4 took 2s"}},
		{"a call that took long because the process was stopped", Run{Faults: []Happened{{
			Fault: schedule.Fault{Kind: schedule.StopNode}, Began: at(61), Ended: at(62), Node: "h1a",
		}}}, func(a, b *diary) {
			e := ledger.Event{Chart: "most_1", Number: 4}
			a.write(ledger.Line{Kind: ledger.Try, At: at(60), Event: e})
			a.write(ledger.Line{Kind: ledger.Sent, At: at(62), Event: e, Took: 2 * time.Second})
			b.got(63, "most_2", a, "most_1", 4)
			a.ended(ledger.Report{})
			b.ended(ledger.Report{})
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := two(t)
			c.make(a, b)
			got := judged(t, c.run, a, b)
			for _, want := range c.wants {
				if !strings.Contains(got, want) {
					t.Errorf("nothing of %q in\n%s", want, got)
				}
			}
			if c.wants == nil && got != "" {
				t.Errorf("broken:\n%s", got)
			}
		})
	}
}

// TestOwed: what was sent before there was a receiver is not owed to it.
func TestOwed(t *testing.T) {
	a, b := two(t)
	a.sent(80, "most_1", 4)
	b.got(81, "most_2", a, "most_1", 4)
	late := newDiary(t, "h3a", "h3", "10.0.0.3", "most_3")
	late.life.Began = at(60)
	late.got(81, "most_3", a, "most_1", 4)
	late.ended(ledger.Report{Stats: network.NodeStats{Senders: []network.SenderStats{{Node: "h1a-0", Earlier: 3}}}})
	if err := errorsOf(a, b); err != nil {
		t.Fatal(err)
	}
	if err := late.life.Load(); err != nil {
		t.Fatal(err)
	}
	r := Run{Lives: []*Life{a.life, b.life, late.life}}
	sums, _ := r.between(a.life, late.life)
	if why := sums.fault(a.life); why != "" {
		t.Errorf("%s: %+v", why, sums)
	}
	got := sums.owed()
	if got.sent != 2 || got.delivered != 1 || got.earlier != 1 {
		t.Errorf("%+v, want 2 sent, of which 1 was delivered and 1 earlier", got)
	}
}

func TestNotHeardAgain(t *testing.T) {
	a := newDiary(t, "h1a", "h1", "10.0.0.1", "most_1")
	b := newDiary(t, "h2a", "h2", "10.0.0.2", "most_2")
	a.sent(49, "most_1", 1)
	b.got(51, "most_2", a, "most_1", 1) // which was sent before all was well
	b.sent(51, "most_2", 1)
	a.got(71, "most_1", b, "most_2", 1)
	c := newDiary(t, "h3a", "h3", "10.0.0.3", "most_3", "most_4")
	for _, to := range []*diary{a, b} {
		to.got(61, to.life.Charts[0], c, "most_3", 1) // and nothing of most_4
		c.got(61, "most_3", to, to.life.Charts[0], 1)
	}
	c.sent(61, "most_3", 1)
	c.sent(61, "most_4", 1)
	for _, d := range []*diary{a, b, c} {
		d.ended(ledger.Report{})
	}
	got := judged(t, Run{}, a, b, c)
	for _, want := range []string{"h2a-0 has not heard h1a-0", "h1a-0 has heard h2a-0 after 21s", "h1a-0 has not heard h3a-0"} {
		if !strings.Contains(got, want) {
			t.Errorf("nothing of %q in\n%s", want, got)
		}
	}
}

func TestTheEventInWhoseStepAProcessWasKilledMayComeAgain(t *testing.T) {
	for _, c := range []struct {
		name  string
		again uint64
		held  bool
	}{{"it", 3, true}, {"the one before it", 2, false}} {
		t.Run(c.name, func(t *testing.T) {
			a, b := two(t)
			b.life.Killed = at(77)
			next := newDiary(t, "h2a", "h2", "10.0.0.2", "most_2", "least_2")
			next.life.Name = "h2a-1"
			next.got(80, "least_2", a, "least_1", c.again)
			if err := errorsOf(a, b, next); err != nil {
				t.Fatal(err)
			}
			r := Run{Lives: []*Life{a.life, b.life, next.life}}
			if p := r.atLeastOnce(); p.Held != c.held {
				t.Errorf("%v %v", p, p.Evidence)
			}
		})
	}
}

// errorsOf loads lives, of which one is not over.
func errorsOf(diaries ...*diary) error {
	for _, d := range diaries {
		if d.life.Killed.IsZero() {
			d.write(ledger.Line{Kind: ledger.End, At: at(100), Report: &ledger.Report{}})
		}
		if err := d.life.Load(); err != nil {
			return err
		}
	}
	return nil
}

func TestALifeWithoutAnEnd(t *testing.T) {
	a, _ := two(t)
	if err := a.life.Load(); err == nil {
		t.Error("neither killed nor ended, and no error")
	}
}
