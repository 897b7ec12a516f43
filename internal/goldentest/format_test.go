package goldentest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/statemesh/statemesh/hsm"
)

const small = `{"format":"miros-oracle/1","charts":[{"id":"c","start":"a","states":[
	{"name":"a","entry":{"handled":true,"actions":[{"op":"post_fifo","signal":"golden_x","limit":1}]},
	 "reactions":{"golden_x":{"kind":"tran","target":"b","guard":2}}},
	{"name":"b","parent":"a"}]}]}`

func TestRead(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"good":            {small, ""},
		"another format":  {`{"format":"other/1","charts":[{}]}`, `format "other/1" with 1 charts`},
		"no charts":       {`{"format":"miros-oracle/1"}`, "with 0 charts"},
		"no JSON":         {"golden", "invalid character"},
		"compressed, cut": {"\x1f\x8b\x08", "unexpected EOF"},
	} {
		path := filepath.Join(t.TempDir(), "golden.json")
		if err := os.WriteFile(path, []byte(tc.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := read(path)
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}

func TestSpecs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "golden.json")
	if err := os.WriteFile(path, []byte(small), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := read(path)
	if err != nil {
		t.Fatal(err)
	}
	c := &file.Charts[0]
	q := Queue{hsm.NewQueue(4, hsm.Reject)}
	r := hsm.NewRunner(hsm.NewMachine(hsm.MustCompile(Specs[Queue](c, true, nil)), q), q.Queue, hsm.LogConfig{})
	if err := r.Start(c.Numbers()["a"]); err != nil {
		t.Fatal(err)
	}
	// The entry has posted one; the guard lets the first and the third pass.
	for i, want := range []string{"b", "b", "b"} {
		if more, err := r.Next(); !more || err != nil {
			t.Fatalf("step %d: %v, %v", i+1, more, err)
		}
		if got := r.State(); got != c.Numbers()[want] {
			t.Errorf("step %d leads to %v, want %s", i+1, got, want)
		}
		Stimulus{{"fifo", "golden_x"}}.Post(q)
	}
	if got := c.States[0].On(hsm.NewSignal("golden_x")).asked; got != 3 {
		t.Errorf("the guard was asked %d times, want 3", got)
	}
}
