package sequence

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// naiveChain is the rule for arrows of one stamp as the original states it,
// with its search over states, but without losing equal arrows or those that
// hang together with nothing.
func naiveChain(rest []arrow) []arrow {
	rest = slices.Clone(rest)
	var result []arrow
	remove := func(i int) {
		result = append(result, rest[i])
		rest = slices.Delete(rest, i, i+1)
	}
	leaves := func(state int32) int {
		return slices.IndexFunc(rest, func(a arrow) bool { return a.from == state })
	}
	for len(rest) > 0 {
		var states []int32
		for _, a := range rest {
			for _, s := range []int32{a.from, a.to} {
				if !slices.Contains(states, s) {
					states = append(states, s)
				}
			}
		}
		start := slices.IndexFunc(states, func(s int32) bool {
			return !slices.ContainsFunc(rest, func(a arrow) bool { return a.to == s && a.from != s })
		})
		switch {
		case start >= 0:
			remove(leaves(states[start]))
		case len(result) > 0 && leaves(result[len(result)-1].to) >= 0:
			remove(leaves(result[len(result)-1].to))
		default:
			remove(0)
		}
	}
	return result
}

func drawArrows(t *rapid.T, states, times int) []arrow {
	a := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) arrow {
		return arrow{
			time: int64(rapid.IntRange(1, times).Draw(t, "time")),
			from: int32(rapid.IntRange(0, states-1).Draw(t, "from")),
			to:   int32(rapid.IntRange(0, states-1).Draw(t, "to")),
		}
	}), 0, 12).Draw(t, "arrows")
	for i := range a {
		a[i].signal = int32(i)
	}
	return a
}

func TestChainIsNaiveChain(t *testing.T) {
	const states = 6
	o := newOrderer(states) // one for all: it must leave no traces behind
	rapid.Check(t, func(t *rapid.T) {
		a := drawArrows(t, states, 1)
		want := naiveChain(a)
		o.chain(a)
		if diff := cmp.Diff(want, a, cmp.AllowUnexported(arrow{})); diff != "" && len(a) > 0 {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

// Whatever the stamps, ordering keeps every arrow.
func TestOrderKeepsArrows(t *testing.T) {
	const states = 4
	rapid.Check(t, func(t *rapid.T) {
		a := drawArrows(t, states, 4)
		before := slices.Clone(a)
		newOrderer(states).order(a)
		after := slices.Clone(a)
		slices.SortFunc(after, func(x, y arrow) int { return int(x.signal - y.signal) })
		if diff := cmp.Diff(before, after, cmp.AllowUnexported(arrow{})); diff != "" && len(a) > 0 {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

func TestOrder(t *testing.T) {
	tests := []struct {
		name string
		in   string // stamp, source and target of each line
		want string
	}{
		{"in order", "1ab 2bc 3ca", "1ab 2bc 3ca"},
		{"stamps do not sort", "5ab 2bc", "5ab 2bc"},
		{"neighbours are chained", "1bc 1ab 1cd", "1ab 1bc 1cd"},
		{"a cycle starts with its first line", "1bc 1ca 1ab", "1bc 1ca 1ab"},
		{"a cycle goes on where it is", "1ab 1bc 1cb 1bd", "1ab 1bc 1cb 1bd"},
		{"a loop does not hide its state", "1ab 1cd 1bb 1bc", "1ab 1bb 1bc 1cd"},
		{"equal lines stay", "1ab 1ab 1ba", "1ab 1ba 1ab"},
		{"a cycle apart is not lost", "1ab 1cd 1dc", "1ab 1cd 1dc"},
		{"chained on both sides of a stamp", "1bc 1ab 2de 2cd", "1ab 1bc 2cd 2de"},
		{"one stamp again, in its place", "1ab 2bc 1cd", "1ab 2bc 1cd"},
		{"one stamp again, as good there as here", "1ab 2bc 1ba", "1ab 2bc 1ba"},
		{"one stamp again, with no place", "1ab 2cd 1ef", "1ab 2cd 1ef"},
		{"late", "1ab 2cd 1bc", "1ab 1bc 2cd"},
		{"late, and what it parted is chained", "1ab 2de 1bc 2cd", "1ab 1bc 2cd 2de"},
		{"late lines in disorder", "1ab 2de 1cd 1bc", "1ab 1bc 1cd 2de"},
		{"late, into the middle", "1ab 1cd 2de 1bc", "1ab 1bc 1cd 2de"},
		{"late, before the first line", "0xa 1bc 2cd 1ab", "0xa 1ab 1bc 2cd"},
		{"late by two stamps", "1ab 2cd 3de 1bc", "1ab 2cd 3de 1bc"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var a []arrow
			for _, s := range strings.Fields(tt.in) {
				a = append(a, arrow{time: int64(s[0] - '0'), from: int32(s[1] - 'a'), to: int32(s[2] - 'a')})
			}
			newOrderer(26).order(a)
			var got []string
			for _, x := range a {
				got = append(got, fmt.Sprintf("%d%c%c", x.time, 'a'+x.from, 'a'+x.to))
			}
			if diff := cmp.Diff(tt.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
