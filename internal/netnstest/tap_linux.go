package netnstest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"unsafe"
)

// Of linux/if_tun.h and linux/sched.h.
const (
	tunSetIff     = 0x400454ca
	tunSetCarrier = 0x400454e2
	iffTap        = 0x0002
	iffNoPI       = 0x1000
)

// setns is a system call that the syscall package has no number for.
var setns = map[string]uintptr{"amd64": 308, "arm64": 268, "riscv64": 268, "loong64": 268, "386": 346, "arm": 375}

// tap is the end of a TAP interface that a program holds: it reads what the host
// sends, a frame a call, and what it writes the host receives.
type tap struct{ *os.File }

// openTap makes a TAP interface in a namespace. It is gone when the tap is closed.
func openTap(namespace, name string) (t tap, err error) {
	err = within(filepath.Join(netnsDir, namespace), func() error {
		t, err = openTapHere(name)
		return err
	})
	if err != nil {
		return tap{}, fmt.Errorf("netnstest: no TAP interface %s in %s: %w", name, namespace, err)
	}
	return t, nil
}

// within runs a function in a network namespace.
func within(namespace string, do func() error) error {
	there, err := os.Open(namespace)
	if err != nil {
		return err
	}
	defer there.Close()
	done := make(chan error)
	go func() { // ends after do
		runtime.LockOSThread()
		here, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			runtime.UnlockOSThread()
			done <- err
			return
		}
		defer here.Close()
		err = enter(there)
		if err == nil {
			err = do()
		}
		// A thread that cannot come back ends with this goroutine, which is locked to it.
		back := enter(here)
		if back == nil {
			runtime.UnlockOSThread()
		}
		done <- errors.Join(err, back)
	}()
	return <-done
}

// enter takes this thread into a namespace.
func enter(namespace *os.File) error {
	number, ok := setns[runtime.GOARCH]
	if !ok {
		return os.NewSyscallError("setns", syscall.ENOSYS)
	}
	if _, _, errno := syscall.RawSyscall(number, namespace.Fd(), syscall.CLONE_NEWNET, 0); errno != 0 {
		return os.NewSyscallError("setns", errno)
	}
	return nil
}

// openTapHere makes the interface in the namespace of this thread.
func openTapHere(name string) (tap, error) {
	// It becomes pollable, as os.NewFile sees to for what does not block, only when it
	// is attached to an interface.
	const device = "/dev/net/tun"
	fd, err := syscall.Open(device, syscall.O_RDWR|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return tap{}, &os.PathError{Op: "open", Path: device, Err: err}
	}
	request := struct {
		name  [syscall.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}{flags: iffTap | iffNoPI}
	copy(request.name[:syscall.IFNAMSIZ-1], name)
	if err := ioctl(uintptr(fd), tunSetIff, unsafe.Pointer(&request)); err != nil {
		syscall.Close(fd)
		return tap{}, err
	}
	return tap{os.NewFile(uintptr(fd), device)}, nil
}

// carrier plugs the cable in, or pulls it, as the host sees it.
func (t tap) carrier(on bool) error {
	var value int32
	if on {
		value = 1
	}
	conn, err := t.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := conn.Control(func(fd uintptr) { failed = ioctl(fd, tunSetCarrier, unsafe.Pointer(&value)) }); err != nil {
		return err
	}
	return failed
}

func ioctl(fd, request uintptr, argument unsafe.Pointer) error {
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, fd, request, uintptr(argument)); errno != 0 {
		return os.NewSyscallError("ioctl", errno)
	}
	return nil
}
