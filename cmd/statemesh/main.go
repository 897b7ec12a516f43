// Command statemesh looks at a mesh from outside, and gets one started.
//
//	statemesh keygen     write credentials and a mesh key into .env
//	statemesh discover   look once for nodes on the LAN
//	statemesh snoop      print the trace and spy of a mesh
//	statemesh send       transmit one event
//	statemesh health     ask the nodes of a mesh how they are doing
//	statemesh test       make a Go test of a recorded trace
//
// statemesh help COMMAND tells more. It ends with 0; with 1 if something went wrong;
// with 2 if it was called wrongly.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"github.com/statemesh/statemesh/network"
	"github.com/statemesh/statemesh/network/discovery"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	// A write to a closed pipe then fails, and run ends in peace, in place of
	// the signal ending the process.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the command; its result is the exit code. When ctx ends, it ends.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return newTool(stdin, stdout, stderr).run(ctx, args)
}

// tool is one call of statemesh.
type tool struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer // any goroutine may write to it

	// Tests replace these: what discovers, and what changes the Config of a node before it
	// is made; nil is nothing.
	discover func(context.Context, network.Config) (discovery.Report, error)
	adjust   func(*network.Config)
}

func newTool(stdin io.Reader, stdout, stderr io.Writer) *tool {
	return &tool{stdin: stdin, stdout: stdout, stderr: &oneAtATime{w: stderr}, discover: network.Discover}
}

// usageError is a mistake of whoever typed the command.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func wrongUsage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func (t *tool) run(ctx context.Context, args []string) int {
	if len(args) == 0 {
		fmt.Fprint(t.stderr, overview())
		return exitUsage
	}
	name, args := args[0], args[1:]
	var err error
	switch name {
	case "help", "-h", "-help", "--help":
		name = "help"
		err = t.help(args)
	case "version", "-version", "--version":
		name = "version"
		err = t.version(args)
	default:
		c, found := commandNamed(name)
		if !found {
			name, err = "", unknownCommand(name)
			break
		}
		err = t.call(ctx, c, args)
	}
	return t.ended(name, err)
}

// call runs a command.
func (t *tool) call(ctx context.Context, c command, args []string) error {
	flags := flag.NewFlagSet(c.name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	work := c.setUp(t, flags)
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return t.print(c.help())
	case err != nil:
		return usageError{err}
	case flags.NArg() < c.least:
		return wrongUsage("%s is missing", strings.Fields(c.args)[flags.NArg()])
	case flags.NArg() > c.most && c.most == 0:
		return wrongUsage("unexpected argument %q", flags.Arg(0))
	case flags.NArg() > c.most:
		return wrongUsage("unexpected argument %q; flags stand before %s", flags.Arg(c.most), strings.Fields(c.args)[0])
	}
	return work(ctx, flags.Args())
}

// ended says what went wrong, a line for each mistake, and returns the exit code.
func (t *tool) ended(command string, err error) int {
	if err == nil || pipeClosed(err) {
		return exitOK
	}
	code, more := exitFailed, ""
	if errors.As(err, new(usageError)) {
		code, more = exitUsage, "; statemesh help "+command+" tells more"
		if command == "" || command == "help" {
			more = "; statemesh help tells more"
		}
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		t.warn(command, strings.TrimPrefix(line, "network: ")+more)
	}
	return code
}

// warn writes a line about a command to standard error.
func (t *tool) warn(command, text string) {
	fmt.Fprintf(t.stderr, "%s: %s\n", strings.TrimSpace("statemesh "+command), text)
}

// print writes to standard output.
func (t *tool) print(text string) error {
	if _, err := io.WriteString(t.stdout, text); err != nil {
		return &writeError{err}
	}
	return nil
}

// writeError: standard output takes no more.
type writeError struct{ err error }

func (e *writeError) Error() string { return "cannot write: " + e.err.Error() }
func (e *writeError) Unwrap() error { return e.err }

// pipeClosed says that whoever reads the output has seen enough.
func pipeClosed(err error) bool {
	w, ok := errors.AsType[*writeError](err)
	return ok && (errors.Is(w, syscall.EPIPE) || errors.Is(w, io.ErrClosedPipe))
}

// oneAtATime lets several goroutines write to one writer.
type oneAtATime struct {
	mu sync.Mutex // guards w
	w  io.Writer
}

// Write implements io.Writer.
func (o *oneAtATime) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.w.Write(b)
}
