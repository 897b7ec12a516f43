package broker

import (
	"bytes"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// bubble runs a test in virtual time with a server that is closed at its end.
func bubble(t *testing.T, config Config, run func(t *testing.T, s *Server)) {
	synctest.Test(t, func(t *testing.T) {
		s := New(config)
		t.Cleanup(func() {
			s.Close()
			if stats := s.Stats(); stats.Connections+stats.Channels+stats.Queues+stats.Consumers != 0 || stats.Bytes != 0 {
				t.Errorf("left after Close: %+v", stats)
			}
		})
		run(t, s)
	})
}

func TestHandshakeTimeout(t *testing.T) {
	bubble(t, Config{HandshakeTimeout: 3 * time.Second}, func(t *testing.T, s *Server) {
		start := time.Now()
		silent := connect(t, s)
		silent.gone()
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("a silent peer was dropped after %v, want 3s", took)
		}
		start = time.Now()
		slow := connect(t, s)
		go func() {
			for i := range 3 { // one octet a second does not help
				time.Sleep(time.Second - time.Millisecond)
				slow.write(protocolHeader[i : i+1])
			}
		}()
		slow.gone()
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("a slow peer was dropped after %v, want 3s", took)
		}
		deaf := connect(t, s)
		deaf.write(protocolHeader) // and never reads the answer
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if _, err := deaf.nc.Write([]byte{1}); err == nil {
			t.Error("a deaf peer was not dropped")
		}
	})
}

func TestHeartbeat(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *Server) {
		c := open(t, s, 10)
		start, beats := time.Now(), 0
		for {
			f, err := c.in.next()
			if err != nil {
				break
			}
			if f.kind == frameHeartbeat {
				beats++
			}
		}
		if took := time.Since(start); took != 20*time.Second || beats < 2 || beats > 3 {
			t.Errorf("a silent client was dropped after %v and %d heartbeats, want 20s and one each 5s in which nothing else was sent", took, beats)
		}

		c = open(t, s, 10)
		var alive bool
		for range 20 {
			time.Sleep(9 * time.Second)
			c.nc.Write(appendFrame(nil, frameHeartbeat, 0, nil))
			f, err := c.in.next() // the heartbeat that waits
			alive = err == nil && f.kind == frameHeartbeat
		}
		if !alive {
			t.Error("a client that sends heartbeats was dropped")
		}

		c = open(t, s, 0)
		time.Sleep(24 * time.Hour)
		c.channel(2)
	})
}

func TestHandshakes(t *testing.T) {
	bubble(t, Config{Limits: Limits{Handshakes: 3}}, func(t *testing.T, s *Server) {
		var waiting []*client
		for range 3 {
			waiting = append(waiting, connect(t, s))
		}
		start := time.Now()
		open(t, s, 0) // gets in, because the oldest has to go
		waiting[0].gone()
		if took := time.Since(start); took != 0 {
			t.Errorf("the oldest went after %v", took)
		}
		waiting[1].login("guest", "guest")
		waiting[1].want(0, connectionTune)
	})
}

func TestConnections(t *testing.T) {
	bubble(t, Config{Limits: Limits{Connections: 2}}, func(t *testing.T, s *Server) {
		first := open(t, s, 0)
		open(t, s, 0)
		c := connect(t, s)
		c.login("guest", "guest")
		c.want(0, connectionTune)
		c.call(0, connectionTuneOk, args{}.short(1).long(4096).short(0))
		c.call(0, connectionOpen, args{}.shortstr("/").shortstr("").octet(0))
		c.refused(0, notAllowed)
		first.call(0, connectionClose, args{}.short(200).shortstr("").long(0))
		first.want(0, connectionCloseOk)
		first.nc.Close()
		synctest.Wait()
		open(t, s, 0)
	})
}

