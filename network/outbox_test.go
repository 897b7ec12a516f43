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

// standIn is a Link of which an outbox only wants to know whether it is the same.
type standIn struct{ Link }

// nextOne is next for messages that travel alone.
func nextOne(t testing.TB, o *outbox, l Link) (outMessage, bool) {
	t.Helper()
	batch, ok := o.next(l)
	if !ok {
		return outMessage{}, false
	}
	if len(batch) != 1 {
		t.Fatalf("%d messages at once, want one", len(batch))
	}
	return batch[0], true
}

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

// next waits for a message, for the broker, and no longer than its link is served.
func TestOutboxNextWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, link := newOutbox(10, time.Minute, RejectNewest), &standIn{}
		o.open(link)
		o.setPause(true)
		var got []string
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				batch, ok := o.next(link)
				if !ok {
					return
				}
				got = append(got, string(batch[0].body))
			}
		}()
		o.put(outMessage{body: []byte("1"), at: time.Now()}, time.Time{})
		synctest.Wait()
		if len(got) != 0 {
			t.Errorf("a paused outbox gave %q", got)
		}
		o.setPause(false)
		synctest.Wait()
		o.put(outMessage{body: []byte("2"), at: time.Now()}, time.Time{})
		synctest.Wait()
		o.close()
		<-done
		if diff := cmp.Diff([]string{"1", "2"}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestOutboxDrained(t *testing.T) {
	tests := []struct {
		name string
		then func(o *outbox, link Link, stop, leave chan struct{})
		want bool
	}{
		{"confirmed", func(o *outbox, link Link, _, _ chan struct{}) {
			o.next(link)
			o.next(link)
			o.confirm(link, Confirm{Number: 2, Several: true})
		}, true},
		{"refused", func(o *outbox, link Link, _, _ chan struct{}) {
			o.next(link)
			o.next(link)
			o.confirm(link, Confirm{Number: 2, Several: true, Refused: true})
		}, true},
		{"confirmed out of order", func(o *outbox, link Link, _, _ chan struct{}) {
			o.next(link)
			o.next(link)
			o.confirm(link, Confirm{Number: 2})
			o.confirm(link, Confirm{Number: 1})
		}, true},
		{"expired", func(o *outbox, link Link, _, _ chan struct{}) {
			time.Sleep(2 * time.Minute)
			go o.next(link) // finds nothing that is worth sending, and waits
		}, true},
		{"half of it", func(o *outbox, link Link, stop, _ chan struct{}) {
			o.next(link)
			o.confirm(link, Confirm{Number: 1})
			synctest.Wait()
			close(stop)
		}, false},
		{"stopped", func(_ *outbox, _ Link, stop, _ chan struct{}) { close(stop) }, false},
		{"left", func(_ *outbox, _ Link, _, leave chan struct{}) { close(leave) }, false},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o, link := newOutbox(10, time.Minute, RejectNewest), &standIn{}
				o.open(link)
				for _, key := range []string{"a", "b"} {
					o.put(outMessage{key: key, body: []byte("m"), at: time.Now()}, time.Time{})
				}
				stop, leave, drained := make(chan struct{}), make(chan struct{}), make(chan bool, 1)
				go func() { drained <- o.drained(stop, leave) }()
				synctest.Wait()
				select {
				case <-drained:
					t.Fatal("it does not wait")
				default:
				}
				tc.then(o, link, stop, leave)
				synctest.Wait()
				select {
				case got := <-drained:
					if got != tc.want {
						t.Errorf("drained is %v, want %v", got, tc.want)
					}
				default:
					t.Error("it still waits")
					close(stop)
				}
				o.close() // ends next
			})
		})
	}
}

// A round trip is an eighth of the newest and seven of what was known before.
func TestOutboxRoundTrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox(10, time.Minute, RejectNewest)
		link := &standIn{}
		o.open(link)
		number := uint64(0)
		for _, tc := range []struct {
			messages  int
			takes     time.Duration
			confirmed []Confirm // numbers are relative
			want      time.Duration
		}{
			{1, 80 * time.Millisecond, []Confirm{{Number: 1}}, 80 * time.Millisecond},
			{1, 160 * time.Millisecond, []Confirm{{Number: 1}}, 90 * time.Millisecond},
			{3, 10 * time.Millisecond, []Confirm{{Number: 3, Several: true}}, 80 * time.Millisecond},
			{1, 0, []Confirm{{Number: 1, Refused: true}}, 70 * time.Millisecond},
		} {
			for range tc.messages {
				o.put(outMessage{body: []byte{1}, at: time.Now()}, time.Time{})
				if _, ok := o.next(link); !ok {
					t.Fatal("no message")
				}
			}
			time.Sleep(tc.takes)
			for _, c := range tc.confirmed {
				c.Number += number
				o.confirm(link, c)
			}
			number += uint64(tc.messages)
			if _, trip := o.traffic(); trip != tc.want {
				t.Errorf("after %v: round trip %v, want %v", tc.takes, trip, tc.want)
			}
		}
	})
}

