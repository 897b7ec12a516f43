package network

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/statemesh/statemesh/network/seal"
)

func TestFirstRun(t *testing.T) {
	dir := environ(t, nil, "")
	path := filepath.Join(dir, ".env")
	var log bytes.Buffer
	run := func() settings {
		t.Helper()
		s, err := Config{Dir: dir, Logger: slog.New(slog.NewTextHandler(&log, nil))}.complete()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}

	first := run()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^MESH_ENCRYPTION_KEY=[0-9A-Za-z_-]{43}=\n$`).Match(content) {
		t.Errorf("the file has %d bytes of something else", len(content))
	}
	if info, err := os.Stat(path); err != nil || hasModes && info.Mode() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	if first.newKey != path || !strings.Contains(log.String(), path) || strings.Count(log.String(), "\n") != 1 {
		t.Errorf("newKey %q, log:\n%s", first.newKey, log.String())
	}
	if strings.Contains(log.String(), first.MeshKey.Encode()) {
		t.Error("the log shows the key")
	}

	log.Reset()
	second := run()
	if !second.MeshKey.Equal(first.MeshKey) || !second.keyLists.trace.equal(first.keyLists.trace) || !second.keyLists.spy.equal(first.keyLists.spy) {
		t.Error("the second run has other keys")
	}
	if second.newKey != "" || log.Len() != 0 {
		t.Errorf("the second run says it wrote %q, log:\n%s", second.newKey, log.String())
	}
	if again, _ := os.ReadFile(path); !bytes.Equal(again, content) {
		t.Error("the second run changed the file")
	}
	for name, key := range map[string]keyList{"trace": first.keyLists.trace, "spy": first.keyLists.spy} {
		if len(key) != 1 || !key[0].Equal(first.MeshKey.Derive(name)) {
			t.Errorf("the key for %s is not derived from the mesh key", name)
		}
	}
}

func TestShareKeyAppends(t *testing.T) {
	tests := []struct{ name, before, between string }{
		{"empty", "", ""},
		{"one line", "A=1\n", ""},
		{"no final newline", "A=1", "\n"},
		{"no newline after a comment", "A=1\n# key", "\n"},
		{"Windows", "A=1\r\nB=2\r\n", ""},
		{"an empty key", "MESH_ENCRYPTION_KEY=\n# fill in\n", ""},
		{"a byte order mark", "\ufeffA=1\n", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), ".env")
			write(t, path, test.before)
			if err := os.Chmod(path, 0o640); err != nil {
				t.Fatal(err)
			}
			key, written, err := shareKey(path)
			if err != nil || !written {
				t.Fatalf("written %v, error %v", written, err)
			}
			want := test.before + test.between + "MESH_ENCRYPTION_KEY=" + key.Encode() + "\n"
			if got, err := os.ReadFile(path); err != nil || string(got) != want {
				t.Errorf("the file is %d bytes of something else, %v", len(got), err)
			}
			if info, err := os.Stat(path); err != nil || hasModes && info.Mode() != 0o640 {
				t.Errorf("mode %v, %v; want what it was, 0640", info.Mode(), err)
			}
			if again, written, err := shareKey(path); err != nil || written || !again.Equal(key) {
				t.Errorf("the second call: written %v, same %v, error %v", written, again.Equal(key), err)
			}
		})
	}
}

func TestShareKeyErrors(t *testing.T) {
	full := strings.Repeat("#", maxDotenv-50)
	tests := []struct {
		name, before string
		want         string
	}{
		{"syntax", "A=1\nhidden\n", "line 2"},
		{"bad key", "MESH_ENCRYPTION_KEY=hidden\n", "6 characters long"},
		{"no room", full, "larger than 64 KiB"},
		{"too large", full + strings.Repeat("#", 100), "larger than 64 KiB"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), ".env")
			write(t, path, test.before)
			key, written, err := shareKey(path)
			if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hid") {
				t.Errorf("error %v, want an ErrConfig that says %q and quotes nothing", err, test.want)
			}
			if written || !key.IsZero() {
				t.Errorf("written %v, key %v", written, key)
			}
			if got, _ := os.ReadFile(path); string(got) != test.before {
				t.Error("the file has changed")
			}
		})
	}
	t.Run("no directory", func(t *testing.T) {
		checkNoPlace(t, filepath.Join(t.TempDir(), "nowhere", ".env"))
	})
	t.Run("not a file", func(t *testing.T) {
		checkNoPlace(t, t.TempDir())
	})
}

// checkNoPlace checks that there can be no key at path, and that the error says what to do.
func checkNoPlace(t *testing.T, path string) {
	t.Helper()
	_, written, err := shareKey(path)
	const want = "MESH_ENCRYPTION_KEY: it is not set, and a new key cannot be kept in "
	if written || !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), want+path) || !strings.HasSuffix(err.Error(), "set it in the environment") {
		t.Errorf("written %v, error %v", written, err)
	}
}

func TestShareKeyGoroutines(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".env")
	keys, writers := make([]seal.Key, 50), make([]bool, 50)
	var all sync.WaitGroup
	for i := range keys {
		all.Go(func() {
			var err error
			if keys[i], writers[i], err = shareKey(path); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	written := 0
	for i, key := range keys {
		if !key.Equal(keys[0]) || key.IsZero() {
			t.Errorf("key %d is %v, key 0 is %v", i, key, keys[0])
		}
		if writers[i] {
			written++
		}
	}
	if written != 1 {
		t.Errorf("%d have written a key, want 1", written)
	}
}

// TestShareKeyProcesses runs this test binary many times at once in one directory.
func TestShareKeyProcesses(t *testing.T) {
	const variable = "STATEMESH_TEST_SHARE_KEY"
	if path := os.Getenv(variable); path != "" {
		key, written, err := shareKey(path)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("key %v %v\n", key.ID(), written)
		return
	}
	path := filepath.Join(t.TempDir(), ".env")
	outputs := make([]string, 50)
	var all sync.WaitGroup
	for i := range outputs {
		all.Go(func() {
			cmd := exec.Command(os.Args[0], "-test.run=^TestShareKeyProcesses$")
			cmd.Env = append(os.Environ(), variable+"="+path)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			outputs[i], _, _ = strings.Cut(string(out), "\n")
		})
	}
	all.Wait()
	ids, written := map[string]int{}, 0
	for _, out := range outputs {
		id, wrote, _ := strings.Cut(strings.TrimPrefix(out, "key "), " ")
		ids[id]++
		if wrote == "true" {
			written++
		}
	}
	if len(ids) != 1 || written != 1 {
		t.Errorf("keys %v, written by %d; want one key, written by one", ids, written)
	}
}
