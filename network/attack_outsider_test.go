package network_test

import (
	"bytes"
	"encoding/binary"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/statemesh/statemesh/network"
	"github.com/statemesh/statemesh/network/seal"
)

// Where the fields of an envelope are; see package seal.
const (
	atKeyID  = 2
	atSender = 6
	atEpoch  = 22
	atNumber = 30
	atNonce  = 38
)

// reason is the oracle: why a node refuses what comes by the exchange under the key, if nobody
// but the recorded nodes and insiders has the key. "" means that the node does not get it.
func (a *arena) reason(exchange, key string, body []byte) string {
	if want, bound := keyOf[exchange]; !bound || exchange != network.ExchangeMesh && key != want {
		return ""
	}
	id := a.insider.keys[exchange].ID()
	switch {
	case len(body) > network.DefaultMaxMessage:
		return "too_large"
	case len(body) < seal.Overhead:
		return "too_short"
	case body[0] != 1:
		return "version"
	case body[1] != 1:
		return "algorithm"
	case !bytes.Equal(body[atKeyID:atSender], id[:]):
		return "unknown_key"
	}
	for _, r := range a.records {
		if r.exchange == exchange && r.key == key && bytes.Equal(r.body, body) {
			return "replay"
		}
	}
	return "forged"
}

// like is a unit made of a record, with another body.
func (a *arena) like(r record, body []byte) unit {
	u := unit{exchange: r.exchange, key: r.key, body: body}
	if a.reason(r.exchange, r.key, nil) == "" || !network.Bundled(r.exchange) || len(body) == 0 || body[0] != network.BundleMark {
		u.reason = a.reason(r.exchange, r.key, body)
		return u
	}
	// A bundle, perhaps by chance.
	if len(body) > network.BundleBytes || len(body) == 1 {
		u.reason = "malformed"
		return u
	}
	for n, rest := 0, body[1:]; len(rest) > 0; n++ {
		size := uint64(0)
		if len(rest) >= 4 {
			size = uint64(binary.BigEndian.Uint32(rest))
		}
		if n == network.BundleParts || len(rest) < 4 || size > uint64(len(rest)-4) {
			u.reason = "malformed"
			return u
		}
		u.more = append(u.more, a.reason(r.exchange, r.key, rest[4:4+size]))
		rest = rest[4+size:]
	}
	return u
}

// record returns one of the records, of all exchanges alike.
func (a *arena) record() record {
	exchange := a.exchange()
	var of []record
	for _, r := range a.records {
		if r.exchange == exchange {
			of = append(of, r)
		}
		if len(of) == 16 {
			break
		}
	}
	return of[a.random.IntN(len(of))]
}

var attacked = slices.Sorted(maps.Keys(keyOf))

func (a *arena) exchange() string { return attacked[a.random.IntN(len(attacked))] }

// bytes returns n random ones.
func (a *arena) bytes(n int) []byte {
	b := make([]byte, n+7)
	for i := 0; i < n; i += 8 {
		binary.LittleEndian.PutUint64(b[i:], a.random.Uint64())
	}
	return b[:n]
}

// truncated is an envelope of every length in turn.
func (a *arena) truncated(i int) unit {
	r := a.record()
	return a.like(r, r.body[:i%len(r.body)])
}

// flipped has each bit flipped in turn.
func (a *arena) flipped(i int) unit {
	r := a.record()
	body := bytes.Clone(r.body)
	bit := i % (8 * len(body))
	body[bit/8] ^= 1 << (bit % 8)
	return a.like(r, body)
}

// replayed is an exact copy.
func (a *arena) replayed(int) unit {
	r := a.record()
	return a.like(r, r.body)
}

// reordered are copies from the newest to the oldest, and those of an exchange mixed.
func (a *arena) reordered(i int) unit {
	r := a.records[len(a.records)-1-i%len(a.records)]
	return a.like(r, r.body)
}

// elsewhere is an envelope on another exchange, or under another routing key.
func (a *arena) elsewhere(i int) unit {
	r := a.record()
	switch i % 4 {
	case 0:
		r.exchange = a.exchange()
	case 1:
		r.exchange = a.exchange()
		r.key = keyOf[r.exchange]
	case 2:
		r.key = []string{"", "speakers", "SPEAKER", "speaker.", "#", "*", "snoop.*", "hello.hello", string(bytes.Repeat([]byte("x."), 127)), "\xff\xfe"}[a.random.IntN(10)]
	default:
		r.key = string(a.bytes(a.random.IntN(256)))
	}
	return a.like(r, r.body)
}

// noise is nothing, zero bytes, or random ones, some behind the beginning of an envelope.
func (a *arena) noise(i int) unit {
	r := a.record()
	size := a.random.IntN(400)
	if i%64 == 0 {
		size = a.random.IntN(20_000)
	}
	var body []byte
	switch i % 4 {
	case 0:
		body = make([]byte, size)
	case 1:
		body = a.bytes(size)
	case 2:
		body = append(bytes.Clone(r.body[:atSender]), a.bytes(size)...)
	default:
		body = append(bytes.Clone(r.body), a.bytes(size)...)
	}
	return a.like(r, body)
}

