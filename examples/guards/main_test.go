package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/statemesh/statemesh/examples/internal/local/localtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestGuards: trace and spy of the chart, written both ways.
func TestGuards(t *testing.T) {
	localtest.Prints(t, program, `
		# the chart flat
		[flat] e->start_at() top->locked
		flat START
		flat ENTRY_SIGNAL:door
		flat INIT_SIGNAL:door
		flat ENTRY_SIGNAL:locked
		flat INIT_SIGNAL:locked
		flat <- Queued:(0) Deferred:(0)
		# knock
		# who is there?
		flat knock:locked
		flat knock:door
		flat knock:door:HOOK
		flat <- Queued:(0) Deferred:(0)
		# code(guess)
		flat code:locked
		flat EMPTY_SIGNAL:locked
		flat code:door
		flat code:door:HOOK
		flat <- Queued:(0) Deferred:(0)
		# code(sesame)
		[flat] e->code() locked->open
		flat code:locked
		flat EXIT_SIGNAL:locked
		flat ENTRY_SIGNAL:open
		flat INIT_SIGNAL:open
		flat <- Queued:(0) Deferred:(0)
		# shut
		[flat] e->shut() open->locked
		flat shut:open
		flat EXIT_SIGNAL:open
		flat ENTRY_SIGNAL:locked
		flat INIT_SIGNAL:locked
		flat <- Queued:(0) Deferred:(0)
		# code(guess)
		flat code:locked
		flat EMPTY_SIGNAL:locked
		flat code:door
		flat code:door:HOOK
		flat <- Queued:(0) Deferred:(0)
		# code(guess)
		flat code:locked
		flat EMPTY_SIGNAL:locked
		flat code:door
		flat code:door:HOOK
		flat <- Queued:(0) Deferred:(0)
		# code(guess)
		[flat] e->code() locked->alarmed
		flat code:locked
		flat EMPTY_SIGNAL:locked
		flat code:door
		flat EXIT_SIGNAL:locked
		flat ENTRY_SIGNAL:alarmed
		flat INIT_SIGNAL:alarmed
		flat <- Queued:(0) Deferred:(0)
		# code(sesame)
		flat code:alarmed
		flat code:alarmed:HOOK
		flat <- Queued:(0) Deferred:(0)
		# the chart callbacks
		[callbacks] e->start_at() top->locked
		callbacks START
		callbacks ENTRY_SIGNAL:door
		callbacks INIT_SIGNAL:door
		callbacks ENTRY_SIGNAL:locked
		callbacks INIT_SIGNAL:locked
		callbacks <- Queued:(0) Deferred:(0)
		# knock
		# who is there?
		callbacks knock:locked
		callbacks knock:door
		callbacks knock:door:HOOK
		callbacks <- Queued:(0) Deferred:(0)
		# code(guess)
		callbacks code:locked
		callbacks code:door
		callbacks code:door:HOOK
		callbacks <- Queued:(0) Deferred:(0)
		# code(sesame)
		[callbacks] e->code() locked->open
		callbacks code:locked
		callbacks EXIT_SIGNAL:locked
		callbacks ENTRY_SIGNAL:open
		callbacks INIT_SIGNAL:open
		callbacks <- Queued:(0) Deferred:(0)
		# shut
		[callbacks] e->shut() open->locked
		callbacks shut:open
		callbacks EXIT_SIGNAL:open
		callbacks ENTRY_SIGNAL:locked
		callbacks INIT_SIGNAL:locked
		callbacks <- Queued:(0) Deferred:(0)
		# code(guess)
		callbacks code:locked
		callbacks code:door
		callbacks code:door:HOOK
		callbacks <- Queued:(0) Deferred:(0)
		# code(guess)
		callbacks code:locked
		callbacks code:door
		callbacks code:door:HOOK
		callbacks <- Queued:(0) Deferred:(0)
		# code(guess)
		[callbacks] e->code() locked->alarmed
		callbacks code:locked
		callbacks code:door
		callbacks EXIT_SIGNAL:locked
		callbacks ENTRY_SIGNAL:alarmed
		callbacks INIT_SIGNAL:alarmed
		callbacks <- Queued:(0) Deferred:(0)
		# code(sesame)
		callbacks code:alarmed
		callbacks code:alarmed:HOOK
		callbacks <- Queued:(0) Deferred:(0)
	`)
}

// TestOneLine: the two ways differ in the EMPTY_SIGNAL lines and in nothing else.
func TestOneLine(t *testing.T) {
	spy := map[string][]string{}
	for _, line := range localtest.Output(t, program, "-trace=false") {
		if name, line, found := strings.Cut(line, " "); found && name != "#" {
			spy[name] = append(spy[name], line)
		}
	}
	isEmpty := func(line string) bool { return strings.HasPrefix(line, "EMPTY_SIGNAL:") }
	if !slices.Contains(spy["flat"], "EMPTY_SIGNAL:locked") {
		t.Error("the spy of the flat chart has no guard that said no")
	}
	without := slices.DeleteFunc(slices.Clone(spy["flat"]), isEmpty)
	if diff := cmp.Diff(without, spy["callbacks"]); diff != "" {
		t.Errorf("the spy of the callbacks (-flat without EMPTY_SIGNAL +callbacks):\n%s", diff)
	}
}
