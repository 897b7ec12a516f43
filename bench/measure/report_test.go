package measure

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// shown is rows of every kind.
func shown() []Row {
	yes, no := true, false
	nan := math.NaN()
	return []Row{
		{
			Work: "dispatch/W1", Metric: Time, Rival: "a | b", Ours: &Figure{30.25, 29, 0.01, 5}, Theirs: &Figure{10, 9.5, 0.2, 5},
			Ratio: 3.025, RatioByRound: 3.1, Target: Target{AtMost, 3.6}, Aim: 3, Met: &yes, AimMet: &no, NoAllocs: true, Allocs: 0, Exponent: nan,
		},
		{
			Work: "mesh", Label: "sealed", Metric: Rate, Rival: "raw", Ours: &Figure{5000, 5100, 0.1, 1}, Ratio: nan, RatioByRound: nan,
			Target: Target{AtLeast, 0.8}, Allocs: 103, Exponent: nan, Note: "no RabbitMQ here",
		},
		{
			Work: "scale", Metric: Metric{Name: "memory", Unit: "MB"}, Rival: "a tenth of it", Ours: &Figure{100, 100, 0, 1}, Theirs: &Figure{10, 10, 0, 1},
			Ratio: 10, RatioByRound: 10, Allocs: nan, Exponent: 1, Note: "grows as n^1.00",
		},
		{
			Work: "spy", Metric: Time, Ours: &Figure{70, 70, 0, 1}, Ratio: nan, RatioByRound: nan, Target: Target{Under, 40}, Met: &no,
			Scaled: Target{Under, 80}, ScaledMet: &yes, Exponent: nan, Failed: true,
		},
	}
}

func TestWriteTable(t *testing.T) {
	const want = `work           ours                 rival          theirs             ratio  by round  target               met     allocs  note
dispatch/W1    30.2 ns ±1% (29.0)   a | b          10.0 ns ±20% (9.50)  3.02   3.10      <= 3.6 times, aim 3  met     0
mesh (sealed)  5000/s               raw                                                >= 0.8 times                 103     no RabbitMQ here
scale, memory  100 MB               a tenth of it  10.0 MB             10.0   10.0                                          grows as n^1.00
spy            70.0 ns                                                                 < 40 ns              missed  0
`
	var b strings.Builder
	if err := WriteTable(&b, shown()); err != nil {
		t.Fatal(err)
	}
	// How wide the columns are does not matter; that they stand below each other does.
	squeeze := func(s string) []string {
		var lines []string
		for line := range strings.Lines(s) {
			lines = append(lines, strings.Join(strings.Fields(line), " "))
		}
		return lines
	}
	if diff := cmp.Diff(squeeze(want), squeeze(b.String())); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	lines := strings.Split(b.String(), "\n")
	at := func(line int, text string) int { return len([]rune(lines[line][:strings.Index(lines[line], text)])) }
	for line, text := range map[int]string{1: "a | b", 2: "raw", 3: "a tenth"} {
		if at(line, text) != at(0, "rival") {
			t.Errorf("%q stands in column %d, its header in %d", text, at(line, text), at(0, "rival"))
		}
	}
}

func TestWriteMarkdown(t *testing.T) {
	var b strings.Builder
	if err := WriteMarkdown(&b, shown()); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	want := `| dispatch/W1 | 30.2 ns ±1% (29.0) | a \| b | 10.0 ns ±20% (9.50) | 3.02 | 3.10 | &lt;= 3.6 times, aim 3 | met | 0 |  |`
	if diff := cmp.Diff(want, lines[2]); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for i, line := range lines {
		if got := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|"); got != len(header)+1 {
			t.Errorf("line %d has %d bars, want %d", i, got, len(header)+1)
		}
	}
}

func TestWriteJSON(t *testing.T) {
	var b strings.Builder
	if err := WriteJSON(&b, shown()); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	const first = `{"work":"dispatch/W1","metric":"time","unit":"ns","rival":"a | b","ours":30.25,"theirs":10,"ratio":3.025,"target":"<= 3.6","met":true,` +
		`"ratio_by_round":3.1,"ours_best":29,"ours_spread":0.01,"theirs_best":9.5,"theirs_spread":0.2,"rounds":5,"allocs":0,"no_allocs":true,"aim":3,"aim_met":false}`
	if diff := cmp.Diff(first, lines[0]); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for i, want := range []map[string]any{
		{"work": "dispatch/W1", "rival": "a | b", "ours": 30.25, "theirs": 10.0, "ratio": 3.025, "target": "<= 3.6", "met": true},
		{"work": "mesh", "rival": "raw", "ours": 5000.0, "theirs": nil, "ratio": nil, "target": ">= 0.8", "met": nil},
		{"work": "scale", "rival": "a tenth of it", "ours": 100.0, "theirs": 10.0, "ratio": 10.0, "target": nil, "met": nil, "exponent": 1.0},
		{"work": "spy", "rival": "", "ours": 70.0, "theirs": nil, "ratio": nil, "target": "< 40", "met": false, "scaled_target": "< 80", "scaled_met": true, "failed": true},
	} {
		var got map[string]any
		if err := json.Unmarshal([]byte(lines[i]), &got); err != nil {
			t.Fatal(err)
		}
		for key, value := range want {
			if v, there := got[key]; !there || v != value {
				t.Errorf("row %d: %s is %v (there: %v), want %v", i, key, v, there, value)
			}
		}
	}
}

func TestShort(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.0004: "0", 0.0414: "0.041", 0.996: "1.00", 3.456: "3.46", 34.56: "34.6", 345.6: "346", 34567.8: "34568", -2.5: "-2.50",
		math.Inf(1): "",
	} {
		if got := short(v); got != want {
			t.Errorf("short(%g) is %q, want %q", v, got, want)
		}
	}
}

func TestBenchmarkLine(t *testing.T) {
	got := benchmarkLine("dispatch/W1", "nested switch", 1000, Sample{Time.Name: 7.5, Allocs.Name: 0})
	if want := "BenchmarkDispatch/W1/by=nested_switch 1000 7.5 ns/op 0 allocs/op"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
