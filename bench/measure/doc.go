// Package measure compares pieces of work done by us with the same work done by
// others, and judges the outcome by targets.
//
//   - A Work is what is done, by several Contestants, of which the first is ours.
//   - A Session is a contestant set up and ready; it does the work and checks that
//     it did.
//   - A Goal is one comparison that a work is made for, with its Target.
//   - A Runner runs works, their contestants taking turns, and makes Rows.
//   - WriteTable, WriteMarkdown and WriteJSON write rows.
//
// The package knows nothing of what is measured.
package measure
