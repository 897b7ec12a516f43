// Package sequence turns the trace lines of statecharts into sequence
// diagrams drawn with text.
//
// A [Log] is what [Read] found in a stream: the trace lines, taken apart by
// [Parse] into [Line]s, and a [Report] on what was skipped. [Log.Draw] writes
// one diagram a chart:
//
//	[2018-05-04 08:02:36.593144] [0ca32_ao] e->start_at() top->outer
//	[2018-05-04 08:02:40.594301] [0ca32_ao] e->to_inner() outer->inner
//
// becomes
//
//	[Statechart: 0ca32_ao] (?)
//	      top           outer          inner
//	       +--start_at()->|              |
//	       |     (?)      |              |
//	       |              +--to_inner()->|
//	       |              |     (?)      |
//
// The rules are those of the classical tool sequence.rb, byte for byte, but
// for the three places where that one loses or moves lines:
//
//  1. One diagram a chart, in the order in which the charts first appear.
//  2. One column a state, in the order in which the states first appear in
//     that chart's drawing. Every column is as wide as the longest state, or
//     the longest signal and four, whichever is more, made odd. Widths are
//     counted in Unicode code points. Blanks around a state or a signal in the
//     trace line count, though they are not drawn.
//  3. A transition is an arrow of two rows, a transition from a state to
//     itself a hook of five. Each has a mark, (?), to be filled by hand or by
//     [Options].Number. In a chart of three columns or more, an arrow from the
//     last column but one to its left neighbour stands one cell too far to the
//     right, as in the original, unless the drawing is numbered.
//  4. Lines are drawn in the order in which they were written. Stamps do not
//     sort them, but neighbours with one time stamp are chained: a line comes
//     first whose source is the target of no other, then each time the first
//     such line of the rest; a cycle goes on where the last arrow ended. Equal
//     lines are all drawn (the original draws one).
//  5. Lines that come late, after lines of one other stamp, join the earlier
//     ones of their own stamp if that leaves fewer places where an arrow does
//     not start where the last one ended (the original pulls lines of one
//     stamp together from anywhere).
//  6. Everything is indented like the first trace line (the original takes the
//     last line of the input). No row ends in a blank.
package sequence
