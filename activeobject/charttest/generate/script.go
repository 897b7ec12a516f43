package generate

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/statemesh/statemesh/instrument/diagram"
)

// test writes the test of one run.
func (s *source) test(name, maker string, o *object, run []diagram.Line) {
	begin := run[0].Time
	state := run[0].From
	var want []string
	if isStart(run[0]) {
		state = run[0].To
		if s.options.Start != "" {
			state = s.options.Start
		}
		want = append(want, traceLine(run[0]))
		run = run[1:]
	} else {
		want = append(want, fmt.Sprintf("e->start_at() top->%s", state))
	}

	s.printf("\nfunc %s(t *testing.T) {\n", name)
	s.printf("charttest.Run(t, %s, %q, func(c *charttest.Chart[charttest.Object]) {\n", maker, state)
	var now, at time.Duration // of the script, of the line
	for _, l := range run {
		at = max(at, l.Time.Sub(begin).Round(s.options.Round))
		origin := s.originOf(o, l)
		s.origins[origin] = true
		want = append(want, traceLine(l))
		if origin == own {
			s.after(at-now, " // the chart itself posts "+comment(l.Signal))
			now = at
			continue
		}
		s.after(at-now, "")
		now = at
		s.posts = true
		s.printf("c.Post(hsm.NewSignal(%q))", l.Signal)
		if origin == unrecorded {
			s.printf(" // caused by an event that is not in the trace; delete this if the chart posts it by itself")
		}
		s.printf("\n")
	}
	s.printf("c.WantTrace(%s)\n})\n}\n", literal(want))
}

func traceLine(l diagram.Line) string {
	return fmt.Sprintf("e->%s() %s->%s", l.Signal, l.From, l.To)
}

// after writes that time passes, if any does.
func (s *source) after(d time.Duration, comment string) {
	if d <= 0 {
		return
	}
	s.waits = true
	s.printf("c.After(%s)%s\n", duration(d), comment)
}

var units = []struct {
	d    time.Duration
	name string
}{
	{time.Hour, "time.Hour"}, {time.Minute, "time.Minute"}, {time.Second, "time.Second"},
	{time.Millisecond, "time.Millisecond"}, {time.Microsecond, "time.Microsecond"}, {time.Nanosecond, "time.Nanosecond"},
}

// duration writes d in the largest unit that divides it.
func duration(d time.Duration) string {
	for _, u := range units {
		if d == u.d {
			return u.name
		}
		if d%u.d == 0 {
			return fmt.Sprintf("%d * %s", d/u.d, u.name)
		}
	}
	return strconv.FormatInt(int64(d), 10)
}

// comment writes a name so that it stays in its line.
func comment(name string) string {
	if quoted := strconv.Quote(name); quoted != `"`+name+`"` {
		return quoted
	}
	return name
}

// literal writes lines as a raw string, which the reader can compare with a
// trace, or as a quoted one if that is impossible.
func literal(lines []string) string {
	for _, line := range lines {
		if !strconv.CanBackquote(line) {
			return strconv.Quote(strings.Join(lines, "\n"))
		}
	}
	return "`\n\t\t\t" + strings.Join(lines, "\n\t\t\t") + "\n\t\t`"
}