func TestCounts(t *testing.T) {
	declare := func(c *client, name string) {
		c.call(1, queueDeclare, args{}.short(0).shortstr(name).octet(0).long(0))
	}
	exchange := func(c *client, name string) {
		c.call(1, exchangeDeclare, args{}.short(0).shortstr(name).shortstr("topic").octet(0).long(0))
	}
	bind := func(c *client, key string) {
		c.call(1, queueBind, args{}.short(0).shortstr("q").shortstr("amq.topic").shortstr(key).octet(0).long(0))
	}
	consume := func(c *client, tag string) {
		c.call(1, basicConsume, args{}.short(0).shortstr("q").shortstr(tag).octet(0).long(0))
	}
	for _, c := range []struct {
		name    string
		limits  Limits
		try     func(c *client, name string)
		answer  methodID
		allowed int
		channel uint16
		code    replyCode
	}{
		{"queues", Limits{Queues: 3}, declare, queueDeclareOk, 2, 1, preconditionFailed}, // one is there
		{"exchanges", Limits{Exchanges: 5}, exchange, exchangeDeclareOk, 2, 1, preconditionFailed},
		{"bindings", Limits{Bindings: 2}, bind, queueBindOk, 2, 1, preconditionFailed},
		{"consumers", Limits{Consumers: 2}, consume, basicConsumeOk, 2, 0, notAllowed},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, Config{Limits: c.limits}, func(t *testing.T, s *Server) {
				x := open(t, s, 0)
				x.queue("q", 0, nil)
				for i := range c.allowed {
					c.try(x, fmt.Sprint(i))
					x.want(1, c.answer)
				}
				c.try(x, "too many")
				x.refused(c.channel, c.code)
			})
		})
	}
}

func TestMessageBytes(t *testing.T) {
	bubble(t, Config{Limits: Limits{MessageBytes: 1000}}, func(t *testing.T, s *Server) {
		c := open(t, s, 0)
		c.queue("q", 0, nil)
		c.publish("q", make([]byte, 1000))
		c.publish("q", make([]byte, 1001))
		c.refused(1, preconditionFailed)
		c.channel(1)
		if n := c.ready("q"); n != 1 {
			t.Fatalf("%d messages are ready, want 1", n)
		}
	})
}

func TestBindingArguments(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *Server) {
		c := open(t, s, 0)
		c.queue("q", 0, nil)
		large := args{}.text("x", string(make([]byte, maxBindingArguments)))
		c.call(1, queueBind, args{}.short(0).shortstr("q").shortstr("amq.topic").shortstr("k").octet(0).longstr(string(large)))
		c.refused(1, preconditionFailed)
	})
}

func TestQueueLimits(t *testing.T) {
	for _, c := range []struct {
		name   string
		limits Limits
	}{
		{"messages", Limits{QueueMessages: 10}},
		{"bytes", Limits{QueueBytes: 10 * 1000}}, // with 200 octets of overhead and about 30 of header each
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, Config{Limits: c.limits}, func(t *testing.T, s *Server) {
				x := open(t, s, 0)
				x.confirms()
				x.queue("q", 0, nil)
				x.queue("strict", 0, args{}.text("x-overflow", "reject-publish"))
				x.queue("larger", 0, args{}.shortstr("x-max-length").octet('I').long(1e6)) // asking for more does not help
				const n = 30
				for i := range n {
					body := append([]byte{byte(i)}, make([]byte, 700)...)
					if !x.published("q", body) || !x.published("larger", body) {
						t.Fatalf("message %d was refused", i)
					}
					if got := x.published("strict", body); got != (i < 10) {
						t.Fatalf("strict: message %d: confirmed is %v", i, got)
					}
				}
				for queue, first := range map[string]byte{"q": 20, "strict": 0, "larger": 20} {
					if got := x.ready(queue); got != 10 {
						t.Fatalf("%s: %d messages are ready, want 10", queue, got)
					}
					if _, body, _ := x.get(queue, 1); body[0] != first {
						t.Errorf("%s: the first message is %d, want %d", queue, body[0], first)
					}
				}
				if got := s.Stats(); got.Dropped != 60 || got.MessagesIn != 3*n || got.MessagesOut != 3 {
					t.Errorf("stats %+v", got)
				}
			})
		})
	}
}

