package network_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
	"github.com/statemesh/statemesh/network"
)

// What another node lets hear is printed if it is what nodes send, and nothing
// that does more to a terminal than to be seen.
func TestForeignSnoop(t *testing.T) {
	trace := func(change fields) fields {
		f := fields{1: 0, 2: "ann", 3: "node", 5: "go", 6: "here", 7: "there"}
		for k, v := range change {
			f[k] = v
		}
		for k, v := range f {
			if v == nil {
				delete(f, k)
			}
		}
		return f
	}
	scribble := func(text string) fields { return fields{1: 0, 2: "ann", 4: text} }
	spy := func(lines ...string) fields { return fields{1: 0, 2: "ann", 10: lines} }
	epoch := "[" + time.Unix(0, 0).Format(instrument.TimeLayout) + "]"
	const refused = ""
	type test struct {
		name  string
		by    string // the exchange
		f     fields
		print string // refused, or what is printed
	}
	tests := []test{
		{"trace", network.ExchangeTrace, trace(nil), "[+t] " + epoch + " [ann] e->go() here->there\n"},
		{"trace without a node", network.ExchangeTrace, trace(fields{3: nil}), "[+t] " + epoch + " [ann] e->go() here->there\n"},
		{"scribble", network.ExchangeTrace, scribble("größer"), epoch + " [ann] # größer\n"},
		{"scribble by the spy", network.ExchangeSpy, scribble("a"), epoch + " [ann] # a\n"},
		{"spy", network.ExchangeSpy, spy("go:here", "<- Queued:(0) Deferred:(0)"), "[+s] ann go:here\n[+s] ann <- Queued:(0) Deferred:(0)\n"},

		{"trace by the spy", network.ExchangeSpy, trace(nil), refused},
		{"spy by the trace", network.ExchangeTrace, spy("go:here"), refused},
		{"trace and scribble", network.ExchangeTrace, trace(fields{4: "a"}), refused},
		{"trace and spy", network.ExchangeSpy, trace(fields{10: []string{"a"}}), refused},
		{"empty", network.ExchangeTrace, fields{}, refused},
		{"nobody's trace", network.ExchangeTrace, trace(fields{2: nil}), refused},
		{"trace without a signal", network.ExchangeTrace, trace(fields{5: nil}), refused},
		{"trace from nowhere", network.ExchangeTrace, trace(fields{6: nil}), refused},
		{"trace to nowhere", network.ExchangeTrace, trace(fields{7: nil}), refused},
		{"unknown field", network.ExchangeTrace, trace(fields{11: 1}), refused},
		{"empty scribble", network.ExchangeTrace, scribble(""), refused},
	}
	for what, bad := range map[string]string{
		"escape sequence": "\x1b[2J", "newline": "a\nb", "carriage return": "a\rb", "NUL": "\x00", "8-bit control": "\u009b31m",
		"override of direction": "a\u202eb", "zero width": "a\u200bb", "line separator": "a\u2028b", "overlong": strings.Repeat("x", 5000),
	} {
		for _, field := range []int{2, 3, 5, 6, 7} {
			tests = append(tests, test{fmt.Sprintf("%s in field %d", what, field), network.ExchangeTrace, trace(fields{field: bad}), refused})
		}
		tests = append(tests,
			test{what + " in a scribble", network.ExchangeTrace, scribble(bad), refused},
			test{what + " in a spy line", network.ExchangeSpy, spy("go:here", bad), refused})
	}
	for _, name := range []string{"a b", "a]", "[a"} {
		tests = append(tests, test{"name " + name, network.ExchangeTrace, trace(fields{2: name}), refused})
	}
	virtually(t, func(b *bed) {
		var out text
		e := b.object(b.node("one", func(c *network.Config) { c.SnoopOutput = &out }), "ear", network.ObjectConfig{})
		snoop(b.t, e)
		b.start(e)
		b.settle()
		s, seen := b.stranger(b.config.MeshKey), map[string]uint64{}
		send := func(by string, body []byte) (printed string, counted map[string]uint64) {
			before := len(out.String())
			key := map[string]string{network.ExchangeTrace: "snoop.trace", network.ExchangeSpy: "snoop.spy"}[by]
			s.publish(by, key, s.seal(by, key, body))
			return out.String()[before:], problems(e.Node(), seen)
		}
		for _, tc := range tests {
			printed, got := send(tc.by, encoded(b.t, tc.f))
			want := map[string]uint64{}
			if tc.print == refused {
				want["malformed"] = 1
			}
			if diff := cmp.Diff(tc.print, printed) + cmp.Diff(want, got); diff != "" {
				b.t.Errorf("%s (-want +got):\n%s", tc.name, diff)
			}
		}
		// Text that is not UTF-8 cannot be written with the library.
		body := bytes.ReplaceAll(encoded(b.t, scribble("abcd")), []byte("abcd"), []byte("ab\xff\xfe"))
		if printed, got := send(network.ExchangeTrace, body); printed != "" || got["malformed"] != 1 {
			b.t.Errorf("invalid UTF-8: printed %q, problems %v", printed, got)
		}
	})
}

