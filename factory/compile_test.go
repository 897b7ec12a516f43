package factory_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/factory"
	"github.com/statemesh/statemesh/hsm"
)

type nobody struct{}

func (nobody) pass(hsm.Event) hsm.Status { return hsm.Super }

// mistake is one error of Compile, as text: its kind and its state.
func mistake(kind error, s hsm.State, name string) string {
	return fmt.Sprintf("%v: %d %q", kind, s, name)
}

// mistakes takes an error apart, however its parts are joined.
func mistakes(err error) []string {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var list []string
		for _, err := range joined.Unwrap() {
			list = append(list, mistakes(err)...)
		}
		slices.Sort(list)
		return list
	}
	var state *hsm.StateError
	if errors.As(err, &state) {
		return []string{mistake(state.Err, state.State, state.Name)}
	}
	return []string{err.Error()}
}

func TestCompileMistakes(t *testing.T) {
	for _, tt := range []struct {
		name  string
		build func(f *factory.Factory[nobody])
		want  []string
	}{
		{"one state", func(f *factory.Factory[nobody]) { f.Create(1, "a") }, nil},
		{"nothing", func(*factory.Factory[nobody]) {}, []string{hsm.ErrNoStates.Error()}},
		{
			"states out of order",
			func(f *factory.Factory[nobody]) { f.Nest(1, 2).Create(2, "b"); f.Create(1, "a") },
			nil,
		},
		{
			"constants begin at 0",
			func(f *factory.Factory[nobody]) { f.Create(0, "a"); f.Create(1, "b") },
			[]string{mistake(hsm.ErrTopDeclared, 0, "a")},
		},
		{
			"out of range",
			func(f *factory.Factory[nobody]) {
				f.Create(-1, "a")
				f.Create(factory.MaxState+1, "b")
				f.Create(1, "c")
			},
			[]string{mistake(factory.ErrNumber, -1, "a"), mistake(factory.ErrNumber, factory.MaxState+1, "b")},
		},
		{
			"no name",
			func(f *factory.Factory[nobody]) { f.Create(1, "") },
			[]string{mistake(hsm.ErrNoName, 1, "")},
		},
		{
			"two of one name",
			func(f *factory.Factory[nobody]) { f.Create(1, "a"); f.Create(2, "a") },
			[]string{mistake(hsm.ErrDuplicateName, 2, "a")},
		},
		{
			"two of one number",
			func(f *factory.Factory[nobody]) { f.Create(1, "a"); f.Create(1, "b").Catch(knock, nil) },
			[]string{mistake(factory.ErrCreatedTwice, 1, "b"), mistake(factory.ErrNilHandler, 1, "b")},
		},
		{
			"numbers left out",
			func(f *factory.Factory[nobody]) { f.Create(2, "a"); f.Create(5, "b"); f.Create(6, "c") },
			[]string{mistake(factory.ErrNotCreated, 1, ""), mistake(factory.ErrNotCreated, 3, "")},
		},
		{
			"most numbers left out",
			func(f *factory.Factory[nobody]) { f.Create(factory.MaxState, "a") },
			[]string{mistake(factory.ErrNotCreated, 1, "")},
		},
		{
			"nested, not created",
			func(f *factory.Factory[nobody]) { f.Create(1, "a"); f.Nest(2, 1).Nest(-3, hsm.Top) },
			[]string{mistake(factory.ErrNotCreated, -3, ""), mistake(factory.ErrNotCreated, 2, "")},
		},
		{
			"inside what is not created",
			func(f *factory.Factory[nobody]) { f.Create(1, "a"); f.Nest(1, 2) },
			[]string{mistake(hsm.ErrUnknownParent, 1, "a")},
		},
		{
			"Top nested",
			func(f *factory.Factory[nobody]) { f.Create(1, "a"); f.Nest(hsm.Top, 1) },
			[]string{mistake(hsm.ErrTopDeclared, 0, "top")},
		},
		{
			"inside itself",
			func(f *factory.Factory[nobody]) { f.Create(1, "a"); f.Nest(1, 1) },
			[]string{mistake(hsm.ErrParentCycle, 1, "a")},
		},
		{
			"inside each other",
			func(f *factory.Factory[nobody]) { f.Create(1, "a"); f.Create(2, "b"); f.Nest(1, 2).Nest(2, 1) },
			[]string{mistake(hsm.ErrParentCycle, 1, "a")},
		},
		{
			"moved out of a cycle",
			func(f *factory.Factory[nobody]) {
				f.Create(1, "a")
				f.Create(2, "b")
				f.Nest(1, 2).Nest(2, 1).Nest(1, hsm.Top)
			},
			nil,
		},
		{
			"signals that no state is called with",
			func(f *factory.Factory[nobody]) {
				f.Create(1, "a").Catch(hsm.Signal{}, nobody.pass).Catch(hsm.Empty, nobody.pass).Catch(hsm.SearchForSuper, nobody.pass)
			},
			[]string{mistake(factory.ErrSignal, 1, "a"), mistake(factory.ErrSignal, 1, "a"), mistake(factory.ErrSignal, 1, "a")},
		},
		{
			"no handler",
			func(f *factory.Factory[nobody]) { f.Create(1, "a").Catch(knock, nil).CatchBound(hsm.Entry, nil) },
			[]string{mistake(factory.ErrNilHandler, 1, "a"), mistake(factory.ErrNilHandler, 1, "a")},
		},
		{
			"caught again with a handler",
			func(f *factory.Factory[nobody]) { f.Create(1, "a").Catch(knock, nil).Catch(knock, nobody.pass) },
			nil,
		},
		{
			"asked for too early",
			func(f *factory.Factory[nobody]) { f.State(1).Catch(knock, nobody.pass); f.Create(1, "a") },
			[]string{mistake(factory.ErrNotCreated, 1, "")},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := factory.New[nobody]()
			tt.build(f)
			slices.Sort(tt.want)
			for range 2 { // compiling changes nothing
				chart, err := f.Compile()
				if (chart == nil) != (err != nil) {
					t.Errorf("chart %v with error %v", chart, err)
				}
				if diff := cmp.Diff(tt.want, mistakes(err)); diff != "" {
					t.Errorf("mistakes (-want +got):\n%s", diff)
				}
			}
			if _, err := f.Source(factory.SourceConfig{}); (err == nil) != (tt.want == nil) || errors.Is(err, factory.ErrSource) {
				t.Errorf("Source of it: %v", err)
			}
		})
	}
}

