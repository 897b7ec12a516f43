package brokertest

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// raw speaks AMQP frame by frame, so that it can do what no client library does.
type raw struct {
	*session
	conn net.Conn
	in   *bufio.Reader
	uri  amqp.URI
}

// frame is one frame without its end octet.
type frame struct {
	kind    byte
	channel uint16
	payload []byte
}

// The kinds of frames (AMQP 0-9-1, 4.2.3).
const (
	methodFrame    = 1
	headerFrame    = 2
	bodyFrame      = 3
	heartbeatFrame = 8
	frameEnd       = 0xCE
)

// methodID is the class and the method.
type methodID [2]uint16

var (
	connectionStart   = methodID{10, 10}
	connectionStartOk = methodID{10, 11}
	connectionTune    = methodID{10, 30}
	connectionTuneOk  = methodID{10, 31}
	connectionOpen    = methodID{10, 40}
	connectionOpenOk  = methodID{10, 41}
	connectionClose   = methodID{10, 50}
	connectionCloseOk = methodID{10, 51}
	channelOpen       = methodID{20, 10}
	channelOpenOk     = methodID{20, 11}
	channelFlow       = methodID{20, 20}
	channelFlowOk     = methodID{20, 21}
	channelClose      = methodID{20, 40}
	channelCloseOk    = methodID{20, 41}
	queueDeclare      = methodID{50, 10}
	queueDeclareOk    = methodID{50, 11}
	queueDelete       = methodID{50, 40}
	queueDeleteOk     = methodID{50, 41}
	basicConsume      = methodID{60, 20}
	basicConsumeOk    = methodID{60, 21}
	basicPublish      = methodID{60, 40}
	basicDeliver      = methodID{60, 60}
)

// args builds the arguments of a method.
type args []byte

func (a args) octet(v byte) args     { return append(a, v) }
func (a args) short(v uint16) args   { return binary.BigEndian.AppendUint16(a, v) }
func (a args) long(v uint32) args    { return binary.BigEndian.AppendUint32(a, v) }
func (a args) longlong(v int) args   { return binary.BigEndian.AppendUint64(a, uint64(v)) }
func (a args) str(v string) args     { return append(a.octet(byte(len(v))), v...) }
func (a args) longstr(v string) args { return append(a.long(uint32(len(v))), v...) }

// noTable is an empty table.
func (a args) noTable() args { return a.long(0) }

// raw opens a socket and sends nothing yet.
func (s *session) raw() *raw {
	s.Helper()
	uri, err := amqp.ParseURI(s.url)
	s.ok(err)
	conn, err := net.DialTimeout("tcp", net.JoinHostPort(uri.Host, strconv.Itoa(uri.Port)), patience)
	s.ok(err)
	s.Cleanup(func() { conn.Close() })
	s.ok(conn.SetDeadline(time.Now().Add(patience)))
	return &raw{session: s, conn: conn, in: bufio.NewReader(conn), uri: uri}
}

// write sends bytes. That they cannot be sent is no failure: the broker may have closed the socket already, and what
// it said before is still to be read.
func (r *raw) write(b []byte) { r.conn.Write(b) }

// send sends one frame.
func (r *raw) send(kind byte, channel uint16, payload []byte) {
	b := args{kind}.short(channel).longstr(string(payload)).octet(frameEnd)
	r.write(b)
}

// call sends a method frame.
func (r *raw) call(channel uint16, id methodID, a args) {
	r.send(methodFrame, channel, append(args{}.short(id[0]).short(id[1]), a...))
}

// read reads one frame, heartbeats too.
func (r *raw) read() (frame, error) {
	var head [7]byte
	if _, err := io.ReadFull(r.in, head[:]); err != nil {
		return frame{}, err
	}
	f := frame{kind: head[0], channel: binary.BigEndian.Uint16(head[1:])}
	f.payload = make([]byte, binary.BigEndian.Uint32(head[3:]))
	if _, err := io.ReadFull(r.in, f.payload); err != nil {
		return frame{}, err
	}
	if end, err := r.in.ReadByte(); err != nil || end != frameEnd {
		return frame{}, fmt.Errorf("frame end %#x, %v", end, err)
	}
	return f, nil
}

// next reads one frame that is no heartbeat.
func (r *raw) next() frame {
	r.Helper()
	for {
		f, err := r.read()
		if err != nil {
			r.Fatalf("read a frame: %v", err)
		}
		if f.kind != heartbeatFrame {
			return f
		}
	}
}

// id returns the method of a method frame.
func (f frame) id() methodID {
	if f.kind != methodFrame || len(f.payload) < 4 {
		return methodID{}
	}
	return methodID{binary.BigEndian.Uint16(f.payload), binary.BigEndian.Uint16(f.payload[2:])}
}

// reply returns code and text of a close method.
func (f frame) reply() (code int, text string) {
	length := int(f.payload[6])
	return int(binary.BigEndian.Uint16(f.payload[4:])), string(f.payload[7 : 7+length])
}