// identities names senders, keys, epochs and numbers that nobody has ever heard of.
func (a *arena) identities(i int) unit {
	r := a.record()
	body := bytes.Clone(r.body)
	copy(body[atSender:atEpoch], a.bytes(16))
	switch i % 4 {
	case 0:
		copy(body[atKeyID:atSender], a.bytes(4))
	case 1:
		binary.BigEndian.PutUint64(body[atEpoch:], ^uint64(0)-uint64(i))
	case 2:
		binary.BigEndian.PutUint64(body[atNumber:], a.random.Uint64())
	}
	return a.like(r, body)
}

// oversized is larger than the node takes, up to what the broker takes.
func (a *arena) oversized(i int) unit {
	r := a.record()
	size := []int{network.DefaultMaxMessage + 1, 2 << 20, 5_000_000, 16 << 20}[i%4]
	return a.like(r, append(bytes.Clone(r.body), make([]byte, size-len(r.body))...))
}

// Table fields of all types that brokers and clients agree on.
func (a *arena) field(depth int) []byte {
	name := short(string(a.bytes(a.random.IntN(20))))
	switch kind := "tbBsuIilfdDTSxVFA"[a.random.IntN(17)]; kind {
	case 't', 'b', 'B':
		return append(append(name, kind), a.bytes(1)...)
	case 's', 'u':
		return append(append(name, kind), a.bytes(2)...)
	case 'I', 'i', 'f':
		return append(append(name, kind), a.bytes(4)...)
	case 'D':
		return append(append(name, kind), a.bytes(5)...)
	case 'l', 'd', 'T':
		return append(append(name, kind), a.bytes(8)...)
	case 'S', 'x':
		return append(append(name, kind), long(string(a.bytes(a.random.IntN(100))))...)
	case 'F':
		if depth < 12 {
			return append(append(name, kind), long(string(a.fields(depth+1)))...)
		}
	case 'A':
		return append(append(name, kind), long("t\x01I\x00\x00\x00\x01V")...)
	}
	return append(name, 'V')
}

func (a *arena) fields(depth int) (all []byte) {
	for range a.random.IntN(4) {
		all = append(all, a.field(depth)...)
	}
	return all
}

// oddly is an envelope with properties that no node sends: a content type, headers, a
// correlation id, a time and others, of any content.
func (a *arena) oddly(i int) unit {
	u := a.identities(i)
	flags := uint16(1<<15 | 1<<13 | 1<<12 | 1<<11 | 1<<10 | 1<<6 | 1<<3)
	p := binary.BigEndian.AppendUint16(nil, flags)
	p = append(p, short(string(a.bytes(a.random.IntN(256))))...) // content type
	p = append(p, long(string(a.fields(0)))...)                  // headers
	p = append(p, a.bytes(2)...)                                 // delivery mode, priority
	p = append(p, short(string(a.bytes(a.random.IntN(256))))...) // correlation id
	p = append(p, a.bytes(8)...)                                 // time
	u.properties = append(p, short(string(a.bytes(a.random.IntN(256))))...)
	return u
}

