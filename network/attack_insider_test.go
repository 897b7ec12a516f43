package network_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/statemesh/statemesh/network"
	"github.com/statemesh/statemesh/network/seal"
)

// insider has the mesh key.
type insider struct {
	a     *arena
	keys  map[string]seal.Key // by exchange
	rings map[string]*seal.Ring
	seals map[string]*seal.Sealer
}

func newInsider(a *arena) *insider {
	mesh := a.config.MeshKey
	in := &insider{a: a, rings: map[string]*seal.Ring{}, seals: map[string]*seal.Sealer{}}
	in.keys = map[string]seal.Key{
		network.ExchangeMesh:  mesh.Derive(network.ExchangeMesh),
		network.ExchangeTrace: mesh.Derive("trace").Derive(network.ExchangeTrace),
		network.ExchangeSpy:   mesh.Derive("spy").Derive(network.ExchangeSpy),
		network.ExchangeNode:  mesh.Derive(network.ExchangeNode),
	}
	for exchange, key := range in.keys {
		ring, err := seal.NewRing(key)
		a.ok(err)
		in.rings[exchange] = ring
		in.seals[exchange] = in.sealer(exchange, seal.SealerConfig{})
	}
	return in
}

func (in *insider) sealer(exchange string, c seal.SealerConfig) *seal.Sealer {
	c.MaxSize = 2 << 20
	return seal.NewSealer(in.rings[exchange], c)
}

// seal makes a unit of a message, which on the mesh has a number behind it, without the bit
// that says it was sent before.
func (in *insider) seal(s *seal.Sealer, exchange string, body []byte, reason string) unit {
	if exchange == network.ExchangeMesh {
		body = binary.BigEndian.AppendUint64(bytes.Clone(body), in.a.random.Uint64()>>(1+in.a.random.IntN(63)))
	}
	return in.bare(s, exchange, body, reason)
}

func (in *insider) bare(s *seal.Sealer, exchange string, body []byte, reason string) unit {
	key := keyOf[exchange]
	sealed, err := s.Seal(nil, body, exchange, key)
	in.a.ok(err)
	return unit{exchange: exchange, key: key, body: sealed, reason: reason}
}

// arrays is so many arrays in each other.
func arrays(depth int) cbor.RawMessage {
	return cbor.RawMessage(strings.Repeat("\x81", depth) + "\x01")
}

// raw is CBOR of a text of less than 24 bytes that need not be UTF-8.
func raw(s string) cbor.RawMessage { return append(cbor.RawMessage{0x60 + byte(len(s))}, s...) }

// rubbish is authentic, and no message.
func (a *arena) rubbish(i int) unit {
	exchange := attacked[i%len(attacked)]
	in := a.insider
	s := in.seals[exchange]
	of := func(f fields, reason string) unit { return in.seal(s, exchange, encoded(a.t, f), reason) }
	bare := func(body []byte, reason string) unit { return in.seal(s, exchange, body, reason) }
	const bad = "malformed"
	if i%7 == 0 { // for every exchange
		switch a.random.IntN(12) {
		case 0:
			return bare(a.bytes(a.random.IntN(300)), bad)
		case 1:
			return bare([]byte(arrays(17+a.random.IntN(50_000))), bad)
		case 2:
			return bare(bytes.Repeat([]byte("\xa1\x01"), 17+a.random.IntN(20_000)), bad)
		case 3:
			return bare(append([]byte("\x9b"), a.bytes(8)...), bad) // an array of that many
		case 4:
			return bare([]byte("\xbb\x7f\xff\xff\xff\xff\xff\xff\xff\x01\x01"), bad)
		case 5:
			return bare([]byte("\x5b\x7f\xff\xff\xff\xff\xff\xff\xff"), bad) // bytes
		case 6:
			return bare([]byte("\x9f\x9f\x9f\xff\xff\xff"), bad)
		case 7:
			return of(fields{1: "word", 3: "insider", 99: a.bytes(100)}, bad)
		case 8:
			return of(fields{1: raw("\xff\xfe\x80"), 2: raw("\xc0\xaf"), 3: raw("\xed\xa0\x80")}, bad)
		case 9:
			return bare(bytes.Repeat([]byte("\xc2"), 1000), bad) // tags of tags
		case 10:
			return bare([]byte("\xa2\x01\x61a\x01\x61b"), bad) // a key twice
		default:
			return bare(nil, bad)
		}
	}
	switch exchange {
	case network.ExchangeMesh:
		return a.rubbishEvent(of, s, i)
	case network.ExchangeNode:
		return a.rubbishHello(of)
	}
	return a.rubbishLine(of, exchange, i)
}

