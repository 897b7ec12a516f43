// Command seqdiagram draws the trace lines of statecharts, found anywhere in a
// log, as sequence diagrams.
//
//	seqdiagram [-number] [-i FILE] [-o FILE]
//
// Without -i it reads its standard input, without -o it writes its standard
// output; a lone - stands for either. It ends with 0; with 1 if it could not
// read or write; with 2 if it was called wrongly. Lines that look like trace
// lines but are none are skipped, and counted in one line on standard error.
//
// Package sequence says what a trace line is and how it is drawn.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/statemesh/statemesh/instrument/sequence"
)

const usage = `usage: seqdiagram [-number] [-i FILE] [-o FILE]

Draws the trace lines of statecharts, found anywhere in a log, as sequence
diagrams: one for each chart.

  -i FILE   read FILE, not standard input
  -o FILE   write FILE, not standard output
  -number   put numbers in place of (?), in order of time over all charts;
            arrows with one number happened at once
  -h        print this and end
`

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

const standard = "-"

func main() {
	// A write to a closed pipe then fails, and run ends in peace, in place of
	// the signal ending the process.
	signal.Ignore(syscall.SIGPIPE)
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the command; its result is the exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	fail := func(code int, format string, a ...any) int {
		fmt.Fprintf(stderr, "seqdiagram: "+format+"\n", a...)
		return code
	}

	flags := flag.NewFlagSet("seqdiagram", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	in := flags.String("i", standard, "")
	out := flags.String("o", standard, "")
	number := flags.Bool("number", false, "")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		_, err := io.WriteString(stdout, usage)
		if err != nil && !pipeClosed(err) {
			return fail(exitFailed, "cannot write: %v", err)
		}
		return exitOK
	case err != nil:
		return fail(exitUsage, "%v; seqdiagram -h tells more", err)
	case flags.NArg() > 0:
		return fail(exitUsage, "unexpected argument %q; seqdiagram -h tells more", flags.Arg(0))
	}

	input := stdin
	if *in != standard {
		f, err := os.Open(*in)
		if err != nil {
			return fail(exitFailed, "cannot read: %v", err)
		}
		defer f.Close()
		input = f
	}
	if *out != standard && sameFile(input, *out) {
		return fail(exitUsage, "-o %s is the input; the diagram would replace the log", *out)
	}
	log, err := sequence.Read(input)
	if err != nil {
		return fail(exitFailed, "cannot read: %v", errors.Unwrap(err))
	}

	// Only now is the output touched.
	if *out == standard {
		err = log.Draw(stdout, sequence.Options{Number: *number, Printed: true})
	} else {
		err = replaceFile(*out, func(w io.Writer) error {
			return log.Draw(w, sequence.Options{Number: *number})
		})
	}
	if pipeClosed(err) {
		return exitOK
	}
	if err != nil {
		return fail(exitFailed, "cannot write: %v", err)
	}
	if odd := log.Report().String(); odd != "" {
		return fail(exitOK, "%s", odd)
	}
	return exitOK
}

// pipeClosed says that whoever reads the output has seen enough.
func pipeClosed(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe)
}
