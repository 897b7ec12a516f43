// Package charttest tests charts: it runs one on scripted events in virtual
// time, and compares what the chart did with what it should do.
//
//   - A [Chart] is a chart that runs in a test. Its methods are the script: Post
//     and After make something happen, the Want methods and the Golden ones
//     compare.
//   - [Run] runs an active object, with its goroutine and its timers, and
//     [RunMachine] a plain machine, with a queue and no goroutine. The script is
//     the same.
//   - [Start] and [StartMachine] are for tests with several charts, or with
//     more than charts, that bring their own bubble of package synctest.
//   - [Object] is what Run wants of an object: any type that embeds an
//     *activeobject.ActiveObject has it.
//
// The test of a door that shuts by itself:
//
//	func TestDoor(t *testing.T) {
//		charttest.Run(t, newDoor, closed, func(c *charttest.Chart[*door]) {
//			c.Post(push)
//			c.After(3 * time.Second)
//			c.WantState(closed)
//			c.WantTrace(`
//				e->start_at() top->closed
//				e->push() closed->open
//				e->shut() open->closed
//			`)
//		})
//	}
//
//	func newDoor(c activeobject.Config) *door {
//		d := &door{}
//		d.ActiveObject = activeobject.New("door", hsm.NewMachine(doors, d), c)
//		return d
//	}
//
// A script runs in a bubble of package [testing/synctest]: its time is virtual,
// stands still while a chart works, and After costs no time at all. Each step of
// a script ends when the chart has done all that follows from it and waits. So
// between two steps the script may read and write the data of the chart as if it
// were the chart's own goroutine, and call what only handlers may call. It lets
// time pass with After, not with time.Sleep.
//
// Tests may run in parallel: call t.Parallel before Run. Objects are made with a
// fabric of their own, so that what one publishes does not reach the next test.
//
// # Golden files
//
// [Chart.GoldenTrace] and [Chart.GoldenSpy] compare with a file in testdata that
// has the name of the test. To write it:
//
//	go test -run TestDoor -charttest.update
//
// A flag named update that the tests declare themselves does the same. (This
// package cannot declare it: whichever package comes second panics, and an
// imported one comes first.)
//
// # Recorded traces
//
// Package generate makes a test of the trace of a chart that ran.
package charttest
