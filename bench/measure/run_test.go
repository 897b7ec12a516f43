package measure

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// diary is contestants that write down what they are asked to do.
type diary struct{ lines []string }

func (d *diary) contestant(name string, each time.Duration, err error) Contestant {
	return Contestant{Name: name, Begin: func(context.Context) (*Session, error) {
		d.lines = append(d.lines, "begin "+name)
		return &Session{
			Do: func(n int) (Sample, error) {
				d.lines = append(d.lines, name)
				return Sample{Time.Name: float64(each), "n": float64(n)}, err
			},
			End: func() { d.lines = append(d.lines, "end "+name) },
		}, nil
	}}
}

func TestRunTakesTurns(t *testing.T) {
	d := &diary{}
	w := Work{
		Name: "work", N: 10,
		Contestants: []Contestant{d.contestant("a", 10, nil), d.contestant("b", 30, nil), d.contestant("c", 60, nil)},
		Goals:       []Goal{{Metric: Time, Rival: "b"}, {Metric: Time, Rival: "c", Target: Target{AtLeast, 5}}},
	}
	rows, err := (&Runner{Rounds: 4}).Run(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	want := "begin a,begin b,begin c,a,b,c,b,c,a,c,a,b,a,b,c,end a,end b,end c"
	if diff := cmp.Diff(want, strings.Join(d.lines, ",")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if len(rows) != 2 || !same(rows[0].Ratio, 1.0/3) || rows[1].Ratio != 6 || !*rows[1].Met || rows[0].Ours.Rounds != 4 {
		t.Errorf("rows: %+v", rows)
	}
}

func TestRunGoesOnWithoutThoseWhoFail(t *testing.T) {
	d := &diary{}
	absent := Contestant{Name: "absent", Begin: func(context.Context) (*Session, error) { return nil, &Absent{"not here"} }}
	w := Work{
		Name: "work", N: 1,
		Contestants: []Contestant{d.contestant("ours", 10, nil), d.contestant("cheat", 1, errors.New("did half")), absent, d.contestant("rival", 20, nil)},
		Goals:       []Goal{{Metric: Time, Rival: "cheat"}, {Metric: Time, Rival: "absent"}, {Metric: Time, Rival: "rival"}},
	}
	rows, err := (&Runner{Rounds: 3}).Run(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		note   string
		failed bool
	}{{"FAILED: did half", true}, {"not here", false}, {"", false}} {
		if rows[i].Note != want.note || rows[i].Failed != want.failed {
			t.Errorf("row %d: note %q, failed %v; want %q, %v", i, rows[i].Note, rows[i].Failed, want.note, want.failed)
		}
	}
	if rows[2].Ratio != 0.5 || rows[2].Theirs.Rounds != 3 {
		t.Errorf("the rival that works: %+v", rows[2])
	}
	if got := strings.Count(strings.Join(d.lines, ","), ",cheat"); got != 1 {
		t.Errorf("the one that fails did %d rounds, want 1", got)
	}
	if !strings.HasSuffix(strings.Join(d.lines, ","), "end ours,end cheat,end rival") {
		t.Errorf("not all were ended: %v", d.lines)
	}
}

// TestCalibrate uses a session that takes a microsecond an operation.
func TestCalibrate(t *testing.T) {
	for _, test := range []struct {
		name         string
		step, longer int
		most         int
	}{
		{"free", 0, 0, 2100},
		{"in steps", 64, 0, 2112},
		{"a step that is too long", 5000, 0, 5000},
		{"longer", 0, 3, 6300},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := Work{
				Name: "work", Step: test.step, Longer: test.longer,
				Contestants: []Contestant{{Name: "ours", Begin: func(context.Context) (*Session, error) {
					return &Session{Do: func(n int) (Sample, error) {
						if test.step > 0 && n%test.step != 0 {
							t.Errorf("%d is no multiple of %d", n, test.step)
						}
						for began := time.Now(); time.Since(began) < time.Duration(n)*time.Microsecond; {
						}
						return Sample{"n": float64(n)}, nil
					}}, nil
				}}},
				Goals: []Goal{{Metric: Metric{Name: "n"}}},
			}
			rows, err := (&Runner{Rounds: 1, Time: 2 * time.Millisecond}).Run(t.Context(), w)
			if err != nil {
				t.Fatal(err)
			}
			// A machine that is busy makes it fewer, never more.
			if n := int(rows[0].Ours.Median); n > test.most || n < 1 || test.step > 0 && n%test.step != 0 {
				t.Errorf("%d operations, want at most %d", n, test.most)
			}
		})
	}
}

