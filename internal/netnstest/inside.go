package netnstest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// markPrefix begins the alias of the loopback interface in each namespace of a
// lab; the name of the namespace follows. Nothing else sets an alias there.
const markPrefix = "statemesh-lab:"

// ErrOutside is wrapped by all errors of [Inside].
var ErrOutside = errors.New("netnstest: this process is not in a namespace of a lab")

// Inside says why this process is not in a namespace that a [Lab] has made, or nil
// if it is. It asks the namespace for its mark, whether the namespace of the name
// in that mark is this one, and, where that may be known, whether this one is not
// that of process 1.
func Inside() error {
	alias, err := os.ReadFile("/sys/class/net/lo/ifalias")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrOutside, err)
	}
	name, ok := strings.CutPrefix(strings.TrimSpace(string(alias)), markPrefix)
	if !ok {
		return fmt.Errorf("%w: no mark", ErrOutside)
	}
	if _, ok := maker(name); !ok || name != filepath.Base(name) {
		return fmt.Errorf("%w: a mark that no lab makes", ErrOutside)
	}
	own, err := os.Stat("/proc/self/ns/net")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrOutside, err)
	}
	named, err := os.Stat(filepath.Join(netnsDir, name))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrOutside, err)
	}
	if !os.SameFile(own, named) {
		return fmt.Errorf("%w: the mark of another namespace", ErrOutside)
	}
	if first, err := os.Stat("/proc/1/ns/net"); err == nil && os.SameFile(own, first) {
		return fmt.Errorf("%w: it is that of process 1", ErrOutside)
	}
	return nil
}

// RequireInside ends the test with a failure unless it runs in a namespace of a
// [Lab]. Everything that sends to a network calls it first.
func RequireInside(t testing.TB) {
	t.Helper()
	if err := Inside(); err != nil {
		t.Fatal(err)
	}
}
