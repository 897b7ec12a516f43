package broker

import (
	"fmt"
	"net"
	"testing"
)

// client is the other end of a connection, frame by frame, over a pipe: nothing is buffered between the two, so a client
// that does not read stops the writer of the server at once.
type client struct {
	testing.TB
	nc net.Conn
	in *frameReader
}

// connect opens a pipe to the server and sends nothing yet.
func connect(t testing.TB, s *Server) *client {
	here, there := net.Pipe()
	t.Cleanup(func() { here.Close() })
	s.welcome(there)
	return &client{t, here, newFrameReader(here)}
}

// open does the handshake, with the heartbeat, and opens channel 1.
func open(t testing.TB, s *Server, heartbeat uint16, capabilities ...string) *client {
	t.Helper()
	c := connect(t, s)
	c.login(s.config.User, s.config.Password, capabilities...)
	c.want(0, connectionTune)
	limits := s.config.Limits
	c.call(0, connectionTuneOk, args{}.short(uint16(limits.Channels)).long(uint32(limits.FrameBytes)).short(heartbeat))
	c.call(0, connectionOpen, args{}.shortstr(s.config.VHost).shortstr("").octet(0))
	c.want(0, connectionOpenOk)
	c.in.limit(limits.FrameBytes)
	c.channel(1)
	return c
}

// write sends octets. A server that has closed the connection is no failure: what it said is still to be read.
func (c *client) write(b []byte) { c.nc.Write(b) }

// call sends a method.
func (c *client) call(channel uint16, id methodID, a args) {
	c.write(appendMethod(nil, channel, id, a))
}

// next reads a frame that is no heartbeat.
func (c *client) next() frame {
	c.Helper()
	for {
		f, err := c.in.next()
		if err != nil {
			c.Fatalf("read: %v", err)
		}
		if f.kind != frameHeartbeat {
			return f
		}
	}
}

// idOf returns the method of a frame.
func idOf(f frame) methodID {
	if f.kind != frameMethod {
		return 0
	}
	d := decoder{b: f.payload}
	return methodID(d.long())
}

// want reads the next frame, which must be the method, and returns its arguments.
func (c *client) want(channel uint16, id methodID) *decoder {
	c.Helper()
	f := c.next()
	if got := idOf(f); got != id || f.channel != channel {
		text := ""
		if got == connectionClose || got == channelClose {
			d := decoder{b: f.payload[4:]}
			text = fmt.Sprint(": ", d.short(), " ", string(d.shortstr()))
		}
		c.Fatalf("got frame %d, method %d.%d on channel %d%s; want %d.%d on channel %d",
			f.kind, got.class(), got.method(), f.channel, text, id.class(), id.method(), channel)
	}
	return &decoder{b: f.payload[4:]}
}

// login sends the protocol header and the credentials.
func (c *client) login(user, password string, capabilities ...string) {
	c.Helper()
	c.write(protocolHeader)
	c.want(0, connectionStart)
	var known args
	for _, name := range capabilities {
		known = known.flag(name, true)
	}
	properties := args{}.shortstr("capabilities").octet('F').longstr(string(known))
	c.call(0, connectionStartOk, args{}.longstr(string(properties)).shortstr("PLAIN").longstr("\x00"+user+"\x00"+password).shortstr("en_US"))
}

// channel opens a channel.
func (c *client) channel(id uint16) {
	c.Helper()
	c.call(id, channelOpen, args{}.shortstr(""))
	c.want(id, channelOpenOk)
}

// queue declares a queue on channel 1.
func (c *client) queue(name string, flags byte, a args) {
	c.Helper()
	c.call(1, queueDeclare, args{}.short(0).shortstr(name).octet(flags).longstr(string(a)))
	c.want(1, queueDeclareOk)
}

// ready returns how many messages of the queue are ready.
func (c *client) ready(name string) int {
	c.Helper()
	c.call(1, queueDeclare, args{}.short(0).shortstr(name).octet(queuePassive).long(0))
	d := c.want(1, queueDeclareOk)
	d.shortstr()
	return int(d.long())
}

