// Package instrument turns what machines do into text that people read: the
// trace, one line a transition, and the spy, one line a call of a state.
//
//   - A [Recorder] remembers the newest of both for one machine and makes text
//     of them when asked.
//   - A [Live] is told every step as it happens and hands the lines to
//     functions of the user, on a goroutine of its own, so that neither a slow
//     nor a failing one holds up the machine.
//   - [Trace] is one line of the trace with all that is known about it, as text
//     and as JSON.
//   - [Printer] makes functions for a Live that write lines, coloured or plain.
//
// The text formats are fixed, since other programs read them:
//
//	[2018-05-04 08:02:40.594301] [0ca32_ao] e->to_inner() outer->inner
//	to_inner:outer
//	to_inner:outer:HOOK
//	POST_FIFO:B  POST_LIFO:B  POST_DEFERRED:B  RECALL:B  QUEUE_FULL:B
//	SUBSCRIBING TO:(B, TYPE:fifo)  UNSUBSCRIBING FROM:(B)  PUBLISH:(B, PRIORITY:1000)
//	<- Queued:(0) Deferred:(0)
//
// The first is a line of the trace; a start is e->start_at() top->outer. The
// others are lines of the spy.
package instrument
