// Command qhsmtst runs Samek's test chart, with its states in the way that the
// test of package factory has put beside this file, on the events of both
// published logs, and prints the spy. With -source it prints the flat source of
// the chart.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/statemesh/statemesh/factory"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

const events = "A B D E I F I I F A B D D E G H H C G C C G I A D D C F F E H B G I I H C B D TERMINATE A"

// source is set where the chart is built from callbacks.
var source func(factory.SourceConfig) ([]byte, error)

func main() {
	var config factory.SourceConfig
	show := flag.Bool("source", false, "print the source")
	flag.StringVar(&config.Prefix, "prefix", "", "prefix")
	flag.BoolVar(&config.Declared, "declared", false, "without declarations")
	flag.Parse()
	if err := run(*show, config); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(show bool, config factory.SourceConfig) error {
	if show {
		text, err := source(config)
		if err != nil {
			return err
		}
		_, err = os.Stdout.Write(text)
		return err
	}
	data := &qhsmtst{}
	r := hsm.NewRunner(hsm.NewMachine(chart, data), hsm.NewQueue(0, hsm.Reject), hsm.LogConfig{Spy: 2000})
	if err := r.Start(s2); err != nil {
		return err
	}
	for _, name := range strings.Fields(events) {
		if err := r.PostFIFO(hsm.Event{Signal: hsm.NewSignal(name)}); err != nil {
			return err
		}
	}
	if err := r.Run(); err != nil {
		return err
	}
	lines := instrument.Source{Tree: r.Tree()}
	for _, line := range lines.Spy(r.Log().Records(2000)) {
		fmt.Println(line)
	}
	fmt.Println("foo", data.foo, "done", data.done)
	return nil
}
