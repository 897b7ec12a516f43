package network_test

import (
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/network"
	"github.com/statemesh/statemesh/network/seal"
)

type point struct {
	X, Y int
	Tags []string `cbor:"tags,omitempty"`
	Next *point   `cbor:"next,omitempty"`
}

// Signals that carry a type.
var (
	bytesSignal    = hsm.MustBind[[]byte](hsm.NewSignal("bytes"))
	int8Signal     = hsm.MustBind[int8](hsm.NewSignal("int8"))
	pointSignal    = hsm.MustBind[point](hsm.NewSignal("point"))
	pointerSignal  = hsm.MustBind[*point](hsm.NewSignal("pointer"))
	stringsSignal  = hsm.MustBind[[]string](hsm.NewSignal("strings"))
	mapSignal      = hsm.MustBind[map[int]string](hsm.NewSignal("map"))
	timeSignal     = hsm.MustBind[time.Time](hsm.NewSignal("time"))
	durationSignal = hsm.MustBind[time.Duration](hsm.NewSignal("duration"))
	floatSignal    = hsm.MustBind[float32](hsm.NewSignal("float"))
	anySignal      = hsm.MustBind[any](hsm.NewSignal("any"))
)

var samePayload = cmp.Options{
	cmp.Comparer(func(a, b *big.Int) bool { return a.Cmp(b) == 0 }),
	cmpopts.EquateComparable(hsm.Signal{}),
	cmpopts.EquateNaNs(),
	cmpopts.EquateApproxTime(0),
}

func TestPayloads(t *testing.T) {
	when := time.Date(2018, 5, 4, 8, 2, 40, 594301001, time.FixedZone("", 3600))
	huge, _ := new(big.Int).SetString("-123456789012345678901234567890", 10)
	tests := []struct {
		name       string
		signal     hsm.Signal
		sent, want any
	}{
		{"nil", word, nil, nil},
		{"true", word, true, true},
		{"string", word, "Ladies and Gentlemen, größer", "Ladies and Gentlemen, größer"},
		{"empty string", word, "", ""},
		{"int", word, -42, int64(-42)},
		{"uint16", word, uint16(7), int64(7)},
		{"least int64", word, int64(math.MinInt64), int64(math.MinInt64)},
		{"large uint64", word, uint64(math.MaxUint64), new(big.Int).SetUint64(math.MaxUint64)},
		{"big.Int", word, huge, huge},
		{"float", word, 1.5, 1.5},
		{"float32", word, float32(0.1), float64(float32(0.1))},
		{"infinity", word, math.Inf(-1), math.Inf(-1)},
		{"NaN", word, math.NaN(), math.NaN()},
		{"bytes", word, []byte{0, 255}, []byte{0, 255}},
		{"time", word, when, when},
		{"slice", word, []any{"a", 1, nil, []int{2}}, []any{"a", int64(1), nil, []any{int64(2)}}},
		{"map", word, map[string]any{"a": 1, "b": map[string]int{"c": 2}}, map[string]any{"a": int64(1), "b": map[string]any{"c": int64(2)}}},
		{"struct", word, point{1, 2, nil, nil}, map[string]any{"X": int64(1), "Y": int64(2)}},
		{"nil pointer", word, (*point)(nil), nil},

		{"bytes, bound", bytesSignal, []byte("b"), []byte("b")},
		{"int8, bound", int8Signal, int8(-5), int8(-5)},
		{"int that fits an int8", int8Signal, 127, int8(127)},
		{"struct, bound", pointSignal, point{1, 2, []string{"t"}, &point{X: 3}}, point{1, 2, []string{"t"}, &point{X: 3}}},
		{"pointer to a bound struct", pointSignal, &point{X: 1}, point{X: 1}},
		{"pointer, bound", pointerSignal, &point{Y: 1}, &point{Y: 1}},
		{"slice, bound", stringsSignal, []string{"a", "b"}, []string{"a", "b"}},
		{"map, bound", mapSignal, map[int]string{1: "a"}, map[int]string{1: "a"}},
		{"time, bound", timeSignal, when, when},
		{"duration, bound", durationSignal, time.Minute, time.Minute},
		{"float, bound", floatSignal, float32(0.1), float32(0.1)},
		{"any, bound", anySignal, []string{"a"}, []any{"a"}},
		{"nil, bound", pointSignal, nil, nil},
	}
	onEveryBroker(t, func(b *bed) {
		sender := b.ear(b.node("one"), "sender", network.ObjectConfig{})
		near, far := b.ear(sender.Node(), "near", network.ObjectConfig{}), b.ear(b.node("two"), "far", network.ObjectConfig{})
		for i, tc := range tests {
			sender.send(b.t, hsm.Event{Signal: tc.signal, Payload: tc.sent})
			for _, e := range []*ear{near, far} {
				e.await(b.t, i+1)
				if diff := cmp.Diff(hsm.Event{Signal: tc.signal, Payload: tc.want}, e.heard()[i], samePayload); diff != "" {
					b.t.Errorf("%s: %s heard (-want +got):\n%s", tc.name, e.Name(), diff)
				}
			}
		}
	})
}

