package hsm_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/hsm"
)

// heir has a script in it, the data of the base.
type heir struct {
	script
	asked int // how often the base's part was wanted
}

func (h *heir) base() *script {
	h.asked++
	return &h.script
}

// note makes a handler of the heir that notes its calls in capitals.
func note(name string, status hsm.Status) func(*heir, hsm.Event) hsm.Status {
	return func(h *heir, e hsm.Event) hsm.Status {
		h.calls = append(h.calls, e.Signal.String()+":"+name)
		if e.Signal == mGo {
			return status
		}
		return hsm.Super
	}
}

// inheritBase is p{ a, b }, of which a is the initial one.
var inheritBase = []hsm.Spec[*script]{
	1: scripted("p", hsm.Top, 2),
	2: scripted("a", 1, hsm.Top),
	3: scripted("b", 1, hsm.Top),
}

// TestInherit: what is not changed is the base's, what is changed the heir's.
func TestInherit(t *testing.T) {
	const p, a, b, added = 1, 2, 3, 4
	for _, tt := range []struct {
		name    string
		changes []hsm.Spec[*heir]
		want    []string // calls from start in p, then GO
		path    []string // names down to the last leaf
	}{
		{"nothing", nil,
			[]string{"ENTRY_SIGNAL:p", "INIT_SIGNAL:p", "ENTRY_SIGNAL:a", "INIT_SIGNAL:a", "GO:a", "GO:p"}, []string{"p", "a"}},
		{"a handler", []hsm.Spec[*heir]{a: {Handle: note("A", hsm.Tran(b))}},
			[]string{"ENTRY_SIGNAL:p", "INIT_SIGNAL:p", "ENTRY_SIGNAL:A", "INIT_SIGNAL:A", "GO:A", "EXIT_SIGNAL:A", "ENTRY_SIGNAL:b", "INIT_SIGNAL:b"}, []string{"p", "b"}},
		{"a name", []hsm.Spec[*heir]{a: {Name: "first"}},
			[]string{"ENTRY_SIGNAL:p", "INIT_SIGNAL:p", "ENTRY_SIGNAL:a", "INIT_SIGNAL:a", "GO:a", "GO:p"}, []string{"p", "first"}},
		{"an initial transition", []hsm.Spec[*heir]{p: {Init: b}},
			[]string{"ENTRY_SIGNAL:p", "INIT_SIGNAL:p", "ENTRY_SIGNAL:b", "INIT_SIGNAL:b", "GO:b", "GO:p"}, []string{"p", "b"}},
		{"a parent", []hsm.Spec[*heir]{a: {Parent: b}},
			[]string{"ENTRY_SIGNAL:p", "INIT_SIGNAL:p", "ENTRY_SIGNAL:b", "ENTRY_SIGNAL:a", "INIT_SIGNAL:a", "GO:a", "GO:b", "GO:p"}, []string{"p", "b", "a"}},
		{"a state more", []hsm.Spec[*heir]{a: {Init: added}, added: {Name: "added", Parent: a, Handle: note("ADDED", hsm.Tran(a))}},
			[]string{"ENTRY_SIGNAL:p", "INIT_SIGNAL:p", "ENTRY_SIGNAL:a", "INIT_SIGNAL:a", "ENTRY_SIGNAL:ADDED", "INIT_SIGNAL:ADDED",
				"GO:ADDED", "EXIT_SIGNAL:ADDED", "INIT_SIGNAL:a", "ENTRY_SIGNAL:ADDED", "INIT_SIGNAL:ADDED"}, []string{"p", "a", "added"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			chart, err := hsm.Compile(hsm.Inherit(inheritBase, (*heir).base, tt.changes))
			if err != nil {
				t.Fatal(err)
			}
			h := &heir{}
			m := hsm.NewMachine(chart, h)
			if err := m.Start(p); err != nil {
				t.Fatal(err)
			}
			if err := m.Dispatch(hsm.Event{Signal: mGo}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, h.calls); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			var path []string
			for _, s := range chart.Path(m.State()) {
				path = append(path, chart.Name(s))
			}
			if !slices.Equal(path, tt.path) {
				t.Errorf("in %q, want %q", path, tt.path)
			}
			if own := len(slices.DeleteFunc(slices.Clone(h.calls), func(call string) bool { return call[len(call)-1] < 'a' })); h.asked != own {
				t.Errorf("the base's part was asked for %d times, want %d", h.asked, own)
			}
		})
	}
}