// TestCompileAllAtOnce: mistakes of every kind come together, each with its
// state.
func TestCompileAllAtOnce(t *testing.T) {
	f := factory.New[nobody]()
	f.Create(1, "egg")
	f.Create(2, "hen")
	f.Create(3, "lost").Catch(knock, nil)
	f.Create(3, "found").Catch(hsm.Signal{}, nobody.pass)
	f.Create(5, "egg")
	f.Nest(1, 2).Nest(2, 1).Nest(3, 42).Nest(43, 1)
	_, err := f.Compile()
	for kind, text := range map[error]string{
		hsm.ErrParentCycle:      `"egg" is inside "hen" is inside "egg"`,
		hsm.ErrDuplicateName:    `state 5 "egg"`,
		hsm.ErrUnknownParent:    `state 3 "lost": nested inside state 42`,
		factory.ErrCreatedTwice: `state 3 "found": created before as "lost"`,
		factory.ErrNilHandler:   `state 3 "lost": the handler of knock is nil`,
		factory.ErrSignal:       `state 3 "found"`,
		factory.ErrNotCreated:   `the numbers 4 to 4 are left out before state 5 "egg"`,
	} {
		if !errors.Is(err, kind) || !strings.Contains(err.Error(), text) {
			t.Errorf("%v with %q is not in the error:\n%v", kind, text, err)
		}
	}
	if n := len(mistakes(err)); n != 8 {
		t.Errorf("%d mistakes, want 8:\n%v", n, err)
	}
}

func TestMustCompile(t *testing.T) {
	defer func() {
		if err, _ := recover().(error); !errors.Is(err, factory.ErrNilHandler) {
			t.Errorf("panics with %v, want %v", err, factory.ErrNilHandler)
		}
	}()
	factory.New[nobody]().Create(1, "a").Catch(knock, nil).MustCompile()
}