func TestFreshRoundsAreElsewhere(t *testing.T) {
	var asked []string
	d := &diary{}
	own := d.contestant("few", 1, nil)
	own.N = 3
	w := Work{
		Name: "work", N: 30, Rounds: 2, Fresh: true,
		Contestants: []Contestant{d.contestant("ours", 1, nil), own},
		Goals:       []Goal{{Metric: Time, Rival: "few", Tenth: true}},
	}
	r := &Runner{Rounds: 9, Fresh: func(_ context.Context, work, contestant string, n int) (Sample, error) {
		asked = append(asked, work+" "+contestant)
		return Sample{Time.Name: float64(n)}, nil
	}}
	rows, err := r.Run(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"work ours", "work few", "work few", "work ours"}, asked); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if len(d.lines) != 0 {
		t.Errorf("done here: %v", d.lines)
	}
	if rows[0].Ratio != 10 || rows[0].Exponent != 1 {
		t.Errorf("rows: %+v", rows)
	}
	// Without other processes, each round has a session of its own.
	if _, err := (&Runner{Rounds: 2}).Run(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("begin ours,ours,end ours,begin few,few,end few", strings.Join(d.lines[:6], ",")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestTimedCountsAllocations(t *testing.T) {
	var keep []*[64]byte
	s := &Session{Do: func(n int) (Sample, error) {
		for range n {
			keep = append(keep[:0], new([64]byte))
		}
		return nil, nil
	}}
	sample, _, err := timed(s, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	if a := sample[Allocs.Name]; a < 1 || a > 1.1 {
		t.Errorf("%g allocations an operation, want 1", a)
	}
	if product := sample[Time.Name] * sample[Rate.Name]; product < 0.99e9 || product > 1.01e9 {
		t.Errorf("%g ns an operation are not %g a second", sample[Time.Name], sample[Rate.Name])
	}
}

func TestValidate(t *testing.T) {
	d := &diary{}
	goals := []Goal{{Metric: Time}}
	one := []Contestant{d.contestant("a", 1, nil)}
	for _, test := range []struct {
		name string
		work Work
		ok   bool
	}{
		{"right", Work{Name: "w", Contestants: one, Goals: goals}, true},
		{"no name", Work{Contestants: one, Goals: goals}, false},
		{"no contestants", Work{Name: "w", Goals: goals}, false},
		{"no goals", Work{Name: "w", Contestants: one}, false},
		{"twice", Work{Name: "w", Contestants: append(one[:1:1], one...), Goals: goals}, false},
		{"nobody", Work{Name: "w", Contestants: one, Goals: []Goal{{Metric: Time, Rival: "b"}}}, false},
		{"no metric", Work{Name: "w", Contestants: one, Goals: []Goal{{}}}, false},
		{"no scale", Work{Name: "w", Contestants: one, Goals: []Goal{{Metric: Time, ScaleBy: &Scale{"b", 1}}}}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := test.work.Validate(); (err == nil) != test.ok {
				t.Errorf("got %v", err)
			}
			if _, err := (&Runner{}).Run(t.Context(), test.work); test.ok != (err == nil) {
				t.Errorf("Run: %v", err)
			}
		})
	}
}