// What nodes say to each other goes first and does not count.
func TestOutboxBarge(t *testing.T) {
	o := newOutbox(2, time.Minute, RejectNewest)
	link := &standIn{}
	message := func(key string, b byte) outMessage { return outMessage{key: key, body: []byte{b}, at: time.Now()} }
	o.put(message("a", 1), time.Time{})
	o.put(message("b", 2), time.Time{})
	o.barge(message("a", 8))
	o.barge(message("a", 9)) // in place of 8
	o.open(link)
	for _, want := range []byte{9, 1, 2} {
		if m, ok := nextOne(t, o, link); !ok || m.body[0] != want {
			t.Fatalf("got %v, want message %d", m.body, want)
		}
	}
	o.confirm(link, Confirm{Number: 1})
	if all, _ := o.traffic(); all[events] != (Traffic{Queued: 2}) {
		t.Errorf("%+v, want 2 queued", all)
	}
	o.confirm(link, Confirm{Number: 3, Several: true})
	if all, _ := o.traffic(); all[events] != (Traffic{Sent: 2}) {
		t.Errorf("%+v, want 2 sent", all)
	}
	o.barge(message("a", 7))
	o.end()
	if all, _ := o.traffic(); all[events] != (Traffic{Sent: 2}) {
		t.Errorf("%+v, want nothing of what does not count", all)
	}
}

// Who waits for room gets it when there is some, or is refused at the deadline.
func TestOutboxWaitsForRoom(t *testing.T) {
	message := func() outMessage { return outMessage{body: []byte{1}, at: time.Now()} }
	for name, tc := range map[string]struct {
		then  func(o *outbox, link Link) // after a second
		want  bool
		takes time.Duration
	}{
		"nothing happens": {func(*outbox, Link) {}, false, 5 * time.Second},
		"one is confirmed": {func(o *outbox, link Link) {
			o.next(link)
			o.confirm(link, Confirm{Number: 1})
		}, true, time.Second},
		"it ends": {func(o *outbox, _ Link) { o.end() }, true, time.Second}, // lost, and counted
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o, link := newOutbox(1, time.Minute, WaitForRoom), &standIn{}
				o.open(link)
				o.put(message(), time.Now())
				began := time.Now()
				go func() {
					time.Sleep(time.Second)
					tc.then(o, link)
				}()
				if got := o.put(message(), began.Add(5*time.Second)); got != tc.want {
					t.Errorf("put gives %v, want %v", got, tc.want)
				}
				if took := time.Since(began); took != tc.takes {
					t.Errorf("it took %v, want %v", took, tc.takes)
				}
			})
		})
	}
}

// Bytes are bounded as messages are.
func TestOutboxBytes(t *testing.T) {
	o := newOutbox(1000, time.Minute, RejectNewest)
	large := outMessage{body: make([]byte, outboxBytes/4), at: time.Now(), lane: talk}
	for range 10 {
		o.put(large, time.Time{})
	}
	if all, _ := o.traffic(); all[talk] != (Traffic{Queued: 4, Full: 6}) {
		t.Errorf("%+v, want 4 of a quarter each", all[talk])
	}
	event := large
	event.lane = events
	if !o.put(event, time.Time{}) {
		t.Error("trace and spy do not give way")
	}
	if all, _ := o.traffic(); all[talk].Displaced != 1 || all[events].Queued != 1 || o.bytes != outboxBytes {
		t.Errorf("%+v, %d bytes", all, o.bytes)
	}
}

// What waited for the link is to be sealed anew, if it can be.
func TestOutboxStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, link := newOutbox(10, time.Minute, RejectNewest), &standIn{}
		put := func(plain string) {
			o.put(outMessage{body: []byte{1}, plain: []byte(plain), at: time.Now()}, time.Time{})
		}
		put("before")
		o.put(outMessage{body: []byte{1}, at: time.Now()}, time.Time{}) // cannot be
		time.Sleep(time.Nanosecond)
		o.open(link)
		put("after")
		batch, _ := o.next(link)
		for i, want := range []bool{true, false, false} {
			if batch[i].stale != want {
				t.Errorf("message %d: stale is %v", i, batch[i].stale)
			}
		}
	})
}

// What nodes say to each other takes no event's place, be it waiting or on its way.
func TestOutboxControlTakesNoRoom(t *testing.T) {
	o, link := newOutbox(2, time.Minute, RejectNewest), &standIn{}
	o.open(link)
	hello := outMessage{body: []byte{1}, at: time.Now(), key: helloKey}
	o.barge(hello)
	o.next(link) // on its way
	o.barge(hello)
	for i := range 3 {
		if got, want := o.put(outMessage{body: []byte{2}, at: time.Now()}, time.Time{}), i < 2; got != want {
			t.Errorf("event %d of 2: taken is %v", i+1, got)
		}
	}
}
