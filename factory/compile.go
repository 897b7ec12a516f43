package factory

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/statemesh/statemesh/hsm"
)

// Mistakes that Compile finds, besides those of hsm.Compile. Each comes in a
// *hsm.StateError with the state in question.
var (
	ErrNumber       = errors.New("factory: a state's number is out of range")
	ErrCreatedTwice = errors.New("factory: two states have the same number")
	ErrNotCreated   = errors.New("factory: a state is not created")
	ErrSignal       = errors.New("factory: no state is ever called with this signal")
	ErrNilHandler   = errors.New("factory: a signal is caught without a handler")
)

// MaxState is the highest number of a state. It keeps a number that was never
// meant to be one from making a huge table.
const MaxState hsm.State = 1<<16 - 1

// Compile makes a chart of what the factory was told so far. It reports every
// mistake at once, joined, each as a *hsm.StateError:
//
//   - ErrNumber: a number below 1 or above MaxState, and hsm.ErrTopDeclared: the
//     number of hsm.Top;
//   - ErrCreatedTwice: two states of one number;
//   - ErrNotCreated: a state that is nested and was not created, one that was
//     asked for with State before it was created, or numbers left out between
//     those of the states;
//   - hsm.ErrUnknownParent: a state nested inside one that was not created;
//   - ErrSignal: the zero signal is caught, or one that only the spy knows;
//   - ErrNilHandler: a handler is nil;
//   - and what hsm.Compile finds: an empty or a duplicate name, states inside
//     each other, no states at all.
//
// The factory may be told more afterwards and compiled again, which makes
// another chart; charts do not change.
func (f *Factory[C]) Compile() (*hsm.Chart[C], error) {
	b := builder[C]{factory: f, byNumber: make(map[hsm.State]*State[C])}
	b.checkStates()
	b.checkNesting()
	chart, err := hsm.Compile(b.specs())
	if err := errors.Join(append(b.errs, err)...); err != nil {
		return nil, err
	}
	return chart, nil
}

// MustCompile is Compile for package variables: it panics on an error.
func (f *Factory[C]) MustCompile() *hsm.Chart[C] {
	chart, err := f.Compile()
	if err != nil {
		panic(err)
	}
	return chart
}

type builder[C any] struct {
	factory  *Factory[C]
	byNumber map[hsm.State]*State[C]
	highest  hsm.State
	errs     []error
}

func (b *builder[C]) fail(number hsm.State, name string, err error, format string, args ...any) {
	b.errs = append(b.errs, &hsm.StateError{State: number, Name: name, Detail: fmt.Sprintf(format, args...), Err: err})
}

func (b *builder[C]) checkStates() {
	for _, s := range b.factory.created {
		other := b.byNumber[s.number]
		switch {
		case s.number == hsm.Top:
			b.fail(s.number, s.name, hsm.ErrTopDeclared, "created")
		case s.number < 0 || s.number > MaxState:
			b.fail(s.number, s.name, ErrNumber, "the numbers are 1 to %d", MaxState)
		case other != nil:
			b.fail(s.number, s.name, ErrCreatedTwice, "created before as %q", other.name)
		default:
			b.byNumber[s.number] = s
			b.highest = max(b.highest, s.number)
		}
		for _, c := range s.catches {
			switch {
			case c.signal == hsm.Signal{}:
				b.fail(s.number, s.name, ErrSignal, "the zero signal")
			case c.signal == hsm.Empty || c.signal == hsm.SearchForSuper:
				b.fail(s.number, s.name, ErrSignal, "%v only stands in the spy", c.signal)
			case c.handle == nil:
				b.fail(s.number, s.name, ErrNilHandler, "the handler of %v is nil", c.signal)
			}
		}
	}
	for _, number := range b.factory.missing {
		b.fail(number, "", ErrNotCreated, "asked for before it was created")
	}
	// Numbers that are left out, each run of them once.
	for n := hsm.State(1); n < b.highest; n++ {
		first := n
		for b.byNumber[n] == nil {
			n++
		}
		if n > first {
			b.fail(first, "", ErrNotCreated, "the numbers %d to %d are left out before state %d %q", first, n-1, n, b.byNumber[n].name)
		}
	}
}

func (b *builder[C]) checkNesting() {
	for _, number := range slices.Sorted(maps.Keys(b.factory.nested)) {
		parent := b.factory.nested[number]
		s := b.byNumber[number]
		switch {
		case number == hsm.Top:
			b.fail(number, "top", hsm.ErrTopDeclared, "nested inside state %d", parent)
		case s == nil:
			b.fail(number, "", ErrNotCreated, "nested inside state %d", parent)
		case parent != hsm.Top && b.byNumber[parent] == nil:
			b.fail(number, s.name, hsm.ErrUnknownParent, "nested inside state %d, which is not created", parent)
		}
	}
}

// specs is the table for hsm.Compile. What was found wrong already is replaced
// by something right, so that it is reported once.
func (b *builder[C]) specs() []hsm.Spec[C] {
	specs := make([]hsm.Spec[C], b.highest+1)
	for n := range specs[1:] {
		number := hsm.State(n + 1)
		s := b.byNumber[number]
		if s == nil {
			specs[number] = hsm.Spec[C]{Name: fmt.Sprintf("state %d is not created", number), Handle: handler[C](nil)}
			continue
		}
		specs[number] = hsm.Spec[C]{Name: s.name, Handle: handler(s.catches), Catches: signals(s.catches)}
		if parent := b.factory.nested[number]; b.byNumber[parent] != nil {
			specs[number].Parent = parent
		}
	}
	return specs
}

// signals are all that the state's function is ever called with; never nil,
// which would be everything.
func signals[C any](catches []catch[C]) []hsm.Signal {
	signals := make([]hsm.Signal, 0, len(catches))
	for _, c := range catches {
		if canBeCaught(c.signal) {
			signals = append(signals, c.signal)
		}
	}
	return signals
}

func canBeCaught(s hsm.Signal) bool {
	return s != hsm.Signal{} && s != hsm.Empty && s != hsm.SearchForSuper
}