// confirms puts channel 1 in confirm mode.
func (c *client) confirms() {
	c.Helper()
	c.call(1, confirmSelect, args{}.octet(0))
	c.want(1, confirmSelectOk)
}

// message is the three frames of a message for the default exchange.
func messageFrames(channel uint16, key string, body []byte, flags byte) []byte {
	b := appendMethod(nil, channel, basicPublish, args{}.short(0).shortstr("").shortstr(key).octet(flags))
	b = appendFrame(b, frameHeader, channel, args{}.short(60).short(0).longlong(uint64(len(body))).short(0))
	if len(body) > 0 {
		b = appendFrame(b, frameBody, channel, body)
	}
	return b
}

// publish sends one message on channel 1.
func (c *client) publish(key string, body []byte) { c.write(messageFrames(1, key, body, 0)) }

// published sends one message on channel 1, which is in confirm mode, and tells whether it is confirmed.
func (c *client) published(key string, body []byte) bool {
	c.Helper()
	c.publish(key, body)
	switch f := c.next(); idOf(f) {
	case basicAck:
		return true
	case basicNack:
		return false
	default:
		c.Fatalf("got method %d, want a confirm", idOf(f))
		return false
	}
}

// consume starts a consumer on the channel.
func (c *client) consume(channel uint16, queue string, flags byte) {
	c.Helper()
	c.call(channel, basicConsume, args{}.short(0).shortstr(queue).shortstr("tag "+queue).octet(flags).long(0))
	c.want(channel, basicConsumeOk)
}

// delivered reads a delivery.
func (c *client) delivered(channel uint16) (tag uint64, body []byte) {
	c.Helper()
	d := c.want(channel, basicDeliver)
	d.shortstr()
	tag = d.longlong()
	return tag, c.content()
}

// content reads a header and a body.
func (c *client) content() []byte {
	c.Helper()
	var h contentHeader
	if f := c.next(); f.kind != frameHeader || !h.decode(f.payload) {
		c.Fatalf("got %+v, want a content header", f)
	}
	var body []byte
	for uint64(len(body)) < h.size {
		f := c.next()
		if f.kind != frameBody {
			c.Fatalf("got %+v, want a content body", f)
		}
		body = append(body, f.payload...)
	}
	return body
}

// get gets a message with basic.get.
func (c *client) get(queue string, noAck byte) (tag uint64, body []byte, found bool) {
	c.Helper()
	c.call(1, basicGet, args{}.short(0).shortstr(queue).octet(noAck))
	f := c.next()
	switch idOf(f) {
	case basicGetEmpty:
		return 0, nil, false
	case basicGetOk:
		d := decoder{b: f.payload[4:]}
		tag = d.longlong()
		return tag, c.content(), true
	}
	c.Fatalf("got method %d.%d, want an answer to get", idOf(f).class(), idOf(f).method())
	return
}

// refused reads the close of the channel (or, on channel 0, of the connection) and checks its code. Other frames before it
// are skipped.
func (c *client) refused(channel uint16, code replyCode) {
	c.Helper()
	id, answer := channelClose, channelCloseOk
	if channel == 0 {
		id, answer = connectionClose, connectionCloseOk
	}
	for {
		f := c.next()
		got := idOf(f)
		if got != connectionClose && got != channelClose {
			continue
		}
		d := decoder{b: f.payload[4:]}
		if gotCode := replyCode(d.short()); got != id || gotCode != code || f.channel != channel {
			c.Fatalf("got close with %d %s on channel %d, want %d on channel %d", gotCode, d.shortstr(), f.channel, code, channel)
		}
		c.call(channel, answer, nil)
		return
	}
}

// gone reads until the connection ends.
func (c *client) gone() {
	for {
		if _, err := c.in.next(); err != nil {
			return
		}
	}
}
