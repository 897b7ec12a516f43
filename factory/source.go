package factory

import (
	"bytes"
	"errors"
	"fmt"
	"go/format"
	"go/token"
	"maps"
	"reflect"
	"slices"

	"github.com/statemesh/statemesh/hsm"
)

// ErrSource is wrapped by the errors of Source that are not mistakes in the
// chart.
var ErrSource = errors.New("factory: the source cannot be written")

// SourceConfig says how Source names things. The zero value gives each its
// natural name.
type SourceConfig struct {
	// Package is the name in the package clause; by default that of the package
	// of C, or of the first handler if C is no type of a package.
	Package string
	// Chart is the name of the variable that holds the chart; by default it is
	// chart, after the prefix.
	Chart string
	// Prefix goes before every other name that the source declares, so that it
	// can stand beside what it was made from.
	Prefix string
	// Declared leaves the declarations of states and signals out, since the
	// package has them already, under the names that Source makes for them.
	Declared bool
}

// Source writes the chart in the flat way: the constants of its states, the
// variables of its signals, the table, and one function a state with a switch
// that calls the handlers by their names. It is a whole Go file, formatted, and
// compiles in the package of the handlers, where it stands in place of the code
// that used the factory and of the declarations of its states and signals; with
// SourceConfig.Declared those stay, with SourceConfig.Prefix all of it. A chart
// of the source does and spies what the factory's own does.
//
// Names are made of those of the chart: the state "outer" is outer, the signal
// "to_inner" is toInner. Where that would be no name, or one that is taken, it
// is varied, but of what else the package declares Source knows nothing: if that
// is in the way, a Prefix helps.
//
// A function literal and a method value have no name to be called by. For each
// the source has a variable with a function that panics and says what is to be
// filled in: the literal of that file and line, or the method of a value. The
// same goes for a generic function, and for what another package does not
// export.
//
// In a state Entry comes first, then Init, then the other signals in the order
// in which they were first caught, then Exit.
//
// The errors are those of Compile, and ErrSource: C is a type without a name
// that the file could use, or the config has a name that is none or is taken. A
// C that is declared inside a function is not recognized as such.
func (f *Factory[C]) Source(c SourceConfig) ([]byte, error) {
	chart, err := f.Compile()
	if err != nil {
		return nil, err
	}
	for _, name := range []string{c.Package, c.Chart, c.Prefix} {
		if name != "" && !token.IsIdentifier(name) {
			return nil, fmt.Errorf("%w: %q is no name", ErrSource, name)
		}
	}
	w := &writer{config: c}
	for n := range chart.States() {
		s := f.State(n)
		state := sourceState{number: n, name: s.name, parent: chart.Parent(n)}
		for _, c := range inOrder(s.catches) {
			state.catches = append(state.catches, sourceCatch{signal: c.signal, handler: functionOf(c.given)})
		}
		w.states = append(w.states, state)
	}
	return w.write(reflect.TypeFor[C]())
}

// inOrder sorts the catches of a state as Source prints them.
func inOrder[C any](catches []catch[C]) []catch[C] {
	place := func(c catch[C]) int {
		switch c.signal {
		case hsm.Entry:
			return 0
		case hsm.Init:
			return 1
		case hsm.Exit:
			return 3
		}
		return 2
	}
	return slices.SortedStableFunc(slices.Values(catches), func(a, b catch[C]) int { return place(a) - place(b) })
}

// writer writes the source of one chart. It knows nothing of the chart's C but
// its name.
type writer struct {
	config SourceConfig
	home   string // path of the package that the source belongs to
	states []sourceState

	names   names
	imports map[string]string // path -> name
	signals []hsm.Signal      // in order of appearance
	name    map[hsm.Signal]string

	data, event, chart, passOn string // names
	dataType                   string
	code                       bytes.Buffer
}

type sourceState struct {
	number, parent hsm.State
	name           string
	catches        []sourceCatch
	constant       string // name of the constant
	function       string // name of the function
}

type sourceCatch struct {
	signal  hsm.Signal
	handler function
	stub    string // name of the variable for a handler that cannot be called
}

func (w *writer) write(data reflect.Type) ([]byte, error) {
	name, err := w.settle(data)
	if err != nil {
		return nil, err
	}
	if err := w.nameAll(data); err != nil {
		return nil, err
	}
	w.table()
	w.functions()
	body := bytes.Clone(w.code.Bytes())
	w.code.Reset()
	w.head(name) // last, when all imports are known
	w.code.Write(body)
	source, err := format.Source(w.code.Bytes())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSource, err)
	}
	return source, nil
}

func (w *writer) printf(format string, args ...any) { fmt.Fprintf(&w.code, format, args...) }

// settle decides which package the source belongs to, and returns its name.
func (w *writer) settle(data reflect.Type) (name string, err error) {
	w.home, name = packageOf(data)
	for _, s := range w.states {
		for _, c := range s.catches {
			if w.home == "" {
				w.home, name = c.handler.path, camel(lastOf(c.handler.path))
			}
		}
	}
	if w.config.Package != "" {
		name = w.config.Package
	}
	if !token.IsIdentifier(name) {
		return "", fmt.Errorf("%w: no name for the package; set SourceConfig.Package", ErrSource)
	}
	return name, nil
}

