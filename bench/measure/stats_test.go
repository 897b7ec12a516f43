package measure

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestQuantile(t *testing.T) {
	for _, test := range []struct {
		name   string
		values []float64
		q      float64
		want   float64
	}{
		{"none", nil, 0.5, math.NaN()},
		{"one", []float64{7}, 0.99, 7},
		{"odd", []float64{9, 1, 5}, 0.5, 5},
		{"even", []float64{4, 1, 2, 3}, 0.5, 2.5},
		{"lowest", []float64{4, 1, 2, 3}, 0, 1},
		{"highest", []float64{4, 1, 2, 3}, 1, 4},
		{"between", []float64{0, 100}, 0.99, 99},
		{"beyond", []float64{1, 2}, 3, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			kept := slices.Clone(test.values)
			if got := Quantile(test.values, test.q); !same(got, test.want) {
				t.Errorf("got %g, want %g", got, test.want)
			}
			if !slices.Equal(kept, test.values) {
				t.Errorf("the values were changed to %v", test.values)
			}
		})
	}
}

// same is equality for which NaN is NaN.
func same(a, b float64) bool {
	return a == b || math.IsNaN(a) && math.IsNaN(b) || math.Abs(a-b) < 1e-9*max(math.Abs(a), math.Abs(b))
}

func TestMedianHasHalfOnEachSide(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(-1e6, 1e6), 1, 50).Draw(t, "values")
		m := Median(values)
		below, above := 0, 0
		for _, v := range values {
			if v < m {
				below++
			}
			if v > m {
				above++
			}
		}
		if 2*below > len(values) || 2*above > len(values) {
			t.Fatalf("%d below and %d above the median %g of %v", below, above, m, values)
		}
	})
}

func TestSpread(t *testing.T) {
	for _, test := range []struct {
		name   string
		values []float64
		want   float64
	}{
		{"none", nil, math.NaN()},
		{"equal", []float64{5, 5, 5}, 0},
		{"one outlier does not count", []float64{10, 10, 10, 10, 1000}, 0},
		{"a tenth", []float64{9, 10, 11}, 0.1},
		{"around zero", []float64{0, 0, 1}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := Spread(test.values); !same(got, test.want) {
				t.Errorf("got %g, want %g", got, test.want)
			}
		})
	}
}

func TestExponent(t *testing.T) {
	for _, test := range []struct {
		name                       string
		small, large, factor, want float64
	}{
		{"does not grow", 5, 5, 10, 0},
		{"in proportion", 3, 30, 10, 1},
		{"squared", 1, 100, 10, 2},
		{"by the root", 1, 10, 100, 0.5},
		{"shrinks", 10, 1, 10, -1},
		{"nothing", 0, 10, 10, math.NaN()},
		{"no factor", 1, 10, 1, math.NaN()},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := Exponent(test.small, test.large, test.factor); !same(got, test.want) {
				t.Errorf("got %g, want %g", got, test.want)
			}
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Float64Range(-2, 3).Draw(t, "x")
		small := rapid.Float64Range(1e-3, 1e6).Draw(t, "small")
		if got := Exponent(small, small*math.Pow(10, x), 10); math.Abs(got-x) > 1e-6 {
			t.Fatalf("got %g, want %g", got, x)
		}
	})
}
