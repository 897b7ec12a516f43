// Package goldentest reads the golden charts, which are charts as data together with what
// stock miros did with them, corrected where it is known to be wrong, and makes charts of
// them for the tests of several packages.
package goldentest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// format is what a file of golden charts says it is.
const format = "miros-oracle/1"

// Chart is a chart, what is posted to it, and what it did.
type Chart struct {
	ID        string
	QueueSize int `json:"queue_size"`
	Start     string
	States    []State // a state's number is its place here, from 1
	Events    []Stimulus
	IsInProbe []string `json:"is_in_probe"`
	Expected  struct {
		Start  Step
		Events []Want
		Spies  []string `json:"spy_table"`
	}
}

// Want is what is to be seen after a Stimulus: the steps, and what holds behind them.
type Want struct {
	Steps    []Step
	State    string
	IsIn     []bool `json:"is_in"` // of each in IsInProbe
	Deferred []string
}

// State is a state of a chart. Entry, exit and init are reactions that may be missing.
type State struct {
	Name              string
	Parent            string // empty for none
	Entry, Exit, Init struct {
		Handled bool
		Reaction
	}
	Reactions map[string]*Reaction // by signal
}

// Reaction is what a state does on a signal.
type Reaction struct {
	Kind    string // "unhandled", "tran" or another
	Target  string // of a transition, also of init
	Guard   int    // n: only each nth time, from the first; 0: always
	Actions []*Action

	asked int
}

// Action is what a handler does to the queue, Limit times at most.
type Action struct {
	Op     string
	Signal string
	Limit  int
}

// Step is what is to be seen of a run-to-completion step.
type Step struct {
	Signal string
	Spy    []int     // in the chart's spy_table
	Trace  []*string // signal, nil for the start; from; to. None if nothing was traced
	State  string
	Steps  []Step // that follow; of the start only
}

// Stimulus is what is posted at once: "fifo" or "lifo", and a signal.
type Stimulus [][2]string

// File is a file of charts.
type File struct {
	Path   string
	Charts []Chart
}

// Files reads the files of STATEMESH_GOLDEN, parted as a search path is, else those of
// package hsm. It is for tests of packages that are folders of the module's top.
func Files(t testing.TB) []File {
	t.Helper()
	paths, err := filepath.Glob("../hsm/testdata/golden/golden_*.json.gz")
	if list := os.Getenv("STATEMESH_GOLDEN"); list != "" {
		paths = filepath.SplitList(list)
		for i, path := range paths {
			// The test runs in its package's folder; a relative name is meant from
			// the folder of the module, where the command is given.
			if _, err := os.Stat(path); err != nil && !filepath.IsAbs(path) {
				paths[i] = filepath.Join("..", path)
			}
		}
	}
	if err != nil || len(paths) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	files := make([]File, len(paths))
	for i, path := range paths {
		if files[i], err = read(path); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	return files
}

func read(path string) (File, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return File{}, err
	}
	if bytes.HasPrefix(b, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return File{}, err
		}
		if b, err = io.ReadAll(z); err != nil {
			return File{}, err
		}
	}
	var file struct {
		Format string
		Charts []Chart
	}
	if err := json.Unmarshal(b, &file); err != nil {
		return File{}, err
	}
	if file.Format != format || len(file.Charts) == 0 {
		return File{}, fmt.Errorf("format %q with %d charts; want %s and at least one", file.Format, len(file.Charts), format)
	}
	return File{path, file.Charts}, nil
}
