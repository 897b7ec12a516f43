package diagram_test

import (
	"fmt"
	"strings"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument/diagram"
)

// What a chart declares, as a picture that Markdown renders.
func ExampleMermaid() {
	const door, closed, open hsm.State = 1, 2, 3
	push := hsm.NewSignal("push")
	super := func(struct{}, hsm.Event) hsm.Status { return hsm.Super }
	chart := hsm.MustCompile([]hsm.Spec[struct{}]{
		door:   {Name: "door", Handle: super, Init: closed},
		closed: {Name: "closed", Parent: door, Handle: super, Catches: []hsm.Signal{push}},
		open:   {Name: "open", Parent: door, Handle: super},
	})
	fmt.Print(diagram.Mermaid(chart.Describe()))
	// Output:
	// stateDiagram-v2
	//     state "door" as s1
	//     state s1 {
	//         state "closed" as s2
	//         s2 : push
	//         state "open" as s3
	//         [*] --> s2
	//     }
}

// What a chart declares, as the source of a picture by Graphviz: dot -Tsvg.
func ExampleDOT() {
	const closed, open hsm.State = 1, 2
	super := func(struct{}, hsm.Event) hsm.Status { return hsm.Super }
	chart := hsm.MustCompile([]hsm.Spec[struct{}]{
		closed: {Name: "closed", Handle: super, Catches: []hsm.Signal{hsm.NewSignal("push")}},
		open:   {Name: "open", Handle: super},
	})
	d := chart.Describe()
	if err := d.Add("push", "closed", "open"); err != nil {
		fmt.Println(err)
	}
	fmt.Print(diagram.DOT(d))
	// Output:
	// digraph chart {
	// 	compound=true;
	// 	node [shape=box, style=rounded];
	// 	s1 [label="closed\npush"];
	// 	s2 [label="open"];
	// 	s1 -> s2 [label="push"];
	// }
}

// What a chart did, from a log that holds other things too.
func ExampleAddTrace() {
	const closed, open hsm.State = 1, 2
	super := func(struct{}, hsm.Event) hsm.Status { return hsm.Super }
	chart := hsm.MustCompile([]hsm.Spec[struct{}]{
		closed: {Name: "closed", Handle: super},
		open:   {Name: "open", Handle: super},
	})
	recording := strings.NewReader(`
		[2018-05-04 08:02:40.594301] [front] e->start_at() top->closed
		the weather is fine
		[2018-05-04 08:02:41.102938] [front] e->push() closed->open
		[2018-05-04 08:02:41.500000] [radio] e->start_at() top->silent
	`)
	d := chart.Describe()
	lines, err := diagram.AddTrace(d, recording, "front") // without a name, the radio's states are an error
	fmt.Println(lines, err)
	fmt.Print(d)
	fmt.Print(diagram.Mermaid(d))
	// Output:
	// 2 <nil>
	// closed
	// open
	// seen
	//   start_at: top -> closed
	//   push: closed -> open
	// stateDiagram-v2
	//     state "closed" as s1
	//     state "open" as s2
	//     [*] --> s1 : start_at
	//     s1 --> s2 : push
}

// The lines of a trace, with the places where they stand.
func ExampleRead() {
	recording := strings.NewReader("starting up\n" +
		"[2018-05-04 08:02:40.594301] [front] e->push() closed->open\n" +
		`{"time":"2018-05-04T08:02:41Z","name":"front","signal":"shut","from":"open","to":"closed","node":"hall"}` + "\n")
	for line, err := range diagram.Read(recording) {
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Println(line.Number, line)
	}
	// Output:
	// 2 [2018-05-04 08:02:40.594301] [front] e->push() closed->open
	// 3 [2018-05-04 08:02:41.000000] [front] e->shut() open->closed
}
