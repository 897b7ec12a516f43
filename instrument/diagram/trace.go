package diagram

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
	"github.com/statemesh/statemesh/instrument/sequence"
)

// Line is one line of a recorded trace.
type Line struct {
	instrument.Trace
	Number int // of the line in the stream, counted from 1
}

// Read walks the trace lines that it finds in a stream, in the order in which
// they stand there: text as [sequence.Parse] takes it apart, among whatever
// else, and the JSON that [instrument.Trace] writes, one object a line. What is
// neither is passed over, and so is a line longer than sequence.MaxLine. A state
// with -> in its name can be told from JSON only.
//
// A time without a zone is taken as UTC. One without a date counts from
// 1970-01-01, and goes on to the next day when it falls back by more than half
// a day. Arguments behind a signal are left out; a text line tells neither node
// nor event.
//
// The walk ends with the first error of r, which it gives with a zero Line.
func Read(r io.Reader) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		var clock clock
		in := bufio.NewReaderSize(r, sequence.MaxLine+len("\n"))
		for number := 1; ; number++ {
			text, err := in.ReadSlice('\n')
			tooLong := errors.Is(err, bufio.ErrBufferFull)
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = in.ReadSlice('\n')
			}
			if number == 1 {
				text = bytes.TrimPrefix(text, []byte("\ufeff"))
			}
			if !tooLong {
				if t, ok := parse(text, &clock); ok && !yield(Line{t, number}, nil) {
					return
				}
			}
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(Line{}, fmt.Errorf("diagram: %w", err))
				return
			}
		}
	}
}

func parse(text []byte, clock *clock) (instrument.Trace, bool) {
	text = bytes.TrimSpace(text)
	if bytes.HasPrefix(text, []byte("{")) {
		var t instrument.Trace
		if json.Unmarshal(text, &t) != nil || t.Name == "" || t.Signal == "" || t.From == "" || t.To == "" {
			return t, false
		}
		return t, true
	}
	line, err := sequence.Parse(text)
	if err != nil {
		return instrument.Trace{}, false
	}
	if !line.Dated {
		line.Time = clock.place(line.Time)
	}
	signal, _, _ := strings.Cut(string(line.Signal), "(")
	return instrument.Trace{
		Time: time.Unix(0, line.Time).UTC(), Name: string(line.Chart), Signal: signal, From: string(line.From), To: string(line.To),
	}, true
}

// clock makes times of day go on past midnight.
type clock struct{ last, midnight int64 }

func (c *clock) place(t int64) int64 {
	const day = int64(24 * time.Hour)
	if t += c.midnight; t < c.last-day/2 {
		c.midnight += day
		t += day
	}
	c.last = t
	return t
}

// AddTrace adds the transitions that it reads in a recorded trace to the
// description of the chart that made them, and returns how many there were. It
// takes the lines of the objects with those names, of all if no name is given.
// It ends at the first line with a state that is not in the chart, or at an
// error of r; what it read before stays added.
func AddTrace(d *hsm.Description, r io.Reader, names ...string) (lines int, err error) {
	for line, err := range Read(r) {
		if err != nil {
			return lines, err
		}
		if len(names) > 0 && !slices.Contains(names, line.Name) {
			continue
		}
		if err := d.Add(line.Signal, line.From, line.To); err != nil {
			return lines, fmt.Errorf("diagram: line %d, of %s: %w", line.Number, line.Name, err)
		}
		lines++
	}
	return lines, nil
}
