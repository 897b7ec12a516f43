package snoop

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
	"github.com/statemesh/statemesh/network"
	"github.com/statemesh/statemesh/network/seal"
)

var update = flag.Bool("update", false, "write the golden files")

func TestMain(m *testing.M) {
	time.Local = time.UTC // for the times in the golden files
	goleak.VerifyTestMain(m)
}

// TestHeard: another node prints what the light does.
func TestHeard(t *testing.T) {
	for _, tt := range []struct {
		file string
		spy  bool
	}{{"trace.txt", false}, {"spy.txt", true}} {
		t.Run(tt.file, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out strings.Builder
				c := network.Config{Transport: network.NewMemory(), MeshKey: seal.NewKey(), Dir: t.TempDir()}
				c.SnoopOutput = &out
				listener, err := network.NewNode(t.Context(), c)
				if err != nil {
					t.Fatal(err)
				}
				listener.HearTrace()
				listener.HearSpy()
				c.SnoopOutput = io.Discard
				node, err := network.NewNode(t.Context(), c)
				if err != nil {
					t.Fatal(err)
				}
				var l *light
				if tt.spy {
					l = spied(t, node)
				} else if l, err = heard(t.Context(), node, "hall"); err != nil {
					t.Fatal(err)
				}
				for range 2 {
					time.Sleep(time.Second)
					if _, err := l.PostFIFO(hsm.Event{Signal: press}); err != nil {
						t.Error(err)
					}
				}
				time.Sleep(time.Second)
				for _, n := range []*network.Node{node, listener} {
					if err := n.Close(t.Context()); err != nil {
						t.Error(err)
					}
				}
				golden(t, tt.file, out.String())
			})
		})
	}
}

// spied starts a light whose spy the mesh hears.
func spied(t *testing.T, node *network.Node) *light {
	t.Helper()
	l := &light{}
	c := network.ObjectConfig{Config: activeobject.Config{Instrument: instrument.Config{NoSearch: true}}}
	var err error
	if l.ActiveObject, err = node.NewActiveObject("hall", hsm.NewMachine(chart, l), c); err != nil {
		t.Fatal(err)
	}
	if err := l.EnableSnoopSpy(); err != nil {
		t.Fatal(err)
	}
	if err := l.Start(t.Context(), off); err != nil {
		t.Fatal(err)
	}
	return l
}

// golden compares with a file in testdata, or writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
