package network_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/network"
	"github.com/statemesh/statemesh/network/seal"
)

// A key is changed on nodes that talk all the time, one node after the other, and nothing
// is lost; then the old key opens nothing.
func TestChangeKeys(t *testing.T) {
	virtually(t, func(b *bed) {
		old, next := b.config.MeshKey, seal.NewKey()
		nodes := []*network.Node{b.node("a"), b.node("b"), b.node("c")}
		var ears []*ear
		for i, n := range nodes {
			ears = append(ears, b.ear(n, fmt.Sprint("ear", i), network.ObjectConfig{}))
		}
		spoken := 0
		speak := func() {
			for _, e := range ears {
				e.say(b.t, spoken)
			}
			spoken++
			b.pass(10 * time.Millisecond)
		}
		for _, step := range []network.Config{
			{MeshKey: old, OpenMeshKeys: []seal.Key{next}},
			{MeshKey: next, OpenMeshKeys: []seal.Key{old}},
			{MeshKey: next},
		} {
			for _, n := range nodes {
				speak()
				if err := n.ChangeKeys(step); err != nil {
					b.t.Fatal(err)
				}
				speak()
			}
		}
		speak()
		for _, e := range ears {
			if got, want := len(e.heard()), 2*spoken; got != want {
				b.t.Errorf("%s heard %d events, want %d", e.Name(), got, want)
			}
		}
		for _, n := range nodes {
			if s := n.Stats(); len(s.Problems) != 0 || s.Missed != 0 {
				b.t.Errorf("%s: problems %v, missed %d", n.Name(), s.Problems, s.Missed)
			}
		}
		late := b.ear(b.node("late", func(c *network.Config) { c.MeshKey = old }), "late", network.ObjectConfig{})
		late.say(b.t, "with the old key")
		b.settle()
		if s := nodes[0].Stats(); s.Problems["unknown_key"] == 0 {
			b.t.Errorf("the old key still opens: %v", s.Problems)
		}
		if err := nodes[0].ChangeKeys(network.Config{}); !errors.Is(err, network.ErrConfig) {
			b.t.Errorf("no key: %v, want ErrConfig", err)
		}
	})
}

// Nodes take up the keys of .env by themselves, whichever way they came to have them.
func TestKeysOfTheFileAreTakenUp(t *testing.T) {
	virtually(t, func(b *bed) {
		dir := b.t.TempDir()
		b.config.MeshKey = seal.Key{}
		if _, err := (network.Keygen{}).Write(dir); err != nil {
			b.t.Fatal(err)
		}
		fromFile := b.node("file", func(c *network.Config) { c.Dir = dir })
		loaded := b.node("loaded", func(c *network.Config) {
			read, err := network.Load(dir)
			if err != nil {
				b.t.Fatal(err)
			}
			c.Dir, c.MeshKey = dir, read.MeshKey
		})
		one, two := b.ear(fromFile, "one", network.ObjectConfig{}), b.ear(loaded, "two", network.ObjectConfig{})
		want := 0
		check := func(what string) {
			b.t.Helper()
			one.say(b.t, what)
			two.say(b.t, what)
			b.settle()
			want++
			if len(one.heard()) != want || len(two.heard()) != want {
				b.t.Errorf("%s: heard %d and %d, want %d\n%s", what, len(one.heard()), len(two.heard()), want, b.log)
			}
		}
		check("before")
		for _, step := range []network.RotationStep{network.KeyAdded, network.KeyUsed, network.KeyRetired} {
			r, err := (network.Keygen{}).Rotate(dir)
			if err != nil || r.Step != step {
				b.t.Fatalf("step %d: %+v, %v", step, r, err)
			}
			check(fmt.Sprint("right after step ", step))
			b.pass(5 * time.Second)
			check(fmt.Sprint("after step ", step))
		}
		if n := len(b.log.lines("the keys have changed")); n != 6 {
			b.t.Errorf("%d changes in the log, want 3 of each node", n)
		}
		// A file that is broken or gone changes nothing.
		path := filepath.Join(dir, ".env")
		for _, content := range []string{"MESH_ENCRYPTION_KEY=short\n", "\"", ""} {
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				b.t.Fatal(err)
			}
			b.pass(5 * time.Second)
			check(fmt.Sprintf("with %q", content))
		}
		if err := os.Remove(path); err != nil {
			b.t.Fatal(err)
		}
		b.pass(5 * time.Second)
		check("without a file")
	})
}

