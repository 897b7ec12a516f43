package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	testDeclared = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark|Example)\w*)\(`)
	testNamed    = regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Z]\\w*)`")
)

// TestNamedTests: a promise that names the test which holds it names one that there is.
func TestNamedTests(t *testing.T) {
	declared := make(map[string]bool)
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range testDeclared.FindAllSubmatch(text, -1) {
			declared[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"guarantees.md", "../SECURITY.md", "../README.md", "../ARCHITECTURE.md", "../bench/README.md"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		named := testNamed.FindAllSubmatch(text, -1)
		for _, m := range named {
			if !declared[string(m[1])] {
				t.Errorf("%s names %s, and there is no such test", file, m[1])
			}
		}
		if file == "guarantees.md" && len(named) < 20 {
			t.Errorf("%s names %d tests, too few for its promises", file, len(named))
		}
	}
}
