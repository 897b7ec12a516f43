package network

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/statemesh/statemesh/network/seal"
)

// Whatever comes, in whatever order: what was received, what is missing and what was sent
// before make up all numbers until the last one.
func TestGapsAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sender := seal.NewSenderID()
		var g gaps
		now := time.Now()
		keys := []string{"a", "b"}
		arrived := map[string]map[uint64]bool{"a": {}, "b": {}}
		for range rapid.IntRange(0, 60).Draw(t, "events") {
			key := rapid.SampledFrom(keys).Draw(t, "key")
			number := rapid.Uint64Range(1, 40).Draw(t, "number")
			if arrived[key][number] {
				continue // the replay window keeps these away
			}
			arrived[key][number] = true
			g.received(sender, key, number, now)
		}
		want := SenderStats{Node: "n"}
		for _, key := range keys {
			first, last := uint64(0), uint64(0)
			for number := range arrived[key] {
				if first == 0 || number < first {
					first = number
				}
				last = max(last, number)
			}
			n := uint64(len(arrived[key]))
			if n == 0 {
				continue
			}
			want.Received += n
			want.Missed += last - first + 1 - n
			want.Earlier += first - 1
		}
		got, missed := g.counts(func(seal.SenderID) string { return "n" })
		if want.Received == 0 {
			if len(got) != 0 {
				t.Fatalf("counts %+v of nothing", got)
			}
			return
		}
		got[0].Skew = 0
		if diff := cmp.Diff([]SenderStats{want}, got); diff != "" || missed != want.Missed {
			t.Fatalf("missed %d (-want +got):\n%s", missed, diff)
		}
	})
}

func TestGapsAreBounded(t *testing.T) {
	var g gaps
	now := time.Now()
	for i := range maxSenders + 100 {
		id := seal.NewSenderID()
		g.received(id, "k", uint64(i+1), now)
		g.received(id, "l", uint64(i+1), now)
		g.received(id, "m", rand.Uint64N(10)+1, now)
		g.received(id, "n", 1, now)
		g.received(id, "o", 1, now)
	}
	if len(g.senders) > maxSenders || len(g.order) > maxSenders || len(g.spans) > maxSpans {
		t.Errorf("%d senders in order %d, %d spans", len(g.senders), len(g.order), len(g.spans))
	}
}

func TestNumbered(t *testing.T) {
	event := []byte("event")
	b := numbered(event, 7)
	got, number, again, ok := cutNumber(b)
	if string(got) != "event" || number != 7 || again || !ok {
		t.Errorf("got %q %d %v %v", got, number, again, ok)
	}
	for range 2 {
		got, number, again, ok = cutNumber(sentAgain(b))
		if string(got) != "event" || number != 7 || !again || !ok {
			t.Errorf("sent again: got %q %d %v %v", got, number, again, ok)
		}
		b = sentAgain(b)
	}
	if got := sentAgain(b[:7]); string(got) != string(b[:7]) {
		t.Error("7 bytes are changed")
	}
	if _, _, _, ok := cutNumber(b[:7]); ok {
		t.Error("7 bytes have no number")
	}
	if got, number, _, ok := cutNumber(b[5:]); len(got) != 0 || number != 7 || !ok {
		t.Error("a number without an event")
	}
}

// The fastest event of the last two minutes says how the clocks differ.
func TestSkew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s senderCounts
		for i, tc := range []struct {
			pass, ahead, want time.Duration
		}{
			{0, -3 * time.Second, -3 * time.Second},
			{time.Second, -2 * time.Second, -2 * time.Second},
			{time.Second, -9 * time.Second, -2 * time.Second},   // a slow one
			{time.Minute, -5 * time.Second, -2 * time.Second},   // the minute before still counts
			{time.Minute, -6 * time.Second, -5 * time.Second},   // and no longer
			{2 * time.Minute, 4 * time.Second, 4 * time.Second}, // the clock was set
			{time.Second, -time.Second, 4 * time.Second},
		} {
			time.Sleep(tc.pass)
			s.clock(tc.ahead, time.Now())
			if s.Skew != tc.want {
				t.Errorf("step %d: skew %v, want %v", i, s.Skew, tc.want)
			}
		}
	})
}
