// Package diagram draws charts: from what a [hsm.Description] says of them, and
// from the transitions that were recorded while they ran.
//
//   - [Mermaid] and [DOT] write a description as the source of a picture.
//   - [Read] reads the lines of a recorded trace, text and JSON, from a stream
//     that may hold anything else too.
//   - [AddTrace] adds the transitions of such a stream to a description.
//
// A description knows states, superstates and declared initial transitions; what
// a chart does on a signal is code, and only a trace shows it. So a picture of
// what a chart really did is
//
//	d := chart.Describe()
//	_, err := diagram.AddTrace(d, recording)
//	fmt.Print(diagram.Mermaid(d))
package diagram
