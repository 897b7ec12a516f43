package instrument_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

// TestSpyLines has every kind of record by itself.
func TestSpyLines(t *testing.T) {
	counts := func(queued, deferred int) int64 { return int64(queued)<<32 | int64(deferred) }
	for _, test := range []struct {
		name   string
		record hsm.Record
		want   []string
	}{
		{"start", hsm.Record{Kind: hsm.KindStart, State: tub}, []string{
			"START", "SEARCH_FOR_SUPER_SIGNAL:tub", "SEARCH_FOR_SUPER_SIGNAL:bath", "SEARCH_FOR_SUPER_SIGNAL:flat", "SEARCH_FOR_SUPER_SIGNAL:house",
		}},
		{"call", hsm.Record{Kind: hsm.KindCall, State: hall, Signal: sigA}, []string{"A:hall"}},
		{"call that handled", hsm.Record{Kind: hsm.KindCall, State: hall, Signal: sigA, Handled: true}, []string{"A:hall"}},
		{"call with entry", hsm.Record{Kind: hsm.KindCall, State: hall, Signal: hsm.Entry, Handled: true}, []string{"ENTRY_SIGNAL:hall"}},
		{"call with init", hsm.Record{Kind: hsm.KindCall, State: hall, Signal: hsm.Init}, []string{"INIT_SIGNAL:hall"}},
		{"call with exit, not handled", hsm.Record{Kind: hsm.KindCall, State: hall, Signal: hsm.Exit}, []string{"EXIT_SIGNAL:hall"}},
		{"call with exit, handled", hsm.Record{Kind: hsm.KindCall, State: hall, Signal: hsm.Exit, Handled: true}, []string{"EXIT_SIGNAL:hall", "SEARCH_FOR_SUPER_SIGNAL:hall"}},
		{"guard said no", hsm.Record{Kind: hsm.KindCall, State: hall, Signal: hsm.Empty}, []string{"EMPTY_SIGNAL:hall"}},
		{"hook", hsm.Record{Kind: hsm.KindHook, State: hall, Signal: sigA}, []string{"A:hall:HOOK"}},
		{"transition", hsm.Record{Kind: hsm.KindTran, State: hall, Number: int64(tub)}, nil}, // its lines come with the calls
		{"initial transition", hsm.Record{Kind: hsm.KindInitTran, State: house, Number: int64(tub)}, []string{
			"SEARCH_FOR_SUPER_SIGNAL:tub", "SEARCH_FOR_SUPER_SIGNAL:bath", "SEARCH_FOR_SUPER_SIGNAL:flat",
		}},
		{"end", hsm.Record{Kind: hsm.KindEnd, Number: counts(3, 12)}, []string{"<- Queued:(3) Deferred:(12)"}},
		{"post fifo", hsm.Record{Kind: hsm.KindPostFIFO, Signal: sigB}, []string{"POST_FIFO:B"}},
		{"post lifo", hsm.Record{Kind: hsm.KindPostLIFO, Signal: sigB}, []string{"POST_LIFO:B"}},
		{"defer", hsm.Record{Kind: hsm.KindDefer, Signal: sigB}, []string{"POST_DEFERRED:B"}},
		{"recall", hsm.Record{Kind: hsm.KindRecall, Signal: sigB}, []string{"RECALL:B"}},
		{"rejected", hsm.Record{Kind: hsm.KindRejected, Signal: sigB}, []string{"QUEUE_FULL:B"}},
		{"subscribe", hsm.Record{Kind: hsm.KindSubscribe, Signal: sigB}, []string{"SUBSCRIBING TO:(B, TYPE:fifo)"}},
		{"subscribe lifo", hsm.Record{Kind: hsm.KindSubscribeLIFO, Signal: sigB}, []string{"SUBSCRIBING TO:(B, TYPE:lifo)"}},
		{"unsubscribe", hsm.Record{Kind: hsm.KindUnsubscribe, Signal: sigB}, []string{"UNSUBSCRIBING FROM:(B)"}},
		{"publish", hsm.Record{Kind: hsm.KindPublish, Signal: sigB, Number: 1000}, []string{"PUBLISH:(B, PRIORITY:1000)"}},
		{"scribble", hsm.Record{Kind: hsm.KindScribble, Signal: hsm.Intern("half way: 50 %")}, []string{"half way: 50 %"}},
		{"empty scribble", hsm.Record{Kind: hsm.KindScribble}, []string{""}},
		{"a kind of the future", hsm.Record{Kind: 200}, []string{"UNKNOWN RECORD:200"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := instrument.Source{Name: "cat", Tree: &rooms.Tree}
			if diff := cmp.Diff(test.want, slices.Clip(append([]string(nil), s.Spy([]hsm.Record{test.record})...))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			s.NoSearch = true
			want := withoutSearch(test.want)
			if diff := cmp.Diff(want, withoutSearch(s.Spy([]hsm.Record{test.record}))); diff != "" {
				t.Errorf("without search lines (-want +got):\n%s", diff)
			}
			if n := len(s.Spy([]hsm.Record{test.record})); n != len(want) {
				t.Errorf("%d lines without search lines, want %d", n, len(want))
			}
		})
	}
}

func withoutSearch(lines []string) []string {
	var out []string
	for _, line := range lines {
		if !strings.HasPrefix(line, "SEARCH_FOR_SUPER_SIGNAL:") {
			out = append(out, line)
		}
	}
	return out
}

// wander is a walk through all kinds of transitions: to itself, down, up, to a
// sibling, far away; hooks, guards and what nobody handles between them.
var wander = []string{
	"to_hall", "to_flat", "to_tub", "to_bath", "A", "to_house", "to_attic", "B", "to_garden", "unknown", "to_tub", "to_garden", "to_house", "to_flat",
}

// wanderer returns a reaction to wander's A and B.
func wanderer(at hsm.State, e hsm.Event) hsm.Status {
	switch {
	case e.Signal == sigA && at == flat, e.Signal == sigB && at == house:
		return hsm.Handled
	case e.Signal == sigB && at == attic:
		return hsm.Unhandled
	case e.Signal == hsm.Init && at == house:
		return hsm.Tran(hall)
	case e.Signal == hsm.Exit && at == bath:
		return hsm.Super
	}
	return 0
}

// TestSpyFromTheMiddleOfAStep begins at every record of a walk, as a ring does
// that has forgotten the rest: what is left is told as before. Only search lines
// of the step that was cut may be missing, or differ.
func TestSpyFromTheMiddleOfAStep(t *testing.T) {
	l := hsm.NewLog(hsm.LogConfig{Spy: 10000})
	dispatch(t, newWalker(t, l, wanderer), wander...)
	records := l.Records(10000)
	full := instrument.Source{Tree: &rooms.Tree}
	plain := instrument.Source{Tree: &rooms.Tree, NoSearch: true}
	all, allPlain := full.Spy(records), plain.Spy(records)
	if len(all) == len(allPlain) || !slices.Equal(withoutSearch(all), allPlain) {
		t.Fatalf("NoSearch leaves out more or less than the search lines:\n%q\n%q", all, allPlain)
	}
	for i := range records {
		got := plain.Spy(records[i:])
		if want := allPlain[len(allPlain)-len(got):]; !slices.Equal(got, want) {
			t.Errorf("from record %d, without search lines (-want +got):\n%s", i, cmp.Diff(want, got))
		}
		got = full.Spy(records[i:])
		if found := withoutSearch(got); !slices.Equal(found, allPlain[len(allPlain)-len(found):]) {
			t.Errorf("from record %d: lines other than search lines differ: %q", i, found)
		}
		end := slices.IndexFunc(got, func(line string) bool { return strings.HasPrefix(line, "<- ") })
		if whole := got[end+1:]; !slices.Equal(whole, all[len(all)-len(whole):]) {
			t.Errorf("from record %d: a step that was not cut is told otherwise than before", i)
		}
	}
}

// TestSpyUpToTheMiddleOfAStep is what a reader gets of a step whose end was
// forgotten, or never came because its handler panicked: the same lines, up to
// there.
func TestSpyUpToTheMiddleOfAStep(t *testing.T) {
	l := hsm.NewLog(hsm.LogConfig{Spy: 10000})
	dispatch(t, newWalker(t, l, wanderer), wander...)
	records := l.Records(10000)
	s := instrument.Source{Tree: &rooms.Tree}
	all := s.Spy(records)
	for i := range records {
		got := s.Spy(records[:i])
		if !slices.Equal(got, all[:min(len(got), len(all))]) {
			t.Errorf("up to record %d (-want +got):\n%s", i, cmp.Diff(all[:len(got)], got))
		}
	}
}

func TestSpyOfNothing(t *testing.T) {
	s := instrument.Source{Tree: &rooms.Tree}
	if lines := s.Spy(nil); len(lines) != 0 {
		t.Errorf("got %q", lines)
	}
}
