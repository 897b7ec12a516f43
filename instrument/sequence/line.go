package sequence

import (
	"bytes"
	"errors"
)

// ErrNotTrace says that a line does not look like a trace line at all: a local
// spy line, a scribble, any other text. Such a line is noise and no reason to
// worry; [Read] passes over it and does not report it.
var ErrNotTrace = errors.New("sequence: not a trace line")

// Reasons why a line that looks like a trace line cannot be drawn. [Read]
// skips such lines and counts them in its [Report].
var (
	// ErrTooLong: the line has more than MaxLine bytes.
	ErrTooLong = errors.New("sequence: line too long")
	// ErrTime: everything is there, but no bracket holds a time stamp.
	ErrTime = errors.New("sequence: bad time stamp")
	// ErrChart: the bracket after the time stamp, the chart's name, is blank.
	ErrChart = errors.New("sequence: no chart name")
	// ErrSignal: what follows the first "->" is not a name and arguments in
	// parentheses that balance.
	ErrSignal = errors.New("sequence: bad signal")
	// ErrStates: there is no "from->to" one blank after the signal.
	ErrStates = errors.New("sequence: no transition after the signal")
	// ErrSpy: a line of the spy as the network prints it, [+s].
	ErrSpy = errors.New("sequence: a spy tag")
	// ErrBrackets: it begins with a bracket as a trace line does, but has not
	// the two that a trace line needs.
	ErrBrackets = errors.New("sequence: a bracket but no time stamp and chart")
)

// Line is one trace line, taken apart:
//
//	[+t] [2018-05-04 08:02:40.594301] [0ca32_ao] e->to_inner() outer->inner
//
// The slices point into the text that was given to Parse, or, when that text
// held terminal colours, into a copy without them. None of them is empty or
// begins or ends with white space.
type Line struct {
	Indent int    // blanks before the first bracket
	Time   int64  // nanoseconds since 1970-01-01 00:00 UTC, or since midnight
	Dated  bool   // false: the stamp has no date, Time counts from midnight
	Chart  []byte // the name of the chart: 0ca32_ao
	Signal []byte // the signal with its arguments: to_inner()
	From   []byte // the state that was left: outer
	To     []byte // the state that was reached: inner

	// White space next to the signal and the target, which the column width
	// has always counted.
	signalSlack, toSlack int
}

const escape = 0x1b

// Parse takes one trace line apart. The line may have its line end, and it
// need not be valid UTF-8.
//
//  1. Terminal escape sequences are taken out.
//  2. Blanks (no tabs) may come first; then brackets, parted by blanks: any
//     tag such as [+t], a time stamp, the chart's name. The tag [+s] marks a
//     spy line.
//  3. Then any word, "->", the signal's name and its arguments in balanced
//     parentheses, a blank, the source, "->", and the target, which goes to
//     the end of the line. Text that starts with # is a scribble, which is
//     noise, and so is text that has no "->" or closes no parenthesis after it.
//
// A time stamp is a date (2018-05-04 or 2018/5/4), a time of day
// (8:02, 08:02:40.594301 or 08:02:40,594; a zone may follow), a date and a time
// parted by a blank or a T, or a number of seconds. Years go from 1678 to
// 2261. A stamp without a zone is taken as UTC.
//
// The error is ErrNotTrace or one of the reasons above but ErrTooLong. Parse
// does not keep or change line, and allocates only if there are colours.
func Parse(line []byte) (Line, error) {
	if bytes.IndexByte(line, escape) >= 0 {
		line = stripEscapes(nil, line)
	}
	return parse(line)
}

// maxBrackets is how many brackets are looked at for a time stamp.
const maxBrackets = 8

