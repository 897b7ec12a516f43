package sequence_test

import (
	"fmt"
	"os"
	"strings"

	"github.com/statemesh/statemesh/instrument/sequence"
)

func Example() {
	const trace = `
started
[+s] 0ca32_ao START
[+t] [2018-05-04 08:02:36.593144] [0ca32_ao] e->start_at() top->outer
[+t] [2018-05-04 08:02:40.594301] [0ca32_ao] e->to_inner() outer->inner
[+t] [last Friday] [0ca32_ao] e->to_outer() inner->outer
[+t] [2018-05-04 08:02:51.601238] [0ca32_ao] e->again() inner->inner
`
	log, err := sequence.Read(strings.NewReader(trace))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := log.Draw(os.Stdout, sequence.Options{}); err != nil {
		fmt.Println(err)
	}
	fmt.Println(log.Report())
	// Output:
	// [Statechart: 0ca32_ao] (?)
	//       top           outer          inner
	//        +--start_at()->|              |
	//        |     (?)      |              |
	//        |              +--to_inner()->|
	//        |              |     (?)      |
	//        |              |              +
	//        |              |               \ (?)
	//        |              |               again()
	//        |              |               /
	//        |              |              <
	// skipped 2 of 7 lines: 1 with bad time stamp (first: line 6), 1 with a spy tag (first: line 3)
}

func ExampleParse() {
	l, err := sequence.Parse([]byte("[08:02:40.5] [my-chart] e->to_inner() outer->inner"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s: %s, %s to %s\n", l.Chart, l.Signal, l.From, l.To)
	// Output:
	// my-chart: to_inner(), outer to inner
}

// Numbers go up with time over all charts; equal numbers happened at once.
func ExampleOptions_number() {
	log, err := sequence.Read(strings.NewReader(`
[10:00:01.123] [archer] e->start_at() top->waiting
[10:00:01.123] [horse] e->start_at() top->standing
[10:00:02.500] [archer] e->mount() waiting->riding
[10:00:02.511] [horse] e->mounted() standing->running
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := log.Draw(os.Stdout, sequence.Options{Number: true}); err != nil {
		fmt.Println(err)
	}
	// Output:
	// [Statechart: archer]
	//       top          waiting        riding
	//        +--start_at()->|              |
	//        |     (1)      |              |
	//        |              +----mount()-->|
	//        |              |     (2)      |
	//
	// [Statechart: horse]
	//       top         standing        running
	//        +--start_at()->|              |
	//        |     (1)      |              |
	//        |              +---mounted()->|
	//        |              |     (3)      |
}
