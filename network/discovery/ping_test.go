package discovery

import (
	"net"
	"net/netip"
	"testing"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
)

func TestEchoIsAnswered(t *testing.T) {
	e := newEcho()
	message := func(typ icmp.Type, body icmp.MessageBody) []byte {
		m := icmp.Message{Type: typ, Body: body}
		b, err := m.Marshal(nil)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	reply := func(id, seq int, data []byte) []byte {
		return message(ipv4.ICMPTypeEchoReply, &icmp.Echo{ID: id, Seq: seq, Data: data})
	}
	request, err := e.request()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		message []byte
		want    bool
	}{
		{"the answer", reply(e.id, e.seq, e.data), true},
		{"to another process", reply(e.id^1, e.seq, e.data), false},
		{"to another request", reply(e.id, e.seq^1, e.data), false},
		{"other data", reply(e.id, e.seq, []byte("guess")), false},
		{"no data", reply(e.id, e.seq, nil), false},
		{"the request itself", request, false},
		{"another kind", message(ipv4.ICMPTypeDestinationUnreachable, &icmp.DstUnreach{Data: request}), false},
		{"cut off", reply(e.id, e.seq, e.data)[:6], false},
		{"nothing", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := e.answeredBy(c.message); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
	if other := newEcho(); other.answeredBy(reply(e.id, e.seq, e.data)) {
		t.Error("two requests take each other's answers")
	}
}

func FuzzEchoAnswer(f *testing.F) {
	e := echo{id: 1, seq: 2, data: []byte("data")}
	f.Add([]byte{})
	f.Add([]byte{0, 0, 0, 0, 0, 1, 0, 2, 'd', 'a', 't', 'a'})
	f.Add([]byte{8, 0, 0, 0, 0, 1, 0, 2, 'd', 'a', 't', 'a'})
	f.Fuzz(func(t *testing.T, message []byte) {
		want := len(message) == 12 && message[0] == 0 && string(message[4:]) == "\x00\x01\x00\x02data"
		if got := e.answeredBy(message); got != want {
			t.Errorf("%x: got %v, want %v", message, got, want)
		}
	})
}

func TestSender(t *testing.T) {
	if a, ok := sender(&net.IPAddr{IP: net.IPv4(10, 0, 0, 1)}); !ok || a != netip.MustParseAddr("10.0.0.1") {
		t.Errorf("got %v, %v", a, ok)
	}
	if a, ok := sender(&net.UDPAddr{IP: net.IPv4(10, 0, 0, 1)}); ok {
		t.Errorf("got %v", a)
	}
	if a, ok := sender(&net.IPAddr{}); ok {
		t.Errorf("got %v", a)
	}
}
