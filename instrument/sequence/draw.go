package sequence

import (
	"bufio"
	"io"
	"slices"
	"strconv"
)

// Options say how a Log is drawn. The zero value draws what the original
// writes to a file.
type Options struct {
	// Number writes a number in place of every (?). Numbers go up with time
	// over all charts, from 1; two arrows with one number happened at once, by
	// their stamps. Columns are as much wider as the numbers need. The mark in
	// the title of a chart, which stands for no moment, is left off, and every
	// arrow ends where it should (see rule 3).
	Number bool

	// Printed ends the text as the original does when it prints: with an empty
	// line if there is nothing to draw, and with one more empty line if the
	// last line of the input, empty ones apart, starts with blanks and a
	// bracket.
	Printed bool
}

// Draw writes one diagram for each chart to w, with an empty line between two.
// An empty log draws nothing. The error is the first one of w, as it is; Draw
// stops there. Rows go out as they are made, through a buffer; how long the
// text becomes does not matter.
func (l *Log) Draw(w io.Writer, o Options) error {
	p := pen{w: bufio.NewWriterSize(w, 64<<10), indent: l.indent}
	var n *numbering
	if o.Number {
		n = newNumbering(l.charts)
	}
	for i := range l.charts {
		if i > 0 {
			p.w.WriteByte('\n')
		}
		if err := l.drawChart(&p, &l.charts[i], n); err != nil {
			return err
		}
	}
	if o.Printed && (len(l.charts) == 0 || l.closingBlank) {
		p.w.WriteByte('\n')
	}
	return p.w.Flush()
}

// drawChart draws one diagram, with numbers if n is not nil.
func (l *Log) drawChart(p *pen, c *chart, n *numbering) error {
	p.text("[Statechart: ")
	p.text(c.name)
	p.text("]")
	width := c.width
	if n != nil {
		width = max(width, n.markRoom(c.arrows))
	} else {
		p.text(" (?)")
	}
	width |= 1
	p.end()

	for _, state := range c.columns {
		s := l.names[state]
		left := (width - int(s.width)) / 2
		p.blanks(left)
		p.text(s.text)
		p.blanks(width - left - int(s.width))
	}
	p.end()

	r := row{pen: p, width: width, exact: n != nil, columns: len(c.columns)}
	for _, a := range c.arrows {
		mark := "(?)"
		if n != nil {
			mark = n.mark(a.time)
		}
		if a.from == a.to {
			r.hook(int(a.from), l.names[a.signal], mark)
		} else {
			r.arrow(int(a.from), int(a.to), l.names[a.signal], mark)
		}
		if p.err != nil {
			return p.err
		}
	}
	return nil
}

// row draws the rows of one chart. Each begins with half a column of blanks, so
// that the left edge of a cell stands under the middle of its state.
type row struct {
	*pen
	width   int // of a column, odd
	columns int
	exact   bool // not where the original is wrong
}

// arrow draws two rows: the arrow, with its name in the cell next to the
// source, and the mark under the name.
func (r *row) arrow(from, to int, signal name, mark string) {
	lo, hi := from, to // the cells lo up to hi, hi not included
	second, last := "-", "-"
	if to < from {
		lo, hi = to, from
		if hi-lo == 1 && from == r.columns-2 && !r.exact {
			// The original puts an arrow from the last column but one to its
			// left neighbour one cell too far to the right. Its drawings are
			// compared byte for byte, so it stays there; it has no numbers.
			lo, hi = from, from+1
		}
	}
	named := lo
	switch {
	case to < from:
		named = hi - 1
		if named == lo {
			second = "<"
		}
	case hi-lo == 1:
		last = ">"
	}

	r.blanks(r.width / 2)
	for i := range r.columns - 1 {
		switch {
		case i < lo || i >= hi:
			r.edge("|")
		case i == named:
			left := (r.width-int(signal.width))/2 + 1
			r.text("+")
			r.text(second)
			r.dashes(left - 2)
			r.text(signal.text)
			r.dashes(r.width - left - int(signal.width) - 1)
			r.text(last)
		case i == lo && to < from:
			r.text("+<")
			r.dashes(r.width - 2)
		case i == hi-1:
			r.text("+")
			r.dashes(r.width - 2)
			r.text(">")
		default:
			r.text("+")
			r.dashes(r.width - 1)
		}
	}
	r.text("|")
	r.end()

	r.blanks(r.width / 2)
	for i := range r.columns - 1 {
		if i != named {
			r.edge("|")
			continue
		}
		left := (r.width - len(mark)) / 2
		r.text("|")
		r.blanks(left - 1)
		r.text(mark)
		r.blanks(r.width - left - len(mark))
	}
	r.text("|")
	r.end()
}

