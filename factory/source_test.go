package factory_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/factory"
	"github.com/statemesh/statemesh/factory/testdata/odd/gate"
	"github.com/statemesh/statemesh/hsm"
)

// TestSourceRuns compiles what Source writes, in the place that it is written
// for, and runs it: it spies what the factory's chart does, line for line.
func TestSourceRuns(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skipf("needs the go command: %v", err)
	}
	if testing.Short() {
		t.Skip("builds four programs")
	}
	for _, tt := range []struct {
		name    string
		program string
		flags   []string
		without []string // files of the program that the source replaces
		with    string   // a file to stand beside it
	}{
		{
			name:    "in place of the factory and the declarations",
			program: "qhsmtst", without: []string{"built.go", "names.go"},
		},
		{
			name:    "in place of the factory alone",
			program: "qhsmtst", flags: []string{"-declared"}, without: []string{"built.go"},
		},
		{
			name:    "beside all",
			program: "qhsmtst", flags: []string{"-prefix", "flat"},
			with: "package main\nfunc init() { chart = flatChart }\n",
		},
		{
			name:    "odd names, and handlers without one",
			program: "odd", without: []string{"built.go"},
			with: `package main

import (
	"github.com/statemesh/statemesh/factory/testdata/odd/gate"
	"github.com/statemesh/statemesh/hsm"
)

func init() {
	typeOn, typeOnHandler = (&gate.Shut{}).Count, (&gate.Shut{}).Count
	lenOnCaféAuLait = func(o *odd, e hsm.Event) hsm.Status { return o.hear(e) }
	lenOnWithQuotes = func(hsm.Event) hsm.Status { return hsm.Tran(number9) }
	handler1stOnFunc = generic[int]
	chartOnOuter = func(*odd, hsm.Event) hsm.Status { return hsm.Tran(number1) }
}
`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir, err := filepath.Abs(filepath.Join("testdata", tt.program))
			if err != nil {
				t.Fatal(err)
			}
			source := goRun(t, dir, nil, append([]string{"-source"}, tt.flags...)...)
			overlay := map[string]string{filepath.Join(dir, "flat.go"): source}
			if tt.with != "" {
				overlay[filepath.Join(dir, "with.go")] = tt.with
			}
			for _, name := range tt.without {
				overlay[filepath.Join(dir, name)] = ""
			}
			want, got := goRun(t, dir, nil), goRun(t, dir, overlay)
			if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" || len(want) < 1000 {
				t.Errorf("the flat chart spies otherwise (-want +got):\n%s\n%s", diff, source)
			}
		})
	}
}

