package hsm

import (
	"sync"
	"unique"
)

// Signal names what happens. Signals are interned: two of the same name are
// equal, compare as fast as pointers and may be used in a switch or as map
// keys. The zero Signal is no signal; no machine and no queue takes it.
type Signal struct {
	label unique.Handle[label]
}

// label is what is interned. Every signal of an inner name is inner, so the
// name alone decides which signals are equal.
type label struct {
	name  string
	hash  uint32
	inner bool
}

var innerNames = map[string]bool{
	"ENTRY_SIGNAL":            true,
	"EXIT_SIGNAL":             true,
	"INIT_SIGNAL":             true,
	"EMPTY_SIGNAL":            true,
	"SEARCH_FOR_SUPER_SIGNAL": true,
}

// The inner signals. A machine sends Entry, Exit and Init to its states; the
// other two only ever appear in the spy. None of them can be posted.
var (
	Entry          = NewSignal("ENTRY_SIGNAL")
	Exit           = NewSignal("EXIT_SIGNAL")
	Init           = NewSignal("INIT_SIGNAL")
	Empty          = NewSignal("EMPTY_SIGNAL")
	SearchForSuper = NewSignal("SEARCH_FOR_SUPER_SIGNAL")
)

// declared holds the names that this program knows, for Known.
var declared struct {
	sync.RWMutex // guards names
	names        map[string]Signal
}

// NewSignal declares the signal of that name and returns it. Declaring a name
// again gives the same signal. A declared name is known to the program for as
// long as it runs, so declare signals in package variables, and use Intern for
// names that come from outside. The empty name gives the zero Signal.
func NewSignal(name string) Signal {
	s := Intern(name)
	if name == "" {
		return s
	}
	declared.Lock()
	defer declared.Unlock()
	if declared.names == nil {
		declared.names = make(map[string]Signal)
	}
	declared.names[name] = s
	return s
}

// Intern returns the signal of that name without declaring it. It is safe for
// names that a stranger chose: what nobody uses any more is collected.
func Intern(name string) Signal {
	if name == "" {
		return Signal{}
	}
	return Signal{unique.Make(label{name, hash(name), innerNames[name]})}
}

// hash is FNV-1a, 32 bits.
func hash(name string) uint32 {
	h := uint32(2166136261)
	for i := range len(name) {
		h = (h ^ uint32(name[i])) * 16777619
	}
	return h
}

// Known returns the signal of that name if NewSignal declared it.
func Known(name string) (Signal, bool) {
	declared.RLock()
	defer declared.RUnlock()
	s, ok := declared.names[name]
	return s, ok
}

// String returns the signal's name, "" for the zero Signal.
func (s Signal) String() string {
	if s == (Signal{}) {
		return ""
	}
	return s.label.Value().name
}

// IsInner reports whether s is one of the signals that only machines send.
func (s Signal) IsInner() bool {
	return s != (Signal{}) && s.label.Value().inner
}

// check reports why an event with this signal cannot be posted or dispatched.
func (s Signal) check() error {
	if s == (Signal{}) {
		return ErrNoSignal
	}
	if s.IsInner() {
		return &SignalError{Signal: s, Err: ErrInnerSignal}
	}
	return nil
}
