package network_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/network"
	"github.com/statemesh/statemesh/network/seal"
)

// stranger is not a node, but speaks to a broker as one, and knows what a node
// knows: the format of messages and, if it was told, the keys.
type stranger struct {
	b      *bed
	link   network.Link
	sender seal.SenderID
	seals  map[string]*seal.Sealer // by exchange
	number uint64                  // of the last event
}

// dial gives a link to the broker at the address.
func (b *bed) dial(host string) network.Link {
	b.t.Helper()
	link, err := b.memory.Dial(context.Background(), network.Address{Host: host, Port: 5672})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { link.Close() })
	return link
}

// stranger has the keys that follow from the mesh key.
func (b *bed) stranger(mesh seal.Key) *stranger {
	b.t.Helper()
	s := &stranger{b: b, link: b.dial("127.0.0.1"), sender: seal.NewSenderID(), seals: map[string]*seal.Sealer{}}
	for exchange, key := range map[string]seal.Key{
		network.ExchangeMesh: mesh, network.ExchangeTrace: mesh.Derive("trace"), network.ExchangeSpy: mesh.Derive("spy"),
	} {
		ring, err := seal.NewRing(key.Derive(exchange))
		if err != nil {
			b.t.Fatal(err)
		}
		s.seals[exchange] = seal.NewSealer(ring, seal.SealerConfig{Sender: s.sender, MaxSize: 2 << 20})
	}
	return s
}

// publish hands bytes to the broker as they are.
func (s *stranger) publish(exchange, key string, body []byte) {
	s.b.t.Helper()
	if err := s.link.Publish(exchange, key, body); err != nil {
		s.b.t.Fatal(err)
	}
	s.b.settle()
}

// seal makes an envelope.
func (s *stranger) seal(exchange, key string, body []byte) []byte {
	s.b.t.Helper()
	if exchange == network.ExchangeMesh {
		s.number++
		body = binary.BigEndian.AppendUint64(bytes.Clone(body), s.number)
	}
	sealed, err := s.seals[exchange].Seal(nil, body, exchange, key)
	if err != nil {
		s.b.t.Fatal(err)
	}
	return sealed
}

