package sequence

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxLine is the length in bytes of the longest line that Read looks at,
// without its line end.
const MaxLine = 64 << 10

// Log is the trace that was found in a stream, ready to be drawn. It does not
// change any more once Read has returned it, so that any number of goroutines
// may use it at the same time.
//
// It takes 24 bytes a trace line, and every name once.
type Log struct {
	charts []chart
	names  []name
	indent int // of the first trace line

	// closingBlank: the last line of the input that is not empty was blanks and
	// a bracket. The original then prints one more blank line at the end.
	closingBlank bool

	lines   int64
	drawn   int64
	skipped [len(reasons)]Skip
}

// chart is what one chart did.
type chart struct {
	name    string
	width   int     // code points that the widest state or signal asks for
	arrows  []arrow // in drawing order
	columns []int32 // the states, as indices into Log.names
}

// arrow is one transition. Its states are indices into Log.names while the
// log is read, and columns of its chart afterwards.
type arrow struct {
	time             int64
	signal, from, to int32
}

// name is a state or a signal.
type name struct {
	text  string
	width int32 // in code points
}

// Report says what Read did with the lines of its input.
type Report struct {
	Lines   int64  // lines read
	Drawn   int64  // trace lines, which Draw draws
	Skipped []Skip // lines that begin like trace lines but are none; nil if none
	// All other lines are noise.
}

// Skip counts the lines that were skipped for one reason.
type Skip struct {
	Reason error // one of the reasons that begin with ErrTooLong
	Lines  int64 // how many there are, at least one
	First  int64 // the number of the first one, counted from 1
}

var reasons = [...]error{ErrTooLong, ErrTime, ErrChart, ErrSignal, ErrStates, ErrSpy, ErrBrackets}

// Report says what was read and what was skipped.
func (l *Log) Report() Report {
	r := Report{Lines: l.lines, Drawn: l.drawn}
	for _, s := range l.skipped {
		if s.Lines > 0 {
			r.Skipped = append(r.Skipped, s)
		}
	}
	return r
}

// String tells in one line how many lines were skipped and why. It is empty
// if none was.
func (r Report) String() string {
	if len(r.Skipped) == 0 {
		return ""
	}
	var (
		b     strings.Builder
		total int64
	)
	for i, s := range r.Skipped {
		if i > 0 {
			b.WriteString(", ")
		}
		total += s.Lines
		fmt.Fprintf(&b, "%d with %s (first: line %d)", s.Lines, strings.TrimPrefix(s.Reason.Error(), "sequence: "), s.First)
	}
	return fmt.Sprintf("skipped %d of %d lines: %s", total, r.Lines, b.String())
}

// Read reads r to its end and keeps the trace lines it finds there, among
// whatever else. Lines end with \n or \r\n. What it holds meanwhile does not
// grow with lines that are no trace lines, nor with the length of a line.
//
// Stamps without a date that fall back by more than half a day are taken to
// have passed midnight.
//
// The error is that of r, wrapped; there is no log then.
func Read(r io.Reader) (*Log, error) {
	b := builder{
		log:    new(Log),
		names:  make(map[string]int32),
		charts: make(map[string]int32),
	}
	br := bufio.NewReaderSize(r, MaxLine+len("\n"))
	for {
		line, err := br.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			b.tooLong(line)
			for err == bufio.ErrBufferFull {
				_, err = br.ReadSlice('\n')
			}
		} else if len(line) > 0 {
			b.line(bytes.TrimSuffix(line, []byte("\n")))
		}
		if err == io.EOF {
			return b.finish(), nil
		}
		if err != nil {
			return nil, fmt.Errorf("sequence: %w", err)
		}
	}
}

// builder is a log while it is read.
type builder struct {
	log    *Log
	names  map[string]int32 // indices of Log.names by the text as it was read
	charts map[string]int32 // indices of Log.charts, likewise

	// For stamps without a date: the last one, and the midnight it counts
	// from.
	clock, midnight int64
}

