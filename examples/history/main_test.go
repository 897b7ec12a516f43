package main

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/statemesh/statemesh/examples/internal/local/localtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestHistory: an oven that baked bakes again with deep history, and toasts with
// shallow history. Before there is a history it is off.
func TestHistory(t *testing.T) {
	localtest.Prints(t, program, `
		# an oven with deep history; its door is open, and it was never shut
		[deep] e->start_at() top->door_open
		[deep] e->shut() door_open->off
		# off: heater false, lamp false
		[deep] e->bake() off->baking
		[deep] e->open() baking->door_open
		# door_open: heater false, lamp true
		[deep] e->shut() door_open->baking
		# baking: heater true, lamp false
		[deep] e->off() baking->off
		[deep] e->open() off->door_open
		# door_open: heater false, lamp true
		[deep] e->shut() door_open->off
		# off: heater false, lamp false
		# an oven with shallow history; its door is open, and it was never shut
		[shallow] e->start_at() top->door_open
		[shallow] e->shut() door_open->off
		# off: heater false, lamp false
		[shallow] e->bake() off->baking
		[shallow] e->open() baking->door_open
		# door_open: heater false, lamp true
		[shallow] e->shut() door_open->toasting
		# toasting: heater true, lamp false
		[shallow] e->off() toasting->off
		[shallow] e->open() off->door_open
		# door_open: heater false, lamp true
		[shallow] e->shut() door_open->off
		# off: heater false, lamp false
	`)
}
