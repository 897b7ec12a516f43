package factory_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/factory"
	"github.com/statemesh/statemesh/hsm"
)

// A chart that was built from callbacks describes what its states catch.
func Example_describe() {
	fmt.Print(ergodicFactory().MustCompile().Describe())
	// Output:
	// outer: catches INIT_SIGNAL, to_inner, knock
	//   inner: catches ENTRY_SIGNAL, knock
}

// TestDescribe: a signal that is caught twice is described once, and a chart that
// was compiled before does not change.
func TestDescribe(t *testing.T) {
	f := factory.New[nobody]()
	f.Create(2, "b").Catch(hsm.Exit, nobody.pass).Catch(toInner, nobody.pass).CatchBound(knock, nobody{}.pass).Catch(toInner, nobody.pass)
	f.Create(1, "a")
	before := f.MustCompile()
	f.State(1).Catch(knock, nobody.pass)
	f.Nest(2, 1)

	for _, tt := range []struct {
		name  string
		chart *hsm.Chart[nobody]
		want  string
	}{
		{"before", before, "a\nb: catches to_inner, knock, EXIT_SIGNAL\n"},
		{"after", f.MustCompile(), "a: catches knock\n  b: catches to_inner, knock, EXIT_SIGNAL\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.chart.Describe().String()); diff != "" {
				t.Errorf("description (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCatchMistakesOnce: what the factory reports hsm.Compile does not report
// again.
func TestCatchMistakesOnce(t *testing.T) {
	for _, signal := range []hsm.Signal{{}, hsm.Empty, hsm.SearchForSuper} {
		_, err := factory.New[nobody]().Create(1, "a").Catch(signal, nobody.pass).Compile()
		if !errors.Is(err, factory.ErrSignal) || errors.Is(err, hsm.ErrCatches) {
			t.Errorf("%q: %v, want ErrSignal alone", signal, err)
		}
	}
}
