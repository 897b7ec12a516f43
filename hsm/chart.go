package hsm

import (
	"errors"
	"fmt"
	"slices"
)

// Spec declares one state of a chart whose own data is a C, usually a pointer.
type Spec[C any] struct {
	// Name is what trace and spy print. Required, unique in the chart.
	Name string
	// Parent is the superstate; the zero value is Top.
	Parent State
	// Handle answers the events that reach the state, Entry, Exit and Init
	// among them. Required. It runs on the machine's goroutine.
	Handle func(C, Event) Status
	// Init, if set, is the target of the initial transition, a proper
	// descendant. The handler still gets Init, and may answer Handled, Super
	// or Tran to the same target.
	Init State
	// Catches, if not nil, lists the signals that Handle is called with. For every
	// other one, Entry, Exit and Init included, the machine takes the state's
	// answer to be Super without calling, which is faster; trace and spy are what
	// they would be with the call. So a list that leaves out what the handler
	// knows makes it deaf to that, and an empty one is of a state that is never
	// called. A declared Init is followed also where Catches has no Init. With
	// nil, the default, Handle is called with every signal.
	Catches []Signal
}

// Chart is a compiled table of states. It is immutable: any number of
// machines in any goroutines may share one.
type Chart[C any] struct {
	Tree
	states []state[C] // by State; Top has no handler
}

// state is what a machine needs of a state on every event. States point at each
// other, so that the way up costs one load a level.
type state[C any] struct {
	handle  func(C, Event) Status
	parent  *state[C]
	catches catches
	id      State
	depth   int32       // of path; 0 for Top
	init    *state[C]   // nil if none is declared
	path    []*state[C] // from Top to this one
}

// Compile checks specs, whose index is the State, and makes a chart of them.
// It reports every mistake at once, joined: no states; Top declared; an empty
// or duplicate name; a parent that is not in the chart; a cycle of parents; a
// state without handler; an init target that is no proper descendant of its
// state; a signal in Catches that no state is called with. Each is a *StateError
// that wraps the variable of its kind.
func Compile[C any](specs []Spec[C]) (*Chart[C], error) {
	var c compiler[C]
	c.specs = specs
	if len(specs) < 2 {
		c.errs = append(c.errs, ErrNoStates)
	}
	if len(specs) > 0 && (specs[0].Name != "" || specs[0].Parent != Top || specs[0].Handle != nil || specs[0].Init != Top || specs[0].Catches != nil) {
		c.fail(Top, ErrTopDeclared, "declared as a state")
	}
	c.checkNames()
	c.checkParents()
	c.checkRest()
	if len(c.errs) > 0 {
		return nil, errors.Join(c.errs...)
	}
	return c.build(), nil
}

// MustCompile is Compile for package variables: it panics on an error.
func MustCompile[C any](specs []Spec[C]) *Chart[C] {
	chart, err := Compile(specs)
	if err != nil {
		panic(err)
	}
	return chart
}

type compiler[C any] struct {
	specs []Spec[C]
	errs  []error
}

func (c *compiler[C]) fail(s State, err error, format string, args ...any) {
	c.errs = append(c.errs, &StateError{State: s, Name: c.specs[s].Name, Detail: fmt.Sprintf(format, args...), Err: err})
}

func (c *compiler[C]) has(s State) bool { return s > Top && int(s) < len(c.specs) }

func (c *compiler[C]) checkNames() {
	first := make(map[string]State)
	for i := 1; i < len(c.specs); i++ {
		s, name := State(i), c.specs[i].Name
		if name == "" {
			c.fail(s, ErrNoName, "no name")
			continue
		}
		if other, ok := first[name]; ok {
			c.fail(s, ErrDuplicateName, "state %d has the same name", other)
			continue
		}
		first[name] = s
	}
}

// checkParents reports each cycle once, at its lowest state.
func (c *compiler[C]) checkParents() {
	for i := 1; i < len(c.specs); i++ {
		s := State(i)
		if p := c.specs[i].Parent; p != Top && !c.has(p) {
			c.fail(s, ErrUnknownParent, "parent %d is not declared", p)
			continue
		}
		if cycle := c.cycle(s); len(cycle) > 0 && slices.Min(cycle) == s {
			c.fail(s, ErrParentCycle, "%s", c.cycleText(cycle))
		}
	}
}

// cycle returns the states met on the way from s up to s again, nil if the way
// ends elsewhere.
func (c *compiler[C]) cycle(s State) []State {
	var seen []State
	for p := s; c.has(p) && len(seen) < len(c.specs); p = c.specs[p].Parent {
		if seen = append(seen, p); c.specs[p].Parent == s {
			return seen
		}
	}
	return nil
}

func (c *compiler[C]) cycleText(cycle []State) string {
	text := ""
	for _, s := range cycle {
		text += fmt.Sprintf("%q is inside ", c.specs[s].Name)
	}
	return text + fmt.Sprintf("%q", c.specs[cycle[0]].Name)
}

func (c *compiler[C]) checkRest() {
	for i := 1; i < len(c.specs); i++ {
		s, spec := State(i), &c.specs[i]
		if spec.Handle == nil {
			c.fail(s, ErrNoHandler, "no handler")
		}
		if spec.Init != Top && !c.inside(spec.Init, s) {
			name := fmt.Sprint(int(spec.Init))
			if c.has(spec.Init) {
				name = fmt.Sprintf("%q", c.specs[spec.Init].Name)
			}
			c.fail(s, ErrInitTarget, "init target %s is not a state inside it", name)
		}
		for _, signal := range spec.Catches {
			if signal == (Signal{}) || signal == Empty || signal == SearchForSuper {
				c.fail(s, ErrCatches, "catches %q", signal)
			}
		}
	}
}

// inside reports whether inner is a proper descendant of outer. It ends on a
// cycle too: no path is longer than the number of states.
func (c *compiler[C]) inside(inner, outer State) bool {
	for range c.specs {
		if !c.has(inner) {
			return false
		}
		if inner = c.specs[inner].Parent; inner == outer {
			return true
		}
	}
	return false
}

func (c *compiler[C]) build() *Chart[C] {
	n := len(c.specs)
	chart := &Chart[C]{
		Tree: Tree{
			names:  make([]string, n),
			parent: make([]State, n),
			paths:  make([][]State, n),
			byName: make(map[string]State, n-1),

			inits:   make([]State, n),
			catches: make([][]Signal, n),
		},
		states: make([]state[C], n),
	}
	chart.names[Top] = "top"
	top := &chart.states[Top]
	top.path, top.catches = []*state[C]{top}, newCatches(nil) // the way up ends there
	for i := 1; i < n; i++ {
		s, spec := State(i), c.specs[i]
		var path []State
		for p := s; p != Top; p = c.specs[p].Parent {
			path = append(path, p)
		}
		slices.Reverse(path)
		chart.names[s] = spec.Name
		chart.parent[s] = spec.Parent
		chart.paths[s] = path
		chart.byName[spec.Name] = s
		chart.inits[s] = spec.Init
		chart.catches[s] = slices.Clone(spec.Catches)

		compiled := &chart.states[s]
		*compiled = state[C]{handle: spec.Handle, parent: &chart.states[spec.Parent], catches: newCatches(spec.Catches), id: s, depth: int32(len(path)), path: []*state[C]{top}}
		for _, p := range path {
			compiled.path = append(compiled.path, &chart.states[p])
		}
		if spec.Init != Top {
			compiled.init = &chart.states[spec.Init]
		}
	}
	return chart
}
