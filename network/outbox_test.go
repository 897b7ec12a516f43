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
	at   time.Time
	done bool // confirmed or refused, while it still has a place in flight
}

// outboxModel is the naive reference: two lists and the counts.
type outboxModel struct {
	size              int
	ttl               time.Duration
	waiting, inFlight []queuedModel
	confirmed         int // numbers of the link that are no longer in flight
	served, pause     bool
	ended             bool
	stats             outboxStats
}

func (m *outboxModel) put(name string) bool {
	if m.ended {
		m.stats.Lost++
		return true
	}
	if len(m.waiting)+len(m.inFlight) >= m.size { // then all go that are too old
		for len(m.waiting) > 0 && time.Since(m.waiting[0].at) > m.ttl {
			m.expire()
		}
	}
	if len(m.waiting)+len(m.inFlight) >= m.size {
		m.stats.Full++
		return false
	}
	m.waiting = append(m.waiting, queuedModel{name: name, at: time.Now()})
	return true
}

func (m *outboxModel) expire() {
	m.waiting = m.waiting[1:]
	m.stats.Expired++
}

// next does nothing if there is nothing to send: the outbox would wait.
func (m *outboxModel) next() (name string, ok bool) {
	good := slices.IndexFunc(m.waiting, func(q queuedModel) bool { return time.Since(q.at) <= m.ttl })
	if good < 0 || !m.served || m.pause {
		return "", false
	}
	for range good {
		m.expire()
	}
	first := m.waiting[0]
	m.waiting = m.waiting[1:]
	m.inFlight = append(m.inFlight, first)
	return first.name, true
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
				m.stats.Refused++
			} else {
				m.stats.Sent++
			}
		}
	}
	for len(m.inFlight) > 0 && m.inFlight[0].done {
		m.inFlight = m.inFlight[1:]
		m.confirmed++
	}
}

func (m *outboxModel) close() {
	left := slices.DeleteFunc(m.inFlight, func(q queuedModel) bool { return q.done })
	m.waiting, m.inFlight, m.served = append(slices.Clone(left), m.waiting...), nil, false
}

func (m *outboxModel) queued() int {
	n := len(m.waiting)
	for _, q := range m.inFlight {
		if !q.done {
			n++
		}
	}
	return n
}

func TestOutboxAgainstModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(struct{ rapid.TB }{t}, func(t *rapid.T) {
			m := &outboxModel{size: rapid.IntRange(1, 8).Draw(t, "size"), ttl: 10 * time.Second}
			o := newOutbox(m.size, m.ttl)
			link, old := &standIn{}, &standIn{}
			o.open(link)
			m.served = true
			puts := uint64(0)
			seldom := func(t *rapid.T) bool { return rapid.IntRange(0, 4).Draw(t, "whether") == 0 }
			t.Repeat(map[string]func(*rapid.T){
				"": func(t *rapid.T) {
					queued, stats := o.counts()
					stats.RoundTrip = 0 // has a test of its own
					if diff := cmp.Diff(m.stats, stats); diff != "" {
						t.Fatalf("stats (-want +got):\n%s", diff)
					}
					if queued != m.queued() {
						t.Fatalf("%d queued, want %d", queued, m.queued())
					}
					if total := uint64(queued) + stats.Sent + stats.Full + stats.Expired + stats.Refused + stats.Lost; total != puts {
						t.Fatalf("%d put, and %d counted", puts, total)
					}
				},
				"put": func(t *rapid.T) {
					for range rapid.IntRange(1, 4).Draw(t, "messages") {
						puts++
						name := fmt.Sprint(puts)
						if want, got := m.put(name), o.put(outMessage{body: []byte(name), at: time.Now()}); got != want {
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
					m.stats.Lost += uint64(m.queued())
					m.waiting, m.inFlight, m.ended = nil, nil, true
				},
			})
		})
	})
}

// next waits for a message, for the broker, and no longer than its link is served.
func TestOutboxNextWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, link := newOutbox(10, time.Minute), &standIn{}
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
		o.put(outMessage{body: []byte("1"), at: time.Now()})
		synctest.Wait()
		if len(got) != 0 {
			t.Errorf("a paused outbox gave %q", got)
		}
		o.setPause(false)
		synctest.Wait()
		o.put(outMessage{body: []byte("2"), at: time.Now()})
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
				o, link := newOutbox(10, time.Minute), &standIn{}
				o.open(link)
				for range 2 {
					o.put(outMessage{body: []byte("m"), at: time.Now()})
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
		o := newOutbox(10, time.Minute)
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
				o.put(outMessage{body: []byte{1}, at: time.Now()})
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
			if _, stats := o.counts(); stats.RoundTrip != tc.want {
				t.Errorf("after %v: round trip %v, want %v", tc.takes, stats.RoundTrip, tc.want)
			}
		}
	})
}

// What nodes say to each other goes first and does not count.
func TestOutboxBarge(t *testing.T) {
	o := newOutbox(2, time.Minute)
	link := &standIn{}
	message := func(b byte) outMessage { return outMessage{body: []byte{b}, at: time.Now()} }
	o.put(message(1))
	o.put(message(2))
	o.barge(message(8))
	o.barge(message(9)) // in place of 8
	o.open(link)
	for _, want := range []byte{9, 1, 2} {
		if m, ok := o.next(link); !ok || m.body[0] != want {
			t.Fatalf("got %v, want message %d", m.body, want)
		}
	}
	o.confirm(link, Confirm{Number: 1})
	if queued, stats := o.counts(); queued != 2 || stats.Sent != 0 {
		t.Errorf("queued %d, sent %d, want 2 and 0", queued, stats.Sent)
	}
	o.confirm(link, Confirm{Number: 3, Several: true})
	if queued, stats := o.counts(); queued != 0 || stats.Sent != 2 {
		t.Errorf("queued %d, sent %d, want 0 and 2", queued, stats.Sent)
	}
	o.barge(message(7))
	o.end()
	if queued, stats := o.counts(); queued != 0 || stats.Lost != 0 {
		t.Errorf("queued %d, lost %d, want nothing of what does not count", queued, stats.Lost)
	}
}
