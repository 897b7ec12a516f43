package sequence

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// parts is a Line with texts in place of slices.
type parts struct {
	Indent                  int
	Chart, Signal, From, To string
}

func TestParse(t *testing.T) {
	tests := []struct {
		name, line string
		want       parts
	}{
		{
			"plain",
			"[2018-05-04 08:02:40.594301] [0ca32_ao] e->to_inner() outer->inner",
			parts{0, "0ca32_ao", "to_inner()", "outer", "inner"},
		}, {
			"heard from the network, with its line end",
			" [+t] [2018-05-04 08:02:40.594301] [0ca32_ao] e->to_inner() outer->inner\r\n",
			parts{1, "0ca32_ao", "to_inner()", "outer", "inner"},
		}, {
			"coloured name",
			"[+t] [2018-05-04 08:02:40.594301] [\x1b[34m0ca32_ao\x1b[0m] e->to_inner() outer->inner",
			parts{0, "0ca32_ao", "to_inner()", "outer", "inner"},
		}, {
			"coloured all over",
			"\x1b[38;5;12m[+t]\x1b[0m \x1b]8;;http://x/\x1b\\[08:02:40]\x1b]8;;\a [\x1b[35mc\x1b[m] e->\x1b[1mA(\x1b[0m1) a->b\x1b[K",
			parts{0, "c", "A(1)", "a", "b"},
		}, {
			"name with dashes and blanks",
			"[08:02:40] [my-chart no. 2] e->A() a->b",
			parts{0, "my-chart no. 2", "A()", "a", "b"},
		}, {
			"any tag, any number of blanks",
			"[host 7]   [08:02:40]  [c]   Trig->A() a->b",
			parts{0, "c", "A()", "a", "b"},
		}, {
			"two tags",
			"[host 7] [+t] [08:02:40] [c] e->A() a->b",
			parts{0, "c", "A()", "a", "b"},
		}, {
			"a number as a tag",
			"[12] [08:02:40] [c] e->A() a->b",
			parts{0, "c", "A()", "a", "b"},
		}, {
			"a bracket after the name",
			"[08:02:40] [c] [x] e->A() a->b",
			parts{0, "c", "A()", "a", "b"},
		}, {
			"nested parentheses",
			"[08:02:40] [c] e->A(f(x), g(y)) a->b",
			parts{0, "c", "A(f(x), g(y))", "a", "b"},
		}, {
			"an arrow among the arguments",
			"[08:02:40] [c] e->A(x->y) a->b",
			parts{0, "c", "A(x->y)", "a", "b"},
		}, {
			"brackets and other marks among the arguments",
			"[08:02:40] [c] e->A([1] [2] *+?) a->b",
			parts{0, "c", "A([1] [2] *+?)", "a", "b"},
		}, {
			"half a parenthesis in a state",
			"[08:02:40] [c] e->A() a(b->c)",
			parts{0, "c", "A()", "a(b", "c)"},
		}, {
			"words after the target belong to it",
			"[08:02:40] [c] e->A() a->b and so->on  ",
			parts{0, "c", "A()", "a", "b and so->on"},
		}, {
			"no word before the signal",
			"[08:02:40] [c]->A() a->b",
			parts{0, "c", "A()", "a", "b"},
		}, {
			"an arrow before the signal is part of it",
			"[08:02:40] [c] x->2 y->A(1) a->b",
			parts{0, "c", "2 y->A(1)", "a", "b"},
		}, {
			"not UTF-8",
			"[08:02:40] [\xff] e->A(\xfe) \xfd->\xfc",
			parts{0, "\xff", "A(\xfe)", "\xfd", "\xfc"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := bytes.Clone([]byte(tt.line))
			line := []byte(tt.line)
			l, err := Parse(line)
			if err != nil {
				t.Fatal(err)
			}
			got := parts{l.Indent, string(l.Chart), string(l.Signal), string(l.From), string(l.To)}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !bytes.Equal(line, before) {
				t.Errorf("Parse changed its argument to %q", line)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct {
		name, line string
		want       error
	}{
		{"empty", "", ErrNotTrace},
		{"blanks", "   ", ErrNotTrace},
		{"text", "hello", ErrNotTrace},
		{"one bracket", "[08:02:40] e->A() a->b", ErrBrackets},
		{"a bracket that does not close", "[08:02:40] [c e->A() a->b", ErrBrackets},
		{"a log line", "[INFO] [main] ready", ErrNotTrace},
		{"a title", "[Statechart: c] (?)", ErrBrackets},
		{"spy", "[+s] c START", ErrSpy},
		{"spy that looks like a trace", "[+s] [08:02:40] [c] e->A() a->b", ErrSpy},
		{"coloured spy", "\x1b[34m[+s]\x1b[0m c e->A() a->b", ErrSpy},
		{"scribble", "[08:02:40] [c] # e->A() a->b", ErrNotTrace},
		{"coloured scribble", "[08:02:40] [c] \x1b[30;1m# e->A() a->b\x1b[0m", ErrNotTrace},
		{"only a name", "[08:02:40] [c]", ErrNotTrace},
		{"no arrow", "[08:02:40] [c] hello world", ErrNotTrace},
		{"no parentheses", "[08:02:40] [c] e->A a->b", ErrNotTrace},
		{"parenthesis before the arrow", "[08:02:40] [c] (x) a->b", ErrNotTrace},
		{"indented by a tab", "\t[08:02:40] [c] e->A() a->b", ErrNotTrace},
		{"text before", "x [08:02:40] [c] e->A() a->b", ErrNotTrace},
		{"no blank between", "[08:02:40][c] e->A() a->b", ErrBrackets},
		{"no time", "[not a date] [c] e->A() a->b", ErrTime},
		{"no such month", "[2020-13-01 00:00:01] [c] e->A() a->b", ErrTime},
		{"no name", "[08:02:40] [] e->A() a->b", ErrChart},
		{"blank name", "[08:02:40] [  ] e->A() a->b", ErrChart},
		{"no signal", "[08:02:40] [c] e->(x) a->b", ErrSignal},
		{"blank signal", "[08:02:40] [c] e-> (x) a->b", ErrSignal},
		{"parentheses that do not close", "[08:02:40] [c] e->A(f(x) a->b", ErrSignal},
		{"parentheses that do not open", "[08:02:40] [c] e->A) a->b", ErrSignal},
		{"nothing after the signal", "[08:02:40] [c] e->A()", ErrStates},
		{"no transition", "[08:02:40] [c] e->A() hello", ErrStates},
		{"no blank after the signal", "[08:02:40] [c] e->A()a->b", ErrStates},
		{"no source", "[08:02:40] [c] e->A() ->b", ErrStates},
		{"no target", "[08:02:40] [c] e->A() a-> ", ErrStates},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if l, err := Parse([]byte(tt.line)); !errors.Is(err, tt.want) {
				t.Errorf("Parse(%q) = %+v, %v; want %v", tt.line, l, err, tt.want)
			}
		})
	}
}

func TestParseTime(t *testing.T) {
	date := func(s string) int64 {
		u, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return u.UnixNano()
	}
	clock := func(s string) int64 {
		d, err := time.ParseDuration(s)
		if err != nil {
			t.Fatal(err)
		}
		return int64(d)
	}
	tests := []struct {
		stamp string
		want  int64
		dated bool
	}{
		{"2018-05-04 08:02:40.594301", date("2018-05-04T08:02:40.594301Z"), true},
		{"2013-3-24 12:15:5.201", date("2013-03-24T12:15:05.201Z"), true},
		{"2013/3/24 12:15", date("2013-03-24T12:15:00Z"), true},
		{"12-10-16 13:30:18", date("2012-10-16T13:30:18Z"), true},
		{"70-10-16 13:30:18", date("1970-10-16T13:30:18Z"), true},
		{"2012-10-16", date("2012-10-16T00:00:00Z"), true},
		{"2012-10-16 INFO", date("2012-10-16T00:00:00Z"), true},
		{"2018-05-04T08:02:40.594301999Z", date("2018-05-04T08:02:40.594301999Z"), true},
		{"2018-05-04T08:02:40.5943019999Z", date("2018-05-04T08:02:40.594301999Z"), true},
		{"2018-05-04 08:02:40,594", date("2018-05-04T08:02:40.594Z"), true},
		{"2018-05-04 08:02:40 +0200", date("2018-05-04T06:02:40Z"), true},
		{"2018-05-04T08:02:40-07:30", date("2018-05-04T15:32:40Z"), true},
		{"2018-05-04T08:02:40+02", date("2018-05-04T06:02:40Z"), true},
		{"2018-05-04 08:02:40 DEBUG", date("2018-05-04T08:02:40Z"), true},
		{" 2018-05-04 08:02:40 ", date("2018-05-04T08:02:40Z"), true},
		{"2020-02-30 00:00:00", date("2020-03-01T00:00:00Z"), true},
		{"2020-02-29 24:00:00", date("2020-03-01T00:00:00Z"), true},
		{"2016-12-31 23:59:60", date("2017-01-01T00:00:00Z"), true},
		{"1678-01-01 00:00:00", date("1678-01-01T00:00:00Z"), true},
		{"2261-12-31 23:59:59", date("2261-12-31T23:59:59Z"), true},
		{"10:00:01.123", clock("10h1s123ms"), false},
		{"8:02", clock("8h2m"), false},
		{"12.5", clock("12.5s"), true},
		{"1525420960.594301", date("2018-05-04T08:02:40.594301Z"), true},
	}
	for _, tt := range tests {
		t.Run(tt.stamp, func(t *testing.T) {
			l, err := Parse([]byte("[" + tt.stamp + "] [c] e->A() a->b"))
			if err != nil {
				t.Fatal(err)
			}
			if l.Time != tt.want || l.Dated != tt.dated {
				t.Errorf("time %d, dated %v; want %d, %v", l.Time, l.Dated, tt.want, tt.dated)
			}
		})
	}
}

func TestParseTimeRefuses(t *testing.T) {
	for _, stamp := range []string{
		"", " ", "x", "-1", "12x", "12.5x", "12:", "12:60", "25:00", "12:15:61", "123:00", "12:15:05x",
		"99999999999", "2020-01", "2020-01-", "2020-01-32", "2020-00-01", "2020-13-01", "2020-01-00",
		"2020-01/01", "2020-001-01", "2020-01-01x", "2020-01-01 25:00", "2020-01-01 12", "1677-01-01", "2262-01-01",
		"2020-01-01 12:00 +2", "2020-01-01 12:00 +24:00", "2020-01-01 12:00 +02:60", "2020-01-01 12:00 +0260",
	} {
		t.Run(stamp, func(t *testing.T) {
			l, err := Parse([]byte("[" + stamp + "] [c] e->A() a->b"))
			if err != ErrTime {
				t.Errorf("time %d, error %v, want %v", l.Time, err, ErrTime)
			}
		})
	}
}

// Every day that can be written comes one day after the one before it.
func TestParseTimeCountsDays(t *testing.T) {
	for d := time.Date(firstYear, 1, 1, 0, 0, 0, 0, time.UTC); d.Year() <= lastYear; d = d.AddDate(0, 0, 1) {
		got, dated, ok := parseStamp([]byte(d.Format(time.DateOnly)))
		if !ok || !dated || got != d.UnixNano() {
			t.Fatalf("%v: %d, %v, %v; want %d", d, got, dated, ok, d.UnixNano())
		}
	}
}
