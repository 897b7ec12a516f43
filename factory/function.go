package factory

import (
	"fmt"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
)

// function is what can be known of a handler while the program runs.
type function struct {
	path     string // of its package
	name     string // "" if it has none
	method   bool   // a method of C
	dataless bool   // it takes the event alone
	text     string // what to say of it in a comment
}

// functionOf finds out what a handler is from the name that the linker has for
// it. Those names are path.f, path.T.m and path.(*T).m; with [...] after a type
// or function that is generic; with -fm at the end for a method value; and with
// more dots in them for a function literal.
func functionOf(given any) function {
	v := reflect.ValueOf(given)
	f := function{dataless: v.Type().NumIn() == 1}
	code := runtime.FuncForPC(v.Pointer())
	if code == nil {
		f.text = "a function without a name"
		return f
	}
	path, rest := splitSymbol(code.Name())
	f.path = path
	file, line := code.FileLine(code.Entry())
	f.text = lastOf(path) + "." + rest
	if method, ok := strings.CutSuffix(rest, "-fm"); ok {
		f.text = "the method value " + lastOf(path) + "." + method
		return f
	}
	if !f.dataless {
		if name, ok := methodOf(v.Type().In(0), path, rest); ok {
			f.name, f.method = name, true
			return f
		}
	}
	switch at := fmt.Sprintf("%s:%d", filepath.Base(file), line); {
	case strings.Contains(rest, "["):
		f.text = "the generic function at " + at
	case strings.Contains(rest, "."):
		f.text = "the function literal at " + at
	default:
		f.name = rest
	}
	return f
}

// splitSymbol parts the linker's name of a function into the path of its
// package and the rest. In the last element of a path dots are escaped.
func splitSymbol(symbol string) (path, rest string) {
	head, _, _ := strings.Cut(symbol, "[")
	slash := strings.LastIndexByte(head, '/') + 1
	path, rest, _ = strings.Cut(symbol[slash:], ".")
	return symbol[:slash] + strings.ReplaceAll(path, "%2e", "."), rest
}

// methodOf returns the name of the method if rest is one of the type data.
func methodOf(data reflect.Type, path, rest string) (string, bool) {
	receiver, t := "%s", data
	if t.Kind() == reflect.Pointer && t.Name() == "" {
		receiver, t = "(*%s)", t.Elem()
	}
	if t.Name() == "" || t.PkgPath() != path {
		return "", false
	}
	name, _, generic := strings.Cut(t.Name(), "[")
	if generic {
		name += "[...]"
	}
	method, ok := strings.CutPrefix(rest, fmt.Sprintf(receiver, name)+".")
	return method, ok && !strings.Contains(method, ".")
}

// packageOf returns path and name of the package that a type belongs to, empty
// if it belongs to none.
func packageOf(t reflect.Type) (path, name string) {
	for t.Name() == "" {
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
			t = t.Elem()
		default:
			return "", ""
		}
	}
	if t.PkgPath() == "" {
		return "", ""
	}
	name, _, _ = strings.Cut(t.String(), ".")
	return t.PkgPath(), name
}

// callable reports whether the source can call the handler by its name.
func (w *writer) callable(f function) bool {
	return f.name != "" && (f.method || w.canName(f.path, f.name))
}

// canName reports whether the source can use a name of a package.
func (w *writer) canName(path, name string) bool {
	if path == w.home {
		return true
	}
	first := name[0]
	return 'A' <= first && first <= 'Z' && path != "main" && !strings.HasSuffix(path, "_test")
}

// importName returns the name under which the source uses a package.
func (w *writer) importName(path string) string {
	if w.imports[path] == "" {
		w.imports[path] = w.names.declare(lastOf(path), "package")
	}
	return w.imports[path]
}

// typeText writes a type as the source has to, and reports whether it can.
func (w *writer) typeText(t reflect.Type) (string, bool) {
	if name := t.Name(); name != "" {
		if base, args, generic := strings.Cut(name, "["); generic && strings.ContainsAny(args, "./") {
			return base, false
		}
		switch {
		case t.PkgPath() == "":
			return name, true
		case !w.canName(t.PkgPath(), name):
			return name, false
		case t.PkgPath() != w.home:
			return w.importName(t.PkgPath()) + "." + name, true
		}
		w.names.reserve(name)
		return name, true
	}
	switch t.Kind() {
	case reflect.Pointer:
		elem, ok := w.typeText(t.Elem())
		return "*" + elem, ok
	case reflect.Slice:
		elem, ok := w.typeText(t.Elem())
		return "[]" + elem, ok
	case reflect.Array:
		elem, ok := w.typeText(t.Elem())
		return fmt.Sprintf("[%d]%s", t.Len(), elem), ok
	case reflect.Map:
		key, ok := w.typeText(t.Key())
		elem, also := w.typeText(t.Elem())
		return "map[" + key + "]" + elem, ok && also
	case reflect.Struct:
		return "struct{}", t.NumField() == 0
	case reflect.Interface:
		return "any", t.NumMethod() == 0
	}
	return t.String(), false
}
