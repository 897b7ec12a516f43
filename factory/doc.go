// Package factory builds a chart from callbacks: one small function for each
// signal that a state catches, in place of one function a state with a switch
// in it. Both ways end in the same [hsm.Chart], and nothing that runs a chart
// knows which way it was written.
//
// A [Factory] creates states, and nests them; a [State] catches signals:
//
//	const (
//		outer hsm.State = iota + 1 // hsm.Top is 0
//		inner
//	)
//
//	var chart = factory.New[*ergodic]().
//		Create(outer, "outer").
//		Catch(hsm.Init, (*ergodic).outerInit).
//		Catch(toInner, (*ergodic).goInner).
//		Create(inner, "inner").
//		Catch(hsm.Entry, (*ergodic).innerEntry).
//		Nest(inner, outer).
//		MustCompile()
//
//	func (c *ergodic) goInner(e hsm.Event) hsm.Status { return hsm.Tran(inner) }
//
// What a chart built this way does:
//
//  1. A signal that a state catches goes to its handler, and the handler's
//     answer is the state's.
//  2. A signal that a state does not catch goes to its superstate. Entry, Exit
//     and Init are no exception: a state that does not catch them has nothing
//     to do on them.
//  3. A handler that answers [hsm.Unhandled], since its guard said no, passes
//     the signal on to the superstate. Unlike in a chart that was written flat,
//     the spy has no EMPTY_SIGNAL line for it.
//  4. Catching a signal again replaces its handler; nesting a state again moves
//     it. Charts that were compiled before keep what they have.
//
// Since a factory knows what its states catch, a chart of it describes that
// ([hsm.Tree.Describe]), and its machines make no call for anything else, as with
// Catches in an [hsm.Spec].
//
// [Factory.Source] writes the chart as flat Go source, for whoever wants to read
// it that way or go on with it that way.
//
// A Factory belongs to one goroutine at a time; the charts it compiles to
// everybody.
package factory
