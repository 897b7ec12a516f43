package seal

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/chacha20poly1305"
	"pgregory.net/rapid"
)

const (
	exchange   = "miros.mesh.exchange"
	routingKey = "archer.man"
)

var (
	testSender = SenderID{0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf}
	testNow    = time.Unix(1_525_507_240, 594_301_000)
	testEpoch  = uint64(testNow.Add(-time.Hour).UnixNano())
)

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

func mustSeal(t testing.TB, s *Sealer, message string) []byte {
	t.Helper()
	envelope, err := s.Seal(nil, []byte(message), exchange, routingKey)
	if err != nil {
		t.Fatal(err)
	}
	return envelope
}

// mustSealWith is a new sender for each message.
func mustSealWith(t testing.TB, k Key, message string) []byte {
	t.Helper()
	ring, err := NewRing(k)
	if err != nil {
		t.Fatal(err)
	}
	return mustSeal(t, NewSealer(ring, SealerConfig{}), message)
}

// pair returns a sealer and an opener that share a key and stand at testNow.
func pair(t testing.TB) (*Sealer, *Opener) {
	t.Helper()
	ring, err := NewRing(mustParse(t, keyText))
	if err != nil {
		t.Fatal(err)
	}
	return NewSealer(ring, SealerConfig{Sender: testSender, Epoch: testEpoch, Now: at(testNow)}),
		NewOpener(ring, OpenerConfig{Now: at(testNow)})
}

// golden is one envelope, byte for byte: the contract with other programs, and with
// nodes of an earlier release on the same mesh.
var golden = strings.Join([]string{
	"01",                               // version
	"01",                               // algorithm
	"0d931074",                         // key id
	"a0a1a2a3a4a5a6a7a8a9aaabacadaeaf", // sender
	"152bad7a89304048",                 // epoch
	"0000000000000001",                 // sequence
	"404142434445464748494a4b4c4d4e4f5051525354555657",         // nonce
	"e427c334e2181412b77313ba93ddbd345c235229602ae880afd79062", // time stamp and message
	"b2fa29b2a14d65650ac81380b3c0efc8",                         // tag
}, "")

const goldenMessage = "Ladies and Gentlemen"

func goldenSealer(t testing.TB) (*Sealer, *Opener) {
	s, o := pair(t)
	s.nonce = func(b []byte) (int, error) {
		for i := range b {
			b[i] = byte(0x40 + i)
		}
		return len(b), nil
	}
	return s, o
}

func TestGoldenEnvelope(t *testing.T) {
	s, o := goldenSealer(t)
	envelope := mustSeal(t, s, goldenMessage)
	if diff := cmp.Diff(golden, hex.EncodeToString(envelope)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	m, err := o.Open(nil, envelope, exchange, routingKey)
	if err != nil {
		t.Fatal(err)
	}
	want := Message{
		Sender: testSender, Epoch: testEpoch, Sequence: 1, Time: testNow,
		KeyID: KeyID{0x0d, 0x93, 0x10, 0x74}, Body: []byte(goldenMessage),
	}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Errorf("opened (-want +got):\n%s", diff)
	}
}

// The envelope taken apart with the cipher alone, as doc.go describes it.
func TestEnvelopeIsAsDocumented(t *testing.T) {
	s, _ := pair(t)
	k := mustParse(t, keyText)
	envelope := mustSeal(t, s, "message")
	header := envelope[:62]
	id := k.ID()
	want := bytes.Join([][]byte{
		{1, 1}, id[:], testSender[:],
		binary.BigEndian.AppendUint64(nil, testEpoch), binary.BigEndian.AppendUint64(nil, 1), header[38:62],
	}, nil)
	if diff := cmp.Diff(want, header); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	length := func(s string) []byte { return binary.BigEndian.AppendUint64(nil, uint64(len(s))) }
	associated := bytes.Join([][]byte{header, length(exchange), []byte(exchange), length(routingKey), []byte(routingKey)}, nil)
	aead, err := chacha20poly1305.NewX(k.secret()[:])
	if err != nil {
		t.Fatal(err)
	}
	inside, err := aead.Open(nil, header[38:62], envelope[62:], associated)
	if err != nil {
		t.Fatal(err)
	}
	stamped := append(binary.BigEndian.AppendUint64(nil, uint64(testNow.UnixNano())), "message"...)
	if diff := cmp.Diff(stamped, inside); diff != "" {
		t.Errorf("inside (-want +got):\n%s", diff)
	}
}

