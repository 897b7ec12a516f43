package broker

import (
	"bytes"
	"io"
	"testing"
	"time"
)

// script makes frames out of fuzzed octets, so that they get past the frame reader: kind, channel and length come from
// three octets, the payload from what follows, and the frame end is right.
func script(data []byte) []byte {
	var b []byte
	for len(data) >= 3 {
		n := min(int(data[2]), len(data)-3)
		b = appendFrame(b, data[0]%4, uint16(data[1]%4), data[3:3+n])
		data = data[3+n:]
	}
	return b
}

// unscript is the reverse of script, for frames with payloads of at most 255 octets.
func unscript(frames []byte) []byte {
	var b []byte
	for in := newFrameReader(bytes.NewReader(frames)); ; {
		f, err := in.next()
		if err != nil {
			return b
		}
		b = append(append(b, f.kind, byte(f.channel), byte(len(f.payload))), f.payload...)
	}
}

// FuzzConn throws octets at a served connection: right away, after the handshake, and after it as well-formed frames. Then
// another client must still be served, and nothing may be left when the connection ends.
func FuzzConn(f *testing.F) {
	var talk []byte
	for _, c := range someMethods {
		talk = appendMethod(talk, 1, c.want.id, c.args)
	}
	f.Add(byte(2), unscript(talk))
	for _, c := range someMethods {
		f.Add(byte(2), unscript(appendMethod(nil, 1, c.want.id, c.args)))
		f.Add(byte(2), unscript(appendMethod(nil, 0, c.want.id, c.args)))
	}
	queue := appendMethod(nil, 1, queueDeclare, args{}.short(0).shortstr("q").octet(0).longstr(string(args{}.
		shortstr("x-max-length").octet('b').octet(2).shortstr("x-message-ttl").octet('b').octet(1).shortstr("x-expires").octet('b').octet(100))))
	consume := appendMethod(nil, 1, basicConsume, args{}.short(0).shortstr("q").shortstr("t").octet(0).long(0))
	ack := appendMethod(nil, 1, basicNack, args{}.longlong(1).octet(nackRequeue))
	message := messageFrames(1, "q", []byte("hello"), publishMandatory)
	get := appendMethod(nil, 1, basicGet, args{}.short(0).shortstr("q").octet(0))
	remove := appendMethod(nil, 1, queueDelete, args{}.short(0).shortstr("q").octet(0))
	for _, parts := range [][][]byte{
		{queue, message, consume, message, ack, message},
		{queue, message, message, message, get, ack, get},
		{queue, consume, message, remove, message, queue},
		{queue, message, message[:len(message)-8]},
	} {
		f.Add(byte(2), unscript(bytes.Join(parts, nil)))
		f.Add(byte(1), bytes.Join(parts, nil))
	}
	f.Add(byte(0), protocolHeader)
	f.Add(byte(0), []byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add(byte(0), appendMethod(bytes.Clone(protocolHeader), 0, connectionStartOk,
		args{}.long(0).shortstr("PLAIN").longstr("\x00guest\x00guest").shortstr("")))

	f.Fuzz(func(t *testing.T, stage byte, data []byte) {
		s := New(Config{HandshakeTimeout: 10 * time.Second, Limits: Limits{
			Queues: 3, Exchanges: 5, Bindings: 3, Consumers: 3, Channels: 3, MessageBytes: 1000, FrameBytes: frameMin,
			OutputBytes: 5000, TotalBytes: 20_000, QueueMessages: 20, UnackedMessages: 5,
		}})
		defer s.Close()
		var c *client
		switch stage % 3 {
		case 0:
			c = connect(t, s)
		case 1:
			c = open(t, s, 0)
		default:
			c = open(t, s, 0)
			data = script(data)
		}
		read := make(chan struct{})
		go func() {
			io.Copy(io.Discard, c.nc)
			close(read)
		}()
		c.write(data)
		c.nc.Close()
		<-read

		// Whatever it did, others are served.
		other := open(t, s, 0)
		other.call(1, queueDeclare, args{}.short(0).shortstr("").octet(queueExclusive).long(0))
		if f := other.next(); idOf(f) != queueDeclareOk && idOf(f) != channelClose { // there may be too many
			t.Fatalf("another client got %+v", f)
		}
		other.nc.Close()
		s.Close()
		if stats := s.Stats(); stats.Connections+stats.Channels+stats.Consumers+stats.Queues != 0 || s.bytes.Load() != 0 {
			t.Fatalf("left: %+v, %d bytes", stats, s.bytes.Load())
		}
	})
}
