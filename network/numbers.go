package network

import (
	"encoding/binary"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/statemesh/statemesh/network/seal"
)

// The events of a node have numbers, 1, 2, 3 ... for each routing key. A broker gives
// a queue all messages of a key or none, so that a gap means lost events. The number
// stands behind the event, in 8 bytes, big-endian, so that it is known even if the event
// means nothing to who gets it. Its highest bit says that the event was sent before, by a
// connection that died before the broker confirmed it: it may come after later ones that
// the broker had got by then, and whoever has those does not take it any more.

const (
	numberSize = 8
	againBit   = 1 << 63
)

// numbered appends the number to an encoded event.
func numbered(event []byte, number uint64) []byte {
	return binary.BigEndian.AppendUint64(event[:len(event):len(event)], number)
}

// sentAgain returns a numbered event with the mark that it was sent before.
func sentAgain(plain []byte) []byte {
	event, number, _, ok := cutNumber(plain)
	if !ok {
		return plain
	}
	return numbered(event, number|againBit)
}

// cutNumber parts them again.
func cutNumber(b []byte) (event []byte, number uint64, again, ok bool) {
	end := len(b) - numberSize
	if end < 0 {
		return nil, 0, false, false
	}
	number = binary.BigEndian.Uint64(b[end:])
	return b[:end], number &^ againBit, number&againBit != 0, true
}

// numbers gives them out. Any goroutine may call its method.
type numbers struct {
	mu   sync.Mutex // guards keys
	keys map[string]*atomic.Uint64
}

// of returns the counter of a routing key.
func (n *numbers) of(key string) *atomic.Uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.keys == nil {
		n.keys = make(map[string]*atomic.Uint64)
	}
	if n.keys[key] == nil {
		n.keys[key] = new(atomic.Uint64)
	}
	return n.keys[key]
}

// SenderStats counts what came from one other node.
type SenderStats struct {
	Node     string // its name, or the beginning of its identity if it has not said its name
	Received uint64 // events
	Missed   uint64 // events that were sent after the first one received, and have not come
	Earlier  uint64 // events that were sent before the first one received
	// Skew is how far its clock seems to be ahead of ours, or behind if it is negative, by the
	// fastest event of the last two minutes. What an event needs to arrive makes it look
	// behind.
	Skew time.Duration
}

// senderCounts is a SenderStats with what its Skew is made of.
type senderCounts struct {
	SenderStats
	window time.Time     // when the present minute began
	newest time.Duration // the largest difference in it
}

// skewWindow is how long the fastest event counts; it then counts once more.
const skewWindow = time.Minute

// clock takes into Skew how far ahead the stamp of a message was when it came.
func (s *senderCounts) clock(ahead time.Duration, now time.Time) {
	switch {
	case s.window.IsZero():
		s.window, s.newest, s.Skew = now, ahead, ahead
	case now.Sub(s.window) >= skewWindow:
		s.Skew = max(s.newest, ahead)
		s.window, s.newest = now, ahead
	default:
		s.newest, s.Skew = max(s.newest, ahead), max(s.Skew, ahead)
	}
}

// gaps finds out what has not come. Any goroutine may call its methods.
type gaps struct {
	clock func() time.Time // what the stamps of events are compared with; nil is time.Now

	mu      sync.Mutex // guards what follows
	spans   map[spanKey]*span
	senders map[seal.SenderID]*senderCounts
	order   []seal.SenderID // in the order of the first event, the oldest first
	missed  uint64
}

type spanKey struct {
	sender seal.SenderID
	key    string
}

// span is what has come of one routing key of a sender.
type span struct{ first, last uint64 }

// Bounds of what is remembered of others. Who is forgotten begins anew with the next event,
// as if it were the first.
const (
	maxSpans   = 16384
	maxSenders = seal.DefaultMaxSenders
)

// received takes note of an event that has not come before, of its number, 0 for none, and
// of when it was sealed. It returns how far the sender's clock is ahead.
func (g *gaps) received(sender seal.SenderID, key string, number uint64, sealed time.Time) (ahead time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.sender(sender)
	s.Received++
	clock := time.Now
	if g.clock != nil {
		clock = g.clock
	}
	s.clock(sealed.Sub(clock()), time.Now())
	g.count(s, spanKey{sender, key}, number)
	return s.Skew
}

// passed says whether a later event of the routing key has come.
func (g *gaps) passed(sender seal.SenderID, key string, number uint64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	known := g.spans[spanKey{sender, key}]
	return known != nil && number < known.last
}

func (g *gaps) count(s *senderCounts, at spanKey, number uint64) {
	if number == 0 {
		return
	}
	known := g.spans[at]
	if known == nil {
		if g.spans == nil || len(g.spans) >= maxSpans {
			g.spans = make(map[spanKey]*span)
		}
		g.spans[at] = &span{number, number}
		s.Earlier += number - 1
		return
	}
	switch {
	case number > known.last:
		s.Missed += number - known.last - 1
		g.missed += number - known.last - 1
		known.last = number
	case number < known.first:
		s.Missed += known.first - number - 1
		g.missed += known.first - number - 1
		s.Earlier -= min(s.Earlier, known.first-number)
		known.first = number
	case s.Missed > 0: // out of order, and not missing any more
		s.Missed--
		g.missed--
	}
}

func (g *gaps) sender(id seal.SenderID) *senderCounts {
	if s := g.senders[id]; s != nil {
		return s
	}
	if g.senders == nil {
		g.senders = make(map[seal.SenderID]*senderCounts)
	}
	if len(g.order) >= maxSenders {
		delete(g.senders, g.order[0])
		g.order = g.order[1:]
	}
	s := &senderCounts{}
	g.senders[id] = s
	g.order = append(g.order, id)
	return s
}

// counts returns what is known of each sender, and what was missed in all.
func (g *gaps) counts(name func(seal.SenderID) string) (all []SenderStats, missed uint64) {
	g.mu.Lock()
	order, missed := slices.Clone(g.order), g.missed
	for _, id := range order {
		all = append(all, g.senders[id].SenderStats)
	}
	g.mu.Unlock()
	// Without the lock, which the receiver needs for every event.
	for i, id := range order {
		all[i].Node = name(id)
	}
	return all, missed
}
