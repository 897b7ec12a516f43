package diagram_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
	"github.com/statemesh/statemesh/instrument/diagram"
	"github.com/statemesh/statemesh/instrument/sequence"
)

// What a chart declares and what it was seen doing make a picture.
func Example() {
	const (
		lamp hsm.State = iota + 1
		off
		on
	)
	press := hsm.NewSignal("press")
	pass := func(struct{}, hsm.Event) hsm.Status { return hsm.Super } // what it does is not described
	chart := hsm.MustCompile([]hsm.Spec[struct{}]{
		lamp: {Name: "lamp", Handle: pass, Init: off},
		off:  {Name: "off", Parent: lamp, Handle: pass, Catches: []hsm.Signal{press}},
		on:   {Name: "on", Parent: lamp, Handle: pass},
	})
	const recording = `
[2026-11-21 23:52:08.586666] [hall] e->start_at() top->off
[2026-11-21 23:52:10.087091] [hall] e->press() off->on
`
	d := chart.Describe()
	if _, err := diagram.AddTrace(d, strings.NewReader(recording)); err != nil {
		fmt.Println(err)
	}
	fmt.Print(diagram.Mermaid(d))
	fmt.Print(diagram.DOT(d))
	// Output:
	// stateDiagram-v2
	//     state "lamp" as s1
	//     state s1 {
	//         state "off" as s2
	//         s2 : press
	//         state "on" as s3
	//         [*] --> s2
	//     }
	//     [*] --> s2 : start_at
	//     s2 --> s3 : press
	// digraph chart {
	// 	compound=true;
	// 	node [shape=box, style=rounded];
	// 	subgraph cluster_s1 {
	// 		label="lamp";
	// 		style=rounded;
	// 		s1 [shape=point];
	// 		s2 [label="off\npress"];
	// 		s3 [label="on"];
	// 	}
	// 	s1 -> s2;
	// 	top [shape=point, width=0.15];
	// 	top -> s2 [label="start_at"];
	// 	s2 -> s3 [label="press"];
	// }
}

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

func TestRead(t *testing.T) {
	long := strings.Repeat("x", sequence.MaxLine+1) // fills the buffer, so that the rest stands at its beginning
	for _, tt := range []struct {
		name string
		text string
		want []diagram.Line
	}{
		{"nothing", "", nil},
		{"noise", "hello\n{\n{}\n[+s] a START\n[time] [x] e->a() b->c\n{\"name\":\"a\",\"signal\":\"b\",\"from\":\"c\"}\n[]\n", nil},
		{"text, with colours, a tag and arguments", "\ufeffx\r\n[+t] [2026-11-21 23:52:08.5] [\x1b[34mhall\x1b[0m] e->press(1, 2) off->on\r\n", []diagram.Line{
			{Trace: instrument.Trace{Time: at("2026-11-21T23:52:08.5Z"), Name: "hall", Signal: "press", From: "off", To: "on"}, Number: 2},
		}},
		{"a byte order mark", "\ufeff[2026-11-21 23:52:08.5] [hall] e->press() off->on", []diagram.Line{
			{Trace: instrument.Trace{Time: at("2026-11-21T23:52:08.5Z"), Name: "hall", Signal: "press", From: "off", To: "on"}, Number: 1},
		}},
		{"JSON", `  {"time":"2026-11-21T23:52:08.5Z","node":"n","name":"hall","signal":"a(b)","from":"x->y","to":"on","event":"1f","cause":"a"}`, []diagram.Line{
			{Trace: instrument.Trace{Time: at("2026-11-21T23:52:08.5Z"), Node: "n", Name: "hall", Signal: "a(b)", From: "x->y", To: "on", Event: 31, Cause: 10}, Number: 1},
		}},
		{"past midnight", "[23:59:59] [a] e->x() b->c\n[00:00:01] [a] e->x() b->c\n[13:00:00] [a] e->x() b->c\n[00:59:59] [a] e->x() b->c\n", []diagram.Line{
			{Trace: instrument.Trace{Time: at("1970-01-01T23:59:59Z"), Name: "a", Signal: "x", From: "b", To: "c"}, Number: 1},
			{Trace: instrument.Trace{Time: at("1970-01-02T00:00:01Z"), Name: "a", Signal: "x", From: "b", To: "c"}, Number: 2},
			{Trace: instrument.Trace{Time: at("1970-01-02T13:00:00Z"), Name: "a", Signal: "x", From: "b", To: "c"}, Number: 3},
			{Trace: instrument.Trace{Time: at("1970-01-03T00:59:59Z"), Name: "a", Signal: "x", From: "b", To: "c"}, Number: 4},
		}},
		{"after a line that is too long", long + "[00:00:00] [a] e->x() b->c\n[00:00:00] [a] e->x() b->c", []diagram.Line{
			{Trace: instrument.Trace{Time: at("1970-01-01T00:00:00Z"), Name: "a", Signal: "x", From: "b", To: "c"}, Number: 2},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for name, r := range map[string]io.Reader{"at once": strings.NewReader(tt.text), "byte by byte": iotest.OneByteReader(strings.NewReader(tt.text))} {
				var got []diagram.Line
				for line, err := range diagram.Read(r) {
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, line)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", name, diff)
				}
			}
		})
	}
}

