package broker

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// What a peer may do wrong before its connection is open. That of a real client is in the suite.
func TestHandshakeMistakes(t *testing.T) {
	startOk := args{}.long(0).shortstr("PLAIN").longstr("\x00guest\x00guest").shortstr("en_US")
	for _, c := range []struct {
		name string
		send []byte
		code replyCode // 0 is the end without a word
	}{
		{"malformed frame", []byte("\x09\x00\x00\x00\x00\x00\x00\xce"), frameError},
		{"content", appendFrame(nil, frameBody, 0, []byte("x")), unexpectedFrame},
		{"another channel", appendMethod(nil, 1, connectionStartOk, startOk), unexpectedFrame},
		{"too large a frame", appendFrame(nil, frameMethod, 0, make([]byte, frameMin)), frameError},
		{"another method", appendMethod(nil, 0, connectionTuneOk, args{}.short(1).long(4096).short(0)), channelError},
		{"unknown method", appendMethod(nil, 0, 99<<16, nil), commandInvalid},
		{"malformed method", appendMethod(nil, 0, connectionStartOk, startOk[:5]), frameError},
		{"unknown mechanism", appendMethod(nil, 0, connectionStartOk, args{}.long(0).shortstr("EXTERNAL").longstr("").shortstr("")), commandInvalid},
		{"response that is not PLAIN's", appendMethod(nil, 0, connectionStartOk, args{}.long(0).shortstr("PLAIN").longstr("guest").shortstr("")), 0},
		{"capabilities that are no table", appendMethod(nil, 0, connectionStartOk,
			args{}.longstr(string(args{}.text("capabilities", "x"))).shortstr("PLAIN").longstr("\x00guest\x00x").shortstr("")), 0},
		{"frame-max of 0", append(appendMethod(nil, 0, connectionStartOk, startOk),
			appendMethod(nil, 0, connectionTuneOk, args{}.short(1).long(0).short(0))...), notAllowed},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, Config{}, func(t *testing.T, s *Server) {
				x := connect(t, s)
				x.write(protocolHeader)
				x.want(0, connectionStart)
				go x.write(c.send)
				if c.code != 0 {
					x.refused(0, c.code)
				}
				x.gone()
			})
		})
	}
	t.Run("close and heartbeats are allowed", func(t *testing.T) {
		bubble(t, Config{}, func(t *testing.T, s *Server) {
			x := connect(t, s)
			x.login("guest", "guest")
			x.want(0, connectionTune)
			x.write(appendFrame(nil, frameHeartbeat, 0, nil))
			x.call(0, connectionClose, args{}.short(200).shortstr("").long(0))
			x.want(0, connectionCloseOk)
			x.gone()
		})
	})
}

func TestChannelZero(t *testing.T) {
	for name, c := range map[string]struct {
		send []byte
		code replyCode
	}{
		"content":      {appendFrame(nil, frameHeader, 0, nil), unexpectedFrame},
		"channel.open": {appendMethod(nil, 0, channelOpen, args{}.shortstr("")), channelError},
		"malformed":    {appendMethod(nil, 0, connectionClose, nil), frameError},
		"close-ok":     {appendMethod(nil, 0, connectionCloseOk, nil), 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, Config{}, func(t *testing.T, s *Server) {
				x := open(t, s, 0)
				x.write(c.send)
				if c.code != 0 {
					x.refused(0, c.code)
				}
				x.gone()
			})
		})
	}
}

// RabbitMQ waits for ever for such a message to end.
func TestBodyTooLong(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *Server) {
		c := open(t, s, 0)
		c.call(1, basicPublish, args{}.short(0).shortstr("").shortstr("q").octet(0))
		c.write(appendFrame(nil, frameHeader, 1, args{}.short(60).short(0).longlong(3).short(0)))
		c.write(appendFrame(nil, frameBody, 1, []byte("four")))
		c.refused(0, frameError)
	})
}

// Both sides close a channel at once.
func TestCrossingClose(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *Server) {
		c := open(t, s, 0)
		c.call(1, basicAck, args{}.longlong(1).octet(0)) // unknown
		if f := c.next(); idOf(f) != channelClose {
			t.Fatalf("got %+v", f)
		}
		c.call(1, channelClose, args{}.short(200).shortstr("").long(0))
		c.want(1, channelCloseOk)
		c.call(1, channelCloseOk, nil)
		c.channel(1)
	})
}

