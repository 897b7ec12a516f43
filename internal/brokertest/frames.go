package brokertest

import (
	"bytes"

	amqp "github.com/rabbitmq/amqp091-go"
)

// frameTests are about clients that break the rules of AMQP 0-9-1, 4.2 and 2.3.
var frameTests = []test{
	{"frame end", func(s *session) {
		r := s.opened()
		r.write(args{methodFrame}.short(1).longstr("\x00\x14\x00\x14\x01").octet('x')) // channel.flow
		r.closed(amqp.FrameError)
	}},
	{"frame larger than negotiated", func(s *session) {
		r := s.opened()
		r.write(args{methodFrame}.short(1).long(4096 - 8 + 1))
		r.write(make([]byte, 4096))
		r.closed(amqp.FrameError)
	}},
	{"unknown frame type", func(s *session) {
		r := s.opened()
		r.send(77, 1, nil)
		r.closed(amqp.FrameError)
	}},
	{"unknown class", func(s *session) {
		r := s.opened()
		r.call(1, methodID{77, 10}, nil)
		r.dropped(amqp.CommandInvalid)
	}},
	{"unknown method", func(s *session) {
		r := s.opened()
		r.call(1, methodID{50, 77}, nil)
		r.dropped(amqp.CommandInvalid)
	}},
	{"method of the server", func(s *session) {
		r := s.opened()
		r.call(1, queueDeclareOk, args{}.str("q").long(0).long(0))
		r.closed(amqp.CommandInvalid)
	}},
	{"arguments that end early", func(s *session) {
		r := s.opened()
		r.call(1, queueDeclare, args{}.short(0).octet(200))
		r.closed(amqp.FrameError)
	}},
	{"table that lies about its length", func(s *session) {
		r := s.opened()
		r.call(1, queueDeclare, args{}.short(0).str(s.name()).octet(0).long(1000))
		r.closed(amqp.FrameError)
	}},
	{"channel that is not open", func(s *session) {
		r := s.opened()
		r.call(2, queueDeclare, args{}.short(0).str(s.name()).octet(0).noTable())
		r.closed(amqp.ChannelError)
	}},
	{"channel opened twice", func(s *session) {
		r := s.opened()
		r.call(1, channelOpen, args{}.str(""))
		r.closed(amqp.ChannelError)
	}},
	{"channel method on channel 0", func(s *session) {
		r := s.opened()
		r.call(0, channelOpen, args{}.str(""))
		r.closed(amqp.ChannelError)
	}},
	{"header without method", func(s *session) {
		r := s.opened()
		r.header(1, 60, 0)
		r.closed(amqp.UnexpectedFrame)
	}},
	{"body without method", func(s *session) {
		r := s.opened()
		r.send(bodyFrame, 1, []byte("x"))
		r.closed(amqp.UnexpectedFrame)
	}},
	{"method in place of the header", func(s *session) {
		r := s.opened()
		r.publish(1, "a")
		r.publish(1, "a")
		r.closed(amqp.UnexpectedFrame)
	}},
	{"method in place of the body", func(s *session) {
		r := s.opened()
		r.publish(1, "a")
		r.header(1, 60, 10)
		r.publish(1, "a")
		r.closed(amqp.UnexpectedFrame)
	}},
	{"header of another class", func(s *session) {
		r := s.opened()
		r.publish(1, "a")
		r.header(1, 50, 0)
		r.closed(amqp.UnexpectedFrame)
	}},
	{"body after the whole body", func(s *session) {
		r := s.opened()
		r.publish(1, "a")
		r.header(1, 60, 4)
		r.send(bodyFrame, 1, []byte("four"))
		r.send(bodyFrame, 1, nil)
		r.closed(amqp.UnexpectedFrame)
	}},
	{"empty body frames in between", func(s *session) {
		r := s.opened()
		queue := r.queue(1)
		r.publish(1, queue)
		r.header(1, 60, 4)
		for _, part := range []string{"", "fo", "", "ur"} {
			r.send(bodyFrame, 1, []byte(part))
		}
		s.eventually("the message arrives", func() bool {
			r.call(1, queueDeclare, args{}.short(0).str(queue).octet(1).noTable())
			b := r.want(1, queueDeclareOk)
			return b[1+len(queue)+3] == 1
		})
	}},
	{"a message goes where its key leads when it is complete", func(s *session) {
		r := s.opened()
		ch := s.channel()
		exchange, queue := s.exchange(ch, amqp.ExchangeTopic), s.queue(ch, nil)
		r.call(1, basicPublish, args{}.short(0).str(exchange).str("a").octet(0))
		r.header(1, 60, 4)
		r.send(bodyFrame, 1, []byte("fo"))
		r.channel(2) // the broker has read all this
		s.bind(ch, queue, "a", exchange)
		r.send(bodyFrame, 1, []byte("ur"))
		s.expect(s.consume(ch, queue, true), "four")
	}},
	{"no basic.cancel for a client that does not announce it", func(s *session) {
		r := s.raw()
		r.start()
		r.login("PLAIN", r.uri.Username, r.uri.Password)
		r.open(r.tuned(), "/")
		r.want(0, connectionOpenOk)
		r.channel(1)
		queue := r.queue(1)
		r.call(1, basicConsume, args{}.short(0).str(queue).str("c").octet(0).noTable())
		r.want(1, basicConsumeOk)
		r.call(1, queueDelete, args{}.short(0).str(queue).octet(0))
		r.want(1, queueDeleteOk)
		r.channel(2) // nothing else came before
	}},
	{"content of two channels may mix", func(s *session) {
		r := s.opened()
		r.channel(2)
		queue := r.queue(1)
		r.call(2, basicConsume, args{}.short(0).str(queue).str("c").octet(1<<1).noTable())
		r.want(2, basicConsumeOk)
		r.publish(1, queue)
		r.publish(2, queue)
		r.header(1, 60, 4)
		r.header(2, 60, 4)
		r.send(bodyFrame, 1, []byte("on"))
		r.send(bodyFrame, 2, []byte("twos"))
		r.send(bodyFrame, 1, []byte("es"))
		for _, want := range []string{"twos", "ones"} {
			r.want(2, basicDeliver)
			r.next()
			if f := r.next(); string(f.payload) != want {
				s.Fatalf("got %q, want %q", f.payload, want)
			}
		}
	}},
	{"deliveries keep to the frame size", func(s *session) {
		r := s.opened()
		queue := r.queue(1)
		r.call(1, basicConsume, args{}.short(0).str(queue).str("c").octet(1<<1).noTable())
		r.want(1, basicConsumeOk)
		ch := s.channel() // with larger frames
		body := bytes.Repeat([]byte("abcdefg"), 3000)
		s.publish(ch, "", queue, string(body))
		r.want(1, basicDeliver)
		if f := r.next(); f.kind != headerFrame {
			s.Fatalf("got frame %d, want the header", f.kind)
		}
		var got []byte
		for len(got) < len(body) {
			f := r.next()
			if f.kind != bodyFrame || len(f.payload) > 4096-8 {
				s.Fatalf("got frame %d of %d bytes", f.kind, len(f.payload))
			}
			got = append(got, f.payload...)
		}
		if !bytes.Equal(got, body) {
			s.Fatal("the body is not what was sent")
		}
	}},
	{"a refused channel hears nothing more", func(s *session) {
		r := s.opened()
		r.call(1, queueDeclare, args{}.short(0).str("amq."+s.name()).octet(0).noTable())
		for range 3 { // already on their way when the reply comes
			r.publish(1, "a")
			r.header(1, 60, 1)
			r.send(bodyFrame, 1, []byte("x"))
			r.call(1, queueDeclare, args{}.short(0).str("").octet(0).noTable())
		}
		r.refused(1, amqp.AccessRefused)
		r.channel(1)
	}},
	{"channel.close", func(s *session) {
		r := s.opened()
		r.call(1, channelClose, args{}.short(200).str("bye").short(0).short(0))
		r.want(1, channelCloseOk)
		r.channel(1)
	}},
	{"flow", func(s *session) {
		r := s.opened()
		r.call(1, channelFlow, args{}.octet(1))
		if b := r.want(1, channelFlowOk); b[0]&1 != 1 {
			s.Fatal("not active")
		}
		r.call(1, channelFlow, args{}.octet(0))
		r.closed(amqp.NotImplemented)
	}},
}
