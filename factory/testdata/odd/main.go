// Command odd runs a chart of odd names, with its states in the way that the
// test of package factory has put beside this file, and prints the spy. With
// -source it prints the flat source of the chart.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/statemesh/statemesh/factory"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

// source is set where the chart is built from callbacks.
var source func(factory.SourceConfig) ([]byte, error)

func main() {
	show := flag.Bool("source", false, "print the source")
	flag.Parse()
	if err := run(*show); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(show bool) error {
	if show {
		text, err := source(factory.SourceConfig{})
		if err != nil {
			return err
		}
		_, err = os.Stdout.Write(text)
		return err
	}
	o := &odd{base: &base{}}
	r := hsm.NewRunner(hsm.NewMachine(chart, o), hsm.NewQueue(0, hsm.Reject), hsm.LogConfig{Spy: 2000})
	for start := number1; start <= number11; start++ {
		if err := r.Start(start); err != nil {
			return err
		}
		for _, name := range []string{
			"outer", "func", "e", "hsm", "A", "a", "gate", "!!!", "?", "café au lait", "with \"quotes\"\n", "outer",
		} {
			if err := r.PostFIFO(hsm.Event{Signal: hsm.NewSignal(name)}); err != nil {
				return err
			}
		}
		if err := r.Run(); err != nil {
			return err
		}
	}
	lines := instrument.Source{Tree: r.Tree()}
	for _, line := range lines.Spy(r.Log().Records(2000)) {
		fmt.Printf("%q\n", line)
	}
	fmt.Printf("%d, %q\n", o.n, o.heard)
	return nil
}
