//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package network

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// hasModes: the permission bits of a file say who may read it.
const hasModes = true

// lockFile waits, up to ten seconds, till this process alone holds the file. The
// system frees the lock when the process ends, however it ends.
func lockFile(f *os.File) (unlock func(), err error) {
	const (
		patience = 10 * time.Second
		pause    = 5 * time.Millisecond
	)
	fd := int(f.Fd())
	for tries := 0; ; tries++ {
		err := syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return func() { _ = syscall.Flock(fd, syscall.LOCK_UN) }, nil
		case errors.Is(err, syscall.EINTR):
		case !errors.Is(err, syscall.EWOULDBLOCK):
			return nil, err
		case tries == int(patience/pause):
			return nil, errLocked(f.Name())
		default:
			time.Sleep(pause)
		}
	}
}

// keepOwner gives the file the owner and group that info tells, as far as this process
// may.
func keepOwner(f *os.File, info os.FileInfo) {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		_ = f.Chown(int(s.Uid), int(s.Gid))
	}
}
