package discovery

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// inTime fails the test if f waits for something.
func inTime(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatalf("%s: it waits", what)
	}
}

// What looks like a file and is none is neither waited for nor written to.
func TestNoRegularFile(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o644); err != nil {
		t.Fatal(err)
	}
	link(t, "/dev/zero", filepath.Join(dir, "zero"))
	link(t, "fifo", filepath.Join(dir, "to-fifo"))
	link(t, "/dev/stdin", filepath.Join(dir, "stdin"))
	before := fileNames(t, dir)
	for _, path := range []string{fifo, filepath.Join(dir, "zero"), filepath.Join(dir, "to-fifo"), "/dev/zero", "/dev/full", dir} {
		for _, file := range smallFiles {
			inTime(t, path, func() {
				_, err := file.read(path)
				wantFileError(t, err, path, ErrNotRegular, "not a regular file")
			})
		}
		inTime(t, path, func() {
			err := WriteCache(path, Cache{})
			wantFileError(t, err, path, ErrNotRegular, "not replaced: it is not a regular file")
		})
	}
	if after := fileNames(t, dir); len(after) != len(before) {
		t.Errorf("the directory has %q, and had %q", after, before)
	}
}

// The file may have been exchanged between the look at it and its opening.
func TestOpenedNoRegularFile(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{fifo, "/dev/zero", filepath.Dir(fifo)} {
		inTime(t, path, func() {
			f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			if content, _, err := readRegular(f); content != nil || err != ErrNotRegular {
				t.Errorf("%s: error %v, want ErrNotRegular", path, err)
			}
		})
	}
}

// Some files of the kernel call themselves regular and wait for news, as does a pipe
// that somebody has open.
func TestReadInTime(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	inTime(t, path, func() {
		if content, err := readInTime(f); content != nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%q, error %v; want that it gives up", content, err)
		}
	})
}

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

func TestNoPermission(t *testing.T) {
	dir := t.TempDir()
	if os.Getuid() == 0 {
		// Who we pretend to be has to get there.
		for d := dir; d != "/" && d != os.TempDir(); d = filepath.Dir(d) {
			if err := os.Chmod(d, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	path := filepath.Join(dir, "file")
	const content = `{"hosts": ["10.0.0.7"], "addresses": ["10.0.0.7"]}`
	putFile(t, path, content)
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	unprivileged(t, func() {
		for _, file := range smallFiles {
			_, err := file.read(path)
			wantFileError(t, err, path, fs.ErrPermission, "permission denied")
		}
		wantFileError(t, WriteCache(path, Cache{}), path, fs.ErrPermission, "not replaced: permission denied")
	})

	// The file may be read, and its directory may not be written to.
	if err := errors.Join(os.Chmod(path, 0o644), os.Chmod(dir, 0o555)); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o755)
	unprivileged(t, func() {
		wantFileError(t, WriteCache(path, Cache{}), path, fs.ErrPermission, "in its directory: permission denied")
		other := filepath.Join(dir, "other")
		wantFileError(t, WriteCache(other, Cache{}), other, fs.ErrPermission, "in its directory: permission denied")
	})
	if got := getFile(t, path); got != content {
		t.Errorf("the file has changed: %q", got)
	}
	if names := fileNames(t, dir); len(names) != 1 {
		t.Errorf("the directory has %q", names)
	}
}

const envFullDisk = "STATEMESH_TEST_FULL_DISK" // the cache file to write

// TestFullDisk writes a cache when there is no room for all of it: in a process of
// its own, which may not make files of more than 20 bytes.
func TestFullDisk(t *testing.T) {
	if path := os.Getenv(envFullDisk); path != "" {
		signal.Ignore(syscall.SIGXFSZ)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 20, Max: 20}); err != nil {
			t.Fatal(err)
		}
		err := WriteCache(path, Cache{Addresses: []netip.AddrPort{netip.MustParseAddrPort("10.0.0.7:5672")}})
		wantFileError(t, err, path, syscall.EFBIG, "cannot be written: file too large")
		return
	}
	path := filepath.Join(t.TempDir(), "cache")
	const content = `{"addresses": ["10.0.0.8"]}`
	putFile(t, path, content)
	cmd := exec.Command(os.Args[0], "-test.run=^TestFullDisk$")
	cmd.Env = append(os.Environ(), envFullDisk+"="+path)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, strings.TrimSpace(string(out)))
	}
	if got := getFile(t, path); got != content {
		t.Errorf("the file has changed: %q", got)
	}
	if names := fileNames(t, filepath.Dir(path)); len(names) != 1 {
		t.Errorf("the directory has %q", names)
	}
}
