package charttest

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestDiff(t *testing.T) {
	for _, tt := range []struct{ name, want, got, diff string }{
		{"equal", "a b", "a b", ""},
		{"nothing at all", "", "", ""},
		{"one line more", "a c", "a b c", "  a|+ b|  c"},
		{"one line less", "a b c", "a c", "  a|- b|  c"},
		{"another line", "a b c", "a x c", "  a|- b|+ x|  c"},
		{"all gone", "a b", "", "- a|- b"},
		{"all new", "", "a b", "+ a|+ b"},
		{"moved", "a b c d", "b c d a", "- a|  b|  c|  d|+ a"},
		{"two places", "a b c d e f g h i j k", "A b c d e f g h i j K", "- a|+ A|  b|  c|  d|  ...|  h|  i|  j|- k|+ K"},
		{"far ends", "1 2 3 4 5 6 7 8 9", "1 2 3 4 x 6 7 8 9", "  ...|  2|  3|  4|- 5|+ x|  6|  7|  8|  ..."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := diff(strings.Fields(tt.want), strings.Fields(tt.got))
			if d := cmp.Diff(strings.Split(tt.diff, "|"), strings.Split(got, "\n")); d != "" {
				t.Errorf("diff (-want +got):\n%s", d)
			}
		})
	}
}

// TestDiffHuge: what is too much to compare is shown as replaced.
func TestDiffHuge(t *testing.T) {
	want, got := make([]string, 3000), make([]string, 3000)
	for i := range want {
		want[i], got[i] = "same", "same"
	}
	want[0], got[0], want[2999], got[2999] = "a", "b", "c", "d"
	rows := strings.Split(diff(want, got), "\n")
	if len(rows) != 6000 || rows[2999] != "- c" || rows[3000] != "+ b" {
		t.Errorf("%d rows", len(rows))
	}
}

// TestDiffTells: the lines without + are want, those without - are got, and no
// fewer lines would do.
func TestDiffTells(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 6)
		want, got := lines.Draw(t, "want"), lines.Draw(t, "got")
		var rows, ofWant, ofGot []string
		for row := range strings.SplitSeq(diff(want, got), "\n") {
			if row == "  ..." {
				return // the rest is in TestDiff
			}
			if row != "" {
				rows = append(rows, row)
			}
		}
		if slices.Equal(want, got) {
			if len(rows) > 0 {
				t.Fatalf("equal lines differ: %q", rows)
			}
			return
		}
		changed := 0
		for _, row := range rows {
			if row[0] != '+' {
				ofWant = append(ofWant, row[2:])
			}
			if row[0] != '-' {
				ofGot = append(ofGot, row[2:])
			}
			if row[0] != ' ' {
				changed++
			}
		}
		if !slices.Equal(ofWant, want) || !slices.Equal(ofGot, got) || changed != edits(want, got) {
			t.Fatalf("%q of %q and %q, %d edits would do", rows, want, got, edits(want, got))
		}
	})
}

// edits counts the lines to remove and to add, naively.
func edits(a, b []string) int {
	switch {
	case len(a) == 0:
		return len(b)
	case len(b) == 0:
		return len(a)
	case a[0] == b[0]:
		return edits(a[1:], b[1:])
	}
	return 1 + min(edits(a[1:], b), edits(a, b[1:]))
}
