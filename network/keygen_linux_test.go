package network

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestKeygenNotAllowed(t *testing.T) {
	dir := environ(t, nil, "")
	path := filepath.Join(dir, ".env")
	if os.Getuid() == 0 {
		// Who we pretend to be has to get there.
		for d := dir; d != "/" && d != os.TempDir(); d = filepath.Dir(d) {
			if err := os.Chmod(d, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	refused := func(what string) {
		t.Helper()
		unprivileged(t, func() {
			if r, err := (Keygen{}).Write(dir); !errors.Is(err, ErrConfig) || !errors.Is(err, fs.ErrPermission) || r.Written != nil {
				t.Errorf("%s: %+v, %v; want that it is not permitted", what, r, err)
			}
		})
	}
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o755)
	refused("a directory that nobody may write")

	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, path, "A=1\n")
	if err := os.Chmod(path, 0o444); err != nil {
		t.Fatal(err)
	}
	refused("a file that nobody may write")

	// There is nothing to write, so that it need not be permitted.
	lines, err := Keygen{}.Lines()
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []error{os.Chmod(path, 0o644), os.WriteFile(path, []byte(lines), 0o644), os.Chmod(path, 0o444)} {
		if step != nil {
			t.Fatal(step)
		}
	}
	unprivileged(t, func() {
		if r, err := (Keygen{}).Write(dir); err != nil || r.Written != nil || len(r.Kept) != 3 || !r.Exposed {
			t.Errorf("a complete file that nobody may write: %+v, %v", r, err)
		}
	})
}
