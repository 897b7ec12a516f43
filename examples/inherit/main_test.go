package main

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/statemesh/statemesh/examples/internal/local/localtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestInherit: turn means nothing to a lamp; all else a dimmer has from it.
func TestInherit(t *testing.T) {
	localtest.Prints(t, program, `
		# a lamp
		[lamp] e->start_at() top->off
		[lamp] e->press() off->on
		# press: 100 %
		# turn: 100 %
		# turn: 100 %
		# turn: 100 %
		[lamp] e->press() on->off
		# press: 0 %
		[lamp] e->press() off->on
		# press: 100 %
		# turn: 100 %
		[lamp] e->power_cut() on->off
		# power_cut: 0 %
		# a dimmer
		[dimmer] e->start_at() top->off
		[dimmer] e->press() off->on
		# press: 100 %
		[dimmer] e->turn() on->dimmed
		# turn: 40 %
		[dimmer] e->turn() dimmed->on
		# turn: 100 %
		[dimmer] e->turn() on->dimmed
		# turn: 40 %
		[dimmer] e->press() dimmed->off
		# press: 0 %
		[dimmer] e->press() off->on
		# press: 100 %
		[dimmer] e->turn() on->dimmed
		# turn: 40 %
		[dimmer] e->power_cut() dimmed->off
		# power_cut: 0 %
	`)
}
