package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/instrument"
	"github.com/statemesh/statemesh/network"
)

func TestFilter(t *testing.T) {
	trace := network.Heard{Name: "ann", Time: time.Unix(1, 0), Trace: instrument.Trace{Name: "ann", Signal: "to_inner", From: "outer", To: "inner"}}
	start := network.Heard{Name: "ann", Trace: instrument.Trace{Name: "ann", Signal: "start_at", From: "top", To: "outer"}}
	scribble := network.Heard{Name: "bob", Scribble: "to_inner:what?"}
	spy := network.Heard{Name: "bob", Spy: []string{
		"START", "SEARCH_FOR_SUPER_SIGNAL:outer", "ENTRY_SIGNAL:outer", "to_inner:outer", "to_inner:outer:HOOK", "POST_FIFO:to_inner",
		"POST_LIFO:b", "POST_DEFERRED:c", "RECALL:c", "QUEUE_FULL:d", "SUBSCRIBING TO:(b, TYPE:fifo)", "SUBSCRIBING TO:(b, c, TYPE:lifo)",
		"UNSUBSCRIBING FROM:(b)", "PUBLISH:(b, PRIORITY:1000)", "a remark", "<- Queued:(0) Deferred:(0)",
	}}
	only := func(lines ...string) network.Heard { return network.Heard{Name: "bob", Spy: lines} }
	all := []network.Heard{trace, start, scribble, spy}
	for _, tt := range []struct {
		name, signal string
		want         []network.Heard
	}{
		{"", "", all},
		{"*", "", all},
		{"ann", "", []network.Heard{trace, start}},
		{"b?b", "", []network.Heard{scribble, spy}},
		{"[a-c]*", "", all},
		{"x, bob", "", []network.Heard{scribble, spy}},
		{"ann*,bob", "", all},
		{"an", "", nil},
		{"", "to_inner", []network.Heard{trace, only("to_inner:outer", "to_inner:outer:HOOK", "POST_FIFO:to_inner")}},
		{"ann", "to_*", []network.Heard{trace}},
		{"", "start_at", []network.Heard{start, only("START")}},
		{"", "b", []network.Heard{only("POST_LIFO:b", "SUBSCRIBING TO:(b, TYPE:fifo)", "UNSUBSCRIBING FROM:(b)", "PUBLISH:(b, PRIORITY:1000)")}},
		{"", "c,d", []network.Heard{only("POST_DEFERRED:c", "RECALL:c", "QUEUE_FULL:d")}},
		{"", "[b], c", []network.Heard{only("POST_LIFO:b", "POST_DEFERRED:c", "RECALL:c", "SUBSCRIBING TO:(b, TYPE:fifo)", "UNSUBSCRIBING FROM:(b)", "PUBLISH:(b, PRIORITY:1000)")}},
		{"", "*_SIGNAL", []network.Heard{only("SEARCH_FOR_SUPER_SIGNAL:outer", "ENTRY_SIGNAL:outer")}},
		{"", "*", []network.Heard{trace, start, only(spy.Spy[:14]...)}},
		{"", "POST_FIFO", nil},
		{"", "outer", nil},
		{"", "<-*", nil},
	} {
		t.Run(tt.name+"/"+tt.signal, func(t *testing.T) {
			var f filter
			for text, p := range map[string]*patterns{tt.name: &f.name, tt.signal: &f.signal} {
				if text != "" {
					if err := p.set(text); err != nil {
						t.Fatal(err)
					}
				}
			}
			var got []network.Heard
			for _, h := range all {
				if h, ok := f.pass(h); ok {
					got = append(got, h)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if len(spy.Spy) != 16 || spy.Spy[3] != "to_inner:outer" {
		t.Error("the filter changed what it was given")
	}
}

func FuzzSpySignal(f *testing.F) {
	for _, line := range []string{"START", "a:b:HOOK", "POST_FIFO:a", "PUBLISH:(b, PRIORITY:1)", "PUBLISH:", "UNSUBSCRIBING FROM:(", "<- Queued:(0)", ":"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if signal, ok := spySignal(line); len(signal) > max(len(line), len("start_at")) || !ok && signal != "" {
			t.Errorf("%q is about %q, %v", line, signal, ok)
		}
	})
}