func TestSealRoundTrip(t *testing.T) {
	s, o := pair(t)
	var sequence uint64
	rapid.Check(t, func(t *rapid.T) {
		message := rapid.SliceOf(rapid.Byte()).Draw(t, "message")
		exchange, routingKey := rapid.String().Draw(t, "exchange"), rapid.String().Draw(t, "routing key")
		before := rapid.SliceOf(rapid.Byte()).Draw(t, "dst")
		dst := append(make([]byte, 0, len(before)+rapid.IntRange(0, 300).Draw(t, "room")), before...)

		out, err := s.Seal(dst, message, exchange, routingKey)
		if err != nil {
			t.Fatal(err)
		}
		sequence++
		if !bytes.Equal(out[:len(before)], before) {
			t.Fatal("what dst held changed")
		}
		envelope := bytes.Clone(out[len(before):])
		if len(envelope) != len(message)+Overhead {
			t.Fatalf("%d bytes, want %d", len(envelope), len(message)+Overhead)
		}
		if cap(dst) >= len(out) && &dst[:1][0] != &out[0] {
			t.Fatal("dst had room and was not used")
		}
		m, err := o.Open(dst, envelope, exchange, routingKey)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(m.Body, message) || m.Sequence != sequence {
			t.Fatalf("message %d %q came out as %d %q", sequence, message, m.Sequence, m.Body)
		}
		if !bytes.Equal(dst, before) {
			t.Fatal("what dst held changed")
		}
	})
}

// A message that lies where the envelope is going to be written is sealed whole.
func TestSealOverItself(t *testing.T) {
	s, o := pair(t)
	for _, begin := range []int{0, 1, 8, headerSize, headerSize + stampSize, Overhead} {
		buf := make([]byte, 300)
		message := buf[begin : begin+100]
		copy(message, bytes.Repeat([]byte("message "), 20))
		want := bytes.Clone(message)
		envelope, err := s.Seal(buf[:0], message, exchange, routingKey)
		if err != nil {
			t.Fatal(err)
		}
		m, err := o.Open(nil, envelope, exchange, routingKey)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, m.Body); diff != "" {
			t.Errorf("message at %d (-want +got):\n%s", begin, diff)
		}
	}
}

func TestSealRefusesWhatNobodyOpens(t *testing.T) {
	ring, err := NewRing(NewKey())
	if err != nil {
		t.Fatal(err)
	}
	s, o := NewSealer(ring, SealerConfig{MaxSize: 200}), NewOpener(ring, OpenerConfig{MaxSize: 200})
	dst := []byte("as it was")
	out, err := s.Seal(dst, make([]byte, 201-Overhead), exchange, routingKey)
	if !errors.Is(err, ErrTooLarge) || string(out) != "as it was" {
		t.Errorf("one byte too many: %q, %v", out, err)
	}
	out, err = s.Seal(nil, make([]byte, 200-Overhead), exchange, routingKey)
	if err != nil || len(out) != 200 {
		t.Fatalf("just right: %d bytes, %v", len(out), err)
	}
	m, err := o.Open(nil, out, exchange, routingKey)
	if err != nil {
		t.Fatal(err)
	}
	if m.Sequence != 1 {
		t.Errorf("sequence %d, want 1: the refused message must not leave a gap", m.Sequence)
	}
}

func TestSealerWithoutNonce(t *testing.T) {
	s, _ := pair(t)
	s.nonce = func([]byte) (int, error) { return 0, errors.New("no entropy") }
	if out, err := s.Seal(nil, nil, exchange, routingKey); err == nil || out != nil {
		t.Errorf("sealed as %x, %v", out, err)
	}
}

func TestSealerDefaults(t *testing.T) {
	ring, err := NewRing(NewKey())
	if err != nil {
		t.Fatal(err)
	}
	a, b := NewSealer(ring, SealerConfig{Now: at(testNow)}), NewSealer(ring, SealerConfig{})
	if a.Sender() == (SenderID{}) || a.Sender() == b.Sender() {
		t.Errorf("senders %v and %v, want two random ones", a.Sender(), b.Sender())
	}
	if want := uint64(testNow.UnixNano()); a.Epoch() != want {
		t.Errorf("epoch %d, want %d", a.Epoch(), want)
	}
	for _, tc := range []struct{ size, want int }{{0, 1 << 20}, {-1, 1 << 20}, {500, 500}, {1 << 40, 1 << 30}} {
		if got := sizeLimit(tc.size); got != tc.want {
			t.Errorf("MaxSize %d is %d, want %d", tc.size, got, tc.want)
		}
	}
	if first, second := mustSeal(t, a, "m"), mustSeal(t, a, "m"); bytes.Equal(first[atNonce:headerSize], second[atNonce:headerSize]) {
		t.Error("the same nonce twice")
	}
}