func TestReadEnds(t *testing.T) {
	const line = "[00:00:00] [a] e->x() b->c\n"
	broken := errors.New("broken")
	lines, last := 0, error(nil)
	for _, err := range diagram.Read(io.MultiReader(strings.NewReader(line+line), iotest.ErrReader(broken))) {
		if last = err; err == nil {
			lines++
		}
	}
	if lines != 2 || !errors.Is(last, broken) {
		t.Errorf("%d lines, then %v", lines, last)
	}
	for range diagram.Read(strings.NewReader(line + line)) {
		break // must not go on
	}
}

func TestAddTrace(t *testing.T) {
	const text = `
[00:00:00] [a] e->start_at() top->s11
[00:00:01] [a] e->G() s11->s211
[00:00:02] [b] e->G() s11->s211
[00:00:03] [c] e->G() s11->elsewhere
[00:00:04] [b] e->G() s211->s11
`
	for _, tt := range []struct {
		name  string
		names []string
		lines int
		seen  []hsm.SeenTransition
		err   string
	}{
		{"one", []string{"b"}, 2, []hsm.SeenTransition{{Signal: "G", From: 3, To: 6, Count: 1}, {Signal: "G", From: 6, To: 3, Count: 1}}, ""},
		{"two", []string{"b", "a"}, 4, []hsm.SeenTransition{{Signal: "start_at", To: 3, Count: 1}, {Signal: "G", From: 3, To: 6, Count: 2}, {Signal: "G", From: 6, To: 3, Count: 1}}, ""},
		{"another chart", nil, 3, []hsm.SeenTransition{{Signal: "start_at", To: 3, Count: 1}, {Signal: "G", From: 3, To: 6, Count: 2}}, `line 5, of c: hsm: no such state in the chart: state 0 "elsewhere"`},
		{"nobody", []string{"d"}, 0, nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := qhsmtst.Describe()
			lines, err := diagram.AddTrace(d, strings.NewReader(text), tt.names...)
			if (err != nil) != (tt.err != "") || err != nil && (!errors.Is(err, hsm.ErrUnknown) || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("AddTrace gives %v, want %q", err, tt.err)
			}
			if diff := cmp.Diff(tt.seen, d.Seen); diff != "" || lines != tt.lines {
				t.Errorf("%d lines, want %d; seen (-want +got):\n%s", lines, tt.lines, diff)
			}
		})
	}
	broken := errors.New("broken")
	if _, err := diagram.AddTrace(qhsmtst.Describe(), iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("a broken reader gives %v", err)
	}
}

// FuzzRead: nothing breaks the reader, and what it gives has all that a line of
// the trace has.
func FuzzRead(f *testing.F) {
	f.Add([]byte("[+t] [2026-11-21 23:52:08.5] [hall] e->press() off->on\n"))
	f.Add([]byte(`{"time":"2026-11-21T23:52:08.5Z","name":"hall","signal":"a","from":"x","to":"on","event":"1f"}`))
	f.Add([]byte("\ufeff[23:59:59] [a] e->x() b->c\r\n[0:0] [a] e->x() b->c"))
	f.Fuzz(func(t *testing.T, text []byte) {
		last := 0
		for line, err := range diagram.Read(bytes.NewReader(text)) {
			if err != nil {
				t.Fatal(err)
			}
			if line.Name == "" || line.Signal == "" || line.From == "" || line.To == "" || line.Number <= last {
				t.Fatalf("%+v after line %d", line, last)
			}
			last = line.Number
		}
	})
}
