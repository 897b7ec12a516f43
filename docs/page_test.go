package docs

import (
	"fmt"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// page is one of the pages, taken apart.
type page struct {
	file   string
	fences []fence
	prose  string // without the fences, so that line numbers stay
}

// fence is what stands between two lines of backticks.
type fence struct {
	line     int    // of the opening backticks, counted from 1
	language string // "" for a picture
	kind     string // of the comment before it: listing, whole, output, or ""
	path     string // in that comment
	text     string // each line with its end
}

var marker = regexp.MustCompile(`^<!-- (listing|whole|output): (\S+) -->$`)

// parse takes a page apart. It reports a fence that does not end, and a marker
// without a fence.
func parse(file, text string) (page, error) {
	p := page{file: file}
	var prose strings.Builder
	var open *fence
	var kind, path string
	marked := 0
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		switch language, isFence := strings.CutPrefix(line, "```"); {
		case open != nil && line == "```":
			p.fences = append(p.fences, *open)
			open = nil
		case open != nil:
			open.text += line + "\n"
		case isFence:
			open = &fence{line: i + 1, language: language, kind: kind, path: path}
			kind, path = "", ""
		case kind != "" && line != "":
			return p, fmt.Errorf("%s:%d: a marker without a fence after it", file, marked)
		default:
			if m := marker.FindStringSubmatch(line); m != nil {
				kind, path, marked = m[1], m[2], i+1
			} else if strings.HasPrefix(line, "<!--") {
				return p, fmt.Errorf("%s:%d: %q is no marker", file, i+1, line)
			} else {
				prose.WriteString(line)
			}
		}
		prose.WriteByte('\n')
	}
	if open != nil {
		return p, fmt.Errorf("%s:%d: the fence does not end", file, open.line)
	}
	if kind != "" {
		return p, fmt.Errorf("%s:%d: a marker without a fence after it", file, marked)
	}
	p.prose = prose.String()
	return p, nil
}

// pages reads all pages.
func pages(t *testing.T) []page {
	t.Helper()
	files, err := filepath.Glob("*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d pages, %v", len(files), err)
	}
	var all []page
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		p, err := parse(file, string(text))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// check reports why a fence is not what its marker says.
func (f fence) check() error {
	switch {
	case f.language == "" || f.language == "sh":
		if f.kind != "" {
			return fmt.Errorf("a %s needs a language", f.kind)
		}
		return nil
	case f.kind == "":
		return fmt.Errorf("no marker says where this %s comes from", f.language)
	case (f.kind == "output") == (f.language == "go"):
		return fmt.Errorf("a %s in %s", f.kind, f.language)
	case strings.TrimSpace(f.text) == "":
		return fmt.Errorf("empty")
	}
	if !strings.HasPrefix(f.path, "listings/") && !strings.HasPrefix(f.path, "../examples/") {
		return fmt.Errorf("%s is neither below listings nor below examples", f.path)
	}
	home, err := os.ReadFile(f.path)
	if err != nil {
		return err
	}
	switch {
	case f.kind == "whole":
		if string(home) != f.text {
			return fmt.Errorf("it is not all of %s", f.path)
		}
		return nil
	case f.kind == "listing":
		if !contains(string(home), f.text) {
			return fmt.Errorf("it is not in %s", f.path)
		}
		return nil
	case strings.HasSuffix(f.path, "_test.go"):
		return f.checkExample(string(home))
	}
	if !contains(string(home), f.text) {
		return fmt.Errorf("it is not in %s", f.path)
	}
	return checkGolden(f.path)
}

// contains reports whether the lines of part stand in whole, one after the
// other, all of them indented by the same number of tabs more.
func contains(whole, part string) bool {
	for range 5 {
		if strings.Contains("\n"+whole, "\n"+part) {
			return true
		}
		var indented strings.Builder
		for line := range strings.Lines(part) {
			if line != "\n" {
				indented.WriteByte('\t')
			}
			indented.WriteString(line)
		}
		part = indented.String()
	}
	return false
}

// checkExample reports an output that no Example of the test file has.
func (f fence) checkExample(source string) error {
	file, err := parser.ParseFile(token.NewFileSet(), f.path, source, parser.ParseComments)
	if err != nil {
		return err
	}
	for _, example := range doc.Examples(file) {
		if contains(example.Output, f.text) {
			return nil
		}
	}
	return fmt.Errorf("no Example in %s has this output", f.path)
}

// checkGolden reports a file that no test of the package compares anything with:
// package charttest does with testdata/TestName.trace, others name it.
func checkGolden(path string) error {
	dir, name := filepath.Split(path)
	if filepath.Base(dir) != "testdata" {
		return fmt.Errorf("%s is no golden file", path)
	}
	test, _, _ := strings.Cut(name, ".")
	tests, err := filepath.Glob(filepath.Join(dir, "..", "*_test.go"))
	if err != nil {
		return err
	}
	for _, file := range tests {
		source, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		byName := strings.Contains(string(source), `"`+name+`"`)
		byTest := strings.Contains(string(source), "func "+test+"(t *testing.T)") && strings.Contains(string(source), ".Golden")
		if byName || byTest {
			return nil
		}
	}
	return fmt.Errorf("no test compares anything with %s", path)
}
