package broker

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// payloadOf is the payload of a method frame.
func payloadOf(id methodID, a args) []byte { return append(args{}.long(uint32(id)), a...) }

// someMethods has one of each method a client may send.
var someMethods = []struct {
	name string
	args args
	want method
}{
	{"connection.start-ok", args{}.longstr(string(args{}.flag("x", true))).shortstr("PLAIN").longstr("\x00u\x00p").shortstr("en_US"),
		method{id: connectionStartOk, table: table(args{}.flag("x", true)), name: []byte("PLAIN"), response: []byte("\x00u\x00p")}},
	{"connection.tune-ok", args{}.short(1).long(2).short(3), method{id: connectionTuneOk, channelMax: 1, frameMax: 2, heartbeat: 3}},
	{"connection.open", args{}.shortstr("/").shortstr("").octet(0), method{id: connectionOpen, name: []byte("/")}},
	{"connection.close", args{}.short(200).shortstr("bye").long(0), method{id: connectionClose}},
	{"connection.close-ok", nil, method{id: connectionCloseOk}},
	{"channel.open", args{}.shortstr(""), method{id: channelOpen}},
	{"channel.flow", args{}.octet(1), method{id: channelFlow, flags: 1}},
	{"channel.close", args{}.short(200).shortstr("bye").long(0), method{id: channelClose}},
	{"channel.close-ok", nil, method{id: channelCloseOk}},
	{"exchange.declare", args{}.short(0).shortstr("e").shortstr("topic").octet(6).long(0),
		method{id: exchangeDeclare, name: []byte("e"), kind: []byte("topic"), flags: exchangeDurable | exchangeAutoDelete}},
	{"exchange.delete", args{}.short(0).shortstr("e").octet(3),
		method{id: exchangeDelete, name: []byte("e"), flags: exchangeIfUnused | exchangeDeleteNoWait}},
	{"queue.declare", args{}.short(0).shortstr("q").octet(31).longstr(string(args{}.flag("x", true))),
		method{id: queueDeclare, name: []byte("q"), flags: 31, table: table(args{}.flag("x", true))}},
	{"queue.bind", args{}.short(0).shortstr("q").shortstr("e").shortstr("k").octet(1).long(0),
		method{id: queueBind, name: []byte("q"), exchange: []byte("e"), key: []byte("k"), flags: 1}},
	{"queue.unbind", args{}.short(0).shortstr("q").shortstr("e").shortstr("k").long(0),
		method{id: queueUnbind, name: []byte("q"), exchange: []byte("e"), key: []byte("k")}},
	{"queue.purge", args{}.short(0).shortstr("q").octet(1), method{id: queuePurge, name: []byte("q"), flags: 1}},
	{"queue.delete", args{}.short(0).shortstr("q").octet(7), method{id: queueDelete, name: []byte("q"), flags: 7}},
	{"basic.qos", args{}.long(1).short(2).octet(1), method{id: basicQos, prefetchSize: 1, prefetch: 2, flags: 1}},
	{"basic.consume", args{}.short(0).shortstr("q").shortstr("t").octet(2).long(0),
		method{id: basicConsume, name: []byte("q"), tag: []byte("t"), flags: consumeNoAck}},
	{"basic.cancel", args{}.shortstr("t").octet(1), method{id: basicCancel, tag: []byte("t"), flags: 1}},
	{"basic.publish", args{}.short(0).shortstr("e").shortstr("k").octet(3),
		method{id: basicPublish, exchange: []byte("e"), key: []byte("k"), flags: publishMandatory | publishImmediate}},
	{"basic.get", args{}.short(0).shortstr("q").octet(1), method{id: basicGet, name: []byte("q"), flags: 1}},
	{"basic.ack", args{}.longlong(1 << 40).octet(1), method{id: basicAck, delivery: 1 << 40, flags: ackMultiple}},
	{"basic.reject", args{}.longlong(4).octet(1), method{id: basicReject, delivery: 4, flags: 1}},
	{"basic.nack", args{}.longlong(5).octet(3), method{id: basicNack, delivery: 5, flags: ackMultiple | nackRequeue}},
	{"basic.recover", args{}.octet(1), method{id: basicRecover, flags: 1}},
	{"basic.recover-async", args{}.octet(1), method{id: basicRecoverAsync, flags: 1}},
	{"confirm.select", args{}.octet(1), method{id: confirmSelect, flags: 1}},
}

