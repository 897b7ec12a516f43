package factory

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/statemesh/statemesh/hsm"
)

func TestCamel(t *testing.T) {
	for name, want := range map[string]string{
		"outer":                "outer",
		"to_inner":             "toInner",
		"other_to_inner":       "otherToInner",
		"CONNECTION_DISCOVERY": "connectionDiscovery",
		"TO INNER":             "toInner",
		"to-inner.now":         "toInnerNow",
		"toInner":              "toInner",
		"ToInner":              "toInner",
		"HTTPServer":           "httpServer",
		"A":                    "a",
		"A1":                   "a1",
		"s211":                 "s211",
		"1st":                  "1st",
		"__x__":                "x",
		"élan vital":           "élanVital",
		"Élan":                 "élan",
		"日本":                   "日本",
		"!":                    "",
		"":                     "",
		"\xff":                 "",
	} {
		if got := camel(name); got != want {
			t.Errorf("%q becomes %q, want %q", name, got, want)
		}
	}
}

func TestDeclare(t *testing.T) {
	type call struct{ name, kind, want string }
	for _, tt := range []struct {
		name   string
		prefix string
		calls  []call
	}{
		{"taken", "", []call{{"a", "state", "a"}, {"a", "signal", "aSignal"}, {"A", "signal", "aSignal2"}, {"a_", "signal", "aSignal3"}}},
		{"no name", "", []call{{"", "state", "state"}, {"?", "state", "stateState"}, {"2", "state", "state2"}}},
		{"means something", "", []call{{"type", "state", "typeState"}, {"string", "signal", "stringSignal"}, {"init", "state", "initState"}, {"hsm", "state", "hsmState"}}},
		{"prefix", "flat", []call{{"a", "state", "flatA"}, {"type", "state", "flatType"}, {"", "signal", "flatSignal"}, {"A", "signal", "flatASignal"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var n names
			n.reserve("hsm")
			n.prefix = tt.prefix
			for _, c := range tt.calls {
				if got := n.declare(c.name, c.kind); got != c.want {
					t.Errorf("the %s %q becomes %s, want %s", c.kind, c.name, got, c.want)
				}
			}
		})
	}
}

func TestPredeclared(t *testing.T) {
	want := append(types.Universe.Names(), "init", "main")
	got := strings.Fields(predeclared)
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names that every package knows (-want +got):\n%s", diff)
	}
}

// free and its like are handlers of the kinds that there are.
func free(c *counter, e hsm.Event) hsm.Status { return c.count(e) }
func loose(hsm.Event) hsm.Status              { return hsm.Handled }

func generic[C any](C, hsm.Event) hsm.Status { return hsm.Handled }

func (c *counter) literal() func(*counter, hsm.Event) hsm.Status {
	return func(*counter, hsm.Event) hsm.Status { return hsm.Handled }
}

type pump struct{}

func (pump) tick(hsm.Event) hsm.Status { return hsm.Handled }

