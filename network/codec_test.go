package network

import (
	"encoding/hex"
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

var (
	codecSignal = hsm.NewSignal("codec")
	boundSignal = hsm.MustBind[boundPayload](hsm.NewSignal("codec_bound"))
)

type boundPayload struct {
	Name  string             `cbor:"name"`
	Count map[string]int     `cbor:"count"`
	Raw   []byte             `cbor:"raw"`
	At    time.Time          `cbor:"at"`
	Sub   []boundSubordinate `cbor:"sub"`
}

type boundSubordinate struct{ F float64 }

// plainly compares plain Go data.
var plainly = cmp.Options{
	cmp.Comparer(func(a, b *big.Int) bool { return a.Cmp(b) == 0 }),
	cmpopts.EquateNaNs(), cmpopts.EquateComparable(hsm.Signal{}), cmpopts.EquateEmpty(),
}

// plainData draws a value as an unbound payload arrives, and deep at most so many
// levels.
func plainData(deep int) *rapid.Generator[any] {
	kinds := []*rapid.Generator[any]{
		rapid.Just[any](nil),
		rapid.Bool().AsAny(),
		rapid.Int64().AsAny(),
		rapid.Float64().AsAny(),
		rapid.String().AsAny(),
		rapid.SliceOf(rapid.Byte()).AsAny(),
		rapid.Custom(func(t *rapid.T) any {
			return time.Unix(rapid.Int64Range(-1<<32, 1<<34).Draw(t, "unix"), rapid.Int64Range(0, 999_999_999).Draw(t, "nano")).UTC()
		}),
		rapid.Custom(func(t *rapid.T) any {
			n := new(big.Int).SetUint64(rapid.Uint64Min(math.MaxInt64+1).Draw(t, "n"))
			return n.Mul(n, big.NewInt(rapid.Int64Range(1, 1000).Draw(t, "times")))
		}),
	}
	if deep > 1 {
		kinds = append(kinds,
			rapid.Map(rapid.SliceOfN(plainData(deep-1), 0, 4), func(s []any) any { return s }),
			rapid.Map(rapid.MapOfN(rapid.String(), plainData(deep-1), 0, 4), func(m map[string]any) any { return m }))
	}
	return rapid.OneOf(kinds...)
}

func TestEventRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := hsm.Event{Signal: codecSignal, Payload: plainData(5).Draw(t, "payload")}
		origin := hsm.Origin{ID: rapid.Uint64().Draw(t, "id"), Cause: rapid.Uint64().Draw(t, "cause")}
		b, err := encodeEvent(e, "sender", origin)
		if err != nil {
			t.Fatal(err)
		}
		got, from, err := decodeEvent(b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(e, got, plainly) + cmp.Diff(origin, from); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

func TestBoundEventRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		payload := boundPayload{
			Name:  rapid.String().Draw(t, "name"),
			Count: rapid.MapOf(rapid.String(), rapid.Int()).Draw(t, "count"),
			Raw:   rapid.SliceOf(rapid.Byte()).Draw(t, "raw"),
			At:    time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "unix"), 0).UTC(),
			Sub:   rapid.SliceOf(rapid.Map(rapid.Float64(), func(f float64) boundSubordinate { return boundSubordinate{f} })).Draw(t, "sub"),
		}
		b, err := encodeEvent(hsm.Event{Signal: boundSignal, Payload: payload}, "sender", hsm.Origin{})
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := decodeEvent(b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(hsm.Event{Signal: boundSignal, Payload: payload}, got, plainly); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

// The messages byte for byte: the contract with nodes of other releases.
func TestMessagesAreAsEver(t *testing.T) {
	at := time.Unix(1_525_507_240, 594_301_000)
	event, err := encodeEvent(hsm.Event{Signal: codecSignal, Payload: []any{"a", 1, nil, at.UTC()}}, "ann", hsm.Origin{ID: 7, Cause: 8})
	trace, err2 := encodeTrace(instrument.Trace{Time: at, Name: "ann", Signal: "go", From: "here", To: "there", Node: "n", Event: 7, Cause: 8})
	spy, err3 := encodeSpy("ann", "n", []string{"go:here", "go:here:HOOK"})
	scribble, err4 := encodeScribble(at, "ann", "n", "remark")
	if err := errors.Join(err, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	const stamp = "\x1b\x15\x2b\xb0\xc0\xb9\xe8\xe0\x48" // at, in nanoseconds
	text := func(s string) string { return string(rune(0x60+len(s))) + s }
	for _, tc := range []struct {
		name string
		got  []byte
		want string
	}{
		{"event", event, "\xa5\x01" + text("codec") + "\x02\x84" + text("a") + "\x01\xf6\xc0\x78\x1b2018-05-05T08:00:40.594301Z" + "\x03" + text("ann") + "\x04\x07\x05\x08"},
		{"trace", trace, "\xa8\x01" + stamp + "\x02" + text("ann") + "\x03" + text("n") + "\x05" + text("go") + "\x06" + text("here") + "\x07" + text("there") + "\x08\x07\x09\x08"},
		{"spy", spy, "\xa4\x01\x00\x02" + text("ann") + "\x03" + text("n") + "\x0a\x82" + text("go:here") + text("go:here:HOOK")},
		{"scribble", scribble, "\xa4\x01" + stamp + "\x02" + text("ann") + "\x03" + text("n") + "\x04" + text("remark")},
	} {
		if diff := cmp.Diff(hex.Dump([]byte(tc.want)), hex.Dump(tc.got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
}

func TestSnoopRoundTrip(t *testing.T) {
	name := rapid.StringMatching(`[a-zäß_0-9.]{1,20}`)
	rapid.Check(t, func(t *rapid.T) {
		trace := instrument.Trace{
			Time: time.Unix(0, rapid.Int64().Draw(t, "unix")), Name: name.Draw(t, "name"), Node: name.Draw(t, "node"),
			Signal: name.Draw(t, "signal"), From: name.Draw(t, "from"), To: name.Draw(t, "to"),
			Event: rapid.Uint64().Draw(t, "event"), Cause: rapid.Uint64().Draw(t, "cause"),
		}
		lines := rapid.SliceOfN(rapid.Map(rapid.String(), func(s string) string { return clean(s, maxLine) }), 1, 20).Draw(t, "lines")
		remark := clean(rapid.StringN(1, -1, -1).Draw(t, "remark"), maxLine)

		b, err := encodeTrace(trace)
		if err != nil {
			t.Fatal(err)
		}
		m, err := decodeTrace(b, ExchangeTrace)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(trace, m.trace()); diff != "" {
			t.Fatalf("trace (-want +got):\n%s", diff)
		}
		if b, err = encodeSpy(trace.Name, trace.Node, lines); err != nil {
			t.Fatal(err)
		}
		if m, err = decodeTrace(b, ExchangeSpy); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(traceMessage{Name: trace.Name, Node: trace.Node, Lines: lines}, m); diff != "" {
			t.Fatalf("spy (-want +got):\n%s", diff)
		}
		if b, err = encodeScribble(trace.Time, trace.Name, trace.Node, remark); err != nil {
			t.Fatal(err)
		}
		for _, exchange := range []string{ExchangeTrace, ExchangeSpy} {
			if m, err = decodeTrace(b, exchange); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(traceMessage{Unix: trace.Time.UnixNano(), Name: trace.Name, Node: trace.Node, Text: remark}, m); diff != "" {
				t.Fatalf("scribble (-want +got):\n%s", diff)
			}
		}
	})
}

// Whatever text goes in, what comes out is printed by peers, and a printable one
// stays as it is.
func TestClean(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.IntRange(1, 40).Draw(t, "most")
		s := string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
		if rapid.Bool().Draw(t, "is text") {
			s = rapid.String().Draw(t, "text")
		}
		got := clean(s, most)
		if !printable(got, most) {
			t.Fatalf("clean(%q, %d) is %q", s, most, got)
		}
		if printable(s, most) && got != s || printable(s, len(s)) && !strings.HasPrefix(s, got) {
			t.Fatalf("clean(%q, %d) changed it to %q", s, most, got)
		}
	})
}

// The limits, each at the last thing that is taken and the first that is not.
func TestEventLimits(t *testing.T) {
	// message is an event with this as payload, whatever it is.
	message := func(payload string) string {
		return "\xa3\x01\x65codec\x02" + payload + "\x03\x61s"
	}
	head := func(major byte, n int) string {
		return string([]byte{major<<5 | 26, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
	}
	pairs := func(n int) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(head(3, 4) + string([]byte{'a' + byte(i>>12&15), 'a' + byte(i>>8&15), 'a' + byte(i>>4&15), 'a' + byte(i&15)}) + "\x00")
		}
		return b.String()
	}
	for _, tc := range []struct {
		name, message string
		want          error
	}{
		{"15 levels", message(strings.Repeat("\x81", 15) + "\x01"), nil},
		{"16 levels", message(strings.Repeat("\x81", 16) + "\x01"), errMalformed},
		{"65536 elements", message(head(4, maxElements) + strings.Repeat("\x00", maxElements)), nil},
		{"65537 elements", message(head(4, maxElements+1) + strings.Repeat("\x00", maxElements+1)), errMalformed},
		{"65536 pairs", message(head(5, maxElements) + pairs(maxElements)), nil},
		{"65537 pairs", message(head(5, maxElements+1) + pairs(maxElements+1)), errMalformed},
		{"keys twice", message("\xa2\x61a\x01\x61a\x02"), errBadPayload},
		{"keys that are numbers", message("\xa1\x01\x01"), errBadPayload},
		{"indefinite array", message("\x9f\xff"), errMalformed},
		{"indefinite map", message("\xbf\xff"), errMalformed},
		{"indefinite text", message("\x7f\x61a\xff"), errMalformed},
		{"indefinite bytes", message("\x5f\x41a\xff"), errMalformed},
		{"more elements than there are", message("\x82\x01"), errMalformed},
		{"more bytes than there are", message("\x5b\x00\x00\x00\x00\x7f\xff\xff\xff"), errMalformed},
		{"no UTF-8", message("\x62\xff\xfe"), errBadPayload},
		{"reserved", message("\x1c"), errMalformed},
		{"break", message("\xff"), errMalformed},
		{"simple value", message("\xf8\x63"), errMalformed},
		{"undefined", message("\xf7"), nil},
		{"unknown tag", message("\xd9\x03\xe8\x61a"), nil},
		{"time that is none", message("\xc0\x63now"), errBadPayload},
		{"trailing byte", message("\x01") + "\x00", errMalformed},
		{"nothing", "", errMalformed},
		{"unknown field", "\xa3\x01\x65codec\x03\x61s\x06\x01", errMalformed},
		{"field twice", "\xa3\x01\x65codec\x03\x61s\x03\x61s", errMalformed},
		{"name of 255 bytes", "\xa2\x01\x65codec\x03" + head(3, 255) + strings.Repeat("s", 255), nil},
		{"name of 256 bytes", "\xa2\x01\x65codec\x03" + head(3, 256) + strings.Repeat("s", 256), errMalformed},
	} {
		e, _, err := decodeEvent([]byte(tc.message))
		if !errors.Is(err, tc.want) || (err == nil) != (tc.want == nil) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
		if err != nil && e != (hsm.Event{}) {
			t.Errorf("%s: an event besides the error: %v", tc.name, e)
		}
	}
	// What means nothing in Go is left out.
	for payload, want := range map[string]any{"\xf7": nil, "\xd9\x03\xe8\x61a": "a", "\xd9\x03\xe8\xd9\x03\xe9\x01": int64(1)} {
		e, _, err := decodeEvent([]byte(message(payload)))
		if err != nil || e.Payload != want {
			t.Errorf("%x is %v, %v, want %v", payload, e.Payload, err, want)
		}
	}
}

func TestSnoopLimits(t *testing.T) {
	lines := func(n int) []string { return make([]string, n) }
	for _, tc := range []struct {
		name string
		m    traceMessage
		ok   bool
	}{
		{"line of 4096 bytes", traceMessage{Name: "a", Lines: []string{strings.Repeat("x", maxLine)}}, true},
		{"line of 4097 bytes", traceMessage{Name: "a", Lines: []string{strings.Repeat("x", maxLine+1)}}, false},
		{"16384 lines", traceMessage{Name: "a", Lines: lines(maxLines)}, true},
		{"16385 lines", traceMessage{Name: "a", Lines: lines(maxLines + 1)}, false},
		{"remark of 4096 bytes", traceMessage{Name: "a", Text: strings.Repeat("x", maxLine)}, true},
		{"remark of 4097 bytes", traceMessage{Name: "a", Text: strings.Repeat("x", maxLine+1)}, false},
		{"name of 255 bytes", traceMessage{Name: strings.Repeat("x", maxName), Text: "x"}, true},
		{"name of 256 bytes", traceMessage{Name: strings.Repeat("x", maxName+1), Text: "x"}, false},
	} {
		b, err := cbor.Marshal(tc.m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decodeTrace(b, ExchangeSpy); (err == nil) != tc.ok || err != nil && !errors.Is(err, errMalformed) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}
