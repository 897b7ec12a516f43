package network

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
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
	maxName     = 255   // bytes of a name, as of the routing key that it is by default
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

// traceMessage travels on the snoop exchanges: a transition on that of the trace,
// the lines of a step on that of the spy, and a scribble, which has a Text, on
// either.
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
	// Of the simple values, only false, true, null and undefined mean something.
	var unknown []func(*cbor.SimpleValueRegistry) error
	for v := range 256 {
		if v < 20 || v > 31 {
			unknown = append(unknown, cbor.WithRejectedSimpleValue(cbor.SimpleValue(v)))
		}
	}
	simple, err := cbor.NewSimpleValueRegistryFromDefaults(unknown...)
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
		BigIntDec:         cbor.BigIntDecodePointer,
		DefaultMapType:    reflect.TypeFor[map[string]any](),
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		SimpleValues:      simple,

		UnrecognizedTagToAny: cbor.UnrecognizedTagContentToAny,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return enc, dec
}

// encodeEvent makes the message of an event. It refuses what the receivers would,
// for it would be lost on all of them.
func encodeEvent(e hsm.Event, from string, origin hsm.Origin) ([]byte, error) {
	m := eventMessage{Signal: e.Signal.String(), From: from, ID: origin.ID, Cause: origin.Cause}
	if !printable(m.Signal, maxName) {
		return nil, fmt.Errorf("%w: %.300q", ErrSignalName, m.Signal)
	}
	if e.Payload != nil {
		payload, err := encoder.Marshal(e.Payload)
		if err != nil {
			return nil, fmt.Errorf("%w: signal %v: %w", ErrPayload, e.Signal, err)
		}
		if _, err := decodePayload(e.Signal, payload); err != nil {
			return nil, fmt.Errorf("%w: signal %v: nobody could decode it: %w", ErrPayload, e.Signal, err)
		}
		m.Payload = payload
	}
	b, err := encoder.Marshal(m)
	if err == nil && decoder.Wellformed(b) != nil {
		return nil, fmt.Errorf("%w: signal %v: nested deeper than %d", ErrPayload, e.Signal, maxDepth-1)
	}
	return b, err
}

// decodeEvent makes an event of a message. The payload becomes what hsm.Bind
// says of its signal; without that, plain Go data: nil, bool, int64, float64,
// string, []byte, time.Time, []any and map[string]any, and *big.Int where an
// int64 is too small.
func decodeEvent(b []byte) (hsm.Event, hsm.Origin, error) {
	var m eventMessage
	if err := decoder.Unmarshal(b, &m); err != nil {
		return hsm.Event{}, hsm.Origin{}, fmt.Errorf("%w: %s", errMalformed, fault(err))
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

// decodePayload quotes nothing of the payload in its errors. A panic, which is one
// of the bound type's own methods, is an error too.
func decodePayload(signal hsm.Signal, b cbor.RawMessage) (payload any, err error) {
	if len(b) == 0 {
		return nil, nil
	}
	t, bound := hsm.PayloadType(signal)
	if !bound {
		t = reflect.TypeFor[any]()
	}
	defer func() {
		if recover() != nil {
			payload, err = nil, fmt.Errorf("decoding a %v panicked", t)
		}
	}()
	value := reflect.New(t)
	if err := decoder.Unmarshal(b, value.Interface()); err != nil {
		return nil, errors.New(fault(err))
	}
	return value.Elem().Interface(), nil
}

// fault says what the decoder's error is about. Its own text quotes what a peer
// sent, which must not get into a log.
func fault(err error) string {
	if e, ok := errors.AsType[*cbor.UnmarshalTypeError](err); ok {
		return fmt.Sprintf("%s does not fit into %s", e.CBORType, e.GoType)
	}
	if _, ok := errors.AsType[*cbor.DupMapKeyError](err); ok {
		return "a key stands twice in a map"
	}
	if _, ok := errors.AsType[*cbor.UnknownFieldError](err); ok {
		return "a key is no field of the struct"
	}
	return "not CBOR within the limits"
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

// decodeTrace reads a message of a snoop exchange. What it returns is fit to be
// printed on a terminal, and of a kind that belongs there.
func decodeTrace(b []byte, exchange string) (traceMessage, error) {
	var m traceMessage
	if err := decoder.Unmarshal(b, &m); err != nil {
		return m, fmt.Errorf("%w: %s", errMalformed, fault(err))
	}
	for _, name := range []string{m.Node, m.Signal, m.From, m.To} {
		if !printable(name, maxName) {
			return m, errMalformed
		}
	}
	if !isObjectName(m.Name) || len(m.Lines) > maxLines || !printable(m.Text, maxLine) {
		return m, errMalformed
	}
	for _, line := range m.Lines {
		if !printable(line, maxLine) {
			return m, errMalformed
		}
	}
	moves, tells, spied := m.Signal+m.From+m.To != "", m.Text != "", len(m.Lines) > 0
	switch {
	case tells && !moves && !spied:
	case spied && !moves && !tells && exchange == ExchangeSpy:
	case m.Signal != "" && m.From != "" && m.To != "" && !tells && !spied && exchange == ExchangeTrace:
	default:
		return m, errMalformed
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

// isObjectName reports whether an object may have the name, which has to stand out in
// a line of the trace.
func isObjectName(s string) bool {
	return s != "" && printable(s, maxName) && !strings.ContainsAny(s, "[] ")
}

// clean makes a text of our own one that peers print: what is not printable
// becomes blank, what is too long is cut.
func clean(s string, most int) string {
	if printable(s, most) {
		return s
	}
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(s, "?"))
	return strings.ToValidUTF8(s[:min(len(s), most)], "")
}
