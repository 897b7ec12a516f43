package network

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// logged returns a reporter and what it logs, without times.
func logged() (*reporter, *bytes.Buffer) {
	var b bytes.Buffer
	return newReporter(slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))), &b
}

func TestReporterOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, log := logged()
		for range 3 {
			r.report("a", "it happened", "what", "a")
			r.report("b", "it happened", "what", "b")
		}
		time.Sleep(reportEvery - time.Nanosecond)
		r.report("a", "it happened", "what", "a")
		time.Sleep(time.Nanosecond)
		r.report("a", "it happened", "what", "a")
		r.report("a", "it happened", "what", "a")
		want := `level=WARN msg="it happened" what=a
level=WARN msg="it happened" what=b
level=WARN msg="it happened" what=a unreported=3
`
		if diff := cmp.Diff(want, log.String()); diff != "" {
			t.Errorf("logged (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(map[string]uint64{"a": 6, "b": 3}, r.counts()); diff != "" {
			t.Errorf("counted (-want +got):\n%s", diff)
		}
	})
}

// All that was counted is either a line or announced by one, but for what
// happened since the last line of its reason.
func TestReporterAgainstModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(struct{ rapid.TB }{t}, func(t *rapid.T) {
			r, log := logged()
			last, unsaid, counts, want := map[string]time.Time{}, map[string]int{}, map[string]uint64{}, ""
			for range rapid.IntRange(0, 50).Draw(t, "steps") {
				time.Sleep(time.Duration(rapid.IntRange(0, 40).Draw(t, "seconds")) * time.Second)
				why := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "reason")
				r.report(why, why)
				counts[why]++
				if at, ok := last[why]; ok && time.Since(at) < time.Minute {
					unsaid[why]++
					continue
				}
				want += "level=WARN msg=" + why
				if unsaid[why] > 0 {
					want += fmt.Sprint(" unreported=", unsaid[why])
				}
				want += "\n"
				last[why], unsaid[why] = time.Now(), 0
			}
			if diff := cmp.Diff(want, log.String()) + cmp.Diff(counts, r.counts()); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
		})
	})
}

// However many reasons there are, it remembers a bounded number, and counts all.
func TestReporterIsBounded(t *testing.T) {
	r, log := logged()
	const n = 3 * maxReasons
	for i := range n {
		r.report(fmt.Sprint("reason ", i), "it happened")
		r.report("reason 0", "it happened")
	}
	counts := r.counts()
	if len(counts) > maxReasons+1 {
		t.Errorf("%d reasons", len(counts))
	}
	if counts["reason 0"] != n+1 || counts["others"] != n-maxReasons {
		t.Errorf("reason 0: %d, others: %d", counts["reason 0"], counts["others"])
	}
	if lines := strings.Count(log.String(), "\n"); lines > maxReasons+1 {
		t.Errorf("%d lines", lines)
	}
}

// Reasons of long ago make room for new ones, which are reported; nothing is lost from the
// sum, and the log has a bounded number of lines a minute all the same.
func TestReporterEvictsTheOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, log := logged()
		for i := range maxReasons {
			r.report(fmt.Sprint("address ", i), "no peer")
			time.Sleep(time.Millisecond)
		}
		r.report("late", "it happened") // no room yet
		if counts := r.counts(); counts["late"] != 0 || counts["others"] != 1 {
			t.Errorf("late: %d, others: %d", counts["late"], counts["others"])
		}
		time.Sleep(reportEvery)
		r.report("address 0", "no peer")
		log.Reset()
		r.report("late", "it happened")
		counts := r.counts()
		if _, there := counts["address 1"]; there || counts["address 0"] != 2 || counts["late"] != 1 || counts["others"] != 2 || len(counts) > maxReasons+1 {
			t.Errorf("%d reasons; %v", len(counts), counts)
		}
		if log.String() != "level=WARN msg=\"it happened\"\n" {
			t.Errorf("logged %q", log)
		}
		const minutes = 5
		log.Reset()
		for i := range minutes * 4 * maxReasons { // four times as many as there is room for
			r.report(fmt.Sprint("other ", i), "no peer")
			time.Sleep(time.Minute / (4 * maxReasons))
		}
		var sum uint64
		for _, n := range r.counts() {
			sum += n
		}
		if want := uint64(maxReasons + 3 + minutes*4*maxReasons); sum != want {
			t.Errorf("%d in all, want %d", sum, want)
		}
		if lines := strings.Count(log.String(), "\n"); lines > (minutes+1)*(maxReasons+1) {
			t.Errorf("%d lines in %d minutes", lines, minutes)
		}
		if n := len(r.counts()); n > maxReasons+1 {
			t.Errorf("%d reasons", n)
		}
	})
}

func TestReporterFromManyGoroutines(t *testing.T) {
	r := newReporter(nil)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 1000 {
				r.report(fmt.Sprint(i%3), "it happened")
				r.counts()
			}
		})
	}
	all.Wait()
	if total := r.counts()["0"] + r.counts()["1"] + r.counts()["2"]; total != 8000 {
		t.Errorf("%d counted, want 8000", total)
	}
}
