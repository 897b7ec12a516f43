package hsm_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/hsm"
)

type nobody struct{}

func pass(nobody, hsm.Event) hsm.Status { return hsm.Super }

// spec is a state that only has a shape.
func spec(name string, parent hsm.State) hsm.Spec[nobody] {
	return hsm.Spec[nobody]{Name: name, Parent: parent, Handle: pass}
}

// mistake is one error of Compile, as text: its kind and its state.
func mistake(kind error, s hsm.State, name string) string {
	return fmt.Sprintf("%v: %d %q", kind, s, name)
}

// mistakes takes an error of Compile apart.
func mistakes(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("%T is not joined: %v", err, err)
	}
	var list []string
	for _, err := range joined.Unwrap() {
		var state *hsm.StateError
		if !errors.As(err, &state) {
			list = append(list, err.Error())
			continue
		}
		list = append(list, mistake(state.Err, state.State, state.Name))
	}
	slices.Sort(list)
	return list
}

func TestCompileMistakes(t *testing.T) {
	type specs = []hsm.Spec[nobody]
	for _, tt := range []struct {
		name  string
		specs specs
		want  []string
	}{
		{"nothing", nil, []string{hsm.ErrNoStates.Error()}},
		{"only Top", make(specs, 1), []string{hsm.ErrNoStates.Error()}},
		{"one state", specs{1: spec("a", 0)}, nil},
		{
			"Top declared by name",
			specs{0: {Name: "top"}, 1: spec("a", 0)},
			[]string{mistake(hsm.ErrTopDeclared, hsm.Top, "top")},
		},
		{
			"Top declared by handler",
			specs{0: {Handle: pass}, 1: spec("a", 0)},
			[]string{mistake(hsm.ErrTopDeclared, hsm.Top, "")},
		},
		{
			"constants begin at 0",
			specs{spec("a", 0), spec("b", 0)},
			[]string{mistake(hsm.ErrTopDeclared, hsm.Top, "a")},
		},
		{
			"constants begin at 0, one state",
			specs{spec("a", 0)},
			[]string{hsm.ErrNoStates.Error(), mistake(hsm.ErrTopDeclared, hsm.Top, "a")},
		},
		{"no name", specs{1: spec("", 0)}, []string{mistake(hsm.ErrNoName, 1, "")}},
		{
			"two without a name are no duplicates",
			specs{1: spec("", 0), 2: spec("", 0)},
			[]string{mistake(hsm.ErrNoName, 1, ""), mistake(hsm.ErrNoName, 2, "")},
		},
		{
			"a number left out",
			specs{1: spec("a", 0), 3: spec("c", 1)},
			[]string{mistake(hsm.ErrNoHandler, 2, ""), mistake(hsm.ErrNoName, 2, "")},
		},
		{
			"three of one name",
			specs{1: spec("a", 0), 2: spec("a", 1), 3: spec("b", 0), 4: spec("a", 3)},
			[]string{mistake(hsm.ErrDuplicateName, 2, "a"), mistake(hsm.ErrDuplicateName, 4, "a")},
		},
		{"no handler", specs{1: {Name: "a"}}, []string{mistake(hsm.ErrNoHandler, 1, "a")}},
		{"unknown parent", specs{1: spec("a", 2)}, []string{mistake(hsm.ErrUnknownParent, 1, "a")}},
		{"negative parent", specs{1: spec("a", -1)}, []string{mistake(hsm.ErrUnknownParent, 1, "a")}},
		{"its own parent", specs{1: spec("a", 1)}, []string{mistake(hsm.ErrParentCycle, 1, "a")}},
		{
			"two inside each other",
			specs{1: spec("z", 0), 2: spec("a", 3), 3: spec("b", 2)},
			[]string{mistake(hsm.ErrParentCycle, 2, "a")},
		},
		{
			"a cycle of three, and one state inside of it",
			specs{1: spec("d", 3), 2: spec("a", 4), 3: spec("b", 2), 4: spec("c", 3)},
			[]string{mistake(hsm.ErrParentCycle, 2, "a")},
		},
		{
			"two cycles",
			specs{1: spec("a", 2), 2: spec("b", 1), 3: spec("c", 3)},
			[]string{mistake(hsm.ErrParentCycle, 1, "a"), mistake(hsm.ErrParentCycle, 3, "c")},
		},
		{
			"inside a state whose parent is unknown",
			specs{1: spec("a", 2), 2: spec("b", 9)},
			[]string{mistake(hsm.ErrUnknownParent, 2, "b")},
		},
		{
			"init to itself",
			specs{1: {Name: "a", Handle: pass, Init: 1}},
			[]string{mistake(hsm.ErrInitTarget, 1, "a")},
		},
		{
			"init to a sibling",
			specs{1: spec("p", 0), 2: {Name: "a", Parent: 1, Handle: pass, Init: 3}, 3: spec("b", 1)},
			[]string{mistake(hsm.ErrInitTarget, 2, "a")},
		},
		{
			"init to its parent",
			specs{1: spec("p", 0), 2: {Name: "a", Parent: 1, Handle: pass, Init: 1}},
			[]string{mistake(hsm.ErrInitTarget, 2, "a")},
		},
		{
			"init to nowhere",
			specs{1: {Name: "a", Handle: pass, Init: 7}, 2: {Name: "b", Handle: pass, Init: -7}},
			[]string{mistake(hsm.ErrInitTarget, 1, "a"), mistake(hsm.ErrInitTarget, 2, "b")},
		},
		{
			"init two levels down",
			specs{1: {Name: "a", Handle: pass, Init: 3}, 2: spec("b", 1), 3: spec("c", 2)},
			nil,
		},
		{
			"all of one state",
			specs{1: {Parent: 8, Init: 9}},
			[]string{
				mistake(hsm.ErrInitTarget, 1, ""), mistake(hsm.ErrNoHandler, 1, ""),
				mistake(hsm.ErrNoName, 1, ""), mistake(hsm.ErrUnknownParent, 1, ""),
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			chart, err := hsm.Compile(tt.specs)
			if (chart == nil) != (err != nil) {
				t.Errorf("chart %v with error %v", chart, err)
			}
			slices.Sort(tt.want)
			if diff := cmp.Diff(tt.want, mistakes(t, err)); diff != "" {
				t.Errorf("mistakes (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCompileAllAtOnce: somebody who made four mistakes mends them in one go.
func TestCompileAllAtOnce(t *testing.T) {
	_, err := hsm.Compile([]hsm.Spec[nobody]{
		1: spec("egg", 2), 2: spec("hen", 1),
		3: spec("lost", 42),
		4: spec("twin", 0), 5: spec("twin", 0),
		6: {Name: "outer", Handle: pass, Init: 7}, 7: spec("elsewhere", 0),
	})
	for kind, names := range map[error][]string{
		hsm.ErrParentCycle:   {`"egg" is inside "hen" is inside "egg"`},
		hsm.ErrUnknownParent: {`state 3 "lost"`, "42"},
		hsm.ErrDuplicateName: {`state 5 "twin"`, "state 4"},
		hsm.ErrInitTarget:    {`state 6 "outer"`, `"elsewhere"`},
	} {
		if !errors.Is(err, kind) {
			t.Errorf("%q is not in the error:\n%v", kind, err)
		}
		for _, name := range names {
			if !strings.Contains(err.Error(), name) {
				t.Errorf("the error does not name %s:\n%v", name, err)
			}
		}
	}
	if n := len(mistakes(t, err)); n != 4 {
		t.Errorf("%d mistakes reported, want 4:\n%v", n, err)
	}
}

func TestMustCompile(t *testing.T) {
	defer func() {
		err, ok := recover().(error)
		if !ok || !errors.Is(err, hsm.ErrNoHandler) {
			t.Errorf("panics with %v, want %v", err, hsm.ErrNoHandler)
		}
	}()
	hsm.MustCompile([]hsm.Spec[nobody]{1: {Name: "a"}})
}

// TestCompileTakesACopy: a chart is immutable, whatever becomes of the specs.
func TestCompileTakesACopy(t *testing.T) {
	specs := []hsm.Spec[nobody]{1: spec("a", 0), 2: spec("b", 1)}
	chart := hsm.MustCompile(specs)
	specs[2] = hsm.Spec[nobody]{Name: "c"}
	if s, ok := chart.Lookup("b"); s != 2 || !ok || chart.Name(2) != "b" || chart.Parent(2) != 1 {
		t.Error("changing a Spec changed the chart")
	}
	m := hsm.NewMachine(chart, nobody{})
	if err := m.Start(2); err != nil {
		t.Error(err)
	}
}

// TestTree asks every question about a chart p{a{c}, b}, q, Top and strangers
// included.
func TestTree(t *testing.T) {
	const p, a, c, b, q, none, negative = hsm.State(1), hsm.State(2), hsm.State(3), hsm.State(4), hsm.State(5), hsm.State(6), hsm.State(-1)
	chart := hsm.MustCompile([]hsm.Spec[nobody]{
		p: spec("p", 0), a: spec("a", p), c: spec("c", a), b: spec("b", p), q: spec("q", 0),
	})
	if chart.Len() != 5 {
		t.Errorf("Len is %d, want 5", chart.Len())
	}
	if got := slices.Collect(chart.States()); !slices.Equal(got, []hsm.State{p, a, c, b, q}) {
		t.Errorf("States are %v", got)
	}
	for s := range chart.States() {
		if s == a {
			break // a walk may be left
		}
	}
	for _, tt := range []struct {
		state    hsm.State
		has      bool
		name     string
		parent   hsm.State
		path     []hsm.State
		contains []hsm.State // of all that are asked for
	}{
		{hsm.Top, false, "top", hsm.Top, nil, []hsm.State{hsm.Top, p, a, c, b, q}},
		{p, true, "p", hsm.Top, []hsm.State{p}, []hsm.State{p, a, c, b}},
		{a, true, "a", p, []hsm.State{p, a}, []hsm.State{a, c}},
		{c, true, "c", a, []hsm.State{p, a, c}, []hsm.State{c}},
		{b, true, "b", p, []hsm.State{p, b}, []hsm.State{b}},
		{q, true, "q", hsm.Top, []hsm.State{q}, []hsm.State{q}},
		{none, false, "", hsm.Top, nil, nil},
		{negative, false, "", hsm.Top, nil, nil},
	} {
		t.Run(fmt.Sprint(tt.state), func(t *testing.T) {
			if got := chart.Has(tt.state); got != tt.has {
				t.Errorf("Has is %v", got)
			}
			if got := chart.Name(tt.state); got != tt.name {
				t.Errorf("Name is %q, want %q", got, tt.name)
			}
			if got := chart.Parent(tt.state); got != tt.parent {
				t.Errorf("Parent is %d, want %d", got, tt.parent)
			}
			if got := chart.Path(tt.state); !slices.Equal(got, tt.path) {
				t.Errorf("Path is %v, want %v", got, tt.path)
			}
			if s, ok := chart.Lookup(tt.name); tt.has && (s != tt.state || !ok) {
				t.Errorf("Lookup gives %d, %v", s, ok)
			}
			var contains []hsm.State
			for _, inner := range []hsm.State{hsm.Top, p, a, c, b, q, none, negative} {
				if chart.Contains(tt.state, inner) {
					contains = append(contains, inner)
				}
			}
			if !slices.Equal(contains, tt.contains) {
				t.Errorf("contains %v, want %v", contains, tt.contains)
			}
		})
	}
	if s, ok := chart.Lookup("nobody"); ok {
		t.Errorf("Lookup finds %d for a name that no state has", s)
	}
}
