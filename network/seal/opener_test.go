package seal

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Every reason to refuse an envelope, and the cases next to it that are taken.
func TestOpen(t *testing.T) {
	const limit = 300
	ours := mustParse(t, keyText)
	theirs := mustParse(t, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	type envelope struct {
		key      Key
		age      time.Duration
		epoch    uint64
		sequence uint64
		message  string
		spoil    func([]byte) []byte
		exchange string
		routing  string
	}
	good := func(change func(*envelope)) envelope {
		e := envelope{key: ours, epoch: 100, sequence: 5000, message: "message", exchange: exchange, routing: routingKey}
		if change != nil {
			change(&e)
		}
		return e
	}
	spoiled := func(spoil func([]byte) []byte) envelope {
		return good(func(e *envelope) { e.spoil = spoil })
	}
	for _, tc := range []struct {
		name   string
		before []envelope // all of them are taken
		open   envelope
		want   error
		reason string
	}{
		{"good", nil, good(nil), nil, ""},
		{"empty message", nil, good(func(e *envelope) { e.message = "" }), nil, ""},
		{"nothing", nil, spoiled(func(b []byte) []byte { return nil }), ErrTooShort, "too_short"},
		{"header only", nil, spoiled(func(b []byte) []byte { return b[:headerSize] }), ErrTooShort, "too_short"},
		{"no room for the time stamp", nil, spoiled(func(b []byte) []byte { return b[:Overhead-1] }), ErrTooShort, "too_short"},
		{"just long enough", nil, spoiled(func(b []byte) []byte { return b[:Overhead] }), ErrForged, "forged"},
		{"as large as can be", nil, good(func(e *envelope) { e.message = string(make([]byte, limit-Overhead)) }), nil, ""},
		{"too large", nil, good(func(e *envelope) { e.message = string(make([]byte, limit-Overhead+1)) }), ErrTooLarge, "too_large"},
		{"version 0", nil, spoiled(func(b []byte) []byte { b[atVersion] = 0; return b }), ErrVersion, "version"},
		{"version 2", nil, spoiled(func(b []byte) []byte { b[atVersion] = 2; return b }), ErrVersion, "version"},
		{"algorithm 2", nil, spoiled(func(b []byte) []byte { b[atAlgorithm] = 2; return b }), ErrAlgorithm, "algorithm"},
		{"size before version", nil, spoiled(func(b []byte) []byte { b[atVersion] = 2; return b[:10] }), ErrTooShort, "too_short"},
		{"version before algorithm", nil, spoiled(func(b []byte) []byte { b[atVersion], b[atAlgorithm] = 2, 2; return b }), ErrVersion, "version"},
		{"algorithm before key", nil, spoiled(func(b []byte) []byte { b[atAlgorithm], b[atKeyID] = 2, 0; return b }), ErrAlgorithm, "algorithm"},
		{"another key", nil, good(func(e *envelope) { e.key = theirs }), ErrUnknownKey, "unknown_key"},
		{"another key that says it is ours", nil, good(func(e *envelope) {
			e.key = theirs
			e.spoil = func(b []byte) []byte { id := ours.ID(); copy(b[atKeyID:], id[:]); return b }
		}), ErrForged, "forged"},
		{"longer", nil, spoiled(func(b []byte) []byte { return append(b, 0) }), ErrForged, "forged"},
		{"shorter", nil, spoiled(func(b []byte) []byte { return b[:len(b)-1] }), ErrForged, "forged"},
		{"another exchange", nil, good(func(e *envelope) { e.exchange = "miros.spy.exchange" }), ErrForged, "forged"},
		{"another routing key", nil, good(func(e *envelope) { e.routing = "archer.woman" }), ErrForged, "forged"},
		{"a letter moved over", nil, good(func(e *envelope) { e.exchange, e.routing = exchange+"a", routingKey[1:] }), ErrForged, "forged"},
		{"forged before expired", nil, good(func(e *envelope) { e.age = time.Hour; e.exchange = "" }), ErrForged, "forged"},
		{"old enough", nil, good(func(e *envelope) { e.age = time.Minute }), nil, ""},
		{"too old", nil, good(func(e *envelope) { e.age = time.Minute + 1 }), ErrExpired, "expired"},
		{"sealed in 1970", nil, good(func(e *envelope) { e.age = time.Duration(testNow.UnixNano()) }), ErrExpired, "expired"},
		{"a little ahead", nil, good(func(e *envelope) { e.age = -time.Second }), nil, ""},
		{"too far ahead", nil, good(func(e *envelope) { e.age = -time.Second - 1 }), ErrFuture, "future"},
		{"a clock before 1970", nil, good(func(e *envelope) { e.age = time.Duration(testNow.UnixNano()) + 1 }), ErrFuture, "future"},
		{"replay", []envelope{good(nil)}, good(nil), ErrReplay, "replay"},
		{"expired before replay", []envelope{good(nil)}, good(func(e *envelope) { e.age = time.Hour }), ErrExpired, "expired"},
		{"out of order", []envelope{good(nil)}, good(func(e *envelope) { e.sequence -= WindowSize - 1 }), nil, ""},
		{"behind", []envelope{good(nil)}, good(func(e *envelope) { e.sequence -= WindowSize }), ErrBehind, "behind"},
		{"older epoch", []envelope{good(nil)}, good(func(e *envelope) { e.epoch--; e.sequence++ }), ErrOldEpoch, "old_epoch"},
		{"newer epoch", []envelope{good(nil)}, good(func(e *envelope) { e.epoch++; e.sequence = 1 }), nil, ""},
		{"older epoch after a newer one", []envelope{good(nil), good(func(e *envelope) { e.epoch++; e.sequence = 1 })},
			good(func(e *envelope) { e.sequence++ }), ErrOldEpoch, "old_epoch"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ring, err := NewRing(ours)
			if err != nil {
				t.Fatal(err)
			}
			o := NewOpener(ring, OpenerConfig{MaxSize: limit, MaxAge: time.Minute, MaxAhead: time.Second, Now: at(testNow)})
			open := func(e envelope) (Message, error) {
				sending, err := NewRing(e.key)
				if err != nil {
					t.Fatal(err)
				}
				s := NewSealer(sending, SealerConfig{Sender: testSender, Epoch: e.epoch, Now: at(testNow.Add(-e.age))})
				s.sequence.Store(e.sequence - 1)
				b := mustSeal(t, s, e.message)
				if e.spoil != nil {
					b = e.spoil(b)
				}
				return o.Open(nil, b, e.exchange, e.routing)
			}
			for _, e := range tc.before {
				if _, err := open(e); err != nil {
					t.Fatal(err)
				}
			}
			m, err := open(tc.open)
			if !errors.Is(err, tc.want) {
				t.Fatalf("error %v, want %v", err, tc.want)
			}
			if diff := cmp.Diff(tc.reason, Reason(err)); diff != "" {
				t.Errorf("reason (-want +got):\n%s", diff)
			}
			var want Message
			if tc.want == nil {
				want = Message{
					Sender: testSender, Epoch: tc.open.epoch, Sequence: tc.open.sequence,
					Time: testNow.Add(-tc.open.age), KeyID: ours.ID(), Body: []byte(tc.open.message),
				}
			}
			if diff := cmp.Diff(want, m); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
		})
	}
}