func (a *arena) rubbishEvent(of func(fields, string) unit, s *seal.Sealer, i int) unit {
	exchange, in := network.ExchangeMesh, a.insider
	switch a.random.IntN(16) {
	case 0:
		return of(fields{1: fmt.Sprintf("nobody_declared_%x", a.bytes(8)), 3: "insider", 2: i}, "unknown_signal")
	case 1:
		return of(fields{1: "ENTRY_SIGNAL", 3: "insider"}, "malformed")
	case 2:
		return of(fields{1: "INIT_SIGNAL", 3: "insider"}, "malformed")
	case 3:
		return of(fields{1: "int8", 2: a.random.Int64N(1<<40) + 128, 3: "insider"}, "bad_payload")
	case 4:
		return of(fields{1: "point", 2: map[string]int{"Z": 1}, 3: "insider"}, "bad_payload")
	case 5:
		return of(fields{1: "word", 2: arrays(16 + a.random.IntN(1000)), 3: "insider"}, "malformed")
	case 6:
		return of(fields{1: "word", 2: make([]bool, 65_537), 3: "insider"}, "malformed")
	case 7:
		return of(fields{1: "word\x1b[2J", 3: "insider"}, "malformed")
	case 8:
		return of(fields{1: "word", 3: "\x1b]0;owned\a"}, "malformed")
	case 9:
		return of(fields{1: "word", 2: raw("\xff"), 3: "insider"}, "bad_payload")
	case 10:
		return of(fields{1: strings.Repeat("s", 256), 3: "insider"}, "malformed")
	case 11:
		return in.bare(s, exchange, a.bytes(a.random.IntN(8)), "malformed") // too short for a number
	case 12:
		return of(fields{1: "panicking", 2: a.bytes(10), 3: "insider"}, "bad_payload")
	case 13:
		early := func() time.Time { return time.Now().Add(-time.Hour) }
		return in.bare(in.sealer(exchange, seal.SealerConfig{Now: early}), exchange, []byte("x"), "expired")
	case 14:
		late := func() time.Time { return time.Now().Add(time.Hour) }
		return in.bare(in.sealer(exchange, seal.SealerConfig{Now: late}), exchange, []byte("x"), "future")
	default:
		old := in.sealer(exchange, seal.SealerConfig{Sender: s.Sender(), Epoch: 1})
		return in.bare(old, exchange, []byte("x"), "old_epoch")
	}
}

func (a *arena) rubbishHello(of func(fields, string) unit) unit {
	hundred := make([]string, 100)
	for i := range hundred {
		hundred[i] = fmt.Sprintf("127.0.0.1:%d", i+1)
	}
	switch a.random.IntN(6) {
	case 0:
		return of(fields{1: "insider", 2: hundred}, "malformed")
	case 1:
		return of(fields{1: "insider\n\x1b[31m"}, "malformed")
	case 2:
		return of(fields{1: "insider", 3: "hello"}, "malformed") // an answer as a hello
	case 3:
		return of(fields{1: "insider", 3: "answer." + strings.Repeat("x", 300)}, "malformed")
	case 4:
		return of(fields{1: strings.Repeat("n", 201)}, "malformed")
	default:
		return of(fields{1: "insider", 2: []string{"0.0.0.0:0", "[::1]:5672", "224.0.0.1:5672", "nowhere", "\x1b[31m", "255.255.255.255:65535"}}, "")
	}
}

func (a *arena) rubbishLine(of func(fields, string) unit, exchange string, i int) unit {
	line := func(more fields) unit {
		f := fields{1: time.Now().UnixNano(), 2: "insider", 3: "a"}
		maps.Copy(f, more)
		return of(f, "malformed")
	}
	switch a.random.IntN(9) {
	case 0:
		return line(fields{4: "\x1b]0;owned\a"})
	case 1:
		return line(fields{4: "two\nlines"})
	case 2:
		return line(fields{2: "in[sid]er", 4: "text"})
	case 3:
		return line(fields{4: strings.Repeat("x", 4097)})
	case 4:
		return line(fields{5: "signal", 6: "from"})
	case 5:
		return line(fields{5: "signal", 6: "from", 7: "\u202eto"})
	case 6:
		if i%8 > 0 {
			return line(fields{10: []string{""}, 4: "text"})
		}
		return line(fields{10: make([]string, 16_385)}) // takes long to make
	case 7:
		return line(fields{10: []string{"fine", "\x1b[2Jnot"}})
	default:
		if exchange == network.ExchangeTrace {
			return line(fields{10: []string{"a line of the spy"}})
		}
		return line(fields{5: "signal", 6: "from", 7: "to"})
	}
}

// senders are all different, and have nothing to say.
func (a *arena) senders(i int) unit {
	exchange := attacked[i%len(attacked)]
	s := a.insider.sealer(exchange, seal.SealerConfig{Sender: seal.SenderID(a.bytes(16)), Epoch: a.random.Uint64()})
	if exchange == network.ExchangeNode && i%8 < 4 { // a hello, so that there is a name, too
		return a.insider.seal(s, exchange, encoded(a.t, fields{1: fmt.Sprintf("node-%x", a.bytes(90))}), "")
	}
	return a.insider.seal(s, exchange, encoded(a.t, fields{1: "nobody", 3: "\n"}), "malformed")
}

// questions are about the node's health, and answers that nobody has asked for.
func (a *arena) questions(i int) unit {
	in, exchange := a.insider, network.ExchangeNode
	switch i % 8 {
	case 0:
		return in.seal(in.seals[exchange], exchange, []byte("no question"), "malformed")
	case 1:
		u := in.seal(in.seals[exchange], exchange, encoded(a.t, fields{1: "insider", 5: a.bytes(100)}), "")
		u.key = "answer.nobody"
		return u
	case 2: // more than is ever asked
		return in.seal(in.seals[exchange], exchange, encoded(a.t, fields{1: "insider", 3: "answer.x", 4: 1 << 30}), "")
	}
	return in.seal(in.seals[exchange], exchange, encoded(a.t, fields{1: "insider", 3: fmt.Sprintf("answer.%x", a.bytes(4)), 4: 1}), "")
}
