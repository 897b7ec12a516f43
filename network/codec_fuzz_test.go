package network

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

// FuzzDecodeEvent: whatever a peer sends is refused under one of three names, or
// is an event that this program knows, which survives the way to another node.
func FuzzDecodeEvent(f *testing.F) {
	for _, payload := range []any{nil, true, -1, 1.5, "text", []byte("bytes"), []any{1, "a", nil}, map[string]any{"a": []int{1}}, time.Unix(1, 0)} {
		b, err := encodeEvent(hsm.Event{Signal: codecSignal, Payload: payload}, "ann", hsm.Origin{ID: 1, Cause: 2})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:len(b)-1])
	}
	b, err := encodeEvent(hsm.Event{Signal: boundSignal, Payload: boundPayload{Name: "n", Raw: []byte{1}, Sub: []boundSubordinate{{1}}}}, "ann", hsm.Origin{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte("\xa2\x01\x6cENTRY_SIGNAL\x03\x61s"))
	f.Add([]byte("\xa2\x01\x67unheard\x03\x61s"))
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		e, origin, err := decodeEvent(b)
		if !bytes.Equal(b, before) {
			t.Fatal("decoding changed the message")
		}
		if err != nil {
			if !errors.Is(err, errMalformed) && !errors.Is(err, errUnknownSignal) && !errors.Is(err, errBadPayload) || e != (hsm.Event{}) {
				t.Fatalf("%v, %v", e, err)
			}
			if text := err.Error(); len(text) > 1000 || strings.ContainsFunc(text, unicode.IsControl) {
				t.Fatalf("not fit for a log: %q", text)
			}
			return
		}
		if err := hsm.CheckPost(e); err != nil {
			t.Fatal(err)
		}
		again, err := encodeEvent(e, "ann", origin)
		if errors.Is(err, ErrPayload) {
			return // such as a time in the year 10000
		}
		if err != nil {
			t.Fatal(err)
		}
		e2, origin2, err := decodeEvent(again)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(e, e2, plainly) + cmp.Diff(origin, origin2); diff != "" {
			t.Fatalf("(-first +second):\n%s", diff)
		}
	})
}

// FuzzDecodeTrace: whatever a peer sends is refused, or prints as whole lines of
// what can be seen.
func FuzzDecodeTrace(f *testing.F) {
	at := time.Unix(1_525_507_240, 594_301_000)
	for _, encode := range []func() ([]byte, error){
		func() ([]byte, error) {
			return encodeTrace(instrument.Trace{Time: at, Name: "ann", Signal: "go", From: "here", To: "there", Node: "n", Event: 7, Cause: 8})
		},
		func() ([]byte, error) {
			return encodeSpy("ann", "n", []string{"go:here", "<- Queued:(0) Deferred:(0)"})
		},
		func() ([]byte, error) { return encodeScribble(at, "ann", "n", "größer") },
	} {
		b, err := encode()
		if err != nil {
			f.Fatal(err)
		}
		for _, spy := range []bool{false, true} {
			f.Add(b, spy)
			f.Add(b[:len(b)-1], spy)
			f.Add(bytes.ReplaceAll(b, []byte("ann"), []byte("a\nn")), spy)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, spy bool) {
		exchange := ExchangeTrace
		if spy {
			exchange = ExchangeSpy
		}
		m, err := decodeTrace(b, exchange)
		if err != nil {
			if !errors.Is(err, errMalformed) {
				t.Fatal(err)
			}
			return
		}
		var out bytes.Buffer
		s := &snoop{printer: instrument.NewPrinter(io.Writer(&out), false)}
		s.wake.L = &s.mu
		s.say(m.heard())
		for _, line := range s.lines {
			if err := line(); err != nil {
				t.Fatal(err)
			}
		}
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		if want := max(1, min(len(m.Lines), maxUnprinted)); len(lines) != want {
			t.Fatalf("%d lines, want %d: %q", len(lines), want, out.String())
		}
		for _, line := range lines {
			if strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) || !strings.Contains(line, m.Name) {
				t.Fatalf("printed %q", line)
			}
		}
	})
}

func FuzzDecodeNode(f *testing.F) {
	for _, m := range []nodeMessage{
		{Node: "n"}, {Node: "n", Addresses: []string{"10.0.0.1:5672"}}, {Node: "n", Reply: answerPrefix + "X"},
	} {
		b, err := encodeNode(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeNode(b)
		if err != nil {
			if !errors.Is(err, errMalformed) {
				t.Fatalf("error %v, want errMalformed", err)
			}
			return
		}
		if !printable(m.Node, maxNodeName) || len(m.Addresses) > maxAddresses || m.Reply != "" && !strings.HasPrefix(m.Reply, answerPrefix) {
			t.Fatalf("took %+v", m)
		}
		again, err := encodeNode(m)
		if err != nil {
			t.Fatal(err)
		}
		// What is empty and what is not there is the same to who reads it, and is not written.
		if m2, err := decodeNode(again); err != nil || !cmp.Equal(m2, m, cmpopts.EquateEmpty()) {
			t.Fatalf("%+v became %+v, %v", m, m2, err)
		}
	})
}
