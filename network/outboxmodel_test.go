package network

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// queuedModel is a message of the model.
type queuedModel struct {
	name   string
	key    string
	size   int
	lane   lane
	at     time.Time
	sent   time.Time
	number int  // of the message it travels in
	done   bool // confirmed or refused, while it still has a place in flight
}

// outboxModel is the naive reference: lists and the counts.
type outboxModel struct {
	size     int
	ttl      time.Duration
	full     FullOutbox
	waiting  [2][]queuedModel
	inFlight []queuedModel
	last     int             // number of the newest message
	previous queuedModel     // the first in it
	trips    []time.Duration // of the link
	served   bool
	pause    bool
	ended    bool
	stats    [2]Traffic
}

func (m *outboxModel) hasRoom() bool {
	return len(m.waiting[0])+len(m.waiting[1])+len(m.inFlight) < m.size
}

func (m *outboxModel) put(q queuedModel) bool {
	l := q.lane
	if m.ended {
		m.stats[l].Lost++
		return true
	}
	for _, from := range []lane{talk, events} {
		for !m.hasRoom() && len(m.waiting[from]) > 0 && time.Since(m.waiting[from][0].at) > m.ttl {
			m.waiting[from] = m.waiting[from][1:]
			m.stats[from].Expired++
		}
	}
	for _, from := range []lane{talk, events} {
		if l == talk || from == events && m.full != DropOldest {
			break
		}
		for !m.hasRoom() && len(m.waiting[from]) > 0 {
			m.waiting[from] = m.waiting[from][1:]
			m.stats[from].Displaced++
		}
	}
	if !m.hasRoom() {
		m.stats[l].Full++
		return false
	}
	q.at = time.Now()
	m.waiting[l] = append(m.waiting[l], q)
	return true
}

// room is how many more messages may be in flight.
func (m *outboxModel) room() int {
	most := fewestInFlight
	if len(m.trips) > 0 {
		most += int(slices.Min(m.trips) / (time.Second / busyBroker))
	}
	numbers := map[int]bool{}
	for _, q := range m.inFlight {
		if !q.done {
			numbers[q.number] = true
		}
	}
	return most - len(numbers)
}

// mayGrow says whether the next bundle is not whole, and nothing else went before it or is
// behind it.
func (m *outboxModel) mayGrow() bool {
	w := m.waiting[events]
	if len(w) == 0 {
		w = m.waiting[talk]
	}
	if len(w) == 0 || len(w) >= bundleParts || w[0].size > bundleBytes/2 {
		return false
	}
	if m.previous.key != w[0].key || m.previous.lane != w[0].lane {
		return false
	}
	return w[0].key == w[min(1, len(w)-1)].key && w[0].key == w[len(w)-1].key
}

// next does nothing if there is nothing to send: the outbox would wait.
func (m *outboxModel) next() (names []string) {
	if !m.served || m.pause || m.room() <= 0 && m.mayGrow() {
		return nil
	}
	fresh := func(q queuedModel) bool { return time.Since(q.at) <= m.ttl }
	if !slices.ContainsFunc(m.waiting[events], fresh) && !slices.ContainsFunc(m.waiting[talk], fresh) {
		return nil
	}
	for _, l := range []lane{events, talk} {
		var together []queuedModel
		size := 1
		for len(m.waiting[l]) > 0 {
			q := m.waiting[l][0]
			if fresh(q) {
				size += 4 + q.size
				if n := len(together); n > 0 && (n == bundleParts || together[0].key != q.key || size > bundleBytes) {
					break
				}
				together = append(together, q)
			} else {
				m.stats[l].Expired++
			}
			m.waiting[l] = m.waiting[l][1:]
		}
		if together == nil {
			continue
		}
		m.last++
		m.previous = together[0]
		for _, q := range together {
			q.number, q.sent = m.last, time.Now()
			m.inFlight = append(m.inFlight, q)
			names = append(names, q.name)
		}
		return names
	}
	return nil
}

func (m *outboxModel) confirm(c Confirm) {
	number := int(c.Number)
	if !m.served || number > m.last {
		return
	}
	var sent time.Time
	for i := range m.inFlight {
		if it := &m.inFlight[i]; !it.done && (it.number == number || it.number < number && c.Several) {
			it.done = true
			sent = it.sent
			if c.Refused {
				m.stats[it.lane].Refused++
			} else {
				m.stats[it.lane].Sent++
			}
		}
	}
	if !sent.IsZero() {
		m.trips = append(m.trips, time.Since(sent))
	}
	for len(m.inFlight) > 0 && m.inFlight[0].done {
		m.inFlight = m.inFlight[1:]
	}
}

func (m *outboxModel) close() {
	for _, q := range slices.Backward(m.inFlight) {
		if !q.done {
			m.waiting[q.lane] = append([]queuedModel{q}, m.waiting[q.lane]...)
			m.stats[q.lane].Retried++
		}
	}
	m.inFlight, m.served = nil, false
}