// encoded is CBOR, written by hand as a map from numbers, as the messages are.
func encoded(t testing.TB, v any) []byte {
	t.Helper()
	b, err := cbor.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type fields map[int]any

// say sends an event message of these fields.
func (s *stranger) say(f fields) {
	s.b.t.Helper()
	s.publish(network.ExchangeMesh, "stranger", s.seal(network.ExchangeMesh, "stranger", encoded(s.b.t, f)))
}

// problems returns how often the node had a problem since the last call with the
// same counts.
func problems(n *network.Node, before map[string]uint64) map[string]uint64 {
	since := map[string]uint64{}
	for why, count := range n.Stats().Problems {
		if count > before[why] {
			since[why] = count - before[why]
		}
		before[why] = count
	}
	return since
}

// What a node of the same release would never send is refused, under its own
// count, and harms nothing.
func TestForeignEvents(t *testing.T) {
	secret := "content-of-a-payload"
	tests := []struct {
		name string
		body []byte
		want map[string]uint64 // nil: it is heard
	}{
		{"like a node", encoded(t, fields{1: "word", 2: 7, 3: "stranger", 4: 1, 5: 2}), nil},
		{"unknown signal", encoded(t, fields{1: "nobody_declared_this", 3: "stranger"}), map[string]uint64{"unknown_signal": 1}},
		{"no signal", encoded(t, fields{3: "stranger"}), map[string]uint64{"malformed": 1}},
		{"inner signal", encoded(t, fields{1: "ENTRY_SIGNAL", 3: "stranger"}), map[string]uint64{"malformed": 1}},
		{"the other inner signal", encoded(t, fields{1: "SEARCH_FOR_SUPER_SIGNAL", 3: "stranger"}), map[string]uint64{"malformed": 1}},
		{"another type than is bound", encoded(t, fields{1: "int8", 2: secret, 3: "stranger"}), map[string]uint64{"bad_payload": 1}},
		{"beyond the bound type", encoded(t, fields{1: "int8", 2: 4711128, 3: "stranger"}), map[string]uint64{"bad_payload": 1}},
		{"no time", encoded(t, fields{1: "time", 2: secret, 3: "stranger"}), map[string]uint64{"bad_payload": 1}},
		{"unknown field of the bound struct", encoded(t, fields{1: "point", 2: map[string]int{secret: 1}, 3: "stranger"}), map[string]uint64{"bad_payload": 1}},
		{"bound type that panics", encoded(t, fields{1: "panicking", 2: []byte(secret), 3: "stranger"}), map[string]uint64{"bad_payload": 1}},
		{"key twice in a payload", bytes.Join([][]byte{{0xa3, 1}, encoded(t, "word"), {2, 0xa2}, encoded(t, secret), {1}, encoded(t, secret), {1, 3}, encoded(t, "s")}, nil),
			map[string]uint64{"bad_payload": 1}},
		{"key twice", bytes.Join([][]byte{{0xa3, 1}, encoded(t, "word"), {1}, encoded(t, secret), {3}, encoded(t, "s")}, nil), map[string]uint64{"malformed": 1}},
		{"text key twice", bytes.Join([][]byte{{0xa4, 1}, encoded(t, "word"), {3}, encoded(t, "s"), encoded(t, secret), {1}, encoded(t, secret), {1}}, nil), map[string]uint64{"malformed": 1}},
		{"number too large", encoded(t, fields{1: "word", 3: "s", 4: new(big.Int).Exp(big.NewInt(4711128), big.NewInt(4), nil)}), map[string]uint64{"malformed": 1}},
		{"unknown field", encoded(t, fields{1: "word", 3: "stranger", 77: secret}), map[string]uint64{"malformed": 1}},
		{"keys that are text", encoded(t, map[string]any{"Signal": "word"}), map[string]uint64{"malformed": 1}},
		{"name not printable", encoded(t, fields{1: "word", 3: "a\x1b[31m" + secret}), map[string]uint64{"malformed": 1}},
		{"name too long", encoded(t, fields{1: "word", 3: strings.Repeat("x", 256)}), map[string]uint64{"malformed": 1}},
		{"signal not printable", encoded(t, fields{1: "two\nlines", 3: "stranger"}), map[string]uint64{"malformed": 1}},
		{"no CBOR", []byte(secret), map[string]uint64{"malformed": 1}},
		{"nothing", nil, map[string]uint64{"malformed": 1}},
		{"not a map", encoded(t, []any{"word"}), map[string]uint64{"malformed": 1}},
		{"more behind it", append(encoded(t, fields{1: "word", 3: "stranger"}), 0), map[string]uint64{"malformed": 1}},
		{"of indefinite length", []byte("\xbf\x01\x64word\x03\x61s\xff"), map[string]uint64{"malformed": 1}},
		{"too deep", encoded(t, fields{1: "word", 2: cbor.RawMessage(strings.Repeat("\x81", 16) + "\x01"), 3: "s"}), map[string]uint64{"malformed": 1}},
		{"too many elements", encoded(t, fields{1: "word", 2: make([]int, 65537), 3: "s"}), map[string]uint64{"malformed": 1}},
		{"an array that is not there", []byte("\xa2\x01\x64word\x02\x9a\x00\x00\xff\xff\x01"), map[string]uint64{"malformed": 1}},
	}
	virtually(t, func(b *bed) {
		e := b.ear(b.node("one"), "ear", network.ObjectConfig{})
		s := b.stranger(b.config.MeshKey)
		seen := map[string]uint64{}
		for _, tc := range tests {
			before := len(e.heard())
			s.publish(network.ExchangeMesh, "any.key", s.seal(network.ExchangeMesh, "any.key", tc.body))
			want := tc.want
			if want == nil {
				want = map[string]uint64{}
			}
			if diff := cmp.Diff(want, problems(e.Node(), seen)); diff != "" {
				b.t.Errorf("%s: problems (-want +got):\n%s", tc.name, diff)
			}
			if heard := len(e.heard()) > before; heard != (tc.want == nil) {
				b.t.Errorf("%s: heard is %v", tc.name, heard)
			}
			b.pass(time.Minute) // so that each is reported
		}
		if e.Err() != nil || b.memory.Links(own) != 3 {
			b.t.Errorf("after all that, the object has %v, and the broker %d links, want 3", e.Err(), b.memory.Links(own))
		}
		for _, leak := range []string{secret, "4711128", "4926059", "\x1b", b.config.MeshKey.Encode()} {
			if got := b.log.lines(leak); len(got) > 0 {
				b.t.Errorf("the log has %q: %q", leak, got)
			}
		}
	})
}

// panicking is a type of somebody who did not expect the network.
type panicking struct{}

func (*panicking) UnmarshalBinary(b []byte) error { panic(fmt.Sprintf("what is %s?", b)) }

var _ = hsm.MustBind[panicking](hsm.NewSignal("panicking"))

// A reason is reported at once, and then once a minute with the number of those
// in between.
func TestProblemsAreReportedOnceAMinute(t *testing.T) {
	virtually(t, func(b *bed) {
		e := b.ear(b.node("one"), "ear", network.ObjectConfig{})
		s := b.stranger(b.config.MeshKey)
		unknown := func(n int) {
			for range n {
				s.say(fields{1: "nobody_declared_this", 3: "stranger"})
			}
		}
		reports := func() []string { return b.log.lines("reason=unknown_signal") }
		unknown(5)
		if got := reports(); len(got) != 1 || strings.Contains(got[0], "unreported") || !strings.Contains(got[0], "nobody_declared_this") {
			b.t.Fatalf("the log says %q, want one line", got)
		}
		b.pass(59 * time.Second)
		unknown(1)
		if got := reports(); len(got) != 1 {
			b.t.Fatalf("within the minute the log says %q, want one line", got)
		}
		b.pass(time.Second)
		unknown(1)
		if got := reports(); len(got) != 2 || !strings.Contains(got[1], "unreported=5") {
			b.t.Fatalf("after the minute the log says %q, want a second line with unreported=5", got)
		}
		b.pass(time.Hour)
		unknown(1)
		if got := reports(); len(got) != 3 || strings.Contains(got[2], "unreported") {
			b.t.Fatalf("an hour later the log says %q, want a third line", got)
		}
		if got := e.Node().Stats().Problems["unknown_signal"]; got != 8 {
			b.t.Errorf("%d counted, want 8", got)
		}
		e.nothing(b.t)
	})
}

// Bytes that no key of ours has sealed are dropped on every exchange.
func TestGarbage(t *testing.T) {
	virtually(t, func(b *bed) {
		var out text
		e := b.object(b.node("one", func(c *network.Config) { c.SnoopOutput = &out }), "ear", network.ObjectConfig{})
		for _, enable := range []func() error{e.EnableSnoopTrace, e.EnableSnoopSpy} {
			if err := enable(); err != nil {
				b.t.Fatal(err)
			}
		}
		b.start(e)
		b.settle()
		printed := out.String()
		s, seen := b.stranger(b.config.MeshKey), map[string]uint64{}
		for exchange, key := range map[string]string{
			network.ExchangeMesh: "any.key", network.ExchangeTrace: "snoop.trace", network.ExchangeSpy: "snoop.spy",
		} {
			good := s.seal(exchange, key, encoded(b.t, fields{1: "word", 3: "stranger"}))
			flipped, otherVersion := bytes.Clone(good), bytes.Clone(good)
			flipped[len(flipped)-20] ^= 1
			otherVersion[0]++
			for _, tc := range []struct {
				name string
				body []byte
				want string
			}{
				{"empty", nil, "too_short"},
				{"garbage", []byte("GET / HTTP/1.1"), "too_short"},
				{"long garbage", bytes.Repeat([]byte{0xff}, 1000), "version"},
				{"truncated to the header", good[:70], "too_short"},
				{"truncated by one", good[:len(good)-1], "forged"},
				{"one bit flipped", flipped, "forged"},
				{"another version", otherVersion, "version"},
				{"for another routing key", s.seal(exchange, "other.key", []byte("x")), "forged"},
				{"oversized", s.seal(exchange, key, make([]byte, 1<<20)), "too_large"},
			} {
				s.publish(exchange, key, tc.body)
				if diff := cmp.Diff(map[string]uint64{tc.want: 1}, problems(e.Node(), seen)); diff != "" {
					b.t.Errorf("%s, %s (-want +got):\n%s", exchange, tc.name, diff)
				}
			}
		}
		e.nothing(b.t)
		if diff := cmp.Diff(printed, out.String()); diff != "" {
			b.t.Errorf("printed (-want +got):\n%s", diff)
		}
		if got := b.memory.Links(own); got != 3 {
			b.t.Errorf("%d links, want 3", got)
		}
	})
}