// One message goes to many queues that are bound more than once, and to each of them once.
func TestManyQueues(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *Server) {
		c := open(t, s, 0)
		const n = 100
		for _, kind := range []string{"fanout", "topic", "direct"} {
			for i := range n {
				name := fmt.Sprint(kind, i)
				c.queue(name, 0, nil)
				for j := range 3 {
					c.call(1, queueBind, args{}.short(0).shortstr(name).shortstr("amq."+kind).shortstr("a.b").octet(0).
						longstr(string(args{}.shortstr("n").octet('b').octet(byte(j)))))
					c.want(1, queueBindOk)
				}
			}
			for range 2 { // the second time the route is known, or was too large to keep
				b := appendMethod(nil, 1, basicPublish, args{}.short(0).shortstr("amq."+kind).shortstr("a.b").octet(0))
				c.write(appendFrame(b, frameHeader, 1, args{}.short(60).short(0).longlong(0).short(0)))
			}
			for i := range n {
				if got := c.ready(fmt.Sprint(kind, i)); got != 2 {
					t.Fatalf("%s: queue %d has %d messages, want 2", kind, i, got)
				}
			}
		}
	})
}

// A publisher that uses more keys than are remembered.
func TestManyKeys(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *Server) {
		c := open(t, s, 0)
		for i := range 3 {
			c.queue(fmt.Sprint("q", i), 0, nil)
		}
		for i := range 3 * routesKept {
			c.publish(fmt.Sprint("nowhere", i), nil)
			c.publish(fmt.Sprint("q", i%3), nil)
		}
		for i := range 3 {
			if got := c.ready(fmt.Sprint("q", i)); got != routesKept {
				t.Errorf("queue %d has %d messages, want %d", i, got, routesKept)
			}
		}
	})
}

// A connection that holds all the unacknowledged bytes it may gets more as it acknowledges.
func TestUnackedBytes(t *testing.T) {
	bubble(t, Config{Limits: Limits{TotalBytes: 1 << 20}}, func(t *testing.T, s *Server) {
		c := open(t, s, 0)
		c.queue("q", 0, nil)
		const n, size = 17, 50_000
		for i := range n {
			c.publish("q", bytes.Repeat([]byte{byte(i)}, size))
		}
		c.channel(2)
		c.consume(2, "q", 0)
		got := 0
		for ; got < 5; got++ {
			c.delivered(2)
		}
		if ready := c.ready("q"); ready != n-5 {
			t.Fatalf("%d messages are ready, want %d: a quarter of all bytes are five", ready, n-5)
		}
		c.call(1, basicGet, args{}.short(0).shortstr("q").octet(0))
		c.refused(1, preconditionFailed)
		c.channel(1)
		for ; got < n; got++ {
			c.call(2, basicAck, args{}.longlong(uint64(got-4)).octet(0))
			if _, body := c.delivered(2); body[0] != byte(got) {
				t.Fatalf("got message %d, want %d", body[0], got)
			}
		}
	})
}

// What is gone is forgotten, also by the connection that made it.
func TestNothingPilesUp(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *Server) {
		c := open(t, s, 0)
		for range 100 {
			c.queue("q", queueExclusive, nil)
			c.call(1, queueBind, args{}.short(0).shortstr("q").shortstr("amq.topic").shortstr("#").octet(0).long(0))
			c.want(1, queueBindOk)
			c.consume(1, "q", 0)
			c.call(1, queueDelete, args{}.short(0).shortstr("q").octet(0))
			c.want(1, queueDeleteOk)
		}
		for x := range s.conns {
			if len(x.owns) > 0 || len(x.channels[1].consumers) > 0 || s.consumers.Load() != 0 {
				t.Errorf("%d queues, %d consumers, %d counted", len(x.owns), len(x.channels[1].consumers), s.consumers.Load())
			}
		}
		v := s.vhost
		if len(v.queues)+v.bindings+len(v.exchanges["amq.topic"].bindings) > 0 {
			t.Errorf("%d queues, %d bindings, %d of the exchange", len(v.queues), v.bindings, len(v.exchanges["amq.topic"].bindings))
		}
	})
}

// The timer of a queue serves message after message, and the queue itself.
func TestQueueTimer(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *Server) {
		c := open(t, s, 0)
		ms := func(name string, v uint32) args { return args{}.shortstr(name).octet('I').long(v) }
		c.queue("q", 0, append(ms("x-message-ttl", 1000), ms("x-expires", 10_000)...))
		for range 3 {
			c.publish("q", []byte("x"))
			time.Sleep(400 * time.Millisecond)
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		each := (&message{key: "q", data: make([]byte, 14+1)}).size() // a header without properties, and "x"
		for i, want := range []int64{2, 1, 0} {                       // at 1201, 1601 and 2001 ms
			q, _ := s.vhost.queue(nil, "q")
			if got := q.held(); got != want*each {
				t.Errorf("step %d: %d bytes are held, want %d", i, got, want*each)
			}
			time.Sleep(400 * time.Millisecond)
		}
		if n := s.Stats(); n.Dropped != 3 || n.Queues != 1 {
			t.Errorf("stats %+v", n)
		}
		time.Sleep(7 * time.Second)
		c.queue("q", 0, append(ms("x-message-ttl", 1000), ms("x-expires", 10_000)...)) // counts as use
		time.Sleep(9 * time.Second)
		c.get("q", 1) // and this
		time.Sleep(9 * time.Second)
		c.consume(1, "q", 0) // and a consumer, as long as it is there
		time.Sleep(time.Hour)
		c.call(1, basicCancel, args{}.shortstr("tag q").octet(0))
		c.want(1, basicCancelOk)
		time.Sleep(10*time.Second - time.Millisecond)
		synctest.Wait()
		if s.Stats().Queues != 1 {
			t.Fatal("the queue went too early")
		}
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		if s.Stats().Queues != 0 {
			t.Fatal("the queue did not go")
		}
	})
}

