package measure

import (
	"fmt"
	"math"
)

// A Target is a bound on a ratio, or on a figure if a Goal has no rival. The zero
// Target is none.
type Target struct {
	Kind  Kind
	Value float64
}

// Kind says on which side of a target's value one has to be.
type Kind int

// The kinds of targets. AtMost and Under bound a cost: the ratio is then how many
// times as much ours costs. AtLeast and Over bound a speed: the ratio is then how
// many times as fast ours is.
const (
	None Kind = iota
	AtMost
	Under
	AtLeast
	Over
)

var symbols = map[Kind]string{AtMost: "<=", Under: "<", AtLeast: ">=", Over: ">"}

// String returns the target as in "<= 3.6", and "" for none.
func (t Target) String() string {
	if t.Kind == None {
		return ""
	}
	return fmt.Sprintf("%s %g", symbols[t.Kind], t.Value)
}

// Met reports whether the value meets the target. NaN meets none.
func (t Target) Met(value float64) bool {
	if math.IsNaN(value) {
		return false
	}
	switch t.Kind {
	case AtMost:
		return value <= t.Value
	case Under:
		return value < t.Value
	case AtLeast:
		return value >= t.Value
	case Over:
		return value > t.Value
	}
	return true
}

// speed reports whether the ratio of a metric under this target says how many
// times as fast ours is, and not how many times as much it costs.
func (t Target) speed(m Metric) bool {
	switch t.Kind {
	case AtMost, Under:
		return false
	case AtLeast, Over:
		return true
	}
	return m.Rate
}

// ratio is ours beside theirs, in the direction that speed says.
func ratio(m Metric, speed bool, ours, theirs float64) float64 {
	if m.Rate == speed { // a rate as a speed, or a cost as a cost
		return ours / theirs
	}
	return theirs / ours
}
