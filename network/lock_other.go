//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd)

package network

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
	"time"
)

// hasModes: the permission bits of a file say who may read it.
const hasModes = runtime.GOOS == "aix" || runtime.GOOS == "solaris"

// lockFile waits, up to ten seconds, till this process alone holds the file, which
// it shows by a second file. That one stays if the process is killed in these
// milliseconds; the error of the next one names it.
func lockFile(f *os.File) (unlock func(), err error) {
	const (
		patience = 10 * time.Second
		pause    = 5 * time.Millisecond
	)
	name := f.Name() + ".lock"
	for tries := 0; ; tries++ {
		lock, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		switch {
		case err == nil:
			return func() { _ = errors.Join(lock.Close(), os.Remove(name)) }, nil
		case tries == int(patience/pause):
			return nil, errLocked(f.Name() + " by " + name)
		case !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrPermission):
			return nil, err
		default:
			time.Sleep(pause)
		}
	}
}

// keepOwner does nothing: the system has no owners that os knows of.
func keepOwner(*os.File, os.FileInfo) {}
