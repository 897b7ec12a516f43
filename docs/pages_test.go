package docs

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// TestFences: what the pages show is what is built and run.
func TestFences(t *testing.T) {
	for _, p := range pages(t) {
		t.Run(p.file, func(t *testing.T) {
			for _, f := range p.fences {
				if err := f.check(); err != nil {
					t.Errorf("%s:%d: %v", p.file, f.line, err)
				}
			}
		})
	}
}

// TestNoOrphans: every package of listings is shown in a page.
func TestNoOrphans(t *testing.T) {
	shown := make(map[string]bool)
	for _, p := range pages(t) {
		for _, f := range p.fences {
			shown[strings.TrimSuffix(filepath.Dir(f.path), "/testdata")] = true
		}
	}
	dirs, err := filepath.Glob("listings/*")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("%d listings, %v", len(dirs), err)
	}
	for _, dir := range dirs {
		if !shown[dir] {
			t.Errorf("no page shows %s", dir)
		}
		if tests, _ := filepath.Glob(dir + "/*_test.go"); len(tests) == 0 {
			t.Errorf("nothing tests %s", dir)
		}
	}
}

// TestDoorIsShort: the program that ends charts in an afternoon, and its test,
// have as many lines as the page says, empty ones not counted: fewer than 40.
func TestDoorIsShort(t *testing.T) {
	i := slices.IndexFunc(pages(t), func(p page) bool { return p.file == "afternoon.md" })
	if i < 0 {
		t.Fatal("no page afternoon.md")
	}
	afternoon := pages(t)[i]
	lines := 0
	var whole []string
	for _, f := range afternoon.fences {
		if f.kind == "whole" {
			whole = append(whole, f.path)
			for line := range strings.Lines(f.text) {
				if strings.TrimSpace(line) != "" {
					lines++
				}
			}
		}
	}
	if want := []string{"listings/door/door.go", "listings/door/door_test.go"}; !slices.Equal(whole, want) {
		t.Errorf("the page has all of %q, want %q", whole, want)
	}
	if says := fmt.Sprintf("%d lines", lines); lines >= 40 || !strings.Contains(afternoon.prose, says) {
		t.Errorf("the door and its test have %s; that is 40 or more, or not what the page says", says)
	}
}

var (
	code    = regexp.MustCompile("`[^`\n]*`")
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	command = regexp.MustCompile(`go (?:run|test|doc) [^\n` + "`" + `]*?(\./[\w./-]+)`)
	folder  = regexp.MustCompile("`((?:examples|hsm|activeobject|instrument|factory|network|cmd|docs|internal)/[\\w./-]*)`")
)

// TestLinks: what links lead to is there, the heading too.
func TestLinks(t *testing.T) {
	headings := make(map[string][]string) // as anchors, by file
	for _, p := range pages(t) {
		for _, m := range heading.FindAllStringSubmatch(p.prose, -1) {
			headings[p.file] = append(headings[p.file], anchor(m[1]))
		}
	}
	for _, p := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(p.prose, ""), -1) {
			path, to, _ := strings.Cut(m[1], "#")
			if strings.Contains(path, "://") {
				continue
			}
			if path == "" {
				path = p.file
			}
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s: the link %s: %v", p.file, m[1], err)
			}
			if to != "" && !slices.Contains(headings[path], to) {
				t.Errorf("%s: the link %s: there is no such heading", p.file, m[1])
			}
		}
	}
}

// anchor is what a heading is called in links.
func anchor(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, heading)
}

// TestPaths: what commands and the names of folders say is there.
func TestPaths(t *testing.T) {
	for _, p := range pages(t) {
		text := p.prose
		for _, f := range p.fences {
			if f.language == "sh" {
				text += f.text
			}
		}
		for _, re := range []*regexp.Regexp{command, folder} {
			for _, m := range re.FindAllStringSubmatch(text, -1) {
				path := strings.TrimSuffix(strings.TrimSuffix(m[1], "..."), "/")
				if _, err := os.Stat(filepath.Join("..", path)); err != nil {
					t.Errorf("%s: %s: %v", p.file, m[0], err)
				}
			}
		}
	}
}