func (m *outboxModel) traffic() [2]Traffic {
	stats := m.stats
	for l := range stats {
		stats[l].Queued = len(m.waiting[l])
	}
	for _, q := range m.inFlight {
		if !q.done {
			stats[q.lane].Queued++
		}
	}
	return stats
}

func TestOutboxAgainstModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(struct{ rapid.TB }{t}, func(t *rapid.T) {
			m := &outboxModel{size: rapid.SampledFrom([]int{1, 3, 8, 300}).Draw(t, "size"), ttl: 10 * time.Second}
			m.full = rapid.SampledFrom([]FullOutbox{RejectNewest, DropOldest}).Draw(t, "policy")
			o := newOutbox(m.size, m.ttl, m.full)
			link, old := &standIn{}, &standIn{}
			o.open(link)
			m.served = true
			puts := uint64(0)
			seldom := func(t *rapid.T) bool { return rapid.IntRange(0, 4).Draw(t, "whether") == 0 }
			t.Repeat(map[string]func(*rapid.T){
				"": func(t *rapid.T) {
					got, _ := o.traffic()
					if diff := cmp.Diff(m.traffic(), got); diff != "" {
						t.Fatalf("traffic (-want +got):\n%s", diff)
					}
					total := uint64(0)
					for _, l := range got {
						total += uint64(l.Queued) + l.Sent + l.Dropped()
					}
					if total != puts {
						t.Fatalf("%d put, and %d counted", puts, total)
					}
					if bytes := o.bytes; (bytes == 0) != (got[0].Queued+got[1].Queued == 0) {
						t.Fatalf("%d bytes, queued %d and %d", bytes, got[0].Queued, got[1].Queued)
					}
				},
				"put": func(t *rapid.T) {
					key := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "key")
					for range rapid.SampledFrom([]int{1, 2, 3, 4, bundleParts + 2}).Draw(t, "messages") {
						puts++
						name := fmt.Sprint(puts)
						q := queuedModel{name: name, key: key, size: len(name), lane: events}
						if puts%3 == 0 {
							q.lane = talk
						}
						if puts%11 == 0 { // two of them do not fit into one bundle
							q.size = bundleBytes/2 + int(puts%2)
						}
						body := append([]byte(name), make([]byte, q.size-len(name))...)
						if want, got := m.put(q), o.put(outMessage{key: key, body: body, at: time.Now(), lane: q.lane}, time.Time{}); got != want {
							t.Fatalf("put gives %v, want %v", got, want)
						}
					}
				},
				"next": func(t *rapid.T) {
					if _, ok := o.next(old); ok {
						t.Fatal("a link that is not served got a message")
					}
					for range rapid.IntRange(1, 4).Draw(t, "messages") {
						want := m.next()
						if want == nil {
							if o.link != nil && o.sendable() != nil && m.room() <= 0 && m.mayGrow() {
								t.Fatal("it does not wait for company")
							}
							return // it would block
						}
						batch, _ := o.next(link)
						var got []string
						for _, b := range batch {
							got = append(got, strings.TrimRight(string(b.body), "\x00"))
						}
						if diff := cmp.Diff(want, got); diff != "" {
							t.Fatalf("next (-want +got):\n%s", diff)
						}
					}
				},
				"confirm": func(t *rapid.T) {
					for range rapid.IntRange(1, 4).Draw(t, "confirms") {
						c := Confirm{
							Number:  uint64(max(0, rapid.IntRange(m.last-6, m.last+1).Draw(t, "number"))),
							Several: rapid.Bool().Draw(t, "several"), Refused: rapid.Bool().Draw(t, "refused"),
						}
						o.confirm(old, c)
						o.confirm(link, c)
						m.confirm(c)
					}
				},
				"open": func(t *rapid.T) {
					if !seldom(t) {
						return
					}
					o.close()
					m.close()
					link, old = &standIn{}, link
					o.open(link)
					m.served, m.pause, m.last, m.trips = true, false, 0, nil
				},
				"close": func(t *rapid.T) {
					if !seldom(t) {
						return
					}
					o.close()
					m.close()
					old = link
				},
				"pause": func(t *rapid.T) {
					m.pause = seldom(t)
					o.setPause(m.pause)
				},
				"pass": func(t *rapid.T) {
					time.Sleep(time.Duration(rapid.IntRange(1, 15).Draw(t, "seconds")) * time.Second)
				},
				"end": func(t *rapid.T) {
					if rapid.IntRange(0, 24).Draw(t, "whether") > 0 {
						return
					}
					o.end()
					for l, t := range m.traffic() {
						m.stats[l].Lost += uint64(t.Queued)
					}
					m.waiting, m.inFlight, m.ended = [2][]queuedModel{}, nil, true
				},
			})
		})
	})
}
