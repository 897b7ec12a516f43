package network

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
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
