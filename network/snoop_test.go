package network_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
	"github.com/statemesh/statemesh/network"
)

// Two nodes with one object each, which take each other from state to state. What
// they print, byte for byte.
func TestSnoopOutput(t *testing.T) {
	const blue, purple, grey, plain = "\x1b[34m", "\x1b[35m", "\x1b[90m", "\x1b[0m"
	for _, tc := range []struct {
		name              string
		color             network.Color
		blue, purple, off string
		grey, greyOff     string
	}{
		{"plain", network.ColorNever, "", "", "", "", ""},
		{"auto is plain in a pipe", network.ColorAuto, "", "", "", "", ""},
		{"coloured", network.ColorAlways, blue, purple, plain, grey, plain},
	} {
		t.Run(tc.name, func(t *testing.T) {
			virtually(t, func(b *bed) {
				b.config.Color = tc.color
				var out [2]text
				var all [2]*ear
				for i, name := range []string{"ann", "bob"} {
					n := b.node("node_of_"+name, func(c *network.Config) { c.SnoopOutput = &out[i] })
					all[i] = b.object(n, name, network.ObjectConfig{})
					if err := all[i].EnableSnoopTrace(); err != nil {
						b.t.Fatal(err)
					}
				}
				if err := all[1].EnableSnoopSpy(); err != nil {
					b.t.Fatal(err)
				}
				if err := all[0].EnableSnoopSpy(); err != nil {
					b.t.Fatal(err)
				}
				b.start(all[0])
				b.pass(time.Second)
				b.start(all[1])
				b.pass(time.Second)
				all[0].send(b.t, hsm.Event{Signal: toInner, Payload: "from ann"})
				b.pass(time.Second)
				all[0].SnoopScribble("well done")
				b.settle()

				at := func(second int) string {
					return "[" + time.Date(2000, 1, 1, 0, 0, second, 0, time.UTC).Local().Format(instrument.TimeLayout) + "]"
				}
				for i, e := range all {
					ann, bob := tc.purple+"ann"+tc.off, tc.purple+"bob"+tc.off
					if i == 0 {
						ann = tc.blue + "ann" + tc.off
					} else {
						bob = tc.blue + "bob" + tc.off
					}
					want := []string{
						"[+t] " + at(0) + " [" + ann + "] e->start_at() top->outer",
						"[+t] " + at(1) + " [" + bob + "] e->start_at() top->outer",
						"[+t] " + at(2) + " [" + bob + "] e->to_inner() outer->inner",
						at(3) + " [" + ann + "] " + tc.grey + "# well done" + tc.greyOff,
					}
					var got, spied []string
					for line := range strings.Lines(out[i].String()) {
						line = strings.TrimSuffix(line, "\n")
						if strings.HasPrefix(line, "[+s] ") {
							spied = append(spied, line)
						} else {
							got = append(got, line)
						}
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("trace in %s (-want +got):\n%s", e.Node().Name(), diff)
					}
					start := []string{"START", "SEARCH_FOR_SUPER_SIGNAL:outer", "ENTRY_SIGNAL:outer", "INIT_SIGNAL:outer", "<- Queued:(0) Deferred:(0)"}
					step := []string{"to_inner:outer", "SEARCH_FOR_SUPER_SIGNAL:inner", "ENTRY_SIGNAL:inner", "INIT_SIGNAL:inner", "<- Queued:(0) Deferred:(0)"}
					var wantSpied []string
					for _, s := range []struct {
						name  string
						lines []string
					}{{ann, start}, {bob, start}, {bob, step}} {
						for _, line := range s.lines {
							wantSpied = append(wantSpied, "[+s] "+s.name+" "+line)
						}
					}
					if diff := cmp.Diff(wantSpied, spied); diff != "" {
						t.Errorf("spy in %s (-want +got):\n%s", e.Node().Name(), diff)
					}
				}
				if strings.Contains(out[0].String()+out[1].String(), "from ann") {
					t.Error("a payload was printed")
				}
			})
		})
	}
}