// Many clients do all kinds of things to the same few queues, as fast as they can, right or wrong. What is checked is
// that nobody gets stuck, and that nothing is left.
func TestChaos(t *testing.T) {
	s := New(Config{Limits: Limits{OutputBytes: 3000, QueueMessages: 50, TotalBytes: 100_000, UnackedMessages: 20}})
	defer s.Close()
	var group sync.WaitGroup
	for seed := range 8 {
		group.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(seed)))
			for range 12 {
				c := open(t, s, 0)
				c.channel(2)
				done := make(chan struct{})
				refused := make(chan uint16, 1000) // channels the server has closed
				go func() {
					defer close(done)
					for {
						f, err := c.in.next()
						if err != nil {
							return
						}
						if idOf(f) == channelClose {
							refused <- f.channel
						}
					}
				}()
				for range 300 {
					select {
					case channel := <-refused:
						c.call(channel, channelCloseOk, nil)
						c.call(channel, channelOpen, args{}.shortstr(""))
					default:
						c.write(randomFrames(random))
					}
				}
				if random.IntN(2) == 0 {
					c.call(0, connectionClose, args{}.short(200).shortstr("").long(0))
				} else {
					c.nc.Close()
				}
				<-done
			}
		})
	}
	group.Wait()
	s.Close()
	stats := s.Stats()
	t.Logf("%+v", stats)
	if stats.Connections+stats.Channels+stats.Consumers+stats.Queues != 0 || s.bytes.Load() != 0 {
		t.Errorf("left: %+v, %d bytes", stats, s.bytes.Load())
	}
	if stats.MessagesIn < 1000 || stats.MessagesOut < 1000 {
		t.Errorf("too little happened: %+v", stats)
	}
}

// randomFrames is one thing a client of TestChaos does. Mistakes are rare, because what follows one is ignored until both
// sides have closed the channel.
func randomFrames(r *rand.Rand) []byte {
	n := r.IntN(4)
	queue := fmt.Sprint("q", n)
	channel := uint16(1 + r.IntN(2))
	method := func(id methodID, a args) []byte { return appendMethod(nil, channel, id, a) }
	switch r.IntN(40) {
	case 0:
		return method(queueDelete, args{}.short(0).shortstr(queue).octet(byte(r.IntN(4))))
	case 1:
		return method(basicAck, args{}.longlong(uint64(r.IntN(5))).octet(0)) // unknown, mostly
	case 2:
		return method(basicConsume, args{}.short(0).shortstr(queue).shortstr("").octet(consumeExclusive).long(0))
	case 3:
		return method(basicCancel, args{}.shortstr("tag").octet(0))
	case 4, 5, 6:
		var settings args
		if n == 0 {
			settings = settings.shortstr("x-message-ttl").octet('b').octet(1).shortstr("x-expires").octet('b').octet(20)
		}
		return method(queueDeclare, args{}.short(0).shortstr(queue).octet(byte(n/3)*queueAutoDelete).longstr(string(settings)))
	case 7:
		return method(queueBind, args{}.short(0).shortstr(queue).shortstr("own").shortstr("#").octet(0).long(0))
	case 8:
		return method(exchangeDeclare, args{}.short(0).shortstr("own").shortstr("fanout").octet(exchangeAutoDelete).long(0))
	case 9, 10:
		return method(basicConsume, args{}.short(0).shortstr(queue).shortstr("").octet(byte(r.IntN(2))*consumeNoAck).long(0))
	case 11, 12, 13:
		return method(basicAck, args{}.longlong(0).octet(ackMultiple))
	case 14, 15:
		return method(basicNack, args{}.longlong(0).octet(ackMultiple|nackRequeue))
	case 16:
		return method(basicGet, args{}.short(0).shortstr(queue).octet(0))
	case 17:
		return method(basicQos, args{}.long(0).short(uint16(r.IntN(5))).octet(byte(r.IntN(2))))
	case 18:
		return method(basicRecover, args{}.octet(1))
	case 19:
		return method(confirmSelect, args{}.octet(0))
	case 20:
		return method(queuePurge, args{}.short(0).shortstr(queue).octet(0))
	}
	return messageFrames(channel, queue, make([]byte, r.IntN(2000)), publishMandatory)
}
