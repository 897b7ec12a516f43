// Package activeobject runs a statechart on a goroutine of its own, fed by a
// queue: Samek's active object.
//
//   - An [ActiveObject] is a machine with its goroutine, its queue, its deferred
//     events and its timers.
//   - A [Timing] makes a post wait, and repeat; a [Wheel] times the posts of many
//     objects together.
//   - A [Fabric] carries published events to the objects that subscribed.
//   - A [Failure] says why a step failed; [Supervision] says what becomes of the
//     object then: it stops, or is restarted, within limits.
//   - A [Slow] tells of a step that takes too long, while it does.
//
// A chart's data embeds the object, so that its handlers post, publish and set
// timers as methods of their own:
//
//	type light struct {
//		*activeobject.ActiveObject
//		switched int // only the object's own goroutine touches it
//	}
//
//	l := &light{}
//	l.ActiveObject = activeobject.New("light", hsm.NewMachine(chart, l), activeobject.Config{})
//	err := l.Start(ctx, off)
//
// The object's goroutine takes one event after the other from the queue and
// runs each step to its end. Waiting for events, it is parked; when none has come for
// a second or two, or none at all since the start, it ends, and the next event
// begins another. So handlers run one at a time and see what those before them did,
// but must not rely on being on the same goroutine or, with runtime.LockOSThread,
// on the same thread. Timers have no goroutines.
package activeobject