// Whoever gets a payload may change it: nobody else has it.
func TestPayloadBelongsToItsReceiver(t *testing.T) {
	virtually(t, func(b *bed) {
		sender := b.ear(b.node("one"), "sender", network.ObjectConfig{})
		var all []*ear
		for _, n := range []*network.Node{sender.Node(), b.node("two")} {
			for _, name := range []string{"a", "b"} {
				all = append(all, b.ear(n, name, network.ObjectConfig{}))
			}
		}
		sent := []byte("unchanged")
		sender.send(b.t, hsm.Event{Signal: bytesSignal, Payload: sent})
		sent[0] = 'U'
		b.settle()
		for _, e := range all {
			got, _ := hsm.Payload[[]byte](e.heard()[0])
			if string(got) != "unchanged" {
				b.t.Errorf("%s in %s got %q", e.Name(), e.Node().Name(), got)
			}
			copy(got, "CHANGED!!")
		}
	})
}

// What no receiver could take is an error to the sender, and lost for nobody in
// silence.
func TestTransmitErrors(t *testing.T) {
	deep := any("bottom")
	for range 20 {
		deep = []any{deep}
	}
	tests := []struct {
		name  string
		event hsm.Event
		want  error
	}{
		{"no signal", hsm.Event{}, hsm.ErrNoSignal},
		{"inner signal", hsm.Event{Signal: hsm.Entry}, hsm.ErrInnerSignal},
		{"func", hsm.Event{Signal: word, Payload: func() {}}, network.ErrPayload},
		{"channel in a struct", hsm.Event{Signal: word, Payload: struct{ C chan int }{}}, network.ErrPayload},
		{"no UTF-8", hsm.Event{Signal: word, Payload: "\xff"}, network.ErrPayload},
		{"too deep", hsm.Event{Signal: word, Payload: deep}, network.ErrPayload},
		{"too many elements", hsm.Event{Signal: word, Payload: make([]int, 65537)}, network.ErrPayload},
		{"keys that are no text", hsm.Event{Signal: word, Payload: map[int]string{1: "a"}}, network.ErrPayload},
		{"another type than is bound", hsm.Event{Signal: int8Signal, Payload: "text"}, network.ErrPayload},
		{"beyond the bound type", hsm.Event{Signal: int8Signal, Payload: 128}, network.ErrPayload},
		{"fields that the bound type has not", hsm.Event{Signal: pointSignal, Payload: struct{ Z int }{}}, network.ErrPayload},
		{"too large", hsm.Event{Signal: word, Payload: make([]byte, network.DefaultMaxMessage)}, seal.ErrTooLarge},
		{"signal's name too long", hsm.Event{Signal: hsm.NewSignal(strings.Repeat("s", 256))}, network.ErrSignalName},
		{"signal's name not printable", hsm.Event{Signal: hsm.NewSignal("two\nlines")}, network.ErrSignalName},
	}
	virtually(t, func(b *bed) {
		sender := b.ear(b.node("one"), "sender", network.ObjectConfig{})
		near, far := b.ear(sender.Node(), "near", network.ObjectConfig{}), b.ear(b.node("two"), "far", network.ObjectConfig{})
		for _, tc := range tests {
			if err := sender.Transmit(tc.event); !errors.Is(err, tc.want) {
				b.t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
			}
		}
		// Nothing of it went anywhere, and all goes on.
		sender.say(b.t, 1)
		b.settle()
		near.expect(b.t, words(1, 1)...)
		far.expect(b.t, words(1, 1)...)
		for _, e := range []*ear{near, far} {
			if got := e.Node().Stats(); len(got.Problems) > 0 {
				b.t.Errorf("%s has problems: %v", e.Node().Name(), got.Problems)
			}
		}
		if got := sender.Node().Stats().Transmitted; got != 1 {
			b.t.Errorf("%d transmitted, want 1", got)
		}

		closeNode(b.t, sender.Node())
		if err := sender.Transmit(hsm.Event{Signal: word}); !errors.Is(err, network.ErrNodeClosed) {
			b.t.Errorf("closed node: %v, want ErrNodeClosed", err)
		}
		if _, err := sender.Node().NewActiveObject("late", hsm.NewMachine(ears, &ear{}), network.ObjectConfig{}); !errors.Is(err, network.ErrNodeClosed) {
			b.t.Errorf("an object for a closed node: %v, want ErrNodeClosed", err)
		}
	})
}

