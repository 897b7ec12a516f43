package measure

import (
	"math"
	"slices"
)

// Median returns the middle of the values, the mean of the two middle ones if
// their number is even, NaN if there are none.
func Median(values []float64) float64 { return Quantile(values, 0.5) }

// Quantile returns the value that the part q (0 to 1) of the values does not
// exceed, interpolated between neighbours; NaN if there are no values.
func Quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	at := min(max(q, 0), 1) * float64(len(sorted)-1)
	low := int(at)
	if low+1 == len(sorted) {
		return sorted[low]
	}
	return sorted[low] + (at-float64(low))*(sorted[low+1]-sorted[low])
}

// Spread returns the median absolute deviation of the values from their median,
// as a part of the median: half of all rounds were closer to it than that.
func Spread(values []float64) float64 {
	m := Median(values)
	away := make([]float64, len(values))
	for i, v := range values {
		away[i] = math.Abs(v - m)
	}
	if m == 0 {
		return 0
	}
	return Median(away) / math.Abs(m)
}

// Exponent returns x such that a value that was small for n operations, and is
// large for factor times n, grows as n to the power of x: 0 if it does not grow,
// 1 if it grows in proportion. It is NaN for what is not above zero.
func Exponent(small, large, factor float64) float64 {
	if small <= 0 || large <= 0 || factor <= 1 {
		return math.NaN()
	}
	return math.Log(large/small) / math.Log(factor)
}
