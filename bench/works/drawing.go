package works

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/statemesh/statemesh/bench/measure"
	"github.com/statemesh/statemesh/instrument"
	"github.com/statemesh/statemesh/instrument/sequence"
)

// drawing is what the diagram tool does: a trace is read and drawn.
func drawing(env Env) measure.Work {
	n := 200_000
	if env.Quick {
		n = 50_000
	}
	return measure.Work{
		Name: "seqdiagram", About: "a line of a trace is read and drawn, numbered", N: n, Rounds: 5,
		Contestants: []measure.Contestant{{Name: Ours, Begin: draw}},
		Goals: []measure.Goal{
			{Metric: measure.Rate, Target: measure.Target{Kind: measure.AtLeast, Value: 500_000}},
		},
	}
}

// traced writes n lines of a trace of 20 charts with 6 states each.
func traced(n int) []byte {
	var b bytes.Buffer
	at := time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC)
	const charts, states = 20, 6
	var state [charts]int
	for i := range n {
		at = at.Add(731 * time.Microsecond)
		chart := i % charts
		from := state[chart]
		to := (from + 1 + i/charts%(states-1)) % states
		state[chart] = to
		fmt.Fprintf(&b, "[%s] [%05x_ao] e->to_state_%d() state_%d->state_%d\n", at.Format(instrument.TimeLayout), chart*4711, to, from, to)
	}
	return b.Bytes()
}

func draw(context.Context) (*measure.Session, error) {
	var text []byte
	var lines int
	return &measure.Session{Do: func(n int) (measure.Sample, error) {
		if lines != n {
			text, lines = traced(n), n
		}
		began := time.Now()
		log, err := sequence.Read(bytes.NewReader(text))
		if err != nil {
			return nil, err
		}
		var written counter
		if err := log.Draw(&written, sequence.Options{Number: true}); err != nil {
			return nil, err
		}
		took := time.Since(began)
		if err := counted("lines drawn", int(log.Report().Drawn), n); err != nil {
			return nil, err
		}
		// Every arrow has two rows.
		if written.rows < 2*n {
			return nil, fmt.Errorf("works: %d rows for %d arrows", written.rows, n)
		}
		return measure.Sample{
			measure.Time.Name: float64(took) / float64(n),
			measure.Rate.Name: float64(n) / took.Seconds(),
		}, nil
	}}, nil
}

// counter counts the rows that are written to it.
type counter struct{ rows int }

var _ io.Writer = (*counter)(nil)

func (c *counter) Write(p []byte) (int, error) {
	c.rows += bytes.Count(p, []byte("\n"))
	return len(p), nil
}