// nameAll gives everything its name: first what has one, then the chart's own.
func (w *writer) nameAll(data reflect.Type) error {
	w.imports = map[string]string{reflect.TypeFor[hsm.Event]().PkgPath(): "hsm"}
	w.name = map[hsm.Signal]string{hsm.Entry: "hsm.Entry", hsm.Exit: "hsm.Exit", hsm.Init: "hsm.Init"}
	w.names.reserve("hsm")
	for _, s := range w.states {
		for _, c := range s.catches {
			if h := c.handler; h.path == w.home && !h.method {
				w.names.reserve(h.name)
			}
		}
	}
	for _, s := range w.states {
		for _, c := range s.catches {
			if h := c.handler; h.path != w.home && w.callable(h) {
				w.importName(h.path)
			}
		}
	}
	var ok bool
	if w.dataType, ok = w.typeText(data); !ok {
		return fmt.Errorf("%w: the type %v has no name there", ErrSource, data)
	}
	if w.chart = w.config.Chart; w.chart != "" && !w.names.free(w.chart) {
		return fmt.Errorf("%w: the name %s for the chart is taken", ErrSource, w.chart)
	}
	w.names.reserve(w.chart)
	w.names.prefix = w.config.Prefix
	if w.chart == "" {
		w.chart = w.names.declare("chart", "table")
	}
	for i := range w.states {
		w.states[i].constant = w.names.declare(w.states[i].name, "state")
	}
	for _, s := range w.states {
		for _, c := range s.catches {
			if w.name[c.signal] == "" {
				w.name[c.signal] = w.names.declare(c.signal.String(), "signal")
				w.signals = append(w.signals, c.signal)
			}
		}
	}
	w.passOn = w.names.declare("pass_on", "status")
	for i := range w.states {
		s := &w.states[i]
		s.function = w.names.declare(s.name+" state", "handler")
		for j := range s.catches {
			c := &s.catches[j]
			if !w.callable(c.handler) {
				c.stub = w.names.declare(s.name+" on "+w.plain(c.signal), "handler")
			}
		}
	}
	w.names.prefix = ""
	w.data, w.event = w.names.either("c", "data"), w.names.either("e", "event")
	return nil
}

// plain is the name of a signal without the package.
func (w *writer) plain(signal hsm.Signal) string {
	switch signal {
	case hsm.Entry:
		return "entry"
	case hsm.Exit:
		return "exit"
	case hsm.Init:
		return "init"
	}
	return signal.String()
}

func (w *writer) table() {
	w.printf("var %s = hsm.MustCompile([]hsm.Spec[%s]{\n", w.chart, w.dataType)
	for _, s := range w.states {
		w.printf("%s: {Name: %q, ", s.constant, s.name)
		if s.parent != hsm.Top {
			w.printf("Parent: %s, ", w.states[s.parent-1].constant)
		}
		w.printf("Handle: %s},\n", s.function)
	}
	w.printf("})\n")
}

func (w *writer) functions() {
	for _, s := range w.states {
		w.printf("\nfunc %s(%s %s, %s hsm.Event) hsm.Status {\n", s.function, w.data, w.dataType, w.event)
		if len(s.catches) > 0 {
			w.printf("switch %s.Signal {\n", w.event)
			for _, c := range s.catches {
				w.printf("case %s:\nreturn %s(%s)\n", w.name[c.signal], w.passOn, w.call(c))
			}
			w.printf("}\n")
		}
		w.printf("return hsm.Super\n}\n")
	}
	w.printf("\n// %s makes Super of Unhandled: where a guard says no, the spy of a chart\n", w.passOn)
	w.printf("// that was built from callbacks has no EMPTY_SIGNAL line.\n")
	w.printf("func %s(status hsm.Status) hsm.Status {\nif status == hsm.Unhandled {\nreturn hsm.Super\n}\nreturn status\n}\n", w.passOn)
	for _, s := range w.states {
		for _, c := range s.catches {
			if c.stub != "" {
				w.stub(s, c)
			}
		}
	}
}

// call is the expression that calls the handler of a catch.
func (w *writer) call(c sourceCatch) string {
	name, args := c.handler.name, w.data+", "+w.event
	if c.handler.dataless {
		args = w.event
	}
	switch {
	case c.stub != "":
		name = c.stub
	case c.handler.method:
		return w.data + "." + name + "(" + w.event + ")"
	case c.handler.path != w.home:
		name = w.importName(c.handler.path) + "." + name
	}
	return name + "(" + args + ")"
}

func (w *writer) stub(s sourceState, c sourceCatch) {
	params := fmt.Sprintf("%s %s, %s hsm.Event", w.data, w.dataType, w.event)
	if c.handler.dataless {
		params = w.event + " hsm.Event"
	}
	w.printf("\n// %s is what %s does on %v: %s.\n// Fill in what it does.\n", c.stub, w.states[s.number-1].constant, w.name[c.signal], c.handler.text)
	w.printf("var %s = func(%s) hsm.Status {\npanic(%q)\n}\n", c.stub, params, "fill in "+c.stub+": "+c.handler.text)
}

// head writes what stands before the chart.
func (w *writer) head(name string) {
	w.printf("package %s\n\n", name)
	if len(w.imports) > 1 {
		w.printf("import (\n")
	} else {
		w.printf("import ")
	}
	for _, path := range slices.Sorted(maps.Keys(w.imports)) {
		// What a package calls itself cannot be known from its path.
		if name := w.imports[path]; name != "hsm" {
			w.printf("%s ", name)
		}
		w.printf("%q\n", path)
	}
	if len(w.imports) > 1 {
		w.printf(")\n")
	}
	w.printf("\n")
	if w.config.Declared {
		return
	}
	w.printf("const (\n")
	for i, s := range w.states {
		if w.printf("%s", s.constant); i == 0 {
			w.printf(" hsm.State = iota + 1")
		}
		w.printf("\n")
	}
	w.printf(")\n\n")
	if len(w.signals) == 0 {
		return
	}
	w.printf("var (\n")
	for _, signal := range w.signals {
		w.printf("%s = hsm.NewSignal(%q)\n", w.name[signal], signal.String())
	}
	w.printf(")\n\n")
}
