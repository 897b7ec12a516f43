package instrument_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

// at is the moment of the line that the specification shows.
var at = time.Date(2018, 5, 4, 8, 2, 40, 594_301_000, time.Local)

func TestTraceText(t *testing.T) {
	for _, test := range []struct {
		name string
		line instrument.Trace
		want string
	}{
		{
			"a transition", instrument.Trace{Time: at, Name: "0ca32_ao", Signal: "to_inner", From: "outer", To: "inner"},
			"[2018-05-04 08:02:40.594301] [0ca32_ao] e->to_inner() outer->inner",
		},
		{
			"a start", instrument.Trace{Time: at, Name: "0ca32_ao", Signal: "start_at", From: "top", To: "outer"},
			"[2018-05-04 08:02:40.594301] [0ca32_ao] e->start_at() top->outer",
		},
		{
			"to a full second", instrument.Trace{Time: at.Truncate(time.Second), Name: "c", Signal: "A", From: "a", To: "a"},
			"[2018-05-04 08:02:40.000000] [c] e->A() a->a",
		},
		{
			"nanoseconds are cut off", instrument.Trace{Time: at.Add(999), Name: "c", Signal: "A", From: "a", To: "b"},
			"[2018-05-04 08:02:40.594301] [c] e->A() a->b",
		},
		{
			"what the line has no room for",
			instrument.Trace{Time: at, Name: "c", Signal: "A", From: "a", To: "b", Node: "n", Event: 1, Cause: 2},
			"[2018-05-04 08:02:40.594301] [c] e->A() a->b",
		},
		{
			"no name", instrument.Trace{Time: at, Signal: "A", From: "a", To: "b"},
			"[2018-05-04 08:02:40.594301] [] e->A() a->b",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, test.line.String()); diff != "" {
				t.Errorf("String (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff("before "+test.want, string(test.line.AppendText([]byte("before ")))); diff != "" {
				t.Errorf("AppendText (-want +got):\n%s", diff)
			}
		})
	}
}

