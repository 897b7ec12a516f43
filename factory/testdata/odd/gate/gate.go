// Package gate has a handler that charts of other packages use.
package gate

import "github.com/statemesh/statemesh/hsm"

// Open handles an event that needs no data.
func Open(hsm.Event) hsm.Status { return hsm.Handled }

// Hidden returns a handler that only this package can name.
func Hidden() func(hsm.Event) hsm.Status { return hidden }

func hidden(hsm.Event) hsm.Status { return hsm.Handled }

// Shut is a method of data that the chart does not know.
type Shut struct{ Times int }

// Count handles an event.
func (s *Shut) Count(hsm.Event) hsm.Status {
	s.Times++
	return hsm.Handled
}
