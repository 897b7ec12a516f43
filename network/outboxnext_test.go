package network

import (
	"testing"
	"testing/synctest"
	"time"
)

// A message goes alone as long as there is none behind it, and at once, until the window is
// full; what comes then goes together when there is room in it again.
func TestOutboxGathers(t *testing.T) {
	o, link := newOutbox(100, time.Minute, RejectNewest), &standIn{}
	o.open(link)
	put := func() { o.put(outMessage{body: []byte{1}, at: time.Now()}, time.Time{}) }
	for range fewestInFlight {
		put()
		nextOne(t, o, link)
	}
	for range 10 {
		put()
	}
	hello := outMessage{lane: control, key: helloKey, body: []byte{2}, at: time.Now()}
	if o.sendable() != nil {
		t.Fatal("the window has no bound")
	}
	o.barge(hello) // is not bounded
	if m, _ := nextOne(t, o, link); m.key != helloKey {
		t.Errorf("got %q, want the hello", m.key)
	}
	o.confirm(link, Confirm{Number: 5})
	if o.sendable() != nil {
		t.Error("the confirm of a hello made room for events")
	}
	o.confirm(link, Confirm{Number: 2})
	if batch, _ := o.next(link); len(batch) != 10 {
		t.Errorf("%d together, want 10", len(batch))
	}
	o.confirm(link, Confirm{Number: 6})
	if all, _ := o.traffic(); all[events] != (Traffic{Queued: 3, Sent: 11}) {
		t.Errorf("%+v, want 11 sent by two confirms", all[events])
	}
	o.close()
	o.open(link)
	if batch, _ := o.next(link); len(batch) != 3 {
		t.Errorf("%d together on the next link, want the 3 that are left", len(batch))
	}
	o.confirm(link, Confirm{Number: 1, Refused: true})
	if all, _ := o.traffic(); all[events] != (Traffic{Sent: 11, Refused: 3, Retried: 3}) {
		t.Errorf("%+v, want 3 refused by one confirm", all[events])
	}
}

// The window follows the length of the way: it does not bound what is sent now and then, of
// which there is more on a longer one.
func TestOutboxWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for way, want := range map[time.Duration]int{
			0: fewestInFlight, 100 * time.Microsecond: fewestInFlight + 2, 100 * time.Millisecond: fewestInFlight + 2000,
		} {
			o, link := newOutbox(10, time.Minute, RejectNewest), &standIn{}
			o.open(link)
			for _, busy := range []time.Duration{time.Second, 0, 2 * time.Second} {
				o.put(outMessage{body: []byte{1}, at: time.Now()}, time.Time{})
				o.next(link)
				time.Sleep(way + busy)
				o.confirm(link, Confirm{Number: o.last})
			}
			if got := o.window(); got != want {
				t.Errorf("%v: a window of %d, want %d", way, got, want)
			}
			o.close()
			o.open(link)
			if got := o.window(); got != fewestInFlight {
				t.Errorf("a new link has a window of %d, want %d", got, fewestInFlight)
			}
		}
	})
}

// What comes when a link has just died, and nobody has noticed, waits for the next one.
func TestOutboxLendsNoDeadLink(t *testing.T) {
	o, dead, link := newOutbox(10, time.Minute, RejectNewest), &standIn{}, &standIn{}
	o.open(dead)
	o.close()
	o.idle = true // next has yet to wake up
	if taken, l := o.putOrLend(outMessage{body: []byte{1}, at: time.Now()}, time.Time{}); !taken || l != nil {
		t.Errorf("taken %v, lent %v, want it taken and nothing lent", taken, l)
	}
	if n := o.inFlight.Len(); n != 0 {
		t.Fatalf("%d in flight without a link", n)
	}
	o.open(link)
	if batch, ok := o.next(link); !ok || len(batch) != 1 {
		t.Errorf("the next link gets %d events, %v, want the one", len(batch), ok)
	}
}

// Who puts an event publishes it himself only if the link has nothing else to do, and nobody
// else publishes meanwhile.
func TestOutboxLends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, link := newOutbox(10, time.Minute, RejectNewest), &standIn{}
		event := func() outMessage { return outMessage{body: []byte{1}, at: time.Now()} }
		if _, l := o.putOrLend(event(), time.Time{}); l != nil {
			t.Error("lent without a link")
		}
		o.open(link)
		if _, l := o.putOrLend(event(), time.Time{}); l != nil {
			t.Error("lent before the link is served, as after an outage")
		}
		sizes := make(chan int, 10)
		go func() { // ended by close
			for {
				batch, ok := o.next(link)
				if !ok {
					close(sizes)
					return
				}
				sizes <- len(batch)
			}
		}()
		synctest.Wait()
		if _, l := o.putOrLend(event(), time.Time{}); l != nil {
			t.Error("lent while others are not confirmed")
		}
		synctest.Wait()
		o.confirm(link, Confirm{Number: o.last, Several: true})
		before := len(sizes)
		if _, l := o.putOrLend(event(), time.Time{}); l != link {
			t.Fatal("not lent though there is nothing else to do")
		}
		o.put(event(), time.Time{})
		o.put(event(), time.Time{})
		if _, l := o.putOrLend(event(), time.Time{}); l != nil {
			t.Error("lent twice")
		}
		synctest.Wait()
		if len(sizes) != before {
			t.Error("somebody else publishes meanwhile")
		}
		o.giveBack(link)
		synctest.Wait()
		if got := len(sizes); got != before+1 {
			t.Errorf("%d messages after it was given back, want one", got-before)
		}
		o.close()
		last := 0
		for n := range sizes {
			last = n
		}
		if last != 3 {
			t.Errorf("%d events in the last message, want the 3 that came meanwhile", last)
		}
	})
}
