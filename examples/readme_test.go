// Package examples holds programs that show how statemesh is used, a folder
// each.
package examples

import (
	"os"
	"strings"
	"testing"
)

// TestReadme: the listings of the README are the programs that are built and
// tested here.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"light/main.go", "greeter/main.go"} {
		program, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, listing, found := strings.Cut(string(program), "\n)\n\n") // behind the imports
		if !found || !strings.Contains(string(readme), "```go\n"+listing+"```") {
			t.Errorf("examples/%s is not a listing of the README any more", file)
		}
	}
}