// parse is Parse for a line without escape sequences.
func parse(line []byte) (Line, error) {
	var l Line
	for l.Indent < len(line) && line[l.Indent] == ' ' {
		l.Indent++
	}
	var (
		brackets [maxBrackets][]byte
		after    [maxBrackets]int // where the text after that bracket begins
		n        int
	)
	for p := l.Indent; n < maxBrackets && p < len(line) && line[p] == '['; n++ {
		end := bytes.IndexByte(line[p:], ']')
		if end < 0 {
			break
		}
		brackets[n] = line[p+1 : p+end]
		after[n] = p + end + 1
		for p = after[n]; p < len(line) && line[p] == ' '; p++ {
		}
		if p == after[n] {
			n++
			break
		}
	}
	switch {
	case n == 0:
		return Line{}, ErrNotTrace
	case string(brackets[0]) == "+s":
		return Line{}, ErrSpy
	case n == 1:
		return Line{}, ErrBrackets
	}

	at, ok := 0, false
	if n > 2 { // the first one is a tag
		at = 1
		l.Time, l.Dated, ok = parseStamp(brackets[1])
	}
	for i := 0; !ok && i < n-1; i++ {
		at = i
		l.Time, l.Dated, ok = parseStamp(brackets[i])
	}
	if !ok {
		if l.parseText(line[after[n-1]:]) == nil {
			return Line{}, ErrTime
		}
		return Line{}, ErrNotTrace
	}
	if err := l.parseText(line[after[at+1]:]); err != nil {
		return Line{}, err
	}
	if l.Chart = trim(brackets[at+1]); len(l.Chart) == 0 {
		return Line{}, ErrChart
	}
	return l, nil
}

// parseText reads what stands after the brackets: e->signal(...) from->to.
func (l *Line) parseText(text []byte) error {
	text = trimLeft(text)
	if len(text) == 0 || text[0] == '#' {
		return ErrNotTrace
	}
	arrow := bytes.Index(text, arrowText)
	if arrow < 0 {
		return ErrNotTrace
	}
	text = text[arrow+len(arrowText):]
	if bytes.IndexByte(text, ')') < 1 {
		return ErrNotTrace
	}
	end := signalEnd(text)
	if end < 0 {
		return ErrSignal
	}
	l.Signal = trimLeft(text[:end])
	l.signalSlack = end - len(l.Signal)
	if l.Signal[0] == '(' {
		return ErrSignal
	}

	text = text[end:]
	arrow = bytes.Index(text, arrowText)
	if arrow < 0 || text[0] != ' ' {
		return ErrStates
	}
	to := text[arrow+len(arrowText):]
	l.From = trim(text[:arrow])
	l.To = trim(to)
	l.toSlack = len(to) - len(l.To)
	if len(l.From) == 0 || len(l.To) == 0 {
		return ErrStates
	}
	return nil
}

var arrowText = []byte("->")

// isWhite is what the original strips: ASCII white space and NUL.
func isWhite(c byte) bool {
	return c == ' ' || c >= '\t' && c <= '\r' || c == 0
}

func trimLeft(b []byte) []byte {
	for len(b) > 0 && isWhite(b[0]) {
		b = b[1:]
	}
	return b
}

func trim(b []byte) []byte {
	for len(b) > 0 && isWhite(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return trimLeft(b)
}

// signalEnd is the end of the arguments' parentheses, or -1 if they do not
// open before they close, or do not close.
func signalEnd(text []byte) int {
	depth := 0
	for i, c := range text {
		switch c {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
			if depth < 0 {
				return -1
			}
		}
	}
	return -1
}

// stripEscapes appends src without its terminal escape sequences (ECMA-48) to
// dst, which may be src[:0].
func stripEscapes(dst, src []byte) []byte {
	for {
		i := bytes.IndexByte(src, escape)
		if i < 0 {
			return append(dst, src...)
		}
		dst = append(dst, src[:i]...)
		src = src[i+escapeLen(src[i:]):]
	}
}

// escapeLen is the length of the escape sequence that s starts with: a control
// sequence such as a colour, an operating system command such as a title or a
// link, or else the escape character alone.
func escapeLen(s []byte) int {
	if len(s) < 2 {
		return len(s)
	}
	switch s[1] {
	case '[':
		i := 2
		for i < len(s) && s[i] >= 0x20 && s[i] <= 0x3f {
			i++
		}
		if i < len(s) && s[i] >= 0x40 && s[i] <= 0x7e {
			i++
		}
		return i
	case ']':
		for i := 2; i < len(s); i++ {
			if s[i] == '\a' {
				return i + 1
			}
			if s[i] == escape && i+1 < len(s) && s[i+1] == '\\' {
				return i + 2
			}
		}
		return len(s)
	}
	return 1
}