func TestRotateTheFile(t *testing.T) {
	const before = "# the mesh\nRABBIT_USER=u\n export MESH_ENCRYPTION_KEY = \"%s\" # shared\nOTHER=x"
	key, trace := seal.NewKey(), seal.NewKey()
	for name, tc := range map[string]struct {
		content string
		names   []string
	}{
		"a key":            {fmt.Sprintf(before, key.Encode()), []string{network.EnvMeshKey}},
		"and one of trace": {fmt.Sprintf(before, key.Encode()) + "\nSNOOP_TRACE_ENCRYPTION_KEY=" + trace.Encode() + "\n", []string{network.EnvMeshKey, network.EnvTraceKey}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, ".env")
			if err := os.WriteFile(path, []byte(tc.content), 0o640); err != nil {
				t.Fatal(err)
			}
			load := func() network.Config {
				c, err := network.Load(dir)
				if err != nil {
					t.Fatal(err)
				}
				return c
			}
			rotate := func(want network.RotationStep) {
				t.Helper()
				r, err := (network.Keygen{}).Rotate(dir)
				if err != nil || r.Step != want || !cmp.Equal(r.Variables, tc.names) {
					t.Fatalf("%+v, %v, want step %d of %v", r, err, want, tc.names)
				}
				if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
					t.Errorf("mode %v, %v", info.Mode(), err)
				}
			}
			rotate(network.KeyAdded)
			c := load()
			if !c.MeshKey.Equal(key) || len(c.OpenMeshKeys) != 1 {
				t.Fatalf("after the first step: %v", c)
			}
			next := c.OpenMeshKeys[0]
			rotate(network.KeyUsed)
			if c = load(); !c.MeshKey.Equal(next) || len(c.OpenMeshKeys) != 1 || !c.OpenMeshKeys[0].Equal(key) {
				t.Fatalf("after the second step: %v", c)
			}
			rotate(network.KeyRetired)
			if c = load(); !c.MeshKey.Equal(next) || len(c.OpenMeshKeys) != 0 {
				t.Fatalf("after the third step: %v", c)
			}
			after, err := os.ReadFile(path)
			if err != nil || !strings.HasPrefix(string(after), "# the mesh\nRABBIT_USER=u\n") || !strings.Contains(string(after), "\nOTHER=x") {
				t.Errorf("the rest of the file: %q, %v", after, err)
			}
			rotate(network.KeyAdded)
		})
	}
	for name, content := range map[string]string{
		"no key":      "RABBIT_USER=u\n",
		"a bad one":   "MESH_ENCRYPTION_KEY=hidden\n",
		"not a file":  "\"hidden",
		"a bad next":  "MESH_ENCRYPTION_KEY=" + key.Encode() + "\nMESH_ENCRYPTION_KEY_NEXT=hidden\n",
		"no file":     "-",
		"in one line": "A=\"\nMESH_ENCRYPTION_KEY=x\"\n",
	} {
		dir := t.TempDir()
		if content != "-" {
			if err := os.WriteFile(filepath.Join(dir, ".env"), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := (network.Keygen{}).Rotate(dir)
		if !errors.Is(err, network.ErrConfig) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: %v, want ErrConfig", name, err)
		}
		if after, _ := os.ReadFile(filepath.Join(dir, ".env")); content != "-" && string(after) != content {
			t.Errorf("%s: the file became %q", name, after)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, ".env.*")); len(left) != 0 {
			t.Errorf("%s: %v are left", name, left)
		}
	}
}
