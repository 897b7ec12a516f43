package measure

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// A Figure is what the rounds of one contestant gave.
type Figure struct {
	Median float64
	Best   float64 // the lowest cost, the highest rate
	Spread float64 // median absolute deviation, as a part of the median
	Rounds int
}

func figure(m Metric, values []float64) Figure {
	f := Figure{Median: Median(values), Best: Quantile(values, 0), Spread: Spread(values), Rounds: len(values)}
	if m.Rate {
		f.Best = Quantile(values, 1)
	}
	return f
}

// A Row is a goal with what came of it. Figures that are not there are nil, or
// NaN in what is no pointer.
type Row struct {
	Work   string
	Label  string
	Metric Metric
	Rival  string
	Ours   *Figure
	Theirs *Figure
	// Ratio is that of the medians, RatioByRound the median of the ratios of the
	// single rounds; how they are meant, Target says. For a goal without rival they
	// are NaN.
	Ratio        float64
	RatioByRound float64
	Target       Target
	Aim          float64 // 0 for none
	Met          *bool   // nil if there is no target or nothing to judge
	AimMet       *bool
	NoAllocs     bool
	Allocs       float64 // of ours, for each operation
	// Scaled is the target scaled to this machine, None if it is not.
	Scaled    Target
	ScaledMet *bool
	Exponent  float64 // NaN unless the rival is a tenth of ours
	Note      string
	Failed    bool // a contestant failed, which must not be
}

// allocsFrom is the number of allocations an operation from which on it counts as
// allocating; what is below is the runtime's own.
const allocsFrom = 0.01

// judge makes the row of a goal.
func judge(w Work, g Goal, results map[string]*result) Row {
	row := Row{
		Work: w.Name, Label: g.Label, Metric: g.Metric, Rival: g.Rival, Target: g.Target, Aim: g.Aim, NoAllocs: g.NoAllocs,
		Ratio: math.NaN(), RatioByRound: math.NaN(), Allocs: math.NaN(), Exponent: math.NaN(),
	}
	ours, theirs := results[w.Contestants[0].Name], results[g.Rival] // no theirs without a rival
	notes := []string{g.Note}
	err, failed := absence(ours, theirs)
	if row.Failed = failed; failed {
		notes = append(notes, "FAILED: "+err.Error())
	} else if err != nil {
		notes = append(notes, err.Error())
	}
	scale := math.NaN()
	if g.ScaleBy != nil {
		scale = Median(results[g.ScaleBy.Contestant].values(Time)) / g.ScaleBy.There
	}
	if row.weigh(g, ours, theirs) {
		notes = append(notes, row.rule(g, scale)...)
	}
	row.Note = strings.Join(slices.DeleteFunc(notes, func(n string) bool { return n == "" }), "; ")
	return row
}

// weigh fills in the figures and their ratio, and reports whether all are there.
func (r *Row) weigh(g Goal, ours, theirs *result) bool {
	values := ours.values(g.Metric)
	if len(values) > 0 {
		f := figure(g.Metric, values)
		r.Ours, r.Allocs = &f, Median(ours.values(Allocs))
	}
	if theirs == nil {
		return r.Ours != nil
	}
	others := theirs.values(g.Metric)
	if len(others) > 0 {
		f := figure(g.Metric, others)
		r.Theirs = &f
	}
	if r.Ours == nil || r.Theirs == nil {
		return false
	}
	speed := g.Target.speed(g.Metric)
	r.Ratio = ratio(g.Metric, speed, r.Ours.Median, r.Theirs.Median)
	r.RatioByRound = byRound(g.Metric, speed, values, others)
	if g.Tenth {
		r.Exponent = Exponent(r.Theirs.Median, r.Ours.Median, 10)
	}
	return true
}

// rule says whether a row that has all its figures meets its target, and returns
// what there is to remark. scale is by how much this machine is slower than the one
// that the target was made for, NaN if that does not matter.
func (r *Row) rule(g Goal, scale float64) (notes []string) {
	if g.Tenth {
		notes = append(notes, fmt.Sprintf("grows as n^%.2f", r.Exponent))
	}
	allocates := g.NoAllocs && r.Allocs >= allocsFrom
	if allocates {
		notes = append(notes, fmt.Sprintf("allocates %.2f an operation", r.Allocs))
	}
	if g.Target.Kind == None {
		return notes
	}
	judged := r.Ours.Median
	if g.Rival != "" {
		judged = r.Ratio
	}
	met := func(t Target) *bool {
		answer := t.Met(judged) && !allocates
		return &answer
	}
	r.Met = met(g.Target)
	if g.Aim != 0 {
		r.AimMet = met(Target{g.Target.Kind, g.Aim})
	}
	if !math.IsNaN(scale) {
		r.Scaled = Target{g.Target.Kind, math.Round(g.Target.Value*scale*10) / 10}
		r.ScaledMet = met(r.Scaled)
		notes = append(notes, fmt.Sprintf("scaled by %s (%.0f ns here, %g there): %s, %s",
			g.ScaleBy.Contestant, scale*g.ScaleBy.There, g.ScaleBy.There, r.Scaled, metWord(r.ScaledMet)))
	}
	return notes
}

// byRound is the median of the ratios of single rounds, for the rounds that both
// have.
func byRound(m Metric, speed bool, ours, theirs []float64) float64 {
	var all []float64
	for i := range min(len(ours), len(theirs)) {
		all = append(all, ratio(m, speed, ours[i], theirs[i]))
	}
	return Median(all)
}

func metWord(met *bool) string {
	switch {
	case met == nil:
		return ""
	case *met:
		return "met"
	}
	return "missed"
}
