package network

import (
	"fmt"
	"reflect"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/fxamacker/cbor/v2"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

// What the mesh says is CBOR, inside the sealed envelopes. A peer's message is
// held to these limits before anything is made of it.
const (
	maxDepth    = 16    // of nesting
	maxElements = 65536 // of one array or map
	maxName     = 256   // bytes of a name
	maxLine     = 4096  // bytes of a spy line or a scribble
	maxLines    = 16384 // spy lines of one step
)

// eventMessage travels on the mesh exchange.
type eventMessage struct {
	Signal  string          `cbor:"1,keyasint"`
	Payload cbor.RawMessage `cbor:"2,keyasint,omitempty"`
	From    string          `cbor:"3,keyasint"`
	ID      uint64          `cbor:"4,keyasint,omitempty"`
	Cause   uint64          `cbor:"5,keyasint,omitempty"`
}

// traceMessage travels on the trace exchange, and a scribble on either of the
// snoop exchanges: Text is set then, and nothing from Signal on.
type traceMessage struct {
	Unix   int64  `cbor:"1,keyasint"`
	Name   string `cbor:"2,keyasint"`
	Node   string `cbor:"3,keyasint,omitempty"`
	Text   string `cbor:"4,keyasint,omitempty"`
	Signal string `cbor:"5,keyasint,omitempty"`
	From   string `cbor:"6,keyasint,omitempty"`
	To     string `cbor:"7,keyasint,omitempty"`
	Event  uint64 `cbor:"8,keyasint,omitempty"`
	Cause  uint64 `cbor:"9,keyasint,omitempty"`
	// Lines makes it a message of the spy: the lines of one step.
	Lines []string `cbor:"10,keyasint,omitempty"`
}

var encoder, decoder = codec()

func codec() (cbor.EncMode, cbor.DecMode) {
	enc, err := cbor.EncOptions{Time: cbor.TimeRFC3339Nano, TimeTag: cbor.EncTagRequired}.EncMode()
	if err != nil {
		panic(err)
	}
	dec, err := cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		MaxNestedLevels:   maxDepth,
		MaxArrayElements:  maxElements,
		MaxMapPairs:       maxElements,
		IntDec:            cbor.IntDecConvertSignedOrBigInt,
		DefaultMapType:    reflect.TypeFor[map[string]any](),
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return enc, dec
}

// encodeEvent makes the message of an event.
func encodeEvent(e hsm.Event, from string, origin hsm.Origin) ([]byte, error) {
	m := eventMessage{Signal: e.Signal.String(), From: from, ID: origin.ID, Cause: origin.Cause}
	if e.Payload != nil {
		payload, err := encoder.Marshal(e.Payload)
		if err != nil {
			return nil, fmt.Errorf("%w: signal %v: %w", ErrPayload, e.Signal, err)
		}
		m.Payload = payload
	}
	return encoder.Marshal(m)
}

// decodeEvent makes an event of a message. The payload becomes what hsm.Bind
// says of its signal; without that, plain Go data: nil, bool, int64, float64,
// string, []byte, time.Time, []any and map[string]any, and *big.Int where an
// int64 is too small.
func decodeEvent(b []byte) (hsm.Event, hsm.Origin, error) {
	var m eventMessage
	if err := decoder.Unmarshal(b, &m); err != nil {
		return hsm.Event{}, hsm.Origin{}, fmt.Errorf("%w: %w", errMalformed, err)
	}
	signal, known := hsm.Known(m.Signal)
	if !printable(m.Signal, maxName) || !printable(m.From, maxName) || m.Signal == "" {
		return hsm.Event{}, hsm.Origin{}, errMalformed
	}
	if !known {
		return hsm.Event{}, hsm.Origin{}, fmt.Errorf("%w %q, from %q", errUnknownSignal, m.Signal, m.From)
	}
	if signal.IsInner() {
		return hsm.Event{}, hsm.Origin{}, fmt.Errorf("%w: the inner signal %v, from %q", errMalformed, signal, m.From)
	}
	payload, err := decodePayload(signal, m.Payload)
	if err != nil {
		return hsm.Event{}, hsm.Origin{}, fmt.Errorf("%w of signal %v, from %q: %w", errBadPayload, signal, m.From, err)
	}
	return hsm.Event{Signal: signal, Payload: payload}, hsm.Origin{ID: m.ID, Cause: m.Cause}, nil
}

func decodePayload(signal hsm.Signal, b cbor.RawMessage) (any, error) {
	if len(b) == 0 {
		return nil, nil
	}
	t, bound := hsm.PayloadType(signal)
	if !bound {
		var payload any
		err := decoder.Unmarshal(b, &payload)
		return payload, err
	}
	payload := reflect.New(t)
	if err := decoder.Unmarshal(b, payload.Interface()); err != nil {
		return nil, err
	}
	return payload.Elem().Interface(), nil
}

func encodeTrace(t instrument.Trace) ([]byte, error) {
	return encoder.Marshal(traceMessage{
		Unix: t.Time.UnixNano(), Name: t.Name, Node: t.Node,
		Signal: t.Signal, From: t.From, To: t.To, Event: t.Event, Cause: t.Cause,
	})
}

func encodeSpy(name, node string, lines []string) ([]byte, error) {
	return encoder.Marshal(traceMessage{Name: name, Node: node, Lines: lines})
}

func encodeScribble(at time.Time, name, node, text string) ([]byte, error) {
	return encoder.Marshal(traceMessage{Unix: at.UnixNano(), Name: name, Node: node, Text: text})
}

// decodeTrace reads a message of either snoop exchange. What it returns is fit
// to be printed on a terminal.
func decodeTrace(b []byte) (traceMessage, error) {
	var m traceMessage
	if err := decoder.Unmarshal(b, &m); err != nil {
		return m, fmt.Errorf("%w: %w", errMalformed, err)
	}
	for _, name := range []string{m.Name, m.Node, m.Signal, m.From, m.To} {
		if !printable(name, maxName) {
			return m, errMalformed
		}
	}
	if m.Name == "" || len(m.Lines) > maxLines || !printable(m.Text, maxLine) {
		return m, errMalformed
	}
	for _, line := range m.Lines {
		if !printable(line, maxLine) {
			return m, errMalformed
		}
	}
	return m, nil
}

func (m traceMessage) trace() instrument.Trace {
	return instrument.Trace{
		Time: time.Unix(0, m.Unix), Name: m.Name, Node: m.Node,
		Signal: m.Signal, From: m.From, To: m.To, Event: m.Event, Cause: m.Cause,
	}
}

// printable reports whether a text that a peer sent is short enough, and does
// nothing to a terminal but to be seen.
func printable(s string, most int) bool {
	if len(s) > most || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}
