// Package generate makes tests of recorded traces: Go source that runs a chart
// on the events of the trace, at the distances in time that they had, and wants
// the same transitions. The source uses package charttest.
//
// A trace does not tell all. What it leaves open the source says in comments:
// how the object is made, unless [Options] tell; events that made no transition;
// payloads; and, in a trace of text, which events the chart posted by itself. A
// trace in JSON of an object that recorded causes (activeobject.Config.Causes)
// tells that, so such events are not in the script and only time passes.
package generate

import (
	"errors"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/statemesh/statemesh/instrument/diagram"
)

// Errors of Test.
var (
	ErrOptions = errors.New("generate: bad options") // with what is bad
	ErrNoTrace = errors.New("generate: no line of a trace")
)

// Options say what is made of a trace.
type Options struct {
	// Package is the name in the package clause. Required.
	Package string
	// Chart is the name of the object whose trace is taken; empty for one test
	// an object.
	Chart string
	// New is a Go expression for a function that takes an activeobject.Config
	// and returns the object, such as newDoor. By default the source has a
	// variable to be filled in.
	New string
	// Start is the name of the state that the object is started in; by default
	// it is the leaf that the trace says it arrived in.
	Start string
	// Round is what distances in time are rounded to, a millisecond by default:
	// what is finer is the jitter of the recording. The periods of timers have to
	// be multiples of it. What came within one Round may change its order.
	Round time.Duration
}

// Test reads a recorded trace, as diagram.Read finds it in a stream, and writes a
// formatted Go file with one test for each start of an object. Where a trace
// begins in the middle, or an object goes on in another state than the one that
// it was in, a test begins too, in the state that the first event left.
//
// It gives ErrOptions, ErrNoTrace if there is nothing to make a test of, or the
// error of r or w.
func Test(w io.Writer, r io.Reader, o Options) error {
	if !token.IsIdentifier(o.Package) || o.Package == "_" {
		return fmt.Errorf("%w: %q is no name of a package", ErrOptions, o.Package)
	}
	if o.New != "" {
		expr, err := parser.ParseExpr(o.New)
		if err != nil {
			return fmt.Errorf("%w: New: %w", ErrOptions, err)
		}
		switch expr.(type) {
		case *ast.Ident, *ast.SelectorExpr, *ast.CallExpr, *ast.FuncLit:
		default:
			o.New = "(" + o.New + ")"
		}
	}
	if o.Round < 0 {
		return fmt.Errorf("%w: Round is %v", ErrOptions, o.Round)
	}
	if o.Round == 0 {
		o.Round = time.Millisecond
	}
	objects, err := read(r, o.Chart)
	if err != nil {
		return err
	}
	source, err := write(objects, o)
	if err != nil {
		return err
	}
	_, err = w.Write(source)
	return err
}

// object is what one object did.
type object struct {
	name   string
	events map[uint64]bool // the ids of its events
	causes bool            // some are known
	runs   [][]diagram.Line
}

// read groups the lines by object and by run.
func read(r io.Reader, name string) (objects []*object, err error) {
	type key struct{ node, name string }
	byKey := make(map[key]*object)
	for line, err := range diagram.Read(r) {
		if err != nil {
			return nil, fmt.Errorf("generate: %w", err)
		}
		if name != "" && line.Name != name {
			continue
		}
		k := key{line.Node, line.Name}
		o := byKey[k]
		if o == nil {
			o = &object{name: line.Name, events: make(map[uint64]bool)}
			byKey[k] = o
			objects = append(objects, o)
		}
		if line.Event != 0 {
			o.events[line.Event] = true
		}
		o.causes = o.causes || line.Cause != 0
		if n := len(o.runs) - 1; n < 0 || isStart(line) || o.runs[n][len(o.runs[n])-1].To != line.From {
			o.runs = append(o.runs, nil)
		}
		last := &o.runs[len(o.runs)-1]
		*last = append(*last, line)
	}
	if len(objects) == 0 && name != "" {
		return nil, fmt.Errorf("%w of %q", ErrNoTrace, name)
	}
	if len(objects) == 0 {
		return nil, ErrNoTrace
	}
	return objects, nil
}

