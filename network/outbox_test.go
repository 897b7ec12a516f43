package network

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// standIn is a Link of which an outbox only wants to know whether it is the same.
type standIn struct{ Link }

// queuedModel is a message of the model.
type queuedModel struct {
	name string
	lane lane
	at   time.Time
	done bool // confirmed or refused, while it still has a place in flight
}

// outboxModel is the naive reference: lists and the counts.
type outboxModel struct {
	size      int
	ttl       time.Duration
	full      FullOutbox
	waiting   [2][]queuedModel
	inFlight  []queuedModel
	confirmed int // numbers of the link that are no longer in flight
	served    bool
	pause     bool
	ended     bool
	stats     [2]Traffic
}

func (m *outboxModel) hasRoom() bool {
	return len(m.waiting[0])+len(m.waiting[1])+len(m.inFlight) < m.size
}

func (m *outboxModel) put(name string, l lane) bool {
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
	m.waiting[l] = append(m.waiting[l], queuedModel{name: name, lane: l, at: time.Now()})
	return true
}

// next does nothing if there is nothing to send: the outbox would wait.
func (m *outboxModel) next() (name string, ok bool) {
	if !m.served || m.pause {
		return "", false
	}
	good := [2]int{}
	for l := range m.waiting {
		good[l] = slices.IndexFunc(m.waiting[l], func(q queuedModel) bool { return time.Since(q.at) <= m.ttl })
	}
	if good[events] < 0 && good[talk] < 0 {
		return "", false
	}
	for _, l := range []lane{events, talk} {
		for len(m.waiting[l]) > 0 {
			first := m.waiting[l][0]
			m.waiting[l] = m.waiting[l][1:]
			if time.Since(first.at) <= m.ttl {
				m.inFlight = append(m.inFlight, first)
				return first.name, true
			}
			m.stats[l].Expired++
		}
	}
	return "", false
}

func (m *outboxModel) confirm(c Confirm) {
	at := int(c.Number) - m.confirmed - 1
	if !m.served || at < 0 || at >= len(m.inFlight) {
		return
	}
	for i := range m.inFlight {
		if it := &m.inFlight[i]; !it.done && (i == at || i < at && c.Several) {
			it.done = true
			if c.Refused {
				m.stats[it.lane].Refused++
			} else {
				m.stats[it.lane].Sent++
			}
		}
	}
	for len(m.inFlight) > 0 && m.inFlight[0].done {
		m.inFlight = m.inFlight[1:]
		m.confirmed++
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
			m := &outboxModel{size: rapid.IntRange(1, 8).Draw(t, "size"), ttl: 10 * time.Second}
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
					for range rapid.IntRange(1, 4).Draw(t, "messages") {
						puts++
						name := fmt.Sprint(puts)
						l := rapid.SampledFrom([]lane{events, events, talk}).Draw(t, "lane")
						if want, got := m.put(name, l), o.put(outMessage{body: []byte(name), at: time.Now(), lane: l}, time.Time{}); got != want {
							t.Fatalf("put gives %v, want %v", got, want)
						}
					}
				},
				"next": func(t *rapid.T) {
					if _, ok := o.next(old); ok {
						t.Fatal("a link that is not served got a message")
					}
					for range rapid.IntRange(1, 4).Draw(t, "messages") {
						want, ok := m.next()
						if !ok {
							return // it would block
						}
						if got, ok := o.next(link); !ok || string(got.body) != want {
							t.Fatalf("next gives %q, %v, want %q", got.body, ok, want)
						}
					}
				},
				"confirm": func(t *rapid.T) {
					for range rapid.IntRange(1, 4).Draw(t, "confirms") {
						c := Confirm{
							Number:  uint64(max(0, rapid.IntRange(m.confirmed-1, m.confirmed+len(m.inFlight)+1).Draw(t, "number"))),
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
					m.served, m.pause, m.confirmed = true, false, 0
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
				m, ok := o.next(link)
				if !ok {
					return
				}
				got = append(got, string(m.body))
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
				for range 2 {
					o.put(outMessage{body: []byte("m"), at: time.Now()}, time.Time{})
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
	message := func(b byte) outMessage { return outMessage{body: []byte{b}, at: time.Now()} }
	o.put(message(1), time.Time{})
	o.put(message(2), time.Time{})
	o.barge(message(8))
	o.barge(message(9)) // in place of 8
	o.open(link)
	for _, want := range []byte{9, 1, 2} {
		if m, ok := o.next(link); !ok || m.body[0] != want {
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
	o.barge(message(7))
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
		for i, want := range []bool{true, false, false} {
			if m, _ := o.next(link); m.stale != want {
				t.Errorf("message %d: stale is %v", i, m.stale)
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
