//go:build unix

package main

import (
	"io"
	"os"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is not an ordinary file is written to and stays what it is. The pipe
// stands for devices too: a test that named one would ruin the machine if this
// code were broken and the tester privileged.
func TestPipeStaysPipe(t *testing.T) {
	testDir(t)
	if err := syscall.Mkfifo("pipe", 0o600); err != nil {
		t.Fatal(err)
	}
	// Open for both, it does not wait for the other side.
	pipe, err := os.OpenFile("pipe", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	if sameFile(pipe, "pipe") {
		t.Error("the pipe is refused as input and output, want only ordinary files refused")
	}
	if code := run([]string{"-i", "in.txt", "-o", "pipe"}, nil, io.Discard, io.Discard); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if info, err := os.Lstat("pipe"); err != nil || info.Mode().Type() != os.ModeNamedPipe {
		t.Fatalf("pipe is %v, %v; want a pipe", info, err)
	}
	got := make([]byte, len(drawing))
	if _, err := io.ReadFull(pipe, got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(drawing, string(got)); diff != "" {
		t.Errorf("pipe (-want +got):\n%s", diff)
	}
}