// TestInheritLeavesBase: the tables that were given stay as they were, also when
// an heir has heirs.
func TestInheritLeavesBase(t *testing.T) {
	child := hsm.Inherit(inheritBase, (*heir).base, []hsm.Spec[*heir]{2: {Name: "second"}, 4: {Name: "fourth", Handle: note("D", hsm.Handled)}})
	same := func(h *heir) *heir { return h }
	grandchild := hsm.Inherit(child, same, []hsm.Spec[*heir]{2: {Name: "third"}})
	var names [3][]string
	for _, s := range inheritBase {
		names[0] = append(names[0], s.Name)
	}
	for _, s := range child {
		names[1] = append(names[1], s.Name)
	}
	for _, s := range grandchild {
		names[2] = append(names[2], s.Name)
	}
	want := [3][]string{{"", "p", "a", "b"}, {"", "p", "second", "b", "fourth"}, {"", "p", "third", "b", "fourth"}}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

// TestInheritFields: no field of a Spec is forgotten, and each is changed by a
// change.
func TestInheritFields(t *testing.T) {
	full := hsm.Spec[*script]{Name: "p", Parent: 1, Init: 2, Handle: func(*script, hsm.Event) hsm.Status { return hsm.Handled }, Catches: []hsm.Signal{mGo}}
	change := hsm.Spec[*heir]{Name: "q", Parent: 3, Init: 4, Handle: note("q", hsm.Handled), Catches: []hsm.Signal{mElse}}
	given, changed := reflect.ValueOf(full), reflect.ValueOf(change)
	same := reflect.ValueOf(hsm.Inherit([]hsm.Spec[*script]{full}, (*heir).base, nil)[0])
	other := reflect.ValueOf(hsm.Inherit([]hsm.Spec[*script]{full}, (*heir).base, []hsm.Spec[*heir]{change})[0])
	for i := range given.NumField() {
		name := given.Type().Field(i).Name
		if given.Field(i).IsZero() || changed.Field(i).IsZero() {
			t.Errorf("the test leaves %s out", name)
			continue
		}
		if name == "Handle" {
			if other.Field(i).Pointer() != changed.Field(i).Pointer() {
				t.Error("Handle is not changed")
			}
			continue
		}
		if got, want := fmt.Sprint(same.Field(i)), fmt.Sprint(given.Field(i)); got != want {
			t.Errorf("%s is %s, want that of the base, %s", name, got, want)
		}
		if got, want := fmt.Sprint(other.Field(i)), fmt.Sprint(changed.Field(i)); got != want {
			t.Errorf("%s is %s, want that of the change, %s", name, got, want)
		}
	}
}

// TestInheritCatches: what a state catches goes with its handler.
func TestInheritCatches(t *testing.T) {
	base := []hsm.Spec[*script]{1: scripted("p", hsm.Top, hsm.Top)}
	base[1].Catches = []hsm.Signal{hsm.Entry, mGo}
	for _, tt := range []struct {
		name   string
		change hsm.Spec[*heir]
		want   []string // calls from start, then GO and ELSE
	}{
		{"the base's", hsm.Spec[*heir]{Name: "q"}, []string{"ENTRY_SIGNAL:p", "GO:p"}},
		{"a new handler is called with everything", hsm.Spec[*heir]{Handle: note("P", hsm.Super)}, []string{"ENTRY_SIGNAL:P", "INIT_SIGNAL:P", "GO:P", "ELSE:P"}},
		{"a new handler with a list", hsm.Spec[*heir]{Handle: note("P", hsm.Super), Catches: []hsm.Signal{mElse}}, []string{"ELSE:P"}},
		{"the base's handler with a list", hsm.Spec[*heir]{Catches: []hsm.Signal{mElse, hsm.Init}}, []string{"INIT_SIGNAL:p", "ELSE:p"}},
		{"the base's handler, deaf", hsm.Spec[*heir]{Catches: []hsm.Signal{}}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := &heir{}
			m := hsm.NewMachine(hsm.MustCompile(hsm.Inherit(base, (*heir).base, []hsm.Spec[*heir]{1: tt.change})), h)
			if err := m.Start(1); err != nil {
				t.Fatal(err)
			}
			for _, signal := range []hsm.Signal{mGo, mElse} {
				if err := m.Dispatch(hsm.Event{Signal: signal}); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(tt.want, h.calls); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

// TestInheritMistakes: Compile finds in the new table what is wrong in either.
func TestInheritMistakes(t *testing.T) {
	for _, tt := range []struct {
		name    string
		base    []hsm.Spec[*script]
		changes []hsm.Spec[*heir]
		want    error
	}{
		{"a base state without handler", []hsm.Spec[*script]{1: {Name: "p"}}, nil, hsm.ErrNoHandler},
		{"an added state without handler", inheritBase, []hsm.Spec[*heir]{4: {Name: "added"}}, hsm.ErrNoHandler},
		{"numbers left out", inheritBase, []hsm.Spec[*heir]{5: {Name: "added", Handle: note("E", hsm.Handled)}}, hsm.ErrNoName},
		{"an added state of a base name", inheritBase, []hsm.Spec[*heir]{4: {Name: "a", Handle: note("D", hsm.Handled)}}, hsm.ErrDuplicateName},
		{"Top in the changes", inheritBase, []hsm.Spec[*heir]{0: {Name: "top"}}, hsm.ErrTopDeclared},
		{"nothing at all", nil, nil, hsm.ErrNoStates},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := hsm.Compile(hsm.Inherit(tt.base, (*heir).base, tt.changes)); !errors.Is(err, tt.want) {
				t.Errorf("error is %v, want %v", err, tt.want)
			}
		})
	}
}
