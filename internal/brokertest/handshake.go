package brokertest

import (
	"bytes"
	"io"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

var handshakeTests = []test{
	{"wrong protocol header", func(s *session) {
		for _, header := range []string{"AMQP\x00\x00\x09\x00", "AMQP\x01\x01\x00\x0a", "HTTP/1.1", "GET / HTTP/1.1\r\n\r\n"} {
			r := s.raw()
			r.write([]byte(header))
			answer, err := io.ReadAll(r.in)
			if string(answer) != "AMQP\x00\x00\x09\x01" {
				s.Fatalf("header %q: answer %q, %v", header, answer, err)
			}
		}
	}},
	{"what the broker says of itself", func(s *session) {
		b := s.raw().start()
		if b[0] != 0 || b[1] != 9 {
			s.Fatalf("version %d-%d", b[0], b[1])
		}
		for _, want := range []string{
			"capabilities", "publisher_confirms", "basic.nack", "consumer_cancel_notify", "authentication_failure_close",
			"per_consumer_qos", "product", "version", "PLAIN", "en_US",
		} {
			if !bytes.Contains(b, []byte(want)) {
				s.Errorf("%q is missing", want)
			}
		}
	}},
	{"wrong password", func(s *session) {
		r := s.raw()
		r.start()
		r.login("PLAIN", r.uri.Username, "wrong "+r.uri.Password, "authentication_failure_close")
		r.closed(amqp.AccessRefused)
		r = s.raw()
		r.start()
		r.login("PLAIN", r.uri.Username+"x", r.uri.Password, "authentication_failure_close")
		r.closed(amqp.AccessRefused)
	}},
	{"wrong password of a client that knows no reason", func(s *session) {
		r := s.raw()
		r.start()
		r.login("PLAIN", r.uri.Username, "wrong")
		if b, err := io.ReadAll(r.in); len(b) > 0 {
			s.Fatalf("got %q, %v, want the end", b, err)
		}
	}},
	{"unknown mechanism", func(s *session) {
		r := s.raw()
		r.start()
		r.login("GUESS", r.uri.Username, r.uri.Password, "authentication_failure_close")
		r.dropped(amqp.CommandInvalid)
	}},
	{"missing virtual host", func(s *session) {
		r := s.raw()
		r.start()
		r.login("PLAIN", r.uri.Username, r.uri.Password)
		r.open(r.tuned(), s.name())
		r.closed(amqp.NotAllowed)
	}},
	{"open before login", func(s *session) {
		r := s.raw()
		r.start()
		r.call(0, connectionOpen, args{}.str("/").str("").octet(0))
		r.dropped(amqp.ChannelError)
	}},
	negotiation("as offered", true, func(offer tune) tune { return offer }),
	negotiation("less than offered", true, func(tune) tune { return tune{channelMax: 1, frameMax: 4096} }),
	negotiation("frames without limit", false, func(tune) tune { return tune{channelMax: 1, frameMax: 0} }),
	negotiation("frames below the minimum", false, func(tune) tune { return tune{channelMax: 1, frameMax: 4095} }),
	negotiation("larger frames", false, func(offer tune) tune { return tune{channelMax: 1, frameMax: offer.frameMax + 1} }),
	negotiation("more channels", false, func(offer tune) tune { return tune{channelMax: offer.channelMax + 1, frameMax: 4096} }),
	negotiation("channels without limit", false, func(tune) tune { return tune{channelMax: 0, frameMax: 4096} }),
	{"more channels than negotiated", func(s *session) {
		r := s.negotiated(tune{channelMax: 2, frameMax: 4096})
		r.channel(1)
		r.channel(2)
		r.call(3, channelOpen, args{}.str(""))
		r.closed(amqp.NotAllowed)
	}},
	{"silent client", func(s *session) {
		r := s.negotiated(tune{channelMax: 2, frameMax: 4096, heartbeat: 1})
		start, beats := time.Now(), 0
		for {
			f, err := r.read()
			if err != nil {
				break
			}
			if f.kind == heartbeatFrame {
				beats++
			}
		}
		// Twice the interval after the last octet; RabbitMQ looks once an interval.
		if took := time.Since(start); took < 1800*time.Millisecond || took > 4500*time.Millisecond {
			s.Errorf("dropped after %v, want 2s", took)
		}
		if beats == 0 {
			s.Error("the broker sent no heartbeat")
		}
	}},
	{"heartbeats keep a client alive", func(s *session) {
		r := s.negotiated(tune{channelMax: 2, frameMax: 4096, heartbeat: 1})
		for beats := 0; beats < 7; {
			f, err := r.read()
			if err != nil {
				s.Fatalf("dropped after %d heartbeats: %v", beats, err)
			}
			if f.kind == heartbeatFrame {
				beats++
				r.send(heartbeatFrame, 0, nil)
			}
		}
		r.channel(1)
	}},
	{"connection.close", func(s *session) {
		r := s.opened()
		r.call(0, connectionClose, args{}.short(200).str("bye").short(0).short(0))
		r.want(0, connectionCloseOk)
	}},
}

// negotiation is a test of one answer to what the broker offers.
func negotiation(name string, ok bool, answer func(offer tune) tune) test {
	return test{"negotiation: " + name, func(s *session) {
		r := s.raw()
		r.start()
		r.login("PLAIN", r.uri.Username, r.uri.Password)
		offer := r.tuned()
		if offer.frameMax < 4096 || offer.channelMax == 0 || offer.heartbeat == 0 {
			s.Fatalf("offer %+v", offer)
		}
		r.open(answer(offer), "/")
		if ok {
			r.want(0, connectionOpenOk)
		} else {
			r.dropped(amqp.NotAllowed)
		}
	}}
}