// When all is full, the largest queue pays.
func TestTotalBytes(t *testing.T) {
	bubble(t, Config{Limits: Limits{TotalBytes: 1 << 20}}, func(t *testing.T, s *Server) {
		c := open(t, s, 0)
		c.confirms()
		c.queue("small", 0, nil)
		c.queue("hog", 0, nil)
		c.published("small", []byte("precious"))
		for i := range 100 {
			if !c.published("hog", append([]byte{byte(i)}, make([]byte, 50_000)...)) {
				t.Fatalf("message %d was refused", i)
			}
			if held := s.Stats().Bytes; held > 1<<20+2*50_000 {
				t.Fatalf("%d bytes are held after message %d", held, i)
			}
		}
		hog := c.ready("hog")
		if c.ready("small") != 1 || hog < 10 || hog > 21 || s.Stats().Dropped != uint64(100-hog) {
			t.Fatalf("small has %d messages, hog %d; %+v", c.ready("small"), hog, s.Stats())
		}
		if _, body, _ := c.get("hog", 1); int(body[0]) != 100-hog {
			t.Errorf("the first message is %d, want %d", body[0], 100-hog)
		}
	})
}

// When all waits for acknowledgement, there is nothing to drop.
func TestTotalBytesUnacked(t *testing.T) {
	bubble(t, Config{Limits: Limits{TotalBytes: 1 << 20}}, func(t *testing.T, s *Server) {
		c := open(t, s, 0)
		c.confirms()
		c.queue("q", 0, nil)
		var holders []*client
		for range 5 { // each may hold a quarter
			x := open(t, s, 0)
			x.consume(1, "q", 0)
			go func() {
				for {
					if _, err := x.in.next(); err != nil {
						return
					}
				}
			}()
			holders = append(holders, x)
		}
		refused := 0
		for range 200 {
			if !c.published("q", make([]byte, 20_000)) {
				refused++
			}
			synctest.Wait()
			if held := s.Stats().Bytes; held > 1<<20+2*20_000 {
				t.Fatalf("%d bytes are held", held)
			}
		}
		if refused < 100 {
			t.Errorf("%d messages were refused", refused)
		}
		for _, x := range holders {
			x.nc.Close()
		}
		synctest.Wait()
		if !c.published("q", make([]byte, 20_000)) {
			t.Error("a message was refused though there is room again")
		}
	})
}

// Bodies that are begun and not finished are bounded for each connection; the messages too many are refused.
func TestUnfinishedBodies(t *testing.T) {
	const size, half = 100_000, 50_000
	bubble(t, Config{Limits: Limits{TotalBytes: 4 << 20, MessageBytes: size}}, func(t *testing.T, s *Server) {
		c := open(t, s, 0)
		c.queue("q", 0, nil)
		const first, last = 2, 101
		for channel := uint16(first); channel <= last; channel++ {
			c.channel(channel)
			c.call(channel, confirmSelect, args{}.octet(0))
			c.want(channel, confirmSelectOk)
			c.call(channel, basicPublish, args{}.short(0).shortstr("").shortstr("q").octet(0))
			c.write(appendFrame(nil, frameHeader, channel, args{}.short(60).short(0).longlong(size).short(0)))
			c.write(appendFrame(nil, frameBody, channel, make([]byte, half)))
			synctest.Wait()
			if held := s.Stats().Bytes; held > 1<<20+size {
				t.Fatalf("%d bytes are held", held)
			}
		}
		accepted := 0
		for channel := uint16(first); channel <= last; channel++ {
			c.write(appendFrame(nil, frameBody, channel, make([]byte, half)))
			if f := c.next(); idOf(f) == basicAck {
				accepted++
			} else if idOf(f) != basicNack {
				t.Fatalf("got %+v", f)
			}
		}
		if accepted < 10 || accepted > 21 || c.ready("q") != accepted {
			t.Errorf("%d messages were accepted, %d are there, want about 20", accepted, c.ready("q"))
		}
	})
}