// A receiver whose clock is before 1970 finds everything in the future, by however
// much that is.
func TestClockBefore1970(t *testing.T) {
	s, _ := pair(t)
	o := NewOpener(s.ring, OpenerConfig{Now: at(time.Unix(0, math.MinInt64))})
	if _, err := o.Open(nil, mustSeal(t, s, "message"), exchange, routingKey); !errors.Is(err, ErrFuture) {
		t.Errorf("error %v, want %v", err, ErrFuture)
	}
}

func TestErrorsTellDetails(t *testing.T) {
	ours, theirs := KeyID{0x1a, 0x2b, 0x3c, 0x4d}, KeyID{0xff}
	s, o := pair(t)
	late := NewOpener(s.ring, OpenerConfig{Now: at(testNow.Add(3 * time.Minute))})
	early := NewOpener(s.ring, OpenerConfig{Now: at(testNow.Add(-3 * time.Minute))})
	envelope := mustSeal(t, s, "message")
	open := func(o *Opener, b []byte) error {
		_, err := o.Open(nil, b, exchange, routingKey)
		return err
	}
	for _, tc := range []struct {
		err  error
		want string
	}{
		{KeyError{ID: theirs, Ours: ours}, "seal: unknown key: sealed with key id ff000000, ours is 1a2b3c4d"},
		{KeyError{ID: theirs}, "seal: unknown key: sealed with key id ff000000, we have none"},
		{open(o, make([]byte, 80)), "seal: envelope too short: 80 bytes, the shortest has 86"},
		{open(o, make([]byte, 1<<20+1)), "seal: envelope too large: 1048577 bytes, limit 1048576"},
		{open(o, make([]byte, 86)), "seal: unknown version 0, ours is 1"},
		{open(late, envelope), "seal: envelope expired: sealed 3m0s ago, limit 2m0s"},
		{open(early, envelope), "seal: envelope is from the future: sealed in 3m0s, limit 2m0s"},
	} {
		if diff := cmp.Diff(tc.want, tc.err.Error()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestReason(t *testing.T) {
	words := map[string]bool{}
	for _, r := range reasons {
		if got := Reason(fmt.Errorf("network: %w", r.err)); got != r.word {
			t.Errorf("%v: %q, want %q", r.err, got, r.word)
		}
		if words[r.word] {
			t.Errorf("%q stands for two errors", r.word)
		}
		words[r.word] = true
	}
	if got := Reason(nil); got != "" {
		t.Errorf("nil: %q", got)
	}
	if got := Reason(errors.New("foreign")); got != "other" {
		t.Errorf("foreign error: %q", got)
	}
}

// Not one bit of an envelope can be changed, and trying leaves no trace.
func TestEveryBitCounts(t *testing.T) {
	s, o := pair(t)
	envelope := mustSeal(t, s, "message")
	for bit := range 8 * len(envelope) {
		forged := bytes.Clone(envelope)
		forged[bit/8] ^= 1 << (bit % 8)
		m, err := o.Open(nil, forged, exchange, routingKey)
		want := ErrForged
		switch byteNo := bit / 8; {
		case byteNo == atVersion:
			want = ErrVersion
		case byteNo == atAlgorithm:
			want = ErrAlgorithm
		case byteNo >= atKeyID && byteNo < atSender:
			want = ErrUnknownKey
		}
		if !errors.Is(err, want) || m.Body != nil {
			t.Errorf("bit %d of byte %d: %v, want %v", bit%8, bit/8, err, want)
		}
	}
	if n := len(o.heard.senders); n != 0 {
		t.Errorf("remembers %d senders of forged envelopes", n)
	}
	if _, err := o.Open(nil, envelope, exchange, routingKey); err != nil {
		t.Errorf("after the forged ones, the true one: %v", err)
	}
}

// Refused envelopes, authentic or not, neither move a window nor count as hearing
// their sender.
func TestRefusalsChangeNothing(t *testing.T) {
	ring, err := NewRing(NewKey())
	if err != nil {
		t.Fatal(err)
	}
	now := testNow
	o := NewOpener(ring, OpenerConfig{MaxSenders: 2, Now: func() time.Time { return now }})
	sealer := func(id byte, ahead time.Duration) *Sealer {
		return NewSealer(ring, SealerConfig{Sender: SenderID{id}, Epoch: 1, Now: func() time.Time { return now.Add(ahead) }})
	}
	open := func(b []byte, want error) {
		t.Helper()
		if _, err := o.Open(nil, b, exchange, routingKey); !errors.Is(err, want) {
			t.Errorf("error %v, want %v", err, want)
		}
	}
	a, b := sealer(1, 0), sealer(2, 0)
	first := mustSeal(t, a, "first")
	open(first, nil)
	open(mustSeal(t, b, "first"), nil)
	before := fmt.Sprint(o.heard.order())

	open(first, ErrReplay)
	expired := sealer(1, -time.Hour)
	expired.sequence.Store(1 << 40)
	open(mustSeal(t, expired, "would move the window"), ErrExpired)
	open(mustSeal(t, sealer(3, time.Hour), "would be a third sender"), ErrFuture)
	forged := mustSeal(t, sealer(4, 0), "would be a third sender")
	forged[len(forged)-1] ^= 1
	open(forged, ErrForged)

	if diff := cmp.Diff(before, fmt.Sprint(o.heard.order())); diff != "" {
		t.Errorf("senders, heard longest ago first (-want +got):\n%s", diff)
	}
	open(mustSeal(t, a, "second"), nil)
}

// With no memory, be it after a restart or of a sender that was forgotten, the time
// stamp alone refuses a replay: inside MaxAge it comes through, after that never.
func TestForgottenSender(t *testing.T) {
	ring, err := NewRing(NewKey())
	if err != nil {
		t.Fatal(err)
	}
	now := testNow
	clock := func() time.Time { return now }
	o := NewOpener(ring, OpenerConfig{MaxSenders: 3, Now: clock})
	open := func(o *Opener, b []byte, want error) {
		t.Helper()
		if _, err := o.Open(nil, b, exchange, routingKey); !errors.Is(err, want) {
			t.Errorf("error %v, want %v", err, want)
		}
	}
	message := mustSeal(t, NewSealer(ring, SealerConfig{Now: clock}), "attack")
	open(o, message, nil)
	open(o, message, ErrReplay)
	for range 3 {
		open(o, mustSeal(t, NewSealer(ring, SealerConfig{Now: clock}), "another sender"), nil)
	}
	if n := len(o.heard.senders); n != 3 {
		t.Errorf("remembers %d senders, want 3", n)
	}
	open(o, message, nil)
	restarted := NewOpener(ring, OpenerConfig{Now: clock})
	open(restarted, message, nil)
	open(restarted, message, ErrReplay)

	now = now.Add(DefaultMaxAge + 1)
	open(o, message, ErrExpired)
	open(NewOpener(ring, OpenerConfig{Now: clock}), message, ErrExpired)
}

// A process that restarts after its clock went backwards has a smaller epoch, which
// is of no importance because its identity is new.
func TestRestartWithClockSetBack(t *testing.T) {
	s, o := pair(t)
	if _, err := o.Open(nil, mustSeal(t, s, "before"), exchange, routingKey); err != nil {
		t.Fatal(err)
	}
	again := NewSealer(s.ring, SealerConfig{Epoch: s.Epoch() - uint64(time.Hour), Now: at(testNow)})
	if _, err := o.Open(nil, mustSeal(t, again, "after"), exchange, routingKey); err != nil {
		t.Error(err)
	}
	kept := NewSealer(s.ring, SealerConfig{Sender: s.Sender(), Epoch: s.Epoch() - 1, Now: at(testNow)})
	if _, err := o.Open(nil, mustSeal(t, kept, "after"), exchange, routingKey); !errors.Is(err, ErrOldEpoch) {
		t.Errorf("with its identity kept: %v, want %v", err, ErrOldEpoch)
	}
}

// Where the body goes.
func TestOpenInto(t *testing.T) {
	for _, tc := range []struct {
		name string
		dst  func(envelope []byte) []byte
		used bool
	}{
		{"nil", func([]byte) []byte { return nil }, false},
		{"room", func([]byte) []byte { return make([]byte, 3, 100) }, true},
		{"just enough room", func([]byte) []byte { return make([]byte, 3, 3+len("message")+8) }, true},
		{"one byte too little", func([]byte) []byte { return make([]byte, 3, 3+len("message")+7) }, false},
		{"right behind it", func(e []byte) []byte { return e }, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, o := pair(t)
			envelope := append(mustSeal(t, s, "message"), make([]byte, 100)...)
			envelope = envelope[:len(envelope)-100]
			dst, before := tc.dst(envelope), bytes.Clone(envelope)
			held := bytes.Clone(dst)
			m, err := o.Open(dst, envelope, exchange, routingKey)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff("message", string(m.Body)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !bytes.Equal(envelope, before) {
				t.Error("the envelope changed")
			}
			if !bytes.Equal(dst, held) {
				t.Error("what dst held changed")
			}
			if used := cap(dst) > len(dst) && &dst[:len(dst)+1][len(dst)] == &m.Body[0]; used != tc.used {
				t.Errorf("dst used: %v, want %v", used, tc.used)
			}
		})
	}
}

// A message that is authentic but refused is not left behind in dst.
func TestRefusedMessageIsWiped(t *testing.T) {
	s, o := pair(t)
	envelope := mustSeal(t, s, "secret message")
	if _, err := o.Open(nil, envelope, exchange, routingKey); err != nil {
		t.Fatal(err)
	}
	dst := make([]byte, 0, 100)
	if _, err := o.Open(dst, envelope, exchange, routingKey); !errors.Is(err, ErrReplay) {
		t.Fatalf("error %v, want %v", err, ErrReplay)
	}
	if bytes.Contains(dst[:cap(dst)], []byte("secret")) {
		t.Error("the refused message is in dst")
	}
}

// Keys derived for different channels do not open each other's messages.
func TestChannelsAreApart(t *testing.T) {
	shared := NewKey()
	mesh, err := NewRing(shared.Derive("mesh"))
	if err != nil {
		t.Fatal(err)
	}
	trace, err := NewRing(shared.Derive("trace"))
	if err != nil {
		t.Fatal(err)
	}
	envelope := mustSeal(t, NewSealer(trace, SealerConfig{}), "trace line")
	if _, err := NewOpener(mesh, OpenerConfig{}).Open(nil, envelope, exchange, routingKey); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("error %v, want %v", err, ErrUnknownKey)
	}
}
