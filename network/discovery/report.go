package discovery

import (
	"cmp"
	"slices"
)

// sort puts the candidates that matter first, and what is alike in the order of the
// addresses.
func (r *Report) sort() {
	slices.SortStableFunc(r.Candidates, func(a, b Candidate) int {
		return cmp.Or(cmp.Compare(a.Verdict, b.Verdict), a.Address.Compare(b.Address))
	})
}

// Count returns how many candidates have the verdict.
func (r Report) Count(v Verdict) int {
	n := 0
	for _, c := range r.Candidates {
		if c.Verdict == v {
			n++
		}
	}
	return n
}
