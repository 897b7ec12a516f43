package sequence

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"[2018-05-04 08:02:40.594301] [0ca32_ao] e->to_inner() outer->inner",
		" [+t] [10:00:01.123] [\x1b[34mmy-chart\x1b[0m] Trig->P(522) a->b and more \r\n",
		"[+s] c START",
		"[2013/3/24T12:15:5,2 +02:00] [c] e->A(f(x), [1]) a(b->c",
		"[x] [1525420960.5] [c] [d] e->A() a->b",
		"[not a date] [c] e->A() a->b",
		"[10:00:00] [c] # e->A() a->b",
		"[10:00:00] [\xff] e->A(((( a->b",
	} {
		f.Add([]byte(s))
	}
	known := append(slices.Clone(reasons[1:]), ErrNotTrace)
	f.Fuzz(func(t *testing.T, line []byte) {
		before := bytes.Clone(line)
		l, err := Parse(line)
		if !bytes.Equal(line, before) {
			t.Fatalf("%q became %q", before, line)
		}
		if err != nil {
			if !slices.ContainsFunc(known, func(e error) bool { return errors.Is(err, e) }) {
				t.Fatalf("%q: unknown error %v", line, err)
			}
			return
		}
		for _, part := range [][]byte{l.Chart, l.Signal, l.From, l.To} {
			if len(part) == 0 || !bytes.Equal(part, trim(part)) {
				t.Fatalf("%q: part %q is empty or has white space around it", line, part)
			}
		}
		again := fmt.Appendf(nil, "[10:00:00] [%s] e->%s %s->%s", l.Chart, l.Signal, l.From, l.To)
		m, err := Parse(again)
		if err != nil {
			t.Fatalf("%q: %q does not parse: %v", line, again, err)
		}
		if !bytes.Equal(m.Chart, l.Chart) || !bytes.Equal(m.Signal, l.Signal) || !bytes.Equal(m.From, l.From) || !bytes.Equal(m.To, l.To) {
			t.Fatalf("%q: %+v, again %+v", line, l, m)
		}
	})
}

func FuzzDraw(f *testing.F) {
	f.Add([]byte(goodLog), true)
	f.Add([]byte("  [1] [c] e->A() a->b\r\n[2] [d] e->B() b->b\n[1] [c] e->C(\t) b->c\n\xff\x00\n"), false)
	f.Add([]byte("[1] [c] e->A() a->b\n[1] [c] e->A() a->b\n[2] [c] e->B() c->d\n[1] [c] e->B() b->c"), true)
	f.Add([]byte(strings.Repeat("[1] [c] e->A() b->a\n[1] [c] e->A() a->b\n[3] [c] e->A() c->c\n", 20)), true)
	f.Fuzz(func(t *testing.T, input []byte, number bool) {
		log, err := Read(bytes.NewReader(input))
		if err != nil {
			t.Fatal(err)
		}
		accepted := 0
		for line := range bytes.Lines(bytes.TrimPrefix(input, []byte("\ufeff"))) {
			if _, err := Parse(line); err == nil && len(bytes.TrimSuffix(line, []byte("\n"))) <= MaxLine {
				accepted++
			}
		}
		if got := log.Report().Drawn; got != int64(accepted) {
			t.Fatalf("%d lines drawn, want the %d accepted ones", got, accepted)
		}
		drawing := draw(t, log, Options{Number: number})
		if !utf8.ValidString(drawing) {
			t.Fatalf("not UTF-8: %q", drawing)
		}
		rows, lines := 0, strings.Split(drawing, "\n")
		for _, row := range lines {
			if row != strings.TrimRight(row, " \t\v\f\r\x00") {
				t.Fatalf("row ends in white space: %q", row)
			}
		}
		for _, c := range log.charts {
			rows += 3 // title, states and the empty line after the chart
			for _, a := range c.arrows {
				if rows += 2; a.from == a.to {
					rows += 3
				}
			}
		}
		if rows = max(rows, 1); len(lines) != rows {
			t.Fatalf("%d rows, want %d:\n%s", len(lines), rows, drawing)
		}
	})
}
