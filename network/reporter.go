package network

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// reportEvery is how often one reason is reported at most.
const reportEvery = time.Minute

// maxReasons bounds what a reporter remembers. Reasons are words of this package and
// never a peer's, but for the key of an unknown sender, and addresses. Where there is no
// room, the reason that was reported least recently has to go, if that is long enough ago
// for it to be reported anew; its count goes to "others". So do reasons that find no room,
// of which there is one line a minute. The log has maxReasons+1 lines a minute at most.
const maxReasons = 256

// reporter counts what goes wrong and says it, once and then not more often
// than once a minute a reason, with the number left unsaid.
type reporter struct {
	log *slog.Logger

	mu      sync.Mutex // guards reasons
	reasons map[string]*reason
}

type reason struct {
	count  uint64
	unsaid uint64
	last   time.Time
}

func newReporter(log *slog.Logger) *reporter {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &reporter{log: log, reasons: make(map[string]*reason)}
}

// report counts under a reason, and logs the message unless it did within the
// last minute.
func (r *reporter) report(why, message string, attrs ...any) {
	now := time.Now()
	r.mu.Lock()
	it := r.reasons[why]
	if it == nil {
		if len(r.reasons) >= maxReasons && !r.evict(now) {
			why = others
		}
		if it = r.reasons[why]; it == nil {
			it = &reason{}
			r.reasons[why] = it
		}
	}
	it.count++
	if !it.last.IsZero() && now.Sub(it.last) < reportEvery {
		it.unsaid++
		r.mu.Unlock()
		return
	}
	unsaid := it.unsaid
	it.unsaid, it.last = 0, now
	r.mu.Unlock()
	if unsaid > 0 {
		attrs = append(attrs, "unreported", unsaid)
	}
	r.log.Log(context.Background(), slog.LevelWarn, message, attrs...)
}

// others is the reason of what has no room.
const others = "others"

// evict makes room for a reason, and reports whether it could. The caller holds mu.
func (r *reporter) evict(now time.Time) bool {
	oldest := ""
	for why, it := range r.reasons {
		if why != others && (oldest == "" || it.last.Before(r.reasons[oldest].last)) {
			oldest = why
		}
	}
	gone := r.reasons[oldest]
	if now.Sub(gone.last) < reportEvery {
		return false
	}
	rest := r.reasons[others]
	if rest == nil {
		rest = &reason{}
		r.reasons[others] = rest
	}
	rest.count += gone.count
	rest.unsaid += gone.unsaid
	delete(r.reasons, oldest)
	return true
}

// counts returns the number of reports a reason.
func (r *reporter) counts() map[string]uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	counts := make(map[string]uint64, len(r.reasons))
	for why, it := range r.reasons {
		counts[why] = it.count
	}
	return counts
}
