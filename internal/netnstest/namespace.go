package netnstest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// namePrefix begins the names of all namespaces of all labs; the id of the
	// process that made them follows.
	namePrefix = "sm-"
	// netnsDir is where the ip command keeps namespaces by name.
	netnsDir = "/run/netns"
)

// ErrUnavailable is wrapped by all errors that say why there can be no lab here.
var ErrUnavailable = errors.New("netnstest: no network namespaces here")

// Available says why there can be no [Lab] here, or nil. The first call makes a
// namespace to see whether it may, and removes it.
func Available() error { return available() }

var available = sync.OnceValue(func() error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("%w: this is %s, not Linux", ErrUnavailable, runtime.GOOS)
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("%w: only root may make them", ErrUnavailable)
	}
	for _, command := range []string{"ip", "setpriv"} {
		if _, err := exec.LookPath(command); err != nil {
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
	try := fmt.Sprintf("%s%d-try", namePrefix, os.Getpid())
	if _, err := run("ip", "netns", "add", try); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	err := errors.Join(
		ip(try, "link add br0 type bridge", "link add p0 type veth peer name eth0"),
		removeNamespace(try))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
})

// run runs a command and returns what it printed. Its error has what the command
// complained of.
func run(name string, args ...string) (string, error) {
	return pipe(exec.Command(name, args...))
}

// ip runs commands of ip(8) in a namespace, up to the first that fails.
func ip(namespace string, commands ...string) error {
	cmd := exec.Command("ip", "-n", namespace, "-batch", "-")
	cmd.Stdin = strings.NewReader(strings.Join(commands, "\n") + "\n")
	_, err := pipe(cmd)
	return err
}

func pipe(cmd *exec.Cmd) (string, error) {
	var out, complaint strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("netnstest: %s: %w: %s", strings.Join(cmd.Args, " "), err,
			strings.Join(strings.Fields(complaint.String()), " "))
	}
	return out.String(), nil
}

// removeLeftovers removes the namespaces of labs whose process is no more. What it
// cannot remove it leaves: nobody needs it gone.
func removeLeftovers() {
	entries, err := os.ReadDir(netnsDir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if pid, ok := maker(e.Name()); ok && !alive(pid) {
			_ = removeNamespace(e.Name())
		}
	}
}

// maker returns the id of the process that made the namespace of this name, if
// that was for a lab.
func maker(namespace string) (pid int, ok bool) {
	rest, ok := strings.CutPrefix(namespace, namePrefix)
	if !ok {
		return 0, false
	}
	digits, _, ok := strings.Cut(rest, "-")
	if !ok {
		return 0, false
	}
	pid, err := strconv.Atoi(digits)
	return pid, err == nil && pid > 0
}

func alive(pid int) bool {
	_, err := os.Stat(filepath.Join("/proc", strconv.Itoa(pid)))
	return !errors.Is(err, os.ErrNotExist)
}

// patience is how long the kernel is waited for.
const patience = 5 * time.Second

// removeNamespace kills the processes in a namespace and removes it.
func removeNamespace(namespace string) error {
	err := until("processes in "+namespace+" have ended", func() (bool, error) {
		pids, err := run("ip", "netns", "pids", namespace)
		if err != nil {
			return false, err
		}
		for _, field := range strings.Fields(pids) {
			pid, err := strconv.Atoi(field)
			if err != nil || pid == os.Getpid() {
				return false, fmt.Errorf("netnstest: cannot kill process %s in %s", field, namespace)
			}
			// It may have ended by now; the next look tells.
			if p, err := os.FindProcess(pid); err == nil {
				_ = p.Kill()
				_ = p.Release()
			}
		}
		return pids == "", nil
	})
	_, gone := run("ip", "netns", "del", namespace)
	return errors.Join(err, gone)
}

// until asks every few milliseconds until it is so.
func until(what string, isSo func() (bool, error)) error {
	late := time.NewTimer(patience)
	defer late.Stop()
	tick := time.NewTicker(3 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := isSo(); ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-late.C:
			return fmt.Errorf("netnstest: waited in vain for: %s", what)
		}
	}
}
