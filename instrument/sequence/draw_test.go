package sequence

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestNumber(t *testing.T) {
	tests := []struct {
		name, input, want string
	}{
		{
			"by time over all charts, and two at once",
			`
[10:00:01] [a] e->start_at() top->outer
[10:00:03] [a] e->to_inner() outer->inner
[10:00:01] [b] e->start_at() top->outer
[10:00:02] [b] e->again() outer->outer
[10:00:04] [a] e->again() inner->inner
`, `
[Statechart: a]
      top           outer          inner
       +--start_at()->|              |
       |     (1)      |              |
       |              +--to_inner()->|
       |              |     (3)      |
       |              |              +
       |              |               \ (4)
       |              |               again()
       |              |               /
       |              |              <

[Statechart: b]
      top           outer
       +--start_at()->|
       |     (1)      |
       |              +
       |               \ (2)
       |               again()
       |               /
       |              <
`,
		}, {
			"past midnight, and one line written late",
			`
[23:59:59] [a] e->A() a->b
[00:00:01] [a] e->B() b->a
[23:59:58] [b] e->C() a->b
[00:00:02] [a] e->D() a->b
[23:59:00] [b] e->E() b->a
`, `
[Statechart: a]
   a      b
   +--A()>|
   | (3)  |
   +<-B()-|
   | (4)  |
   +--D()>|
   | (5)  |

[Statechart: b]
   a      b
   +--C()>|
   | (2)  |
   +<-E()-|
   | (1)  |
`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := "\n" + draw(t, read(t, tt.input), Options{Number: true})
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Columns grow by two, so as to stay odd, where a number needs it.
func TestNumberWidens(t *testing.T) {
	var input strings.Builder
	for i := range 100 {
		fmt.Fprintf(&input, "[%d] [c] e->A() a->a\n", i)
	}
	fmt.Fprint(&input, "[99] [c] e->B() a->b\n[5] [d] e->C() b->a\n")
	rows := strings.Split(draw(t, read(t, input.String()), Options{Number: true}), "\n")
	got := rows[len(rows)-13:]
	want := []string{
		`    +        |`,
		`     \ (100) |`,
		`     A()     |`,
		`     /       |`,
		`    <        |`,
		`    +---B()->|`,
		`    | (100)  |`,
		``,
		`[Statechart: d]`,
		`   b      a`,
		`   +--C()>|`,
		`   | (6)  |`,
		``,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Blanks next to a signal or a target are not drawn, but widen the columns, as
// they do in the original.
func TestBlanksWiden(t *testing.T) {
	tests := []struct{ name, line, want string }{
		{"signal", "e->  A() a->b", "    a        b\n    +---A()->|\n    |  (?)   |\n"},
		{"target", "e->A() a->b       ", "    a        b\n    +---A()->|\n    |  (?)   |\n"},
		{"target before and after", "e->A() a->    b   ", "    a        b\n    +---A()->|\n    |  (?)   |\n"},
		{"carriage return", "e->A() a->bcdefgh\r", "    a     bcdefgh\n    +---A()->|\n    |  (?)   |\n"},
		{"source", "e->A()            a   ->b", "   a      b\n   +--A()>|\n   | (?)  |\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := draw(t, read(t, "[10:00:00] [c] "+tt.line+"\n"), Options{})
			if diff := cmp.Diff("[Statechart: c] (?)\n"+tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// picture is what somebody sees who looks at a drawing: columns and arrows.
type picture struct {
	chart  string
	states []string
	arrows []seen
}

type seen struct{ from, to, signal, mark string }

// look reads a drawing, knowing only what the glyphs mean: the name of each
// state stands centred on its column, and the glyphs of an arrow stand on the
// columns it touches.
func look(drawing string) ([]picture, error) {
	var pictures []picture
	for text := range strings.SplitSeq(strings.TrimRight(drawing, "\n"), "\n\n") {
		var rows [][]rune
		for row := range strings.SplitSeq(text, "\n") {
			rows = append(rows, []rune(row))
		}
		var p picture
		p.chart = regexp.MustCompile(`\[Statechart: (.*)\]`).FindStringSubmatch(string(rows[0]))[1]
		var at []int // the columns
		for i := 0; i < len(rows[1]); {
			if rows[1][i] == ' ' {
				i++
				continue
			}
			j := i
			for j < len(rows[1]) && rows[1][j] != ' ' {
				j++
			}
			p.states = append(p.states, string(rows[1][i:j]))
			at = append(at, i+(j-i)/2)
			i = j
		}
		for rows = rows[2:]; len(rows) > 0; {
			a, n, err := lookArrow(rows, p.states, at)
			if err != nil {
				return nil, err
			}
			p.arrows = append(p.arrows, a)
			rows = rows[n:]
		}
		pictures = append(pictures, p)
	}
	return pictures, nil
}

var (
	markGlyphs   = regexp.MustCompile(`\(([0-9]+|\?)\)`)
	signalGlyphs = regexp.MustCompile(`[^-+<>| ]+`)
)

// lookArrow reads the arrow at the top of rows and says how many it takes.
func lookArrow(rows [][]rune, states []string, at []int) (a seen, n int, err error) {
	glyph := func(row, i int) rune {
		if i < len(rows[row]) {
			return rows[row][i]
		}
		return ' '
	}
	first, last, hook := -1, -1, true
	for i, c := range rows[0] {
		column := slices.Index(at, i)
		switch {
		case c == '+' && column >= 0:
			if first < 0 {
				first = column
			}
			last = column
			hook = hook && glyph(0, i+1) == ' '
		case (c == '+' || c == '|') != (column >= 0):
			return a, 0, fmt.Errorf("column out of place at %d: %q", i, string(rows[0]))
		}
	}
	if first < 0 {
		return a, 0, fmt.Errorf("no arrow in %q", string(rows[0]))
	}
	n = 2
	switch {
	case hook:
		n = 5
		a.from, a.to = states[first], states[first]
		a.signal = signalGlyphs.FindString(string(rows[2][at[first]:]))
		if glyph(1, at[first]+1) != '\\' || glyph(3, at[first]+1) != '/' || glyph(4, at[first]) != '<' {
			return a, 0, fmt.Errorf("broken hook at %q", string(rows[0]))
		}
	case glyph(0, at[first]+1) == '<':
		a.from, a.to = states[last+1], states[first]
		a.signal = signalGlyphs.FindString(string(rows[0][at[last]:]))
	default:
		a.from, a.to = states[first], states[last+1]
		a.signal = signalGlyphs.FindString(string(rows[0][at[first]:]))
		if glyph(0, at[last+1]-1) != '>' {
			return a, 0, fmt.Errorf("no head on %q", string(rows[0]))
		}
	}
	a.mark = markGlyphs.FindStringSubmatch(string(rows[1]))[1]
	for row := 1; row < n; row++ {
		for column, i := range at {
			if !(hook && column == first) && glyph(row, i) != '|' {
				return a, 0, fmt.Errorf("no edge at %d: %q", i, string(rows[row]))
			}
		}
	}
	return a, n, nil
}

// Whoever looks at a drawing sees every line of the log, in the right place.
func TestDrawingShowsLog(t *testing.T) {
	// Signals are long enough for gaps between the states.
	state := rapid.StringMatching(`[a-zäß_]{1,9}`)
	signal := rapid.StringMatching(`[A-ZÖ]{6,9}\(([0-9]|\([0-9]\))?\)`)
	rapid.Check(t, func(t *rapid.T) {
		states := rapid.SliceOfNDistinct(state, 1, 6, rapid.ID).Draw(t, "states")
		number := rapid.Bool().Draw(t, "number")
		scale := rapid.SampledFrom([]int{1, 7, 99}).Draw(t, "scale")
		indent := strings.Repeat(" ", rapid.IntRange(0, 3).Draw(t, "indent"))
		var (
			input  strings.Builder
			want   = map[string][]seen{}
			charts []string
		)
		lines := rapid.IntRange(0, 30).Draw(t, "lines")
		for i := range lines {
			chart := rapid.SampledFrom([]string{"x", "y-y", "z z"}).Draw(t, "chart")
			a := seen{
				from:   rapid.SampledFrom(states).Draw(t, "from"),
				to:     rapid.SampledFrom(states).Draw(t, "to"),
				signal: signal.Draw(t, "signal"),
				mark:   "?",
			}
			fmt.Fprintf(&input, "%s[%d] [%s] e->%s %s->%s\n", indent, i*scale, chart, a.signal, a.from, a.to)
			if number {
				a.mark = fmt.Sprint(i + 1)
			}
			if want[chart] == nil {
				charts = append(charts, chart)
			}
			want[chart] = append(want[chart], a)
		}
		drawing := draw(nopT{}, read(nopT{}, input.String()), Options{Number: number})
		if lines == 0 {
			if drawing != "" {
				t.Fatalf("drew %q from nothing", drawing)
			}
			return
		}
		pictures, err := look(drawing)
		if err != nil {
			t.Fatalf("%v\n%s", err, drawing)
		}
		for i, p := range pictures {
			if i >= len(charts) || p.chart != charts[i] {
				t.Fatalf("chart %d is %q, want one of %q", i, p.chart, charts)
			}
			for j := range want[p.chart] {
				// The one arrow that stands a cell too far to the right.
				a := &want[p.chart][j]
				if n := len(p.states); !number && n > 2 && a.from == p.states[n-2] && a.to == p.states[n-3] {
					a.from, a.to = p.states[n-1], p.states[n-2]
				}
			}
			if diff := cmp.Diff(want[p.chart], p.arrows, cmp.AllowUnexported(seen{})); diff != "" {
				t.Fatalf("chart %s (-want +got):\n%s\n%s", p.chart, diff, drawing)
			}
		}
		if len(pictures) != len(charts) {
			t.Fatalf("%d charts, want %q", len(pictures), charts)
		}
	})
}

// nopT lets read and draw, which cannot fail there, run where there is no
// testing.TB.
type nopT struct{ testing.TB }

func (nopT) Helper() {}

// failing takes some bytes and then fails for ever.
type failing struct {
	room, calls int
}

var errFull = errors.New("full")

func (f *failing) Write(b []byte) (int, error) {
	f.calls++
	if len(b) > f.room {
		return f.room, errFull
	}
	f.room -= len(b)
	return len(b), nil
}

func TestDrawStopsAtError(t *testing.T) {
	log := read(t, strings.Repeat("[10:00:00] [c] e->A() a->b\n", 100_000))
	for _, room := range []int{0, 1, 200_000} {
		w := &failing{room: room}
		if err := log.Draw(w, Options{}); !errors.Is(err, errFull) {
			t.Errorf("room %d: %v, want %v", room, err, errFull)
		}
		// Going on for nobody would allocate for every number.
		allocs := testing.AllocsPerRun(1, func() { log.Draw(&failing{room: room}, Options{Number: true}) })
		if allocs > 20_000 {
			t.Errorf("room %d: %v allocations after the error", room, allocs)
		}
		if limit := room/(64<<10) + 1; w.calls > limit {
			t.Errorf("room %d: %d writes, want at most %d", room, w.calls, limit)
		}
	}
}

func TestDrawFromManyGoroutines(t *testing.T) {
	log := read(t, "[10:00:00] [c] e->A() a->b\n[10:00:01] [d] e->B() b->b\n")
	want := [2]string{draw(t, log, Options{}), draw(t, log, Options{Number: true})}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			var b strings.Builder
			if err := log.Draw(&b, Options{Number: i%2 == 1}); err != nil || b.String() != want[i%2] {
				t.Errorf("drew %q, %v; want %q", b.String(), err, want[i%2])
			}
		})
	}
	wg.Wait()
}

// With numbers, an arrow from the last column but one to its left neighbour ends
// where it should; without, it stands where the original has it.
func TestDrawLeftOfTheLastColumn(t *testing.T) {
	const trace = `[2020-01-01 00:00:01.0] [c] e->A() a->b
[2020-01-01 00:00:02.0] [c] e->B() b->a
[2020-01-01 00:00:03.0] [c] e->C() a->c
`
	for _, tc := range []struct {
		options Options
		want    string
	}{
		{Options{}, "|      +<-B()-|\n"},
		{Options{Number: true}, "+<-B()-|      |\n"},
	} {
		log, err := Read(strings.NewReader(trace))
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		if err := log.Draw(&b, tc.options); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), tc.want) {
			t.Errorf("options %+v: no row %q in\n%s", tc.options, tc.want, b.String())
		}
	}
}
