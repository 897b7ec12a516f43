package measure

import (
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTargetMet(t *testing.T) {
	for _, test := range []struct {
		target              Target
		text                string
		below, equal, above bool
	}{
		{Target{AtMost, 2}, "<= 2", true, true, false},
		{Target{Under, 2}, "< 2", true, false, false},
		{Target{AtLeast, 2}, ">= 2", false, true, true},
		{Target{Over, 2}, "> 2", false, false, true},
		{Target{}, "", true, true, true},
	} {
		t.Run(test.text, func(t *testing.T) {
			if got := test.target.String(); got != test.text {
				t.Errorf("String is %q, want %q", got, test.text)
			}
			for _, at := range []struct {
				value float64
				want  bool
			}{{1.99, test.below}, {2, test.equal}, {2.01, test.above}, {math.NaN(), false}} {
				if got := test.target.Met(at.value); got != at.want {
					t.Errorf("met by %g: %v, want %v", at.value, got, at.want)
				}
			}
		})
	}
}

// results makes results of one metric and of allocations.
func results(m Metric, allocs float64, values map[string][]float64) map[string]*result {
	all := map[string]*result{}
	for name, vs := range values {
		r := &result{}
		for _, v := range vs {
			r.samples = append(r.samples, Sample{m.Name: v, Allocs.Name: allocs})
		}
		all[name] = r
	}
	return all
}

func TestJudge(t *testing.T) {
	yes, no := true, false
	latency := Metric{Name: "p99", Unit: "us"}
	type verdict struct {
		Ratio, ByRound float64
		Met, AimMet    *bool
		Scaled         string
		ScaledMet      *bool
		Exponent       float64
		Note           string
	}
	nan := math.NaN()
	for _, test := range []struct {
		name         string
		goal         Goal
		allocs       float64
		ours, theirs []float64
		clock        []float64
		want         verdict
	}{
		{
			name: "a cost that is at most so many times", goal: Goal{Metric: Time, Rival: "rival", Target: Target{AtMost, 3}, Aim: 2},
			ours: []float64{30, 10, 20}, theirs: []float64{10, 10, 4},
			want: verdict{Ratio: 2, ByRound: 3, Met: &yes, AimMet: &yes, Exponent: nan},
		},
		{
			name: "the aim is missed", goal: Goal{Metric: Time, Rival: "rival", Target: Target{AtMost, 3}, Aim: 2},
			ours: []float64{25}, theirs: []float64{10},
			want: verdict{Ratio: 2.5, ByRound: 2.5, Met: &yes, AimMet: &no, Exponent: nan},
		},
		{
			name: "at most is missed", goal: Goal{Metric: Time, Rival: "rival", Target: Target{AtMost, 1.3}},
			ours: []float64{14}, theirs: []float64{10},
			want: verdict{Ratio: 1.4, ByRound: 1.4, Met: &no, Exponent: nan},
		},
		{
			name: "a cost under a speed is turned round", goal: Goal{Metric: Time, Rival: "rival", Target: Target{AtLeast, 20}},
			ours: []float64{10}, theirs: []float64{250},
			want: verdict{Ratio: 25, ByRound: 25, Met: &yes, Exponent: nan},
		},
		{
			name: "a rate that is at least so many times", goal: Goal{Metric: Rate, Rival: "rival", Target: Target{AtLeast, 0.8}},
			ours: []float64{70}, theirs: []float64{100},
			want: verdict{Ratio: 0.7, ByRound: 0.7, Met: &no, Exponent: nan},
		},
		{
			name: "a rate under a cost is turned round", goal: Goal{Metric: Rate, Rival: "rival", Target: Target{AtMost, 2}},
			ours: []float64{50}, theirs: []float64{100},
			want: verdict{Ratio: 2, ByRound: 2, Met: &yes, Exponent: nan},
		},
		{
			name: "faster is more than as fast", goal: Goal{Metric: Time, Rival: "rival", Target: Target{Over, 1}},
			ours: []float64{100}, theirs: []float64{100},
			want: verdict{Ratio: 1, ByRound: 1, Met: &no, Exponent: nan},
		},
		{
			name: "a figure", goal: Goal{Metric: latency, Target: Target{Under, 2000}},
			ours: []float64{1999}, want: verdict{Ratio: nan, ByRound: nan, Met: &yes, Exponent: nan},
		},
		{
			name: "a figure that is missed", goal: Goal{Metric: Rate, Target: Target{AtLeast, 500}},
			ours: []float64{499}, want: verdict{Ratio: nan, ByRound: nan, Met: &no, Exponent: nan},
		},
		{
			name: "fast but allocating", goal: Goal{Metric: Time, Rival: "rival", Target: Target{AtMost, 3}, NoAllocs: true},
			allocs: 1, ours: []float64{10}, theirs: []float64{10},
			want: verdict{Ratio: 1, ByRound: 1, Met: &no, Exponent: nan, Note: "allocates 1.00 an operation"},
		},
		{
			name: "what the runtime allocates does not count", goal: Goal{Metric: Time, Rival: "rival", Target: Target{AtMost, 3}, NoAllocs: true},
			allocs: 0.009, ours: []float64{10}, theirs: []float64{10},
			want: verdict{Ratio: 1, ByRound: 1, Met: &yes, Exponent: nan},
		},
		{
			name: "scaled by the clock", goal: Goal{Metric: Time, Target: Target{AtMost, 40}, ScaleBy: &Scale{"clock", 20}},
			ours: []float64{70}, clock: []float64{40, 30, 60},
			want: verdict{
				Ratio: nan, ByRound: nan, Met: &no, Scaled: "<= 80", ScaledMet: &yes, Exponent: nan,
				Note: "scaled by clock (40 ns here, 20 there): <= 80, met",
			},
		},
		{
			name: "growth", goal: Goal{Metric: latency, Rival: "rival", Tenth: true, Note: "first"},
			ours: []float64{100}, theirs: []float64{10},
			want: verdict{Ratio: 10, ByRound: 10, Exponent: 1, Note: "first; grows as n^1.00"},
		},
		{
			name: "no target", goal: Goal{Metric: Rate, Rival: "rival"}, ours: []float64{30}, theirs: []float64{10},
			want: verdict{Ratio: 3, ByRound: 3, Exponent: nan},
		},
		{
			name: "another metric than what was measured", goal: Goal{Metric: latency, Rival: "rival", Target: Target{AtMost, 1}},
			want: verdict{Ratio: nan, ByRound: nan, Exponent: nan},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := Work{Name: "work", Contestants: []Contestant{{Name: "ours"}, {Name: "rival"}, {Name: "clock"}}}
			all := results(test.goal.Metric, test.allocs, map[string][]float64{"ours": test.ours, "rival": test.theirs})
			all["clock"] = results(Time, 0, map[string][]float64{"clock": test.clock})["clock"]
			row := judge(w, test.goal, all)
			got := verdict{row.Ratio, row.RatioByRound, row.Met, row.AimMet, row.Scaled.String(), row.ScaledMet, row.Exponent, row.Note}
			if diff := cmp.Diff(test.want, got, cmp.Comparer(same)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestJudgeAbsentAndFailing(t *testing.T) {
	for _, test := range []struct {
		name         string
		ours, theirs error
		note         string
		failed       bool
	}{
		{"rival absent", nil, &Absent{"no RabbitMQ here"}, "no RabbitMQ here", false},
		{"ours absent", &Absent{"not applicable"}, nil, "not applicable", false},
		{"rival fails", nil, errors.New("boom"), "FAILED: boom", true},
		{"ours fails", errors.New("boom"), nil, "FAILED: boom", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			all := results(Time, 0, map[string][]float64{"ours": {1}, "rival": {1}})
			for name, err := range map[string]error{"ours": test.ours, "rival": test.theirs} {
				if err != nil {
					all[name].fail(err)
				}
			}
			w := Work{Name: "work", Contestants: []Contestant{{Name: "ours"}, {Name: "rival"}}}
			row := judge(w, Goal{Metric: Time, Rival: "rival", Target: Target{AtMost, 5}}, all)
			if row.Note != test.note || row.Failed != test.failed {
				t.Errorf("note %q, failed %v; want %q, %v", row.Note, row.Failed, test.note, test.failed)
			}
			if row.Met != nil || !math.IsNaN(row.Ratio) {
				t.Errorf("met %v, ratio %g of what is not there", row.Met, row.Ratio)
			}
		})
	}
}