func isStart(l diagram.Line) bool { return l.Signal == "start_at" && l.From == "top" }

// origin says where an event came from.
type origin int

const (
	unknown origin = iota // the trace does not record causes
	outside
	own        // the object posted it
	unrecorded // an event caused it that is not in the trace
)

func write(objects []*object, o Options) ([]byte, error) {
	s := &source{options: o, objects: objects, taken: make(map[string]bool)}
	for _, each := range objects {
		s.causes = s.causes || each.causes
	}
	for _, each := range objects {
		s.object(each)
	}
	body := s.Builder.String()
	s.Builder.Reset()
	s.head()
	s.WriteString(body)
	text, err := format.Source([]byte(s.String()))
	if err != nil {
		return nil, fmt.Errorf("generate: %w", err)
	}
	return text, nil
}

// source is the file while it is written.
type source struct {
	strings.Builder
	options Options
	objects []*object
	causes  bool            // the trace records them
	taken   map[string]bool // names of tests and functions
	origins [unrecorded + 1]bool
	posts   bool
	waits   bool
}

func (s *source) printf(format string, args ...any) { fmt.Fprintf(s, format, args...) }

// declare returns a name that the file does not have yet.
func (s *source) declare(name string) string {
	unique := name
	for n := 2; s.taken[unique]; n++ {
		unique = fmt.Sprintf("%s%d", name, n)
	}
	s.taken[unique] = true
	return unique
}

// head writes what stands before the tests, when all is known of them.
func (s *source) head() {
	s.printf("package %s\n\n", s.options.Package)
	s.printf("// These tests were made of a recorded trace. What a trace does not tell:\n//\n")
	s.printf("//   - Events that made no transition are not in it. Post those that matter.\n")
	s.printf("//   - Nor are payloads: use PostEvent where a handler needs one.\n")
	s.printf("//   - An object that is started in a state with an initial transition has to be\n//     started there, and not in the state that it arrives in.\n")
	if s.origins[unknown] {
		s.printf("//   - It does not say which events the chart posted by itself, with a timer or\n//     not. Delete the lines that post those.\n")
	}
	s.printf("\nimport (\n\t\"testing\"\n")
	if s.waits {
		s.printf("\t\"time\"\n")
	}
	s.printf("\n\t\"github.com/statemesh/statemesh/activeobject\"\n\t\"github.com/statemesh/statemesh/activeobject/charttest\"\n")
	if s.posts {
		s.printf("\t\"github.com/statemesh/statemesh/hsm\"\n")
	}
	s.printf(")\n")
}

func (s *source) object(o *object) {
	name := exported(o.name)
	maker := s.declare("newTraced" + name)
	s.printf("\n// %s makes the object that the trace calls %q.", maker, o.name)
	if s.options.New != "" {
		s.printf("\nfunc %s(c activeobject.Config) charttest.Object { return %s(c) }\n", maker, s.options.New)
	} else {
		s.printf(" Fill it in, with a\n// function that does not start it:\n//\n")
		s.printf("//\tfunc(c activeobject.Config) charttest.Object { return newObject(c) }\n")
		s.printf("var %s func(c activeobject.Config) charttest.Object\n", maker)
	}
	for _, run := range o.runs {
		s.test(s.declare("Test"+name+"Trace"), maker, o, run)
	}
}

// originOf tells where an event of an object came from.
func (s *source) originOf(o *object, l diagram.Line) origin {
	switch {
	case l.Cause == 0 && !s.causes:
		return unknown
	case l.Cause == 0:
		return outside
	case o.events[l.Cause]:
		return own
	}
	for _, other := range s.objects {
		if other.events[l.Cause] {
			return outside
		}
	}
	return unrecorded
}

// exported makes a part of a name in Go of a name in a trace.
func exported(name string) string {
	var b strings.Builder
	for _, word := range strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		r := []rune(word)
		r[0] = unicode.ToUpper(r[0])
		b.WriteString(string(r))
	}
	if b.Len() == 0 {
		return "Chart"
	}
	return b.String()
}