func TestScribble(t *testing.T) {
	want := "[2018-05-04 08:02:40.594301] [0ca32_ao] # the weather is fine"
	if diff := cmp.Diff(want, instrument.Scribble(at, "0ca32_ao", "the weather is fine")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSourceTrace(t *testing.T) {
	s := instrument.Source{Name: "cat", Node: "home", Tree: &rooms.Tree}
	origin := hsm.Origin{ID: 7, Cause: 6}
	for _, test := range []struct {
		name string
		step hsm.Transition
		want instrument.Trace
	}{
		{
			"a start", hsm.Transition{From: hsm.Top, To: hall, Unix: at.UnixNano(), Origin: origin},
			instrument.Trace{Time: at, Name: "cat", Node: "home", Signal: "start_at", From: "top", To: "hall", Event: 7, Cause: 6},
		},
		{
			"a transition", hsm.Transition{Signal: sigA, From: hall, To: tub, Unix: at.UnixNano()},
			instrument.Trace{Time: at, Name: "cat", Node: "home", Signal: "A", From: "hall", To: "tub"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, s.Trace(test.step)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTraceJSON(t *testing.T) {
	utc := time.Date(2018, 5, 4, 8, 2, 40, 594_301_007, time.UTC)
	for _, test := range []struct {
		name string
		line instrument.Trace
		want string
	}{
		{
			"everything",
			instrument.Trace{Time: utc, Node: "n", Name: "c", Signal: "A", From: "a", To: "b", Event: math.MaxUint64, Cause: 1},
			`{"time":"2018-05-04T08:02:40.594301007Z","node":"n","name":"c","signal":"A","from":"a","to":"b","event":"ffffffffffffffff","cause":"1"}`,
		},
		{
			"no more than a text line has", instrument.Trace{Time: utc, Name: "c", Signal: "start_at", From: "top", To: "b"},
			`{"time":"2018-05-04T08:02:40.594301007Z","name":"c","signal":"start_at","from":"top","to":"b"}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			b, err := json.Marshal(test.line)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(b)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTraceJSONRoundTrip(t *testing.T) {
	text := rapid.String()
	rapid.Check(t, func(t *rapid.T) {
		want := instrument.Trace{
			Time: time.Unix(rapid.Int64Range(0, 1<<35).Draw(t, "seconds"), rapid.Int64Range(0, 1e9-1).Draw(t, "nanoseconds")),
			Name: text.Draw(t, "name"), Signal: text.Draw(t, "signal"), From: text.Draw(t, "from"), To: text.Draw(t, "to"),
			Node: text.Draw(t, "node"), Event: rapid.Uint64().Draw(t, "event"), Cause: rapid.Uint64().Draw(t, "cause"),
		}
		b, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(string(b), "\r\n") {
			t.Fatalf("more than one line: %s", b)
		}
		var got instrument.Trace
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", b, diff)
		}
	})
}

// TestTraceJSONRefuses what is no line, and leaves the value as it was.
func TestTraceJSONRefuses(t *testing.T) {
	for _, text := range []string{
		``, `[]`, `7`, `{"time":"yesterday"}`, `{"event":7}`, `{"event":"not hexadecimal"}`, `{"cause":"-1"}`,
		`{"event":"10000000000000000"}`, `{"name":7}`,
	} {
		was := instrument.Trace{Time: at, Name: "as it was", Event: 7}
		got := was
		if err := got.UnmarshalJSON([]byte(text)); err == nil {
			t.Errorf("%s is taken", text)
		}
		if diff := cmp.Diff(was, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

func TestStripped(t *testing.T) {
	const stamp = "[2018-05-04 08:02:40.594301] "
	for _, test := range []struct {
		name, trace string
		want        []string
	}{
		{"nothing", "", nil},
		{"blanks", "  \n\t\n\r\n", nil},
		{"one line", stamp + "[c] e->A() a->b", []string{"[c] e->A() a->b"}},
		{"one line and its end", stamp + "[c] e->A() a->b\n", []string{"[c] e->A() a->b"}},
		{
			"several", "\n" + stamp + "[c] e->start_at() top->a\n" + stamp + "[c] e->A() a->b\n\n",
			[]string{"[c] e->start_at() top->a", "[c] e->A() a->b"},
		},
		{"indented", "    " + stamp + "[c] e->A() a->b  \n\t" + stamp + "[c] e->B() b->a\t", []string{"[c] e->A() a->b", "[c] e->B() b->a"}},
		{"of a Windows editor", stamp + "[c] e->A() a->b\r\n" + stamp + "[c] e->B() b->a\r\n", []string{"[c] e->A() a->b", "[c] e->B() b->a"}},
		{"no stamp", "[c] e->A() a->b\nto_inner:outer", []string{"[c] e->A() a->b", "to_inner:outer"}},
		{"the time of day alone", "[08:02:40.5] [c] e->A() a->b", []string{"[c] e->A() a->b"}},
		{"less precise", "[2018-05-04 08:02] [c] e->A() a->b", []string{"[c] e->A() a->b"}},
		{"brackets round something else", "[+t] [c] e->A() a->b\n[] x\n[ ] y\n[yesterday at 8] z", []string{"[+t] [c] e->A() a->b", "[] x", "[ ] y", "[yesterday at 8] z"}},
		{"a name made of digits", stamp + "[42] e->A() a->b\n[42] e->A() a->b\n[1.2-3] e->A() a->b", []string{"[42] e->A() a->b", "[42] e->A() a->b", "[1.2-3] e->A() a->b"}},
		{"a stamp later in the line", "x " + stamp + "y", []string{"x " + stamp + "y"}},
		{"only the first of two stamps", stamp + stamp + "x", []string{stamp + "x"}},
		{"brackets that do not close", "[2018-05-04 08:02:40", []string{"[2018-05-04 08:02:40"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, instrument.Stripped(test.trace)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestStrippedOfTraces gives back what the lines say, whatever the time.
func TestStrippedOfTraces(t *testing.T) {
	word := rapid.StringMatching(`[0-9a-zA-Z_.]+`)
	rapid.Check(t, func(t *rapid.T) {
		var trace string
		var want []string
		for range rapid.IntRange(0, 5).Draw(t, "lines") {
			line := instrument.Trace{
				Time: time.Unix(rapid.Int64Range(0, 1<<35).Draw(t, "seconds"), rapid.Int64Range(0, 1e9-1).Draw(t, "nanoseconds")),
				Name: word.Draw(t, "name"), Signal: word.Draw(t, "signal"), From: word.Draw(t, "from"), To: word.Draw(t, "to"),
			}
			trace += line.String() + "\n"
			want = append(want, fmt.Sprintf("[%s] e->%s() %s->%s", line.Name, line.Signal, line.From, line.To))
		}
		got := instrument.Stripped(trace)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(got, instrument.Stripped(strings.Join(got, "\n"))); diff != "" {
			t.Fatalf("stripping again changes something (-once +twice):\n%s", diff)
		}
	})
}