// line takes in one line, which it may change.
func (b *builder) line(line []byte) {
	l := b.log
	if l.lines++; l.lines == 1 {
		line = bytes.TrimPrefix(line, []byte("\ufeff"))
	}
	if bytes.IndexByte(line, escape) >= 0 {
		line = stripEscapes(line[:0], line)
	}
	b.noteLast(line)
	t, err := parse(line)
	switch err {
	case nil:
		b.add(&t)
	case ErrNotTrace:
	default:
		b.skip(err)
	}
}

// tooLong takes in a line of which only the start is known.
func (b *builder) tooLong(start []byte) {
	b.log.lines++
	b.noteLast(start)
	b.skip(ErrTooLong)
}

func (b *builder) noteLast(line []byte) {
	if len(line) == 0 {
		return
	}
	b.log.closingBlank = false
	if line[0] == ' ' {
		rest := bytes.TrimLeft(line, " ")
		b.log.closingBlank = len(rest) > 0 && rest[0] == '['
	}
}

func (b *builder) skip(reason error) {
	for i := range reasons {
		if reasons[i] != reason {
			continue
		}
		s := &b.log.skipped[i]
		if s.Lines++; s.Lines == 1 {
			s.Reason, s.First = reason, b.log.lines
		}
	}
}

func (b *builder) add(t *Line) {
	l := b.log
	if l.drawn++; l.drawn == 1 {
		l.indent = t.Indent
	}
	if !t.Dated {
		t.Time = b.placeClock(t.Time)
	}
	i, ok := b.charts[string(t.Chart)]
	if !ok {
		i = int32(len(l.charts))
		b.charts[string(t.Chart)] = i
		l.charts = append(l.charts, chart{name: printable(string(t.Chart))})
	}
	c := &l.charts[i]
	a := arrow{
		time:   t.Time,
		signal: b.intern(t.Signal),
		from:   b.intern(t.From),
		to:     b.intern(t.To),
	}
	c.arrows = append(c.arrows, a)
	c.width = max(c.width,
		int(l.names[a.signal].width)+t.signalSlack+4,
		int(l.names[a.from].width),
		int(l.names[a.to].width)+t.toSlack)
}

// placeClock turns a time of day into one that goes on growing past midnight.
func (b *builder) placeClock(t int64) int64 {
	t += b.midnight
	switch step := t - b.clock; {
	case step < -day/2:
		b.midnight += day
		t += day
	case step > day-day/24 && b.midnight > 0:
		return t - day // written late: it belongs before the last midnight
	}
	b.clock = t
	return t
}

func (b *builder) intern(text []byte) int32 {
	if i, ok := b.names[string(text)]; ok {
		return i
	}
	raw := string(text)
	clean := printable(raw)
	i := int32(len(b.log.names))
	b.names[raw] = i
	b.log.names = append(b.log.names, name{clean, int32(utf8.RuneCountInString(clean))})
	return i
}

// printable replaces what would move the cursor, code point by code point, so
// that a trace from elsewhere can neither bend a drawing nor work a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case unicode.IsControl(r):
			return utf8.RuneError
		}
		return r
	}, s)
}

// finish puts the arrows in order and gives every state its column.
func (b *builder) finish() *Log {
	l := b.log
	o := newOrderer(len(l.names))
	column := make([]int32, len(l.names))
	for i := range column {
		column[i] = math.MaxInt32
	}
	for i := range l.charts {
		c := &l.charts[i]
		o.order(c.arrows)
		place := func(state *int32) {
			if column[*state] == math.MaxInt32 {
				column[*state] = int32(len(c.columns))
				c.columns = append(c.columns, *state)
			}
			*state = column[*state]
		}
		for j := range c.arrows {
			place(&c.arrows[j].from)
			place(&c.arrows[j].to)
		}
		for _, state := range c.columns {
			column[state] = math.MaxInt32
		}
	}
	return l
}
