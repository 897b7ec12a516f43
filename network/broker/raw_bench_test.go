package broker

import (
	"bytes"
	"io"
	"net"
	"testing"
)

// BenchmarkServer is the broker without the cost of a client library: frames made beforehand come in over one TCP
// connection and go out over another, whose octets are only counted.
func BenchmarkServer(b *testing.B) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := New(Config{})
	go s.Serve(listener)
	defer s.Close()
	dial := func() *client {
		nc, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { nc.Close() })
		c := &client{b, nc, newFrameReader(nc)}
		c.login("guest", "guest")
		c.want(0, connectionTune)
		c.call(0, connectionTuneOk, args{}.short(10).long(128<<10).short(0))
		c.call(0, connectionOpen, args{}.shortstr("/").shortstr("").octet(0))
		c.want(0, connectionOpenOk)
		c.channel(1)
		return c
	}
	in, out := dial(), dial()
	in.queue("q", 0, nil)
	in.consume(1, "q", consumeNoAck)

	const batch = 100
	publishes := bytes.Repeat(messageFrames(1, "q", make([]byte, 256), 0), batch)
	out.publish("q", make([]byte, 256))
	in.delivered(1)
	one := appendMethod(nil, 1, basicDeliver, args{}.shortstr("tag q").longlong(1).octet(0).shortstr("").shortstr("q"))
	one = appendContent(one, 1, &message{data: make([]byte, 14+256), header: 14}, make([]byte, 14), 128<<10)

	batches := b.N/batch + 1
	done := make(chan error, 1)
	b.SetBytes(256)
	b.ReportAllocs()
	b.ResetTimer()
	go func() {
		_, err := io.CopyN(io.Discard, in.nc, int64(len(one)*batch*batches))
		done <- err
	}()
	for range batches {
		if _, err := out.nc.Write(publishes); err != nil {
			b.Fatal(err)
		}
	}
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}
