package network_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/statemesh/statemesh/network"
	"github.com/statemesh/statemesh/network/seal"
)

// wire speaks AMQP by hand: faster than a client library, and nothing that it would not do.
type wire struct {
	t    testing.TB
	conn net.Conn
	out  *bufio.Writer
	gone chan struct{} // closed when the broker has closed the connection
}

// The frames of AMQP 0-9-1, section 4.2.3.
func frame(kind byte, channel uint16, payload []byte) []byte {
	b := binary.BigEndian.AppendUint16([]byte{kind}, channel)
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	return append(append(b, payload...), 0xCE)
}

func method(channel, class, id uint16, arguments ...[]byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, class)
	b = binary.BigEndian.AppendUint16(b, id)
	return frame(1, channel, append(b, bytes.Join(arguments, nil)...))
}

func short(s string) []byte { return append([]byte{byte(len(s))}, s...) }

func long(s string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(s))), s...)
}

var protocol = []byte("AMQP\x00\x00\x09\x01")

const frameSize = 128 << 10

// handshake is all that a client says until channel 1 is open.
func (a *arena) handshake() [][]byte {
	return [][]byte{
		protocol,
		method(0, 10, 11, long(""), short("PLAIN"), long("\x00"+a.config.User+"\x00"+a.config.Password.Reveal()), short("en_US")),
		method(0, 10, 31, []byte{0, 100}, binary.BigEndian.AppendUint32(nil, frameSize), []byte{0, 0}),
		method(0, 10, 40, short("/"), short(""), []byte{0}),
		method(1, 20, 10, short("")),
	}
}

// connect logs in, with the credentials of the broker and nothing else.
func (a *arena) connect() *wire {
	a.t.Helper()
	conn, err := net.Dial("tcp", a.config.Listen)
	if err != nil {
		a.t.Fatal(err)
	}
	w := &wire{t: a.t, conn: conn, out: bufio.NewWriterSize(conn, 64<<10), gone: make(chan struct{})}
	go func() { // until the connection ends
		defer close(w.gone)
		_, _ = io.Copy(io.Discard, conn)
	}()
	w.write(bytes.Join(a.handshake(), nil))
	return w
}

func (w *wire) write(b []byte) {
	if _, err := w.out.Write(b); err != nil {
		w.t.Fatalf("the broker has closed the attacker's connection: %v", err)
	}
}

func (w *wire) flush() {
	if err := w.out.Flush(); err != nil {
		w.t.Fatalf("the broker has closed the attacker's connection: %v", err)
	}
}

func (w *wire) close() {
	w.conn.Close()
	<-w.gone
}

// unit is one message of an attack.
type unit struct {
	exchange, key string
	properties    []byte // flags and values, as in a content header; nil for none
	body          []byte
	reason        string   // why the node has to refuse it; "" if it does not even get it
	more          []string // of a bundle, for which other reasons
}

func (u *unit) frames() []byte {
	b := method(1, 60, 40, []byte{0, 0}, short(u.exchange), short(u.key), []byte{0})
	header := binary.BigEndian.AppendUint64([]byte{0, 60, 0, 0}, uint64(len(u.body)))
	if u.properties == nil {
		header = append(header, 0, 0)
	}
	b = append(b, frame(2, 1, append(header, u.properties...))...)
	for part := range slices.Chunk(u.body, frameSize-8) {
		b = append(b, frame(3, 1, part)...)
	}
	return b
}

// throw publishes a unit, when the node has refused enough of those before.
func (a *arena) throw(u unit) {
	a.t.Helper()
	for _, reason := range append(u.more, u.reason) {
		a.sums.add(reason)
	}
	a.wire.write(u.frames())
	a.sums.bytes += len(u.body)
	if a.sums.total-a.sums.seen < attackAhead && a.sums.bytes < attackBytes {
		return
	}
	a.wire.flush()
	enough := uint64(attackAhead / 2)
	if a.sums.bytes >= attackBytes {
		enough, a.sums.bytes = 0, 0
	}
	a.settled("messages to be refused", func() bool {
		_, a.sums.seen = a.refused()
		return a.sums.total-a.sums.seen <= enough
	})
}

// outside is an attack by somebody who has no key.
func (a *arena) outside(n int, next func(a *arena, i int) unit) {
	a.t.Helper()
	for range n {
		a.throw(next(a, a.turn))
		a.turn++
	}
	a.settle()
}

// inside is an attack by somebody who has the key.
func (a *arena) inside(n int, next func(a *arena, i int) unit) { a.outside(n, next) }

// record is a message as the broker carries it.
type record struct {
	exchange, key string
	body          []byte
}

// keyOf is the routing key under which a node hears an exchange.
var keyOf = map[string]string{
	network.ExchangeMesh: "speaker", network.ExchangeTrace: "snoop.trace", network.ExchangeSpy: "snoop.spy", network.ExchangeNode: "hello",
}

// capture records what B says: some messages of each exchange, in their order.
func (a *arena) capture() {
	a.t.Helper()
	conn, err := amqp.DialConfig(a.address(), amqp.Config{Heartbeat: time.Minute})
	a.ok(err)
	defer conn.Close()
	ch, err := conn.Channel()
	a.ok(err)
	q, err := ch.QueueDeclare("", false, true, true, false, nil)
	a.ok(err)
	for exchange := range keyOf {
		a.ok(ch.QueueBind(q.Name, "#", exchange, false, nil))
	}
	in, err := ch.Consume(q.Name, "", true, true, false, false, nil)
	a.ok(err)
	// Hellos are rare: those of before will do.
	a.records = slices.DeleteFunc(a.records, func(r record) bool { return r.exchange != network.ExchangeNode })
	counts := map[string]int{}
	if len(a.records) > 0 {
		counts[network.ExchangeNode] = len(a.records)
	}
	var b seal.SenderID // who sends on the mesh
	late := time.After(deadline)
	for counts[network.ExchangeMesh] < 200 || len(counts) < len(keyOf) {
		select {
		case d, open := <-in:
			if !open {
				a.t.Fatal("the broker has closed the recorder's connection")
			}
			for _, body := range envelopes(d.Body) {
				sender, ok := seal.ClaimedSender(body)
				if !ok {
					continue
				}
				if b == (seal.SenderID{}) && d.Exchange == network.ExchangeMesh && d.RoutingKey == "speaker" {
					b = sender
					if counts[network.ExchangeNode] == 0 {
						a.helloPlease()
					}
				}
				if sender == b && counts[d.Exchange] < 1000 {
					counts[d.Exchange]++
					a.records = append(a.records, record{d.Exchange, d.RoutingKey, body})
				}
			}
		case <-late:
			a.t.Fatalf("recorded only %v", counts)
		}
	}
}

// helloPlease makes the nodes say hello, which they do to who is new.
func (a *arena) helloPlease() {
	s := a.insider.sealer(network.ExchangeNode, seal.SealerConfig{})
	a.throw(a.insider.seal(s, network.ExchangeNode, encoded(a.t, fields{1: "stranger"}), ""))
	a.wire.flush()
}

func (a *arena) address() string {
	return "amqp://" + a.config.User + ":" + a.config.Password.Reveal() + "@" + a.config.Listen + "/"
}

func (a *arena) ok(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}
