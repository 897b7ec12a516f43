package sequence

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// goldenCase is one input of the original tool with what it printed. Where the
// original loses or moves lines, better says how, and stdout is what this
// package prints.
type goldenCase struct {
	Name    string  `json:"name"`
	Input   string  `json:"input"`
	Stdout  string  `json:"stdout"`
	FileOut *string `json:"file_out"` // what -o writes; null if not recorded
	Error   *string `json:"error"`    // how the original crashed; null if it did not
	Better  string  `json:"better"`
}

// TestGolden draws every case of the files in SEQUENCE_GOLDEN, separated like
// a PATH, or those of the copy in testdata.
func TestGolden(t *testing.T) {
	files := filepath.SplitList(os.Getenv("SEQUENCE_GOLDEN"))
	if len(files) == 0 {
		files = []string{filepath.Join("testdata", "sequence.json")}
	}
	cases, differ := 0, 0
	for _, file := range files {
		// The test runs in its package's folder; a relative name is meant from the
		// folder of the module, where the command is given.
		if _, err := os.Stat(file); err != nil && !filepath.IsAbs(file) {
			file = filepath.Join("..", "..", file)
		}
		for _, c := range readGolden(t, file) {
			cases++
			if !t.Run(c.Name, func(t *testing.T) { c.check(t) }) {
				differ++
			}
		}
	}
	fmt.Printf("golden: %d cases, %d differ\n", cases, differ)
	if cases == 0 {
		t.Error("no cases")
	}
}

func readGolden(t *testing.T, file string) []goldenCase {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	content, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.HasPrefix(content, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(bytes.NewReader(content))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if content, err = io.ReadAll(z); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	var golden struct {
		Cases []goldenCase `json:"cases"`
	}
	if err := json.Unmarshal(content, &golden); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return golden.Cases
}

func (c goldenCase) check(t *testing.T) {
	log := read(t, c.Input)
	if c.Error != nil && c.Better == "" {
		c.checkGoodLines(t, log)
		return
	}
	if diff := cmp.Diff(c.Stdout, draw(t, log, Options{Printed: true})); diff != "" {
		t.Errorf("%s: printed (-want +got):\n%s", c.Name, diff)
	}
	if c.FileOut == nil {
		return
	}
	if diff := cmp.Diff(*c.FileOut, draw(t, log, Options{})); diff != "" {
		t.Errorf("%s: written to a file (-want +got):\n%s", c.Name, diff)
	}
}

// goodLine is a complete trace line as a person would recognise it.
var goodLine = regexp.MustCompile(`^ *(?:\[\+t\] )?` +
	`\[(?:\d{4}-(?:0?[1-9]|1[0-2])-(?:0?[1-9]|[12]\d|3[01]) )?(?:[01]?\d|2[0-3]):[0-5]?\d(?::[0-5]?\d(?:\.\d+)?)?\] ` +
	`\[([^\]]*[^\] ])\] \w+->(\w+\([^ ]*\)) (\S+?)->(\S+)$`)

// checkGoodLines looks for the good lines of an input that crashed the
// original: each is drawn.
func (c goldenCase) checkGoodLines(t *testing.T, log *Log) {
	drawing := draw(t, log, Options{Printed: true})
	good := int64(0)
	for line := range strings.Lines(c.Input) {
		m := goodLine.FindStringSubmatch(strings.TrimRight(line, " \r\n"))
		if m == nil || strings.Count(m[2], "(") != strings.Count(m[2], ")") {
			continue
		}
		good++
		for _, want := range []string{"[Statechart: " + m[1] + "] (?)\n", m[2], m[3], m[4]} {
			if !strings.Contains(drawing, want) {
				t.Errorf("%s: %q is not in the drawing of %q:\n%s", c.Name, want, line, drawing)
			}
		}
	}
	if got := log.Report().Drawn; got < good {
		t.Errorf("%s: %d lines drawn, want all %d good ones", c.Name, got, good)
	}
}

func read(t testing.TB, input string) *Log {
	t.Helper()
	log, err := Read(strings.NewReader(input))
	if err != nil {
		t.Fatal(err)
	}
	return log
}

func draw(t testing.TB, log *Log, o Options) string {
	t.Helper()
	var b strings.Builder
	if err := log.Draw(&b, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