// goRun runs the program of a folder, some of its files replaced by texts, or
// left out for an empty one, and returns what it prints.
func goRun(t *testing.T, dir string, overlay map[string]string, args ...string) string {
	t.Helper()
	replace := make(map[string]string)
	for name, text := range overlay {
		replace[name] = ""
		if text != "" {
			replace[name] = filepath.Join(t.TempDir(), filepath.Base(name))
			if err := os.WriteFile(replace[name], []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(file, list, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"run", "-overlay", file, "."}, args...)...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("%v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	return string(out)
}

// TestSourceOrder: in a state Entry is first, then Init, then the others as they
// were first caught, Exit last.
func TestSourceOrder(t *testing.T) {
	f := factory.New[nobody]()
	f.Create(1, "a").
		Catch(hsm.Exit, nobody.pass).
		Catch(toInner, nobody.pass).
		Catch(hsm.Init, nobody.pass).
		Catch(knock, nobody.pass).
		Catch(hsm.Entry, nobody.pass).
		Catch(toInner, nobody.pass)
	source, err := f.Source(factory.SourceConfig{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(source)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "case "); ok {
			got = append(got, name)
		}
	}
	if diff := cmp.Diff([]string{"hsm.Entry:", "hsm.Init:", "toInner:", "knock:", "hsm.Exit:"}, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestSourceConfig(t *testing.T) {
	for _, tt := range []struct {
		name   string
		config factory.SourceConfig
		has    []string
		hasNot []string
	}{
		{
			"none", factory.SourceConfig{},
			[]string{"package factory_test\n", "\touter hsm.State = iota + 1\n", "toInner = hsm.NewSignal(\"to_inner\")\n", "\nvar chart = ", "\nfunc innerState(c *ergodic,"}, nil,
		},
		{
			"package and chart", factory.SourceConfig{Package: "other", Chart: "Ergodic"},
			[]string{"package other\n", "\nvar Ergodic = "}, []string{"var chart"},
		},
		{
			"prefix", factory.SourceConfig{Prefix: "flat"},
			[]string{"\tflatOuter hsm.State", "flatToInner = hsm.NewSignal(\"to_inner\")\n", "case flatToInner:\n", "\nvar flatChart = ", "\tflatOuter: {Name: \"outer\"", "Parent: flatOuter", "\nfunc flatInnerState(c *ergodic, e hsm.Event)"},
			[]string{" outer", "\ttoInner"},
		},
		{
			"prefix and chart", factory.SourceConfig{Prefix: "flat", Chart: "ergodicChart"},
			[]string{"\nvar ergodicChart = "}, []string{"flatChart"},
		},
		{
			"chart named as a state is", factory.SourceConfig{Chart: "outer"},
			[]string{"\nvar outer = ", "\touterState hsm.State = iota + 1\n", "Parent: outerState"}, nil,
		},
		{
			"declared", factory.SourceConfig{Declared: true},
			[]string{"case toInner:\n", "\touter: {Name"}, []string{"iota", "NewSignal"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			source, err := ergodicFactory().Source(tt.config)
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range tt.has {
				if !strings.Contains(string(source), text) {
					t.Errorf("%q is not in it:\n%s", text, source)
				}
			}
			for _, text := range tt.hasNot {
				if strings.Contains(string(source), text) {
					t.Errorf("%q is in it:\n%s", text, source)
				}
			}
		})
	}
}

// TestSourceData: C may be any type that a file can name.
func TestSourceData(t *testing.T) {
	for _, tt := range []struct {
		name   string
		source func() ([]byte, error)
		param  string // the parameters of the state, "" if there is an error
	}{
		{"value", sourceOf[nobody], "c nobody, e hsm.Event"},
		{"pointer to pointer", sourceOf[**nobody], "c **nobody, e hsm.Event"},
		{"map", sourceOf[map[string][]*nobody], "c map[string][]*nobody, e hsm.Event"},
		{"array", sourceOf[[3]nobody], "c [3]nobody, e hsm.Event"},
		{"of another package", sourceOf[*gate.Shut], "c *Shut, e hsm.Event"},
		{"of two packages", sourceOf[map[hsm.Signal]*gate.Shut], "c map[hsm.Signal]*Shut, e hsm.Event"},
		{"generic", sourceOf[*box[int]], "c *box[int], e hsm.Event"},
		{"generic of a type with a package", sourceOf[*box[nobody]], ""},
		{"unexported of another package", sourceOf[map[nobody]*gate.Shut], ""},
		{"unnamed struct", sourceOf[struct{ a int }], ""},
		{"function", sourceOf[func()], ""},
		{"builtin", sourceOf[int], "c int, e hsm.Event"},
		{"any", sourceOf[any], "c any, e hsm.Event"},
		{"nothing", sourceOf[struct{}], "c struct{}, e hsm.Event"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			source, err := tt.source()
			if tt.param == "" {
				if !errors.Is(err, factory.ErrSource) {
					t.Errorf("error is %v, want %v", err, factory.ErrSource)
				}
				return
			}
			if err != nil || !strings.Contains(string(source), "func aState("+tt.param+")") {
				t.Errorf("error is %v; no state with (%s):\n%s", err, tt.param, source)
			}
		})
	}
}

type box[T any] struct{ in T }

func (b *box[T]) open(e hsm.Event) hsm.Status {
	b.in, _ = hsm.Payload[T](e)
	return hsm.Handled
}

// TestSourceUnexported: what another package has not exported is to be filled in.
func TestSourceUnexported(t *testing.T) {
	f := factory.New[nobody]()
	f.Create(1, "a").CatchBound(knock, gate.Hidden()).CatchBound(toInner, gate.Open)
	source, err := f.Source(factory.SourceConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"\tgate \"github.com/statemesh/statemesh/factory/testdata/odd/gate\"\n",
		"return passOn(gate.Open(e))",
		"return passOn(aOnKnock(e))",
		"var aOnKnock = func(e hsm.Event) hsm.Status {\n\tpanic(\"fill in aOnKnock: gate.hidden\")\n}",
	} {
		if !strings.Contains(string(source), text) {
			t.Errorf("%q is not in it:\n%s", text, source)
		}
	}
}

// TestSourceGenericMethod: a method of a generic C has a name to call it by.
func TestSourceGenericMethod(t *testing.T) {
	f := factory.New[*box[int]]()
	f.Create(1, "a").Catch(knock, (*box[int]).open)
	source, err := f.Source(factory.SourceConfig{})
	if err != nil || !strings.Contains(string(source), "passOn(c.open(e))") {
		t.Errorf("error is %v, and open is not called:\n%s", err, source)
	}
}

func refuseAny[C any](C, hsm.Event) hsm.Status { return hsm.Unhandled }

func sourceOf[C any]() ([]byte, error) {
	f := factory.New[C]()
	f.Create(1, "a").CatchBound(knock, refuse).Catch(toInner, refuseAny[C])
	return f.Source(factory.SourceConfig{})
}

func TestSourceErrors(t *testing.T) {
	for name, config := range map[string]factory.SourceConfig{
		"package":               {Package: "a.b"},
		"chart":                 {Chart: "1st"},
		"prefix":                {Prefix: "func"},
		"chart is a handler":    {Chart: "refuse"},
		"chart is its own type": {Chart: "nobody"},
		"chart is predeclared":  {Chart: "nil"},
		"chart is a package":    {Chart: "hsm"},
	} {
		f := factory.New[nobody]()
		f.Create(1, "a").CatchBound(knock, refuse)
		if _, err := f.Source(config); !errors.Is(err, factory.ErrSource) {
			t.Errorf("%s: error is %v, want %v", name, err, factory.ErrSource)
		}
	}
	empty := factory.New[struct{}]()
	empty.Create(1, "a")
	if _, err := empty.Source(factory.SourceConfig{}); !errors.Is(err, factory.ErrSource) {
		t.Errorf("no package: error is %v, want %v", err, factory.ErrSource)
	}
	if _, err := empty.Source(factory.SourceConfig{Package: "p"}); err != nil {
		t.Errorf("package given: %v", err)
	}
}
