package measure

import (
	"context"
	"fmt"
	"time"
)

// A Metric is one of the things that a round of work can be measured by.
type Metric struct {
	Name string
	Unit string
	Rate bool // more is better; otherwise it is a cost, and less is better
}

// The metrics that a Runner measures itself, of every work.
var (
	Time   = Metric{Name: "time", Unit: "ns"}               // elapsed, for each operation
	Rate   = Metric{Name: "rate", Unit: "/s", Rate: true}   // operations in a second
	Allocs = Metric{Name: "allocations", Unit: "allocs/op"} // of the whole process, for each operation
)

// A Sample is what one round gave, by the names of metrics.
type Sample map[string]float64

// A Session is a contestant that has been set up.
type Session struct {
	// Do does n operations, waits until they are done, and returns an error unless
	// it can show that they were. The sample may be nil, or have metrics of its own;
	// what it says goes before what the runner measures.
	Do func(n int) (Sample, error)
	// End gives up what Begin took. nil means that there is nothing.
	End func()
}

// A Contestant does a work in its own way.
type Contestant struct {
	Name string
	// Begin sets the contestant up; an *Absent error says why it cannot take part
	// here. The context is for what Begin has to wait for.
	Begin func(ctx context.Context) (*Session, error)
	// N, if not zero, is how many operations a round has, instead of the work's.
	N int
}

// Absent says why a contestant cannot take part: it is missing, not failing.
type Absent struct{ Why string }

func (a *Absent) Error() string { return a.Why }

// A Goal is one comparison: ours beside a rival's, or beside a figure.
type Goal struct {
	Label  string // tells goals of one work and metric apart; may be empty
	Metric Metric
	Rival  string // the name of a contestant, or "" if the target is a figure in the metric's unit
	Target Target
	Aim    float64 // what we should like, beyond the target; 0 for none
	// NoAllocs makes it a condition that ours allocates nothing.
	NoAllocs bool
	// ScaleBy, if not nil, scales a target that is a figure to the speed of this
	// machine, and shows both.
	ScaleBy *Scale
	// Tenth says that the rival is ours with a tenth of the work, so that the
	// ratio tells how the metric grows.
	Tenth bool
	Note  string // goes into the row
}

// A Scale relates a figure measured elsewhere to this machine: by what a
// contestant takes here and took there.
type Scale struct {
	Contestant string
	There      float64 // ns
}

// A Work is something that contestants do, ours first.
type Work struct {
	Name        string
	About       string // one line: what is one operation
	Contestants []Contestant
	Goals       []Goal
	N           int // operations a round; 0: as many as take the runner's time for a round
	Step        int // operations come in multiples of this; 0 is 1
	Rounds      int // at most so many rounds; 0: the runner's number
	Longer      int // a round takes so many times the runner's time for a round; 0 is 1
	// Fresh gives every round of every contestant a process of its own, for what
	// depends on the memory that a process has used before.
	Fresh bool
}

// contestant returns the contestant of that name.
func (w Work) contestant(name string) (Contestant, bool) {
	for _, c := range w.Contestants {
		if c.Name == name {
			return c, true
		}
	}
	return Contestant{}, false
}

// operations is how many operations a round of c has, or 0 if that is to be found out.
func (w Work) operations(c Contestant) int {
	if c.N > 0 {
		return c.N
	}
	return w.N
}

// Validate says what is wrong with how the work is put together.
func (w Work) Validate() error {
	if w.Name == "" || len(w.Contestants) == 0 || len(w.Goals) == 0 {
		return fmt.Errorf("measure: work %q needs a name, contestants and goals", w.Name)
	}
	seen := map[string]bool{}
	for _, c := range w.Contestants {
		if c.Name == "" || c.Begin == nil || seen[c.Name] {
			return fmt.Errorf("measure: %s: contestant %q has no name, no Begin, or is there twice", w.Name, c.Name)
		}
		seen[c.Name] = true
	}
	for _, g := range w.Goals {
		if g.Rival != "" && !seen[g.Rival] {
			return fmt.Errorf("measure: %s: no contestant %q", w.Name, g.Rival)
		}
		if g.ScaleBy != nil && (!seen[g.ScaleBy.Contestant] || g.ScaleBy.There <= 0) {
			return fmt.Errorf("measure: %s: cannot scale by %q", w.Name, g.ScaleBy.Contestant)
		}
		if g.Metric.Name == "" {
			return fmt.Errorf("measure: %s: a goal without a metric", w.Name)
		}
	}
	return nil
}

// Once sets a contestant up, does n operations, and ends it. It is what a process
// started for a Fresh work does.
func (w Work) Once(ctx context.Context, contestant string, n int) (Sample, error) {
	c, ok := w.contestant(contestant)
	if !ok {
		return nil, fmt.Errorf("measure: %s: no contestant %q", w.Name, contestant)
	}
	s, err := c.Begin(ctx)
	if err != nil {
		return nil, err
	}
	if s.End != nil {
		defer s.End()
	}
	sample, _, err := timed(s, n)
	return sample, err
}

// timed does n operations and measures them.
func timed(s *Session, n int) (Sample, time.Duration, error) {
	before := settle()
	began := time.Now()
	own, err := s.Do(n)
	took := time.Since(began)
	if err != nil {
		return nil, took, err
	}
	took = max(took, 1)
	sample := Sample{
		Time.Name:   float64(took) / float64(n),
		Rate.Name:   float64(n) / took.Seconds(),
		Allocs.Name: float64(mallocs()-before) / float64(n),
	}
	for name, value := range own {
		sample[name] = value
	}
	return sample, took, nil
}
