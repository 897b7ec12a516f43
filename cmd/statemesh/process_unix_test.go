//go:build unix

package main

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// process is the command as a process of its own.
func process(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self, args...)
	c.Env = append(os.Environ(), asMain+"=1")
	return c
}

// Ctrl-C and SIGTERM end a snoop in peace.
func TestSignals(t *testing.T) {
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		dir, _ := portDir(t)
		c := process(t, "snoop", "-dir", dir)
		stderr, err := c.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		said, hearing := "", false
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			said += lines.Text() + "\n"
			if strings.Contains(lines.Text(), "hearing") {
				hearing = true
				if err := c.Process.Signal(signal); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := c.Wait(); err != nil || !hearing {
			t.Errorf("%v: %v\n%s", signal, err, said)
		}
	}
}

// The signal of a closed pipe does not end the process.
func TestPipeIsClosed(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	c := process(t, "help")
	var stderr strings.Builder
	c.Stdout, c.Stderr = w, &stderr
	if err := c.Run(); err != nil || stderr.String() != "" {
		t.Errorf("%v, %q", err, stderr.String())
	}
	c = process(t, "nothing")
	if err := c.Run(); c.ProcessState.ExitCode() != exitUsage {
		t.Errorf("%v, want exit code %d", err, exitUsage)
	}
}
