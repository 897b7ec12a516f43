package netnstest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// childMark is set in the environment of the processes that RunTest starts.
const childMark = "STATEMESH_NETNSTEST_CHILD"

// InChild says whether this process was started by [RunTest].
func InChild() bool { return os.Getenv(childMark) != "" }

// A Runner makes a command to be run: [Host.Command] or [Host.Unprivileged].
type Runner func(ctx context.Context, name string, args ...string) *exec.Cmd

// RunTest runs the calling test once more, in a process of its own on a host. What
// that prints is logged, and if it fails, so does the calling test. A test is
// therefore made of two parts:
//
//	func TestThing(t *testing.T) {
//		if netnstest.InChild() {
//			netnstest.RequireInside(t)
//			... // on the host
//			return
//		}
//		lab := netnstest.New(t)
//		host := lab.Host("a", netip.MustParsePrefix("10.0.0.1/24"))
//		netnstest.RunTest(t, host.Unprivileged)
//	}
//
// env are further variables for the process, as NAME=value. It has a minute, or
// less if the test has. Call RunTest on the goroutine of the test.
func RunTest(t *testing.T, on Runner, env ...string) {
	t.Helper()
	limit := time.Minute
	if deadline, ok := t.Deadline(); ok {
		limit = min(limit, time.Until(deadline)*9/10)
	}
	out, err := Rerun(t.Context(), t.Name(), limit, on, env...)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("on the host:\n%s", out)
}

// ErrTest is wrapped by the error for a test that did not pass.
var ErrTest = errors.New("netnstest: the test on the host")

// Rerun is what [RunTest] does, for a test of any name and from any goroutine. It
// returns what the test printed, and an error that wraps [ErrTest] unless it ran and
// passed within the limit. When ctx ends the process is killed.
func Rerun(ctx context.Context, test string, limit time.Duration, on Runner, env ...string) (output string, err error) {
	// The test binary lies where only its owner gets to, so it goes along as an
	// open file.
	binary, err := readable()
	if err != nil {
		return "", err
	}
	defer binary.Close()
	args := []string{
		"-test.run=^" + strings.ReplaceAll(regexp.QuoteMeta(test), "/", "$/^") + "$",
		"-test.v", "-test.count=1", "-test.timeout=" + limit.String(),
	}
	if testing.Short() {
		args = append(args, "-test.short")
	}
	// The test's own time-out comes first, because it tells where it was.
	ctx, cancel := context.WithTimeout(ctx, limit+limit/20)
	defer cancel()
	cmd := on(ctx, "/proc/self/fd/3", args...)
	cmd.ExtraFiles = []*os.File{binary}
	// The race detector would sleep a second before it ends.
	race := "GORACE=atexit_sleep_ms=10 " + os.Getenv("GORACE")
	cmd.Env = append(append(os.Environ(), childMark+"=1", race), env...)
	combined, err := cmd.CombinedOutput()
	out := string(combined)
	if err != nil {
		return out, fmt.Errorf("%w: %w", ErrTest, err)
	}
	// A pattern that matches nothing is a success for go test, and a skipped test
	// is too; neither is for us.
	if !strings.Contains(out, "--- PASS: "+test+" ") {
		return out, fmt.Errorf("%w did not run to its end", ErrTest)
	}
	return out, nil
}

// readable opens the running program such that anybody may execute it through the
// open file: itself, or a copy if it has the wrong mode. The caller closes it.
func readable() (*os.File, error) {
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return nil, err
	}
	if info, err := self.Stat(); err == nil && info.Mode().Perm()&0o005 == 0o005 {
		return self, nil
	}
	defer self.Close()
	clone, err := os.CreateTemp("", "netnstest-")
	if err != nil {
		return nil, err
	}
	defer os.Remove(clone.Name()) // the open file stays
	_, err = io.Copy(clone, self)
	// A file that is open for writing cannot be executed.
	if err := errors.Join(err, clone.Chmod(0o755), clone.Close()); err != nil {
		return nil, err
	}
	return os.Open(clone.Name())
}
