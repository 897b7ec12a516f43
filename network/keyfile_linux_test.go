package network

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// unprivileged runs f on a thread that may do no more to files than a stranger.
func unprivileged(t *testing.T, f func()) {
	t.Helper()
	if os.Getuid() != 0 {
		f()
		return
	}
	done := make(chan syscall.Errno)
	go func() {
		runtime.LockOSThread() // and never unlock: the thread ends with the goroutine
		defer close(done)
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETFSUID, 65534, 0, 0); errno != 0 {
			done <- errno
			return
		}
		f()
	}()
	if errno := <-done; errno != 0 {
		t.Fatal(errno)
	}
}

func TestShareKeyNotAllowed(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, ".env")
	if os.Getuid() == 0 {
		// Who we pretend to be has to get there.
		for d := dir; d != "/" && d != os.TempDir(); d = filepath.Dir(d) {
			if err := os.Chmod(d, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o755)
	unprivileged(t, func() { checkNoPlace(t, path) })

	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, path, "A=1\n")
	if err := os.Chmod(path, 0o444); err != nil {
		t.Fatal(err)
	}
	unprivileged(t, func() { checkNoPlace(t, path) })
}

// Opening a pipe would wait for ever for somebody at the other end.
func TestLoadPipe(t *testing.T) {
	dir := environ(t, nil, "")
	if err := syscall.Mkfifo(filepath.Join(dir, ".env"), 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 2)
	go func() {
		_, err := Load(dir)
		done <- err
		_, _, err = shareKey(filepath.Join(dir, ".env"))
		done <- err
	}()
	for range 2 {
		select {
		case err := <-done:
			if err == nil {
				t.Error("no error")
			}
		case <-time.After(5 * time.Second):
			t.Fatal("it waits")
		}
	}
}

// A file that was exchanged while we waited for the lock is not the one to write to.
func TestShareKeyReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".env")
	write(t, path, "")
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unlock, err := lockFile(f)
	if err != nil {
		t.Fatal(err)
	}
	type result struct {
		written bool
		err     error
	}
	results := make(chan result)
	go func() {
		_, written, err := shareKey(path)
		results <- result{written, err}
	}()
	eventually(t, "the other has the old file open", func() bool { return opened(t, path) == 2 })
	_, text := testKey(t, "n")
	other := path + ".new"
	write(t, other, "MESH_ENCRYPTION_KEY="+text+"\n")
	if err := os.Rename(other, path); err != nil {
		t.Fatal(err)
	}
	unlock()
	if r := <-results; r.written || r.err != nil {
		t.Errorf("written %v, error %v; want the key of the new file", r.written, r.err)
	}
	if content, _ := os.ReadFile(path); string(content) != "MESH_ENCRYPTION_KEY="+text+"\n" {
		t.Error("the new file has changed")
	}
}

// opened returns how many times this process has the file open.
func opened(t *testing.T, path string) (n int) {
	t.Helper()
	const dir = "/proc/self/fd"
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if target, err := os.Readlink(filepath.Join(dir, entry.Name())); err == nil && target == path {
			n++
		}
	}
	return n
}
