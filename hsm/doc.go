// Package hsm runs hierarchical state machines (statecharts) with the
// semantics of Miro Samek's "Practical UML Statecharts in C/C++".
//
// Five nouns carry it:
//
//   - [Signal] names what happens; an [Event] is a signal with a payload.
//   - [Chart] is an immutable, checked table of states, made by [Compile] from
//     one [Spec] a state and shared by any number of machines.
//   - [Machine] is one running instance of a chart: Start, Dispatch, State, In.
//   - [Queue] holds the events that wait for a machine and the deferred ones;
//     [Runner] joins a machine and a queue, so that a chart can be run and
//     tested with no goroutine at all.
//   - [Log] records what a machine does. Without one, recording costs nothing.
//
// # A transition
//
// An event is offered to the current leaf and then to each superstate in turn,
// until a handler answers something else than [Super] or [Unhandled]. When a
// handler answers Tran(T), and S is the state that it belongs to:
//
//  1. The handler's own code has run already, before anything is exited.
//  2. Every state from the leaf up to S, S not included, is exited.
//  3. Transitions are local. If S is T, S is exited and entered again. If T is
//     inside S, S is not exited. If S is inside T, T is neither exited nor
//     entered. Otherwise S and its superstates below the least common ancestor
//     of S and T are exited.
//  4. The states below that ancestor down to T are entered, outermost first.
//  5. T gets Init. If it has an initial transition, the states on the way to
//     its target are entered, the target gets Init, and so on.
//  6. The last state entered is the new leaf.
//
// Entry, exit and init need not be handled. An initial transition may only
// lead to a proper descendant of its state. A handler may post, defer and
// recall, and may not dispatch: one step runs to completion before the next.
//
// Nothing in this package starts a goroutine. A Machine, a Queue and a Runner
// belong to one goroutine at a time; a Chart and a Signal to everybody; a Log
// is written by its machine and may be read by any goroutine.
package hsm