// scribbler is an object that is snooped, or not, and those who hear of it.
func scribbler(b *bed, trace, spy bool) (e *ear, here, there *text) {
	here, there = &text{}, &text{}
	watcher := b.object(b.node("watcher", func(c *network.Config) { c.SnoopOutput = there }), "watcher", network.ObjectConfig{})
	snoop(b.t, watcher)
	e = b.object(b.node("one", func(c *network.Config) { c.SnoopOutput = here }), "ear", network.ObjectConfig{Config: activeobject.Config{Instrument: instrument.Config{Spy: true}}})
	if trace {
		if err := e.EnableSnoopTrace(); err != nil {
			b.t.Fatal(err)
		}
	}
	if spy {
		if err := e.EnableSnoopSpy(); err != nil {
			b.t.Fatal(err)
		}
	}
	b.start(e)
	b.settle()
	return e, here, there
}

func TestScribble(t *testing.T) {
	long := strings.Repeat("größer ", 1000)
	tests := []struct {
		name, text, want string // "" is nothing
	}{
		{"plain", "Ladies and Gentlemen", "Ladies and Gentlemen"},
		{"not ASCII", "größer 日本", "größer 日本"},
		{"newlines", "two\r\nlines", "two  lines"},
		{"escape sequence", "\x1b[2Jcleared", " [2Jcleared"},
		{"direction", "a\u202eb", "a b"},
		{"invalid UTF-8", "a\xffb", "a?b"},
		{"overlong", long, strings.ToValidUTF8(long[:4096], "")},
		{"empty", "", ""},
		{"looks like a trace", "] e->go() here->there", "] e->go() here->there"},
	}
	for _, way := range []struct {
		name       string
		trace, spy bool
	}{{"trace", true, false}, {"spy", false, true}, {"both", true, true}} {
		t.Run(way.name, func(t *testing.T) {
			virtually(t, func(b *bed) {
				e, here, there := scribbler(b, way.trace, way.spy)
				var want []string
				for _, tc := range tests {
					e.SnoopScribble(tc.text)
					if tc.want != "" {
						want = append(want, "["+time.Now().Format(instrument.TimeLayout)+"] [ear] # "+tc.want)
					}
				}
				b.settle()
				for name, out := range map[string]*text{"here": here, "there": there} {
					if diff := cmp.Diff(want, out.lines("[ear] #")); diff != "" {
						t.Errorf("%s (-want +got):\n%s", name, diff)
					}
					if got := out.lines("go() here->there"); len(got) != 1 {
						t.Errorf("%s: %q", name, got)
					}
				}
				for _, n := range []*network.Node{e.Node()} {
					if got := n.Stats().Problems; len(got) > 0 {
						t.Errorf("problems: %v", got)
					}
				}
			})
		})
	}
	t.Run("nothing snooped", func(t *testing.T) {
		virtually(t, func(b *bed) {
			e, here, there := scribbler(b, false, false)
			for _, tc := range tests {
				if _, err := e.PostFIFO(hsm.Event{Signal: do, Payload: func() { e.SnoopScribble(tc.text) }}); err != nil {
					b.t.Fatal(err)
				}
				b.settle()
			}
			spy := strings.Join(e.Recorder().Spy(), "\n")
			for _, tc := range tests {
				if tc.want != "" && strings.Count(spy, "\n"+tc.want+"\n") != 1 {
					t.Errorf("%s is not in the spy:\n%s", tc.name, spy)
				}
			}
			if got := here.String() + strings.Join(there.lines("ear"), ""); got != "" {
				t.Errorf("printed: %s", got)
			}
		})
	})
}

// What an object's own spy and trace say is sent and printed in a form that all
// take, whatever the names are.
func TestSnoopOfOddNames(t *testing.T) {
	odd := hsm.NewSignal("odd\n\x1b[31msignal" + strings.Repeat("x", 300))
	virtually(t, func(b *bed) {
		e, here, there := scribbler(b, true, true)
		if _, err := e.PostFIFO(hsm.Event{Signal: do, Payload: func() { e.Scribble("two\nlines, \x1b[31mred" + strings.Repeat("x", 5000)) }}); err != nil {
			b.t.Fatal(err)
		}
		if _, err := e.PostFIFO(hsm.Event{Signal: odd}); err != nil {
			b.t.Fatal(err)
		}
		b.settle()
		for name, out := range map[string]*text{"here": here, "there": there} {
			if got := out.lines("[+s] ear two lines,  [31mredxxx"); len(got) != 1 {
				t.Errorf("%s: the scribble stands there %d times:\n%s", name, len(got), out)
			}
			if got := out.lines("[+s] ear odd  [31msignalxxx"); len(got) != 2 { // the call, and the hook
				t.Errorf("%s: the signal stands there %d times:\n%s", name, len(got), out)
			}
			if strings.Contains(out.String(), "\x1b") {
				t.Errorf("%s: an escape sequence was printed", name)
			}
		}
	})
}
