package broker

import (
	"slices"
	"strconv"
	"sync/atomic"
	"time"
)

// message is a published message. It never changes after it was published and is shared by all queues it went to.
type message struct {
	exchange, key string
	data          []byte // the payload of the content header frame, then the body
	header        int    // how much of data is header
	ttl           time.Duration
	hasTTL        bool
}

// messageOverhead is what a message costs beyond its octets: the struct, its place in a queue and in a list of deliveries.
const messageOverhead = 200

// size is what the message counts for in the limits.
func (m *message) size() int64 {
	return int64(cap(m.data) + len(m.exchange) + len(m.key) + messageOverhead)
}

// body is the number of octets of the body, which is what x-max-length-bytes counts.
func (m *message) body() int64 { return int64(len(m.data) - m.header) }

// maxTTL is the longest time RabbitMQ takes for expirations, x-message-ttl and x-expires: ten years, in milliseconds.
const maxTTL = 315_360_000_000

// parseExpiration reads the expiration property: a number of milliseconds.
func parseExpiration(s []byte) (time.Duration, *exception) {
	ms, err := strconv.ParseUint(string(s), 10, 64)
	if err != nil || ms > maxTTL {
		return 0, refuse(preconditionFailed, "invalid expiration '%s'", s)
	}
	return time.Duration(ms) * time.Millisecond, nil
}

// entry is a message in a queue, or one that was delivered from it and waits for its acknowledgement.
type entry struct {
	*message
	place       uint64 // messages of a queue are ordered by their place
	expires     int64  // on the server's clock; 0 is never
	returns     uint32 // how often it was given back to a quorum queue
	redelivered bool
}

// ring is a queue of entries that grows when needed and forgets its memory when it is empty.
type ring struct {
	buf  []entry // of a length that is a power of two
	head int
	n    int
}

// ringKeep is how large an empty ring may stay.
const ringKeep = 256

func (r *ring) at(i int) *entry { return &r.buf[(r.head+i)&(len(r.buf)-1)] }

// front returns the first entry. There must be one.
func (r *ring) front() *entry { return r.at(0) }

func (r *ring) grow() {
	if r.n < len(r.buf) {
		return
	}
	buf := make([]entry, max(8, 2*len(r.buf)))
	n := copy(buf, r.buf[r.head:])
	copy(buf[n:], r.buf[:r.head])
	r.buf, r.head = buf, 0
}

func (r *ring) pushBack(e entry) {
	r.grow()
	r.n++
	*r.at(r.n - 1) = e
}

func (r *ring) pushFront(e entry) {
	r.grow()
	r.head = (r.head - 1) & (len(r.buf) - 1)
	r.n++
	*r.at(0) = e
}

func (r *ring) popFront() entry {
	e := *r.at(0)
	*r.at(0) = entry{}
	r.head = (r.head + 1) & (len(r.buf) - 1)
	r.n--
	if r.n == 0 && len(r.buf) > ringKeep {
		*r = ring{}
	}
	return e
}

// merge puts entries, which are ordered by place, where they belong.
func (r *ring) merge(entries []entry) {
	if r.n == 0 || entries[len(entries)-1].place < r.front().place {
		for _, e := range slices.Backward(entries) {
			r.pushFront(e)
		}
		return
	}
	var all ring
	for r.n > 0 || len(entries) > 0 {
		if r.n == 0 || len(entries) > 0 && entries[0].place < r.front().place {
			all.pushBack(entries[0])
			entries = entries[1:]
		} else {
			all.pushBack(r.popFront())
		}
	}
	*r = all
}

// ledger counts bytes towards a total that many share, and touches the total once in a while only.
type ledger struct {
	total   *atomic.Int64
	pending int64
}

// ledgerStep is how far a ledger may be from what it has told the total.
const ledgerStep = 16 << 10

func (l *ledger) add(n int64) {
	l.pending += n
	if l.pending > ledgerStep || l.pending < -ledgerStep {
		l.flush()
	}
}

func (l *ledger) flush() {
	l.total.Add(l.pending)
	l.pending = 0
}