// want reads the next frame, which must be the method, and returns its arguments.
func (r *raw) want(channel uint16, id methodID) []byte {
	r.Helper()
	f := r.next()
	if f.channel != channel || f.id() != id {
		text := ""
		if f.id() == connectionClose || f.id() == channelClose {
			code, reply := f.reply()
			text = fmt.Sprintf(" (%d %s)", code, reply)
		}
		r.Fatalf("got frame %d, method %v%s on channel %d, want method %v on channel %d", f.kind, f.id(), text, f.channel, id, channel)
	}
	return f.payload[4:]
}

// start sends the protocol header and reads what the broker says of itself.
func (r *raw) start() []byte {
	r.Helper()
	r.write([]byte("AMQP\x00\x00\x09\x01"))
	return r.want(0, connectionStart)
}

// login answers the start, announcing the capabilities.
func (r *raw) login(mechanism, user, password string, capabilities ...string) {
	var caps args
	for _, name := range capabilities {
		caps = caps.str(name).octet('t').octet(1)
	}
	properties := args{}.str("capabilities").octet('F').longstr(string(caps))
	r.call(0, connectionStartOk, args{}.longstr(string(properties)).str(mechanism).longstr("\x00"+user+"\x00"+password).str("en_US"))
}

// tune is what is negotiated.
type tune struct {
	channelMax uint16
	frameMax   uint32
	heartbeat  uint16
}

// tuned reads what the broker offers.
func (r *raw) tuned() tune {
	r.Helper()
	b := r.want(0, connectionTune)
	return tune{binary.BigEndian.Uint16(b), binary.BigEndian.Uint32(b[2:]), binary.BigEndian.Uint16(b[6:])}
}

// open answers the tune and opens the virtual host.
func (r *raw) open(t tune, vhost string) {
	r.call(0, connectionTuneOk, args{}.short(t.channelMax).long(t.frameMax).short(t.heartbeat))
	r.call(0, connectionOpen, args{}.str(vhost).str("").octet(0))
}

// opened does the whole handshake with small frames and no heartbeats, and opens channel 1.
func (s *session) opened() *raw {
	s.Helper()
	r := s.negotiated(tune{channelMax: 10, frameMax: 4096})
	r.channel(1)
	return r
}

// negotiated does the whole handshake.
func (s *session) negotiated(t tune) *raw {
	s.Helper()
	r := s.raw()
	r.start()
	r.login("PLAIN", r.uri.Username, r.uri.Password, "authentication_failure_close", "consumer_cancel_notify")
	r.tuned()
	r.open(t, "/")
	r.want(0, connectionOpenOk)
	return r
}

// channel opens a channel.
func (r *raw) channel(channel uint16) {
	r.Helper()
	r.call(channel, channelOpen, args{}.str(""))
	r.want(channel, channelOpenOk)
}

// publish sends the method of a publish and, after it, no content.
func (r *raw) publish(channel uint16, key string) {
	r.call(channel, basicPublish, args{}.short(0).str("").str(key).octet(0))
}

// header sends a content header without properties.
func (r *raw) header(channel, class uint16, size int) {
	r.send(headerFrame, channel, args{}.short(class).short(0).longlong(size).short(0))
}

// queue declares an exclusive queue.
func (r *raw) queue(channel uint16) string {
	r.Helper()
	name := r.name()
	r.call(channel, queueDeclare, args{}.short(0).str(name).octet(1<<2).noTable())
	r.want(channel, queueDeclareOk)
	return name
}

// closed waits till the broker closes the connection with the code, and then the socket.
func (r *raw) closed(code int) {
	r.Helper()
	if err := r.close(code); err != nil {
		r.Fatalf("the broker ended without a reply: %v", err)
	}
}

// dropped waits till the broker closes the connection with the code, or closes the socket without a word, which is what
// RabbitMQ does (after three seconds) to a client that errs during the handshake.
func (r *raw) dropped(code int) {
	r.Helper()
	if err := r.close(code); err != nil {
		r.gone()
	}
}

// close waits till the broker closes the connection with the code, and then the socket. The error is that of a socket
// that ended before that.
func (r *raw) close(want int) error {
	r.Helper()
	for {
		f, err := r.read()
		if err != nil {
			return err
		}
		if f.id() != connectionClose {
			continue
		}
		if code, text := f.reply(); code != want {
			r.Fatalf("connection closed with %d (%s), want %d", code, text, want)
		}
		r.call(0, connectionCloseOk, nil)
		r.gone()
		return nil
	}
}

// refused waits till the broker closes the channel with the code, and answers.
func (r *raw) refused(channel uint16, code int) {
	r.Helper()
	f := r.next()
	if f.id() != channelClose || f.channel != channel {
		r.Fatalf("got method %v on channel %d, want a close of channel %d", f.id(), f.channel, channel)
	}
	if got, text := f.reply(); got != code {
		r.Fatalf("channel closed with %d (%s), want %d", got, text, code)
	}
	r.call(channel, channelCloseOk, nil)
}

// gone waits till the socket ends.
func (r *raw) gone() {
	r.Helper()
	for {
		if _, err := r.in.ReadByte(); err != nil {
			if e, ok := err.(net.Error); ok && e.Timeout() {
				r.Fatal("the broker did not close the socket")
			}
			return
		}
	}
}