// hook draws five rows: a transition from a state to itself.
func (r *row) hook(column int, signal name, mark string) {
	for line := range 5 {
		r.blanks(r.width / 2)
		for i := range r.columns {
			switch {
			case i == column:
				r.hookCell(line, signal, mark)
			case i == r.columns-1:
				r.text("|")
			default:
				r.edge("|")
			}
		}
		r.end()
	}
}

func (r *row) hookCell(line int, signal name, mark string) {
	switch line {
	case 0:
		r.edge("+")
	case 1:
		r.text(` \ `)
		r.text(mark)
		r.blanks(r.width - 3 - len(mark))
	case 2:
		r.blanks(1)
		r.text(signal.text)
		r.blanks(r.width - 1 - int(signal.width))
	case 3:
		r.text(" /")
		r.blanks(r.width - 2)
	case 4:
		r.edge("<")
	}
}

// edge draws a cell that has nothing but its left edge.
func (r *row) edge(s string) {
	r.text(s)
	r.blanks(r.width - 1)
}

// pen writes rows. Blanks are held back until something follows them, so no row
// ends in a blank.
type pen struct {
	w      *bufio.Writer
	indent int
	held   int  // blanks held back
	inRow  bool // the row's indentation has been counted
	err    error
}

const (
	someBlanks = "                                                                "
	someDashes = "----------------------------------------------------------------"
)

func (p *pen) blanks(n int) { p.held += n }

// dashes draws n of them. Some text comes before them in every row.
func (p *pen) dashes(n int) { p.repeat(someDashes, n) }

// text draws s. Blanks at its ends are drawn as they are.
func (p *pen) text(s string) {
	if !p.inRow {
		p.inRow = true
		p.held += p.indent
	}
	if p.held > 0 {
		p.repeat(someBlanks, p.held)
		p.held = 0
	}
	p.w.WriteString(s)
}

// repeat writes n bytes of one kind.
func (p *pen) repeat(some string, n int) {
	for n > 0 {
		k := min(n, len(some))
		p.w.WriteString(some[:k])
		n -= k
	}
}

func (p *pen) end() {
	p.held, p.inRow = 0, false
	p.err = p.w.WriteByte('\n') // keeps the first error
}

// numbering gives every moment of a log its number: its place among them all.
type numbering struct {
	times []int64 // without repetitions, in order
	last  int     // where the last one was found
	text  []byte
}

func newNumbering(charts []chart) *numbering {
	total := 0
	for _, c := range charts {
		total += len(c.arrows)
	}
	n := &numbering{times: make([]int64, 0, total)}
	for _, c := range charts {
		for _, a := range c.arrows {
			n.times = append(n.times, a.time)
		}
	}
	slices.Sort(n.times)
	n.times = slices.Compact(n.times)
	return n
}

func (n *numbering) number(t int64) int {
	// Most often it is the same moment as before, or one soon after.
	for i := n.last; i < min(n.last+4, len(n.times)); i++ {
		if n.times[i] == t {
			n.last = i
			return i + 1
		}
	}
	n.last, _ = slices.BinarySearch(n.times, t)
	return n.last + 1
}

// mark is the number of a moment in parentheses.
func (n *numbering) mark(t int64) string {
	n.text = append(n.text[:0], '(')
	n.text = strconv.AppendInt(n.text, int64(n.number(t)), 10)
	n.text = append(n.text, ')')
	return string(n.text)
}

// markRoom is how wide a column must be for the longest mark, three places
// before it in a hook and one after it.
func (n *numbering) markRoom(arrows []arrow) int {
	longest := 0
	for _, a := range arrows {
		longest = max(longest, n.number(a.time))
	}
	return len(" \\ ()") + len(strconv.Itoa(longest)) + 1
}
