package network

import (
	"testing"
	"testing/synctest"
	"time"
)

func keptTest(key string, t *ticket) outMessage {
	return outMessage{exchange: ExchangeKept, key: key, body: []byte(key), at: time.Now(), lane: kept, ticket: t}
}

func TestOutboxKeeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lost int
		o := newOutbox(3, time.Minute, DropOldest)
		o.kept.lost = func(n int) { lost = n }
		memory := NewMemory()
		link, err := memory.Dial(t.Context(), Address{Host: "h"})
		if err != nil {
			t.Fatal(err)
		}
		defer link.Close()
		tickets := []*ticket{newTicket([]*outbox{o}), newTicket([]*outbox{o}), newTicket([]*outbox{o}), newTicket([]*outbox{o})}
		now := time.Now()
		for i, key := range []string{"a", "b", "c"} {
			if !o.put(keptTest(key, tickets[i]), now) {
				t.Fatal("no room")
			}
		}
		if o.put(keptTest("d", tickets[3]), now) || !tickets[3].missing(o) {
			t.Error("there was room for one too many, or its ticket is open")
		}
		for range 5 { // others neither need their room nor take it
			if !o.put(outMessage{key: "e", body: []byte("e"), at: now}, now) {
				t.Error("no room for others")
			}
		}
		time.Sleep(time.Hour)
		expect := func(key string) {
			t.Helper()
			if m, ok := nextOne(t, o, link); !ok || m.key != key {
				t.Fatalf("next is %q, want %q", m.key, key)
			}
		}
		o.open(link)
		o.barge(outMessage{key: "hello", body: []byte("h"), at: time.Now()})
		expect("hello")
		expect("a")
		expect("b")
		o.close() // the link died
		o.open(link)
		expect("hello")
		expect("a")
		expect("b")
		expect("c")
		o.confirm(link, Confirm{Number: 2})
		o.confirm(link, Confirm{Number: 3, Refused: true})
		if tickets[0].missing(o) || !tickets[1].missing(o) {
			t.Error("a is confirmed and b is not")
		}
		began := time.Now()
		expect("b") // again, after a rest
		if time.Since(began) != keptRest {
			t.Errorf("again after %v", time.Since(began))
		}
		traffic, _ := o.traffic()
		if s := traffic[events]; s.Queued != 2 || s.Sent != 1 || s.Full != 1 || s.Refused != 0 || s.Expired != 3 || s.Displaced != 2 || s.Retried != 3 {
			t.Errorf("%+v", s)
		}
		o.end()
		for i, ticket := range tickets[1:] {
			select {
			case <-ticket.done:
			default:
				t.Errorf("ticket %d is open after the end", i+1)
			}
		}
		if lost != 2 || o.here() != 0 || o.bytes != 0 || o.kept.bytes != 0 {
			t.Errorf("%d lost, %d here, %d and %d bytes", lost, o.here(), o.bytes, o.kept.bytes)
		}
		late := newTicket([]*outbox{o})
		if !o.put(keptTest("late", late), now) || !late.missing(o) {
			t.Error("what comes after the end")
		}
	})
}