// The largest message that is taken arrives.
func TestTransmitLargest(t *testing.T) {
	onEveryBroker(t, func(b *bed) {
		small := func(c *network.Config) { c.MaxMessage = 2000 }
		sender := b.ear(b.node("one", small), "sender", network.ObjectConfig{})
		far := b.ear(b.node("two", small), "far", network.ObjectConfig{})
		payload := make([]byte, 2000)
		n := len(payload)
		for ; n > 0; n-- {
			err := sender.Transmit(hsm.Event{Signal: bytesSignal, Payload: payload[:n]})
			if err == nil {
				break
			}
			if !errors.Is(err, seal.ErrTooLarge) {
				b.t.Fatal(err)
			}
		}
		far.await(b.t, 1)
		if got, _ := hsm.Payload[[]byte](far.heard()[0]); len(got) != n || n < 1800 {
			b.t.Errorf("%d bytes of %d arrived", len(got), n)
		}
	})
}

// A peer that is not reached costs its own share of events and nobody else's.
func TestTransmitNamesTheBrokerWithoutRoom(t *testing.T) {
	virtually(t, func(b *bed) {
		b.memory.Down("10.0.0.9")
		sender := b.ear(b.node("one", func(c *network.Config) {
			c.Peers, c.Outbox = []string{"10.0.0.8", "10.0.0.9"}, 4
		}), "sender", network.ObjectConfig{})
		far := b.ear(b.node("two", func(c *network.Config) { c.Broker = "10.0.0.8" }), "far", network.ObjectConfig{})
		for i := range 6 {
			err := sender.Transmit(hsm.Event{Signal: word, Payload: i + 1})
			var full *network.OutboxError
			switch {
			case i < 4 && err != nil:
				b.t.Fatalf("event %d: %v", i+1, err)
			case i >= 4 && (!errors.As(err, &full) || len(full.Brokers) != 1 || !strings.Contains(full.Brokers[0], "10.0.0.9")):
				b.t.Fatalf("event %d: %v, want an OutboxError for 10.0.0.9", i+1, err)
			}
			b.settle()
		}
		far.expect(b.t, words(1, 6)...)
		if got := b.log.lines("outbox is full"); len(got) != 1 {
			b.t.Errorf("the log says %q, want one line", got)
		}
	})
}
