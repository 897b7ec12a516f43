package main

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/statemesh/statemesh/examples/internal/local/localtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestHook: help and quit reach window from editor, and not from dialog; key
// the other way round; no hook exits or enters anything.
func TestHook(t *testing.T) {
	localtest.Prints(t, program, `
		[app] e->start_at() top->editor
		app START
		app ENTRY_SIGNAL:window
		app INIT_SIGNAL:window
		app ENTRY_SIGNAL:editor
		app INIT_SIGNAL:editor
		app <- Queued:(0) Deferred:(0)
		# key, in editor
		# editor: insert a letter
		app key:editor
		app key:editor:HOOK
		app <- Queued:(0) Deferred:(0)
		# help, in editor
		# window: help, contents
		app help:editor
		app help:window
		app help:window:HOOK
		app <- Queued:(0) Deferred:(0)
		# quit, in editor
		# window: really?
		app quit:editor
		app quit:window
		app quit:window:HOOK
		app <- Queued:(0) Deferred:(0)
		# open, in editor
		[app] e->open() editor->dialog
		app open:editor
		app EXIT_SIGNAL:editor
		app ENTRY_SIGNAL:dialog
		app INIT_SIGNAL:dialog
		app <- Queued:(0) Deferred:(0)
		# key, in dialog
		# window: beep
		app key:dialog
		app key:window
		app key:window:HOOK
		app <- Queued:(0) Deferred:(0)
		# help, in dialog
		# dialog: help on opening files
		app help:dialog
		app help:dialog:HOOK
		app <- Queued:(0) Deferred:(0)
		# quit, in dialog
		app quit:dialog
		app quit:dialog:HOOK
		app <- Queued:(0) Deferred:(0)
		# resize, in dialog
		app resize:dialog
		app resize:window
		app <- Queued:(0) Deferred:(0)
		# done, in dialog
		[app] e->done() dialog->editor
		app done:dialog
		app EXIT_SIGNAL:dialog
		app ENTRY_SIGNAL:editor
		app INIT_SIGNAL:editor
		app <- Queued:(0) Deferred:(0)
	`, "-spy")
}