func TestUnackedMessages(t *testing.T) {
	bubble(t, Config{Limits: Limits{UnackedMessages: 5}}, func(t *testing.T, s *Server) {
		c := open(t, s, 0)
		c.queue("q", 0, nil)
		for i := range 20 {
			c.publish("q", []byte{byte(i)})
		}
		c.channel(2)
		c.consume(2, "q", 0) // without any prefetch
		for i := range 5 {
			if _, body := c.delivered(2); body[0] != byte(i) {
				t.Fatalf("got message %d, want %d", body[0], i)
			}
		}
		if n := c.ready("q"); n != 15 {
			t.Fatalf("%d messages are ready, want 15", n)
		}
		c.call(2, basicAck, args{}.longlong(2).octet(ackMultiple))
		c.delivered(2)
		c.delivered(2)
		if n := c.ready("q"); n != 13 {
			t.Fatalf("%d messages are ready, want 13", n)
		}
		for range 5 {
			c.get("q", 0)
		}
		c.call(1, basicGet, args{}.short(0).shortstr("q").octet(0))
		c.refused(1, preconditionFailed)
	})
}

// A consumer that does not read leaves its messages in the queue, and gets them all once it reads.
func TestSlowConsumer(t *testing.T) {
	const output, size, n = 20_000, 1000, 500
	bubble(t, Config{Limits: Limits{OutputBytes: output}}, func(t *testing.T, s *Server) {
		p, slow, fast := open(t, s, 0), open(t, s, 0), open(t, s, 0)
		p.queue("slow", 0, nil)
		p.queue("fast", 0, nil)
		slow.consume(1, "slow", consumeNoAck)
		fast.consume(1, "fast", consumeNoAck)
		for i := range n {
			p.publish("slow", bytes.Repeat([]byte{byte(i)}, size))
			p.publish("fast", []byte{byte(i)})
			if _, body := fast.delivered(1); body[0] != byte(i) {
				t.Fatalf("fast: got message %d, want %d", body[0], i)
			}
		}
		synctest.Wait()
		// One buffer is being written, one is full, and each may be one message too large.
		most := 2 * (output/size + 1)
		if ready := p.ready("slow"); ready < n-most || ready == n {
			t.Fatalf("%d messages of %d wait in the queue, want at least %d", ready, n, n-most)
		}
		for i := range n {
			if _, body := slow.delivered(1); len(body) != size || body[0] != byte(i) {
				t.Fatalf("slow: got message %d, want %d", body[0], i)
			}
		}
	})
}

// A consumer that reads nothing at all is dropped, and what it did not acknowledge goes to others.
func TestWriteTimeout(t *testing.T) {
	bubble(t, Config{WriteTimeout: 7 * time.Second}, func(t *testing.T, s *Server) {
		p, hung := open(t, s, 0), open(t, s, 0)
		p.queue("q", 0, nil)
		hung.consume(1, "q", 0)
		start := time.Now()
		p.publish("q", []byte("x"))
		synctest.Wait()
		if n := p.ready("q"); n != 0 {
			t.Fatal("the message was not delivered")
		}
		time.Sleep(7*time.Second + time.Millisecond)
		synctest.Wait()
		if n := p.ready("q"); n != 1 {
			t.Fatalf("the message did not come back after %v", time.Since(start))
		}
		if n := s.Stats().Connections; n != 1 {
			t.Fatalf("%d connections, want 1", n)
		}
	})
}

// A client that asks and does not read is not listened to.
func TestUnreadReplies(t *testing.T) {
	const output, size = 10_000, 1000
	bubble(t, Config{Limits: Limits{OutputBytes: output}, WriteTimeout: time.Minute}, func(t *testing.T, s *Server) {
		c := open(t, s, 0)
		go func() {
			for range 1000 {
				c.write(messageFrames(1, "nowhere", make([]byte, size), publishMandatory))
			}
		}()
		synctest.Wait()
		if in := s.Stats().MessagesIn; in > 2*(output/size+2) {
			t.Fatalf("%d messages were taken", in)
		}
		for range 1000 {
			c.want(1, basicReturn)
			c.content()
		}
	})
}
