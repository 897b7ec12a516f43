// Command bench compares statemesh with what one would take instead. See README.md.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"runtime"
	"runtime/pprof"
	"strconv"
	"time"

	"github.com/statemesh/statemesh/bench/measure"
	"github.com/statemesh/statemesh/bench/works"
)

// urlVariable names the RabbitMQ to use.
const urlVariable = "STATEMESH_RABBITMQ_URL"

// absentExit is how a process for one round says that its contestant is absent.
const absentExit = 3

var errFailed = errors.New("a work failed; see its note")

// options are what the flags say.
type options struct {
	quick, json, markdown, list, child bool
	rounds                             int
	only                               *regexp.Regexp
	samples, profile                   string
	args                               []string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	o, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		err = o.run(ctx, os.Stdout, os.Stderr)
	}
	var absent *measure.Absent
	switch {
	case errors.As(err, &absent) && o.child:
		fmt.Fprint(os.Stderr, err)
		os.Exit(absentExit)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// parse reads the command line.
func parse(args []string, stderr io.Writer) (options, error) {
	o := options{only: regexp.MustCompile("")}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.BoolVar(&o.quick, "quick", false, "less than a minute: short rounds, and few")
	f.BoolVar(&o.json, "json", false, "one JSON object a row instead of a table")
	f.BoolVar(&o.markdown, "markdown", false, "the table in Markdown")
	f.BoolVar(&o.list, "list", false, "say what the works are, and run none")
	f.BoolVar(&o.child, "child", false, "one round of one contestant, for the program itself: WORK CONTESTANT N")
	f.IntVar(&o.rounds, "rounds", 0, "rounds of each work; 0 is 11, and 5 with -quick")
	f.StringVar(&o.samples, "samples", "", "write every round to this `file`, for benchstat -col /by")
	f.StringVar(&o.profile, "cpuprofile", "", "write a CPU profile to this `file`; with -child, of one contestant")
	f.Func("only", "only works whose name matches this `regexp`", func(text string) (err error) {
		o.only, err = regexp.Compile(text)
		return err
	})
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.args = f.Args()
	switch {
	case o.child && len(o.args) != 3:
		return o, errors.New("-child takes a work, a contestant and a number")
	case !o.child && len(o.args) != 0:
		return o, fmt.Errorf("unknown argument %q", o.args[0])
	case o.json && o.markdown:
		return o, errors.New("-json or -markdown, not both")
	case o.rounds < 0:
		return o, errors.New("-rounds is a number above zero")
	}
	if o.rounds == 0 {
		o.rounds = 11
		if o.quick {
			o.rounds = 5
		}
	}
	return o, nil
}

// run does what the options say.
func (o options) run(ctx context.Context, stdout, stderr io.Writer) error {
	if o.profile != "" {
		file, err := os.Create(o.profile)
		if err != nil {
			return err
		}
		defer file.Close()
		if err := pprof.StartCPUProfile(file); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	all := works.All(works.Env{Quick: o.quick, RabbitMQ: os.Getenv(urlVariable)})
	switch {
	case o.child:
		return o.round(ctx, all, stdout)
	case o.list:
		for _, w := range all {
			if o.only.MatchString(w.Name) {
				fmt.Fprintf(stdout, "%-26s %s\n", w.Name, w.About)
			}
		}
		return nil
	}
	runner := &measure.Runner{Rounds: o.rounds, Time: 100 * time.Millisecond, Fresh: o.fresh}
	if o.quick {
		runner.Time = 15 * time.Millisecond
	}
	if o.samples != "" {
		file, err := os.Create(o.samples)
		if err != nil {
			return err
		}
		defer file.Close()
		runner.Samples = file
	}
	began := time.Now()
	rows, err := runAll(ctx, runner, all, o.only, stderr)
	if err != nil {
		return err
	}
	return o.finish(stdout, rows, time.Since(began))
}

// runAll runs the works that match, and tells how far it is.
func runAll(ctx context.Context, r *measure.Runner, all []measure.Work, only *regexp.Regexp, progress io.Writer) ([]measure.Row, error) {
	var rows []measure.Row
	for _, w := range all {
		if !only.MatchString(w.Name) {
			continue
		}
		began := time.Now()
		some, err := r.Run(ctx, w)
		if err != nil {
			return nil, err
		}
		rows = append(rows, some...)
		fmt.Fprintf(progress, "%-26s %5.1f s\n", w.Name, time.Since(began).Seconds())
	}
	if len(rows) == 0 {
		return nil, errors.New("no work matches -only; -list says what there is")
	}
	return rows, nil
}

// finish writes the rows. errFailed says that a contestant failed; a target that is
// missed is no failure.
func (o options) finish(w io.Writer, rows []measure.Row, took time.Duration) error {
	if err := o.report(w, rows, took); err != nil {
		return err
	}
	for _, r := range rows {
		if r.Failed {
			return errFailed
		}
	}
	return nil
}

// report writes the rows.
func (o options) report(w io.Writer, rows []measure.Row, took time.Duration) error {
	if o.json {
		return measure.WriteJSON(w, rows)
	}
	write := measure.WriteTable
	if o.markdown {
		write = measure.WriteMarkdown
	}
	if err := write(w, rows); err != nil {
		return err
	}
	judged, met := 0, 0
	for _, r := range rows {
		if r.Met != nil {
			judged++
			if *r.Met {
				met++
			}
		}
	}
	_, err := fmt.Fprintf(w, "\n%d of %d targets met. %s, %s/%s, %d processors, %s, %d rounds, %.0f s.\n",
		met, judged, runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), time.Now().Format(time.DateOnly), o.rounds, took.Seconds())
	return err
}

// round does one round of one contestant in this process, and writes its sample.
func (o options) round(ctx context.Context, all []measure.Work, stdout io.Writer) error {
	n, err := strconv.Atoi(o.args[2])
	if err != nil || n < 1 {
		return fmt.Errorf("%q is no number of operations", o.args[2])
	}
	for _, w := range all {
		if w.Name != o.args[0] {
			continue
		}
		sample, err := w.Once(ctx, o.args[1], n)
		if err != nil {
			return err
		}
		return json.NewEncoder(stdout).Encode(sample)
	}
	return fmt.Errorf("no work %q", o.args[0])
}

// fresh does a round in a process of its own.
func (o options) fresh(ctx context.Context, work, contestant string, n int) (measure.Sample, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := []string{"-child"}
	if o.quick {
		args = append(args, "-quick")
	}
	command := exec.CommandContext(ctx, program, append(args, work, contestant, strconv.Itoa(n))...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		if command.ProcessState != nil && command.ProcessState.ExitCode() == absentExit {
			return nil, &measure.Absent{Why: stderr.String()}
		}
		return nil, fmt.Errorf("%s: %w: %s", work, err, bytes.TrimSpace(stderr.Bytes()))
	}
	var sample measure.Sample
	if err := json.Unmarshal(stdout.Bytes(), &sample); err != nil {
		return nil, fmt.Errorf("%s: %w", work, err)
	}
	return sample, nil
}
