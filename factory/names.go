package factory

import (
	"fmt"
	"go/token"
	"strings"
	"unicode"
)

// names hands out identifiers that differ from each other and from all that
// mean something already.
type names struct {
	prefix string // goes before every name that is declared
	taken  map[string]bool
}

// predeclared are the names that every package knows, and the two that a
// package cannot give to anything else than a function.
const predeclared = `any append bool byte cap clear close comparable complex complex128 complex64 copy delete error false
float32 float64 imag int int16 int32 int64 int8 iota len make max min new nil panic print println real recover rune string true
uint uint16 uint32 uint64 uint8 uintptr init main`

// reserve keeps declare from giving that name to anything.
func (n *names) reserve(name string) {
	if n.taken == nil {
		n.taken = make(map[string]bool)
		for _, name := range strings.Fields(predeclared) {
			n.taken[name] = true
		}
	}
	n.taken[name] = true
}

// free reports whether id can be declared.
func (n *names) free(id string) bool { return !n.taken[id] && token.IsIdentifier(id) }

// declare returns the identifier for a name of the chart. If that is taken, or
// is none, the kind of the thing is made part of it, and at last a number.
func (n *names) declare(name, kind string) string {
	base := camel(name)
	if base == "" || !unicode.IsLetter([]rune(base)[0]) {
		base = kind + base
	}
	if n.prefix != "" {
		base = n.prefix + upper(base)
	}
	id := base
	for i := 1; !n.free(id); i++ {
		if id = base + upper(kind); i > 1 {
			id += fmt.Sprint(i)
		}
	}
	n.reserve(id)
	return id
}

// either returns the short identifier if it is free, else one made of the long.
func (n *names) either(short, long string) string {
	if !n.free(short) {
		short = long
	}
	return n.declare(short, "value")
}

// camel makes one word of several: to_inner and TO INNER become toInner.
func camel(name string) string {
	var b strings.Builder
	words := strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	for i, word := range words {
		if strings.ToUpper(word) == word {
			word = strings.ToLower(word)
		}
		if i == 0 {
			word = lower(word)
		} else {
			word = upper(word)
		}
		b.WriteString(word)
	}
	return b.String()
}

// upper makes the first letter of a word a capital.
func upper(word string) string {
	r := []rune(word)
	r[0] = unicode.ToUpper(r[0])
	return string(r)
}

// lower makes the capitals at the beginning of a word small, but for the one
// that begins the next word: HTTPServer becomes httpServer.
func lower(word string) string {
	r := []rune(word)
	for i := range r {
		if !unicode.IsUpper(r[i]) || i > 0 && i+1 < len(r) && unicode.IsLower(r[i+1]) {
			break
		}
		r[i] = unicode.ToLower(r[i])
	}
	return string(r)
}

// lastOf is the last element of a path.
func lastOf(path string) string {
	return path[strings.LastIndexByte(path, '/')+1:]
}