// Snooping is opted in, in both directions.
func TestSnoopIsOptedIn(t *testing.T) {
	onEveryBroker(t, func(b *bed) {
		var heard, deaf text
		all := map[string]*ear{}
		for name, out := range map[string]*text{"one": &heard, "two": &heard, "silent": &deaf} {
			all[name] = b.object(b.node(name, func(c *network.Config) { c.SnoopOutput = out }), name, network.ObjectConfig{})
			if name != "silent" {
				snoop(b.t, all[name])
			}
		}
		for _, e := range all {
			b.start(e)
		}
		all["silent"].send(b.t, hsm.Event{Signal: toInner})
		for _, name := range []string{"one", "two"} { // each printed where it is, and by the other one
			heard.await(b.t, func(string) bool {
				return len(heard.lines("[+t]", "["+name+"]", "to_inner")) == 2 && len(heard.lines("[+s] "+name+" <- Queued")) >= 4
			})
		}
		if deaf.String() != "" || len(heard.lines("silent")) > 0 {
			b.t.Errorf("silent node printed %q; printed of it: %q", deaf.String(), heard.lines("silent"))
		}
	})
}

func TestSnoopEnabling(t *testing.T) {
	virtually(t, func(b *bed) {
		var out text
		e := b.object(b.node("one", func(c *network.Config) { c.SnoopOutput = &out }), "ear", network.ObjectConfig{})
		for range 3 { // once is enough, and more do no harm
			snoop(b.t, e)
		}
		b.start(e)
		b.settle()
		for _, want := range []string{"e->start_at() top->outer", "[+s] ear START"} {
			if got := out.lines(want); len(got) != 1 {
				b.t.Errorf("%q was printed %d times", want, len(got))
			}
		}
		for _, enable := range []func() error{e.EnableSnoopTrace, e.EnableSnoopSpy} {
			if err := enable(); !errors.Is(err, activeobject.ErrRunning) {
				b.t.Errorf("enabled while it runs: %v, want ErrRunning", err)
			}
		}
		// What was enabled stays so over a stop and another start.
		if err := e.Stop(b.t.Context()); err != nil {
			b.t.Fatal(err)
		}
		snoop(b.t, e)
		b.start(e)
		b.settle()
		if got := out.lines("e->start_at() top->outer"); len(got) != 2 {
			b.t.Errorf("after the second start the trace says %q", got)
		}
	})
}

// Several nodes of one process, of which one prints: each line is there once.
func TestSnoopOfManyNodes(t *testing.T) {
	onEveryBroker(t, func(b *bed) {
		var out text
		var all []*ear
		for i := range 4 {
			n := b.node(fmt.Sprint("node", i), func(c *network.Config) {
				if i == 0 {
					c.SnoopOutput = &out
				}
			})
			for _, name := range []string{"a", "b"} {
				e := b.object(n, fmt.Sprint(name, i), network.ObjectConfig{})
				snoop(b.t, e)
				all = append(all, e)
			}
		}
		for _, e := range all {
			b.start(e)
		}
		out.await(b.t, func(s string) bool { return strings.Count(s, "[+t]") >= len(all) })
		all[0].send(b.t, hsm.Event{Signal: toInner})
		if _, err := all[0].PostFIFO(hsm.Event{Signal: toInner}); err != nil {
			b.t.Fatal(err)
		}
		out.await(b.t, func(s string) bool { return strings.Count(s, "[+t]") >= 2*len(all) })
		out.await(b.t, func(s string) bool { return strings.Count(s, "<- Queued") >= 2*len(all) })
		for _, e := range all {
			for _, want := range []string{"[" + e.Name() + "] e->start_at() top->outer", "[" + e.Name() + "] e->to_inner() outer->inner", "[+s] " + e.Name() + " START", "[+s] " + e.Name() + " to_inner:outer"} {
				if got := out.lines(want); len(got) != 1 {
					b.t.Errorf("%q stands there %d times", want, len(got))
				}
			}
		}
	})
}