func TestMethodDecode(t *testing.T) {
	for _, c := range someMethods {
		t.Run(c.name, func(t *testing.T) {
			payload := payloadOf(c.want.id, c.args)
			var got method
			if e := got.decode(payload); e != methodOK {
				t.Fatalf("error %d", e)
			}
			if len(got.table) == 0 {
				got.table = nil
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(method{})); diff != "" {
				t.Fatalf("method (-want +got):\n%s", diff)
			}
			for n := range payload {
				if got.decode(payload[:n]) == methodOK {
					t.Errorf("accepted the first %d octets", n)
				}
			}
			if got.decode(append(payload, 0)) != methodMalformed {
				t.Error("accepted an octet too many")
			}
		})
	}
	for id, want := range map[methodID]methodError{
		txSelect: methodUnfinished, txCommit: methodUnfinished, txRollback: methodUnfinished, exchangeBind: methodUnfinished,
		exchangeUnbind: methodUnfinished, connectionStart: methodUnknown, basicDeliver: methodUnknown, 77<<16 | 1: methodUnknown, 0: methodUnknown,
	} {
		var m method
		if got := m.decode(payloadOf(id, nil)); got != want {
			t.Errorf("%d.%d: got %d, want %d", id.class(), id.method(), got, want)
		}
	}
}

func TestContentHeader(t *testing.T) {
	all := args{}.short(60).short(0).longlong(7).short(0xfffc).
		shortstr("content type").shortstr("content encoding").longstr(string(commonTypes())).octet(2).octet(9).
		shortstr("correlation id").shortstr("reply to").shortstr("1000").shortstr("message id").longlong(1).
		shortstr("type").shortstr("user").shortstr("app").shortstr("cluster")
	var h contentHeader
	if !h.decode(all) || h.class != 60 || h.size != 7 || string(h.expiration) != "1000" || string(h.userID) != "user" {
		t.Fatalf("got %+v", h)
	}
	for n := range all {
		if h.decode(all[:n]) {
			t.Errorf("accepted the first %d octets", n)
		}
	}
	for name, b := range map[string]args{
		"an octet too many":   append(all[:len(all):len(all)], 0),
		"weight":              args{}.short(60).short(1).longlong(0).short(0),
		"more flags":          args{}.short(60).short(0).longlong(0).short(1).short(0),
		"property of nothing": args{}.short(60).short(0).longlong(0).short(2),
		"bad table":           args{}.short(60).short(0).longlong(0).short(1 << 13).longstr("\x01kq"),
	} {
		if h.decode(b) {
			t.Errorf("accepted: %s", name)
		}
	}
	if !h.decode(args{}.short(60).short(0).longlong(0).short(0)) || h.expiration != nil || h.userID != nil {
		t.Errorf("without properties: %+v", h)
	}
	if !h.decode(args{}.short(60).short(0).longlong(0).short(1<<8).shortstr("")) || h.expiration == nil {
		t.Error("an empty expiration is one")
	}
}

// FuzzMethod decodes a payload as a method and as a content header.
func FuzzMethod(f *testing.F) {
	for _, c := range someMethods {
		f.Add(payloadOf(c.want.id, c.args))
	}
	f.Add([]byte(args{}.short(60).short(0).longlong(7).short(1 << 13).longstr(string(allTypes()))))
	f.Add([]byte(args{}.short(60).short(0).longlong(7).short(0xfffc)))
	f.Fuzz(func(t *testing.T, payload []byte) {
		var m method
		if m.decode(payload) == methodOK {
			for _, s := range [][]byte{m.name, m.exchange, m.key, m.tag, m.kind} {
				if len(s) > 255 {
					t.Fatalf("a short string of %d octets", len(s))
				}
			}
			for w := (decoder{b: m.table}); len(w.b) > 0; {
				if w.shortstr(); w.bad {
					t.Fatal("accepted a table that is none")
				}
				w.value(0)
			}
			m.table.canonical()
		}
		var h contentHeader
		if h.decode(payload) && len(payload) < 14 {
			t.Fatalf("a header of %d octets", len(payload))
		}
	})
}