// wrongRequests are requests that the broker refuses, each on a connection of its own.
func (a *arena) wrongRequests(n int) {
	publish := func(exchange string) []byte {
		return method(1, 60, 40, []byte{0, 0}, short(exchange), short("speaker"), []byte{0})
	}
	header := func(size uint64, properties ...byte) []byte {
		return frame(2, 1, append(binary.BigEndian.AppendUint64([]byte{0, 60, 0, 0}, size), properties...))
	}
	requests := [][]byte{
		append(publish(network.ExchangeMesh), header(16<<20+1, 0, 0)...),                                           // larger than a message may be
		append(publish(network.ExchangeMesh), header(1<<63, 0, 0)...),                                              //
		append(publish(network.ExchangeMesh), header(1, 0, 1<<4, 5, 'o', 't', 'h', 'e', 'r')...),                   // from another user
		append(publish(network.ExchangeMesh), publish(network.ExchangeMesh)...),                                    // no header
		append(append(publish(network.ExchangeMesh), header(1, 0, 0)...), frame(3, 1, make([]byte, 2))...),         // longer than announced
		append(append(publish(network.ExchangeMesh), header(1, 0, 0)...), frame(3, 1, make([]byte, frameSize))...), // larger than agreed
		append(publish("no such exchange"), header(0, 0, 0)...),                                                    //
		method(1, 40, 10, []byte{0, 0}, short(network.ExchangeMesh), short("fanout"), []byte{0, 0, 0, 0, 0}),       // is there, of another type
		method(1, 50, 40, []byte{0, 0}, short("amq.gen-guessed"), []byte{0}),                                       // delete
		method(7, 60, 40, []byte{0, 0}, short(network.ExchangeMesh), short("speaker"), []byte{0}),                  // channel is not open
		method(0, 60, 40, []byte{0, 0}, short(network.ExchangeMesh), short("speaker"), []byte{0}),                  // is not for methods like this
		method(1, 60, 80, []byte{0, 0, 0, 0, 0, 0, 0, 9, 0}),                                                       // acknowledges nothing
		method(1, 0xffff, 0xffff),     //
		frame(3, 1, []byte("a body")), //
		frame(4, 1, nil),              // no such kind
		append(publish(network.ExchangeMesh), header(1, 0x20, 0, 0xff, 0xff, 0xff, 0xff)...),                                                                // table longer than the frame
		append(publish(network.ExchangeMesh), header(1, append([]byte{0x20, 0}, long(string(nested(40)))...)...)...),                                        // tables in tables
		method(1, 50, 10, []byte{0, 0}, short(""), []byte{0}, long(string(append(short("x-message-ttl"), []byte("l\xff\xff\xff\xff\xff\xff\xff\xff")...)))), // negative
	}
	var attackers sync.WaitGroup
	for range n {
		i := a.turn
		a.turn++
		w := a.connect()
		attackers.Go(func() {
			defer w.close()
			_, _ = w.out.Write(requests[i%len(requests)])
			_, _ = w.out.Write(method(0, 10, 50, []byte{0, 200}, short(""), []byte{0, 0, 0, 0})) // a farewell
			_ = w.out.Flush()
			select {
			case <-w.gone:
			case <-time.After(deadline):
				a.t.Errorf("request %d: the broker does not end the connection", i%len(requests))
			}
		})
	}
	attackers.Wait()
}

// nested is the fields of a table in which a table is, and so on.
func nested(depth int) []byte {
	if depth == 0 {
		return nil
	}
	return append(short("t"), append([]byte{'F'}, long(string(nested(depth-1)))...)...)
}

// rawBytes connects that often, without credentials, and says what no client says. A third
// of the connections is left open until the end.
func (a *arena) rawBytes(n int) {
	const workers = 8
	good := bytes.Join(a.handshake(), nil)
	var mu sync.Mutex // guards what follows
	var open []net.Conn
	say := func(i int) []byte {
		mu.Lock()
		defer mu.Unlock()
		switch i % 9 {
		case 0:
			return nil
		case 1:
			return a.bytes(a.random.IntN(5000))
		case 2:
			return good[:a.random.IntN(len(protocol)+60)] // never as far as the password
		case 3:
			return append(bytes.Clone(protocol), frame(1, 0, make([]byte, 4096))...) // larger than before an agreement
		case 4:
			return append(bytes.Clone(protocol), method(0, 10, 40, short("/"), short(""), []byte{0})...) // open before login
		case 5:
			return append(bytes.Clone(protocol), method(0, 10, 11, long(""), short("PLAIN"), long("\x00node\x00guessed"), short("en_US"))...)
		case 6:
			return []byte("GET / HTTP/1.1\r\nHost: broker\r\n\r\n")
		case 7:
			return []byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03") // TLS
		default:
			return append(bytes.Clone(protocol), frame(byte(a.random.Uint32()), uint16(a.random.Uint32()), a.bytes(100))...)
		}
	}
	var attackers sync.WaitGroup
	for w := range workers {
		attackers.Go(func() {
			for i := w; i < n; i += workers {
				conn, err := net.Dial("tcp", a.config.Listen)
				if err != nil {
					a.t.Errorf("connect: %v", err)
					return
				}
				_ = conn.(*net.TCPConn).SetLinger(0) // leaves no port behind
				_, _ = conn.Write(say(i))            // may be closed already
				if i%3 != 0 {
					conn.Close()
					continue
				}
				mu.Lock()
				open = append(open, conn)
				if len(open) > 400 {
					open[0].Close()
					open = open[1:]
				}
				mu.Unlock()
			}
		})
	}
	a.newcomer()
	attackers.Wait()
	a.newcomer()
	for _, conn := range open {
		conn.Close()
	}
}

// newcomer is somebody with credentials who gets in all the same.
func (a *arena) newcomer() {
	began := time.Now()
	for tries := 1; ; tries++ {
		link, err := (&network.AMQP{}).Dial(a.t.Context(), a.own())
		if err == nil {
			link.Close()
			a.t.Logf("a newcomer got in at try %d after %v", tries, time.Since(began).Round(time.Millisecond))
			return
		}
		if time.Since(began) > deadline {
			a.t.Errorf("a newcomer does not get in after %d tries: %v", tries, err)
			return
		}
	}
}

func (a *arena) own() network.Address {
	address, err := network.ParseAddress(a.address(), network.Address{})
	a.ok(err)
	return address
}
