package charttest

import (
	"slices"
	"strings"
)

const (
	// around is how many equal lines stand around a difference.
	around = 3
	// maxCells bounds the table of longest common subsequences; beyond it the
	// whole middle is shown as replaced.
	maxCells = 1 << 22
)

// diff shows how got differs from want, "" if it does not: lines of want alone
// with -, lines of got alone with +, and those around them.
func diff(want, got []string) string {
	if slices.Equal(want, got) {
		return ""
	}
	head := 0
	for head < len(want) && head < len(got) && want[head] == got[head] {
		head++
	}
	tail := 0
	for tail < len(want)-head && tail < len(got)-head && want[len(want)-1-tail] == got[len(got)-1-tail] {
		tail++
	}
	var rows []string
	for _, line := range want[:head] {
		rows = append(rows, "  "+line)
	}
	rows = append(rows, middle(want[head:len(want)-tail], got[head:len(got)-tail])...)
	for _, line := range want[len(want)-tail:] {
		rows = append(rows, "  "+line)
	}
	return strings.Join(shorten(rows), "\n")
}

// middle compares what differs at both ends, by a longest common subsequence.
func middle(want, got []string) []string {
	n, m := len(want), len(got)
	// common(i, j) is the length for want[i:] and got[j:].
	common := func(i, j int) int { return 0 }
	if (n+1)*(m+1) <= maxCells {
		table := make([]int32, (n+1)*(m+1))
		at := func(i, j int) *int32 { return &table[i*(m+1)+j] }
		for i := n - 1; i >= 0; i-- {
			for j := m - 1; j >= 0; j-- {
				if want[i] == got[j] {
					*at(i, j) = *at(i+1, j+1) + 1
				} else {
					*at(i, j) = max(*at(i+1, j), *at(i, j+1))
				}
			}
		}
		common = func(i, j int) int { return int(*at(i, j)) }
	}
	var rows []string
	i, j := 0, 0
	for i < n && j < m {
		switch {
		case want[i] == got[j] && common(i, j) > 0:
			rows = append(rows, "  "+want[i])
			i, j = i+1, j+1
		case common(i+1, j) >= common(i, j+1):
			rows = append(rows, "- "+want[i])
			i++
		default:
			rows = append(rows, "+ "+got[j])
			j++
		}
	}
	for _, line := range want[i:] {
		rows = append(rows, "- "+line)
	}
	for _, line := range got[j:] {
		rows = append(rows, "+ "+line)
	}
	return rows
}

// shorten leaves out what is equal and far from any difference.
func shorten(rows []string) []string {
	near := make([]bool, len(rows))
	for i, row := range rows {
		if row[0] == ' ' {
			continue
		}
		for j := max(0, i-around); j <= min(len(rows)-1, i+around); j++ {
			near[j] = true
		}
	}
	var short []string
	for i := range rows {
		if near[i] {
			short = append(short, rows[i])
		} else if i == 0 || near[i-1] {
			short = append(short, "  ...")
		}
	}
	return short
}
