package measure

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"
)

// Runner runs works. Its zero value does not; see the fields.
type Runner struct {
	Rounds int           // rounds of a work that does not say how many it has at most; at least 1
	Time   time.Duration // how long one contestant works in a round
	// Fresh does a round in a process of its own; nil does it in this one.
	Fresh func(ctx context.Context, work, contestant string, n int) (Sample, error)
	// Samples, if not nil, gets a line a round and contestant in the format of Go's
	// benchmarks, for benchstat.
	Samples io.Writer
}

// warm says how long a contestant works at least before it is measured: this part of
// a round.
const warm = 4

// Run runs a work: in every round each contestant does it once, and each round
// begins with another contestant. The result has a row for each goal. A
// contestant that is absent or fails does not stop the others: the rows say so,
// and have failed set if it failed. The error is that of the context or of a work
// that is put together wrongly.
func (r *Runner) Run(ctx context.Context, w Work) ([]Row, error) {
	if err := w.Validate(); err != nil {
		return nil, err
	}
	results := make([]result, len(w.Contestants))
	active := make([]entrant, 0, len(w.Contestants))
	defer func() {
		for _, e := range active {
			e.end()
		}
	}()
	for i, c := range w.Contestants {
		e := entrant{work: w, contestant: c, runner: r, result: &results[i], n: w.operations(c)}
		if e.begin(ctx) {
			active = append(active, e)
		}
	}
	rounds := max(r.Rounds, 1)
	if w.Rounds > 0 {
		rounds = min(rounds, w.Rounds)
	}
	for round := range rounds {
		for i := range active {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			active[(i+round)%len(active)].round(ctx)
		}
	}
	byName := make(map[string]*result, len(results))
	for i, c := range w.Contestants {
		byName[c.Name] = &results[i]
	}
	rows := make([]Row, len(w.Goals))
	for i, g := range w.Goals {
		rows[i] = judge(w, g, byName)
	}
	return rows, nil
}

// result is what a contestant gave: a sample a round, or an error. After an error
// it has no samples.
type result struct {
	samples []Sample
	err     error
}

func (r *result) fail(err error) { r.samples, r.err = nil, err }

// values returns the samples of a metric, in the order of the rounds.
func (r *result) values(m Metric) []float64 {
	var all []float64
	for _, s := range r.samples {
		if v, ok := s[m.Name]; ok {
			all = append(all, v)
		}
	}
	return all
}

// entrant is a contestant that takes part in a work.
type entrant struct {
	work       Work
	contestant Contestant
	runner     *Runner
	session    *Session // nil if every round has a session, or even a process, of its own
	result     *result
	n          int
}

// begin sets the contestant up and finds out how many operations a round has. It
// reports whether the contestant can take part.
func (e *entrant) begin(ctx context.Context) bool {
	if e.work.Fresh {
		if e.n == 0 {
			e.result.fail(fmt.Errorf("measure: %s is fresh and does not say how many operations a round has", e.work.Name))
			return false
		}
		return true
	}
	session, err := e.contestant.Begin(ctx)
	if err != nil {
		e.result.fail(err)
		return false
	}
	e.session = session
	if e.n > 0 {
		return true
	}
	if err := e.calibrate(); err != nil {
		e.result.fail(err)
		e.end()
		return false
	}
	return true
}

// calibrate finds the number of operations that take the time of a round, and
// thereby warms up.
func (e *entrant) calibrate() error {
	step, whole := max(e.work.Step, 1), e.runner.Time*time.Duration(max(e.work.Longer, 1))
	for n := step; ; {
		_, took, err := timed(e.session, n)
		if err != nil {
			return err
		}
		if took*warm >= whole {
			e.n = max(step, int(float64(n)*float64(whole)/float64(took))/step*step)
			return nil
		}
		// At least twice as many, and at most a hundred times, to get there soon.
		factor := float64(whole) / warm / float64(took)
		n = int(float64(n)*min(max(factor, 2), 100)+float64(step)) / step * step
	}
}

// round does one round. After an error the contestant does no more.
func (e *entrant) round(ctx context.Context) {
	if e.result.err != nil {
		return
	}
	var sample Sample
	var err error
	switch {
	case e.work.Fresh && e.runner.Fresh != nil:
		sample, err = e.runner.Fresh(ctx, e.work.Name, e.contestant.Name, e.n)
	case e.work.Fresh:
		sample, err = e.work.Once(ctx, e.contestant.Name, e.n)
	default:
		sample, _, err = timed(e.session, e.n)
	}
	if err != nil {
		e.result.fail(err)
		return
	}
	e.result.samples = append(e.result.samples, sample)
	if e.runner.Samples != nil {
		fmt.Fprintln(e.runner.Samples, benchmarkLine(e.work.Name, e.contestant.Name, e.n, sample))
	}
}

func (e *entrant) end() {
	if e.session != nil && e.session.End != nil {
		e.session.End()
	}
}

// benchmarkLine is a line that benchstat reads.
func benchmarkLine(work, contestant string, n int, s Sample) string {
	name := strings.ReplaceAll(work+"/by="+contestant, " ", "_")
	return fmt.Sprintf("Benchmark%s %d %g ns/op %g allocs/op", strings.ToUpper(name[:1])+name[1:], n, s[Time.Name], s[Allocs.Name])
}

// settle collects garbage, so that no contestant pays for another's, and returns
// how many objects have been allocated so far.
func settle() uint64 {
	runtime.GC()
	return mallocs()
}

func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

// absence returns why a contestant is not there: nil if it is, and whether that is
// a failure.
func absence(rs ...*result) (err error, failed bool) {
	for _, r := range rs {
		if r == nil {
			continue
		}
		err = cmp.Or(err, r.err)
		var absent *Absent
		if r.err != nil && !errors.As(r.err, &absent) {
			failed = true
		}
	}
	return err, failed
}