func TestFunctionOf(t *testing.T) {
	const path = "github.com/statemesh/statemesh/factory"
	type handler = func(*counter, hsm.Event) hsm.Status
	type bound = func(hsm.Event) hsm.Status
	type valueHandler = func(pump, hsm.Event) hsm.Status
	for _, tt := range []struct {
		name  string
		given any
		want  function // its text is only the beginning
	}{
		{"method", handler((*counter).count), function{path: path, name: "count", method: true}},
		{"method of a value", valueHandler(pump.tick), function{path: path, name: "tick", method: true}},
		{"function", handler(free), function{path: path, name: "free"}},
		{"function without data", bound(loose), function{path: path, name: "loose", dataless: true}},
		{"literal", handler(func(*counter, hsm.Event) hsm.Status { return hsm.Handled }), function{path: path, text: "the function literal at names_test.go:"}},
		{"literal in a method", (&counter{}).literal(), function{path: path, text: "the function literal at names_test.go:"}},
		{"literal without data", bound(func(hsm.Event) hsm.Status { return hsm.Handled }), function{path: path, dataless: true, text: "the function literal at names_test.go:"}},
		{"method value", bound(pump{}.tick), function{path: path, dataless: true, text: "the method value factory.pump.tick"}},
		{"generic function", handler(generic[*counter]), function{path: path, text: "the generic function at names_test.go:"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := functionOf(tt.given)
			if !strings.HasPrefix(got.text, tt.want.text) {
				t.Errorf("text is %q, want it to begin with %q", got.text, tt.want.text)
			}
			got.text, tt.want.text = "", ""
			if got != tt.want {
				t.Errorf("function is %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestSplitSymbol(t *testing.T) {
	for _, tt := range []struct{ symbol, path, rest string }{
		{"main.f", "main", "f"},
		{"main.(*T).m", "main", "(*T).m"},
		{"example.com/a.b/c.T.m-fm", "example.com/a.b/c", "T.m-fm"},
		{"gopkg.in/yaml%2ev3.init.func1", "gopkg.in/yaml.v3", "init.func1"},
		{"a/b.(*G[...]).m", "a/b", "(*G[...]).m"},
		{"a/b.f[c/d.T]", "a/b", "f[c/d.T]"},
	} {
		if path, rest := splitSymbol(tt.symbol); path != tt.path || rest != tt.rest {
			t.Errorf("%s is %q of %q, want %q of %q", tt.symbol, rest, path, tt.rest, tt.path)
		}
	}
}

// rest is the package of the handlers without what the source stands in for.
const rest = `package factory

import "github.com/statemesh/statemesh/hsm"

type counter struct{ n int }

func (c *counter) count(hsm.Event) hsm.Status { return hsm.Handled }

func free(c *counter, e hsm.Event) hsm.Status { return c.count(e) }
func loose(hsm.Event) hsm.Status              { return hsm.Handled }
`

// only imports one package.
type only struct{ *types.Package }

func (o only) Import(path string) (*types.Package, error) {
	if path != o.Path() {
		return nil, fmt.Errorf("imports %s", path)
	}
	return o.Package, nil
}

// TestSourceTypeChecks: whatever the names of states and signals are, and
// whatever handlers they have, the source compiles, and tells each state, parent
// and signal as it is.
func TestSourceTypeChecks(t *testing.T) {
	files := token.NewFileSet()
	hsmPackage, err := importer.ForCompiler(files, "source", nil).Import("github.com/statemesh/statemesh/hsm")
	if err != nil {
		t.Fatal(err)
	}
	beside, err := parser.ParseFile(files, "rest.go", rest, 0)
	if err != nil {
		t.Fatal(err)
	}
	handlers := []func(*State[*counter], hsm.Signal){
		func(s *State[*counter], signal hsm.Signal) { s.Catch(signal, (*counter).count) },
		func(s *State[*counter], signal hsm.Signal) { s.Catch(signal, free) },
		func(s *State[*counter], signal hsm.Signal) { s.CatchBound(signal, loose) },
		func(s *State[*counter], signal hsm.Signal) { s.CatchBound(signal, pump{}.tick) },
		func(s *State[*counter], signal hsm.Signal) {
			s.Catch(signal, func(*counter, hsm.Event) hsm.Status { return hsm.Super })
		},
	}
	name := rapid.OneOf(
		rapid.StringMatching(`[A-Za-z_ ]{1,3}[a-z0-9_]{0,4}`),
		rapid.SampledFrom([]string{"type", "func", "c", "e", "hsm", "free", "loose", "counter", "data", "event", "chart", "pass_on", "init", "main", "nil", "status", "a state", "state"}),
		rapid.String().Filter(func(s string) bool { return s != "" }),
	)
	rapid.Check(t, func(t *rapid.T) {
		f := New[*counter]()
		stateNames := rapid.SliceOfNDistinct(name, 1, 8, rapid.ID[string]).Draw(t, "states")
		// What else the package has Source cannot know, so all of it is used.
		f.Create(hsm.State(len(stateNames)+1), "one more state").Catch(w1, free).CatchBound(w2, loose)
		signalNames := rapid.SliceOfN(name, 1, 8).Draw(t, "signals")
		for i, stateName := range stateNames {
			s := f.Create(hsm.State(i+1), stateName)
			for _, signalName := range signalNames {
				if signal := hsm.Intern(signalName); !signal.IsInner() && rapid.Bool().Draw(t, "catch") {
					handlers[rapid.IntRange(0, len(handlers)-1).Draw(t, "handler")](s, signal)
				}
			}
			if i > 0 {
				f.Nest(hsm.State(i+1), hsm.State(rapid.IntRange(0, i).Draw(t, "parent")))
			}
		}
		source, err := f.Source(SourceConfig{Prefix: rapid.SampledFrom([]string{"", "flat", "_"}).Draw(t, "prefix")})
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(files, "flat.go", source, 0)
		if err != nil {
			t.Fatalf("%v\n%s", err, source)
		}
		if _, err := (&types.Config{Importer: only{hsmPackage}}).Check("factory", files, []*ast.File{file, beside}, nil); err != nil {
			t.Fatalf("%v\n%s", err, source)
		}
		for i, stateName := range stateNames {
			if text := fmt.Sprintf("{Name: %q,", stateName); strings.Count(string(source), text) != 1 {
				t.Fatalf("state %d with %s is not in the source:\n%s", i+1, text, source)
			}
		}
	})
}