// stuck is a writer that blocks.
type stuck struct {
	entered chan struct{}
	release chan struct{}
	text
}

func (s *stuck) Write(p []byte) (int, error) {
	select {
	case s.entered <- struct{}{}:
	default:
	}
	<-s.release
	return s.text.Write(p)
}

// A writer that blocks for ever holds up nobody: not the objects, not what others
// hear, and Close no longer than it was given. When the writer is let go, the
// goroutine that used it ends, and prints no more.
func TestSnoopWriterBlocks(t *testing.T) {
	virtually(t, func(b *bed) {
		out := &stuck{entered: make(chan struct{}, 1), release: make(chan struct{})}
		c := b.config
		c.Name, c.SnoopOutput = "stuck", out
		n, err := network.NewNode(b.t.Context(), c)
		if err != nil {
			b.t.Fatal(err)
		}
		e := b.object(n, "ear", network.ObjectConfig{Config: activeobject.Config{QueueSize: 20000}})
		snoop(b.t, e)
		b.start(e)
		<-out.entered
		var other text
		watcher := b.object(b.node("watcher", func(c *network.Config) { c.SnoopOutput = &other }), "watcher", network.ObjectConfig{Config: activeobject.Config{QueueSize: 20000}})
		snoop(b.t, watcher)
		b.start(watcher)
		const events = 2500 // of about four lines
		for i := range events {
			e.say(b.t, i+1)
			watcher.say(b.t, i+1)
			b.settle()
		}
		e.await(b.t, events)
		watcher.await(b.t, events)
		b.settle()
		if got := n.Stats().Unprinted; got == 0 {
			b.t.Error("more lines than there is room for, and none counted as not printed")
		}
		ctx, cancel := context.WithTimeout(b.t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if err := n.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			b.t.Errorf("Close: %v, want DeadlineExceeded", err)
		}
		if took := time.Since(began); took != time.Second {
			b.t.Errorf("Close took %v, want 1s", took)
		}
		close(out.release)
		b.settle()
		if got := out.lines(""); len(got) != 1 {
			b.t.Errorf("%d lines were printed after Close", len(got))
		}
		stats := n.Stats()
		if total := stats.Unprinted + 1; total < events {
			b.t.Errorf("%d lines counted, want %d at least", total, events)
		}
	})
}

// A writer that fails or panics costs its lines.
func TestSnoopWriterFails(t *testing.T) {
	virtually(t, func(b *bed) {
		var mu sync.Mutex
		calls := 0
		e := b.object(b.node("one", func(c *network.Config) {
			c.SnoopOutput = writerFunc(func(p []byte) (int, error) {
				mu.Lock()
				defer mu.Unlock()
				if calls++; calls%2 == 0 {
					panic("no paper")
				}
				return 0, io.ErrShortWrite
			})
		}), "ear", network.ObjectConfig{})
		snoop(b.t, e)
		b.start(e)
		b.settle()
		if got := e.Node().Stats().Unprinted; got != 6 { // one of the trace, five of the spy
			b.t.Errorf("%d lines not printed, want 6", got)
		}
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// Colours follow the writer: a file is no terminal.
func TestSnoopAutoColour(t *testing.T) {
	virtually(t, func(b *bed) {
		f, err := os.Create(b.t.TempDir() + "/out")
		if err != nil {
			b.t.Fatal(err)
		}
		defer f.Close()
		e := b.object(b.node("one", func(c *network.Config) { c.SnoopOutput = f }), "ear", network.ObjectConfig{})
		snoop(b.t, e)
		b.start(e)
		b.settle()
		printed, err := os.ReadFile(f.Name())
		if err != nil || len(printed) == 0 || strings.Contains(string(printed), "\x1b") {
			b.t.Errorf("printed %q, %v", printed, err)
		}
	})
}