// TestPatterns: every pattern that the originals specify has its row in From
// miros, with the program that shows it.
func TestPatterns(t *testing.T) {
	text, err := os.ReadFile("from-miros.md")
	if err != nil {
		t.Fatal(err)
	}
	for pattern, shown := range map[string]string{
		"Ultimate hook":               "examples/hook",
		"Reminder":                    "examples/reminder",
		"Deferred event":              "examples/deferred",
		"Orthogonal component":        "examples/orthogonal",
		"Orthogonal regions":          "examples/orthogonal",
		"Transition to history":       "examples/history",
		"One-shot, multi-shot":        "examples/heartbeat",
		"Heart beat":                  "examples/heartbeat",
		"Double-time bug":             "examples/heartbeat",
		"heart-beat bleed":            "examples/heartbeat",
		"Guards":                      "examples/guards",
		"Toaster oven":                "examples/history",
		"Dining philosophers":         "examples/philosophers",
		"networkable_active_object":   "examples/ergodic",
		"networked_factory":           "examples/ergodicfactory",
		"networked_horse_archer":      "examples/archers",
		"Matching on parts of signal": "recipes.md",
	} {
		row := regexp.MustCompile(`(?m)^\|[^|]*` + pattern + `[^|]*\|.*` + shown)
		if !row.Match(text) {
			t.Errorf("no row for %s with %s", pattern, shown)
		}
	}
}

// packages are those whose names the pages may mention as name.Ident.
var packages = map[string]string{
	"hsm": "hsm", "activeobject": "activeobject", "charttest": "activeobject/charttest", "generate": "activeobject/charttest/generate",
	"instrument": "instrument", "diagram": "instrument/diagram", "sequence": "instrument/sequence",
	"factory": "factory", "network": "network", "seal": "network/seal", "broker": "network/broker", "discovery": "network/discovery",
}

var mention = regexp.MustCompile(`\b([a-z]+)\.([A-Z]\w*)(?:\.([A-Z]\w*))?`)

// TestNames: what the pages call by name, our packages export.
func TestNames(t *testing.T) {
	exported := make(map[string]map[string]bool)
	for name, dir := range packages {
		exported[name] = exports(t, filepath.Join("..", dir))
	}
	for _, p := range pages(t) {
		for _, m := range mention.FindAllStringSubmatch(p.prose, -1) {
			names, ours := exported[m[1]]
			if !ours {
				continue
			}
			name := m[2]
			if !names[name] {
				t.Errorf("%s: %s: no such name in package %s", p.file, m[0], m[1])
			} else if m[3] != "" && !names[name+"."+m[3]] {
				t.Errorf("%s: %s has no field or method %s", p.file, name, m[3])
			}
		}
	}
}

// exports returns what a package exports: Name, and Type.Name for fields and
// methods.
func exports(t *testing.T, dir string) map[string]bool {
	t.Helper()
	names := make(map[string]bool)
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range tree.Decls {
			declared(d, names)
		}
	}
	if len(names) == 0 {
		t.Fatalf("%s exports nothing", dir)
	}
	return names
}

func declared(d ast.Decl, names map[string]bool) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		name := d.Name.Name
		if d.Recv != nil {
			name = receiver(d.Recv.List[0].Type) + "." + name
		}
		names[name] = true
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.ValueSpec:
				for _, n := range spec.Names {
					names[n.Name] = true
				}
			case *ast.TypeSpec:
				names[spec.Name.Name] = true
				ast.Inspect(spec.Type, func(n ast.Node) bool {
					if f, ok := n.(*ast.Field); ok {
						for _, n := range f.Names {
							names[spec.Name.Name+"."+n.Name] = true
						}
					}
					return true
				})
			}
		}
	}
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// TestIndex: the index names every page.
func TestIndex(t *testing.T) {
	index, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pages(t) {
		if p.file != "README.md" && !strings.Contains(string(index), "]("+p.file+")") {
			t.Errorf("README.md does not name %s", p.file)
		}
	}
}

// TestGoFilesAreTested: no Go file of the listings is left out of the build, by a
// tag or by its folder's name.
func TestGoFilesAreTested(t *testing.T) {
	err := filepath.WalkDir("listings", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		source, err := os.ReadFile(path)
		if strings.Contains(string(source), "//go:build") || strings.Contains(path, "/testdata/") || strings.Contains(path, "/_") {
			t.Errorf("%s is not built", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
