package broker

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// address is a peer's address for a connection that is really a pipe.
type address struct {
	net.Conn
	network, text string
}

func (a address) RemoteAddr() net.Addr { return a }
func (a address) Network() string      { return a.network }
func (a address) String() string       { return a.text }

func TestLogin(t *testing.T) {
	local, remote := [2]string{"tcp", "127.0.0.1:4711"}, [2]string{"tcp", "192.0.2.7:4711"}
	for _, c := range []struct {
		name           string
		config         Config
		from           [2]string
		user, password string
		ok             bool
	}{
		{"default", Config{}, local, "guest", "guest", true},
		{"IPv6", Config{}, [2]string{"tcp", "[::1]:4711"}, "guest", "guest", true},
		{"IPv4 in IPv6", Config{}, [2]string{"tcp", "[::ffff:127.0.0.1]:4711"}, "guest", "guest", true},
		{"Unix socket", Config{}, [2]string{"unix", "@"}, "guest", "guest", true},
		{"wrong password", Config{}, local, "guest", "Guest", false},
		{"longer password", Config{}, local, "guest", "guestguest", false},
		{"no password", Config{}, local, "guest", "", false},
		{"wrong user", Config{}, local, "root", "guest", false},
		{"remote guest", Config{}, remote, "guest", "guest", false},
		{"remote guest over IPv6", Config{}, [2]string{"tcp", "[2001:db8::1]:4711"}, "guest", "guest", false},
		{"unknown kind of address", Config{}, [2]string{"carrier pigeon", "coop 7"}, "guest", "guest", false},
		{"remote guest with another password", Config{User: "guest", Password: "x"}, remote, "guest", "x", false},
		{"remote guest allowed", Config{RemoteGuest: true}, remote, "guest", "guest", true},
		{"own user", Config{User: "u", Password: "p"}, remote, "u", "p", true},
		{"guest is gone", Config{User: "u", Password: "p"}, local, "guest", "guest", false},
		{"empty password lets nobody in", Config{User: "u"}, local, "u", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, c.config, func(t *testing.T, s *Server) {
				for _, told := range []string{"authentication_failure_close", "something else"} {
					here, there := net.Pipe()
					defer here.Close()
					s.welcome(address{there, c.from[0], c.from[1]})
					x := &client{t, here, newFrameReader(here)}
					x.login(c.user, c.password, told)
					switch {
					case c.ok:
						x.want(0, connectionTune)
					case told == "authentication_failure_close":
						x.refused(0, accessRefused)
					default:
						if f, err := x.in.next(); err == nil {
							t.Fatalf("got %+v, want the end", f)
						}
					}
				}
			})
		})
	}
}

func TestVHost(t *testing.T) {
	bubble(t, Config{VHost: "mesh"}, func(t *testing.T, s *Server) {
		open(t, s, 0)
		c := connect(t, s)
		c.login("guest", "guest")
		c.want(0, connectionTune)
		c.call(0, connectionTuneOk, args{}.short(1).long(4096).short(0))
		c.call(0, connectionOpen, args{}.shortstr("/").shortstr("").octet(0))
		c.refused(0, notAllowed)
	})
}

// No secret may reach the log, nor what peers sent.
func TestLog(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	bubble(t, Config{User: "u", Password: "right secret", Logger: logger}, func(t *testing.T, s *Server) {
		c := connect(t, s)
		c.login("u", "wrong secret", "authentication_failure_close")
		c.refused(0, accessRefused)
		open(t, s, 0)
	})
	if text := log.String(); strings.Contains(text, "secret") || !strings.Contains(text, "login refused") || !strings.Contains(text, "opened") {
		t.Errorf("log:\n%s", text)
	}
}

func TestNotImplemented(t *testing.T) {
	declare := func(a args) args { return args{}.short(0).shortstr("q2").octet(0).longstr(string(a)) }
	exchange := func(kind string, a args) args {
		return args{}.short(0).shortstr("e").shortstr(kind).octet(0).longstr(string(a))
	}
	for _, c := range []struct {
		name string
		id   methodID
		args args
		code replyCode
	}{
		{"tx.select", txSelect, nil, notImplemented},
		{"exchange.bind", exchangeBind, args{}.short(0).shortstr("a").shortstr("b").shortstr("").octet(0).long(0), notImplemented},
		{"exchange.unbind", exchangeUnbind, args{}.short(0).shortstr("a").shortstr("b").shortstr("").octet(0).long(0), notImplemented},
		{"headers", exchangeDeclare, exchange("headers", nil), notImplemented},
		{"unknown exchange type", exchangeDeclare, exchange("x-random", nil), commandInvalid},
		{"alternate-exchange", exchangeDeclare, exchange("topic", args{}.text("alternate-exchange", "amq.topic")), notImplemented},
		{"reject-publish-dlx", queueDeclare, declare(args{}.text("x-overflow", "reject-publish-dlx")), notImplemented},
		{"x-max-priority", queueDeclare, declare(args{}.shortstr("x-max-priority").octet('b').octet(5)), notImplemented},
		{"x-single-active-consumer", queueDeclare, declare(args{}.flag("x-single-active-consumer", true)), notImplemented},
		{"stream", queueDeclare, declare(args{}.text("x-queue-type", "stream")), notImplemented},
		{"x-priority", basicConsume, args{}.short(0).shortstr("q").shortstr("").octet(0).longstr(string(args{}.shortstr("x-priority").octet('b').octet(5))), notImplemented},
		{"qos with a size", basicQos, args{}.long(1).short(0).octet(0), notImplemented},
		{"channel.flow", channelFlow, args{}.octet(0), notImplemented},
		{"unknown method", methodID(99 << 16), nil, commandInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, Config{}, func(t *testing.T, s *Server) {
				x := open(t, s, 0)
				x.queue("q", 0, args{}.text("x-queue-type", "classic").text("x-queue-mode", "lazy"))
				x.call(1, c.id, c.args)
				x.refused(0, c.code)
			})
		})
	}
}

func TestCloseTellsClients(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *Server) {
		c := open(t, s, 0)
		c.queue("q", 0, args{}.shortstr("x-expires").octet('l').longlong(maxTTL).shortstr("x-message-ttl").octet('l').longlong(maxTTL))
		c.publish("q", []byte("x"))
		hung, greeted := open(t, s, 0), connect(t, s)
		_, _ = hung, greeted
		start := time.Now()
		closed := make(chan struct{})
		for range 2 { // may be called more than once, at the same time
			go func() { s.Close(); closed <- struct{}{} }()
		}
		c.refused(0, connectionForced)
		c.gone()
		if took := time.Since(start); took != 0 {
			t.Errorf("the client that answers waited %v", took)
		}
		<-closed
		<-closed
		if took := time.Since(start); took > closeGrace {
			t.Errorf("the client that does not answer made Close wait %v", took)
		}
		if stats := s.Stats(); stats.Connections+stats.Queues != 0 || stats.Bytes != 0 || stats.MessagesIn != 1 {
			t.Errorf("stats %+v", stats)
		}
	})
}

// brokenListener fails.
type brokenListener struct {
	net.Listener
	errs   chan error // closed when there is no more to say
	closed chan struct{}
}

func (l *brokenListener) Accept() (net.Conn, error) {
	if err, more := <-l.errs; more {
		return nil, err
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *brokenListener) Close() error {
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
	return nil
}

type temporaryError struct{ error }

func (temporaryError) Temporary() bool { return true }

func TestServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		boom := errors.New("boom")
		l := &brokenListener{errs: make(chan error, 10), closed: make(chan struct{})}
		for range 9 {
			l.errs <- temporaryError{boom} // waits and tries again
		}
		l.errs <- boom
		close(l.errs)
		s := New(Config{})
		if err := s.Serve(l); err != boom {
			t.Errorf("Serve returned %v, want what the listener said", err)
		}
		l = &brokenListener{errs: l.errs, closed: make(chan struct{})}
		served := make(chan error)
		go func() { served <- s.Serve(l) }()
		synctest.Wait()
		s.Close()
		if err := <-served; !errors.Is(err, ErrClosed) {
			t.Errorf("Serve returned %v after Close", err)
		}
		if err := s.Serve(&brokenListener{closed: make(chan struct{})}); !errors.Is(err, ErrClosed) {
			t.Errorf("Serve of a closed server returned %v", err)
		}
		late, _ := net.Pipe()
		s.welcome(late)
		if _, err := late.Read(make([]byte, 1)); err == nil {
			t.Error("a connection that comes after Close was not closed")
		}
	})
}

// The peer goes without a word, at every point of a conversation.
func TestVanishing(t *testing.T) {
	var talk bytes.Buffer
	talk.Write(protocolHeader)
	talk.Write(appendMethod(nil, 0, connectionStartOk, args{}.long(0).shortstr("PLAIN").longstr("\x00guest\x00guest").shortstr("")))
	talk.Write(appendMethod(nil, 0, connectionTuneOk, args{}.short(10).long(4096).short(0)))
	talk.Write(appendMethod(nil, 0, connectionOpen, args{}.shortstr("/").shortstr("").octet(0)))
	talk.Write(appendMethod(nil, 1, channelOpen, args{}.shortstr("")))
	talk.Write(appendMethod(nil, 1, queueDeclare, args{}.short(0).shortstr("q").octet(queueExclusive).long(0)))
	talk.Write(messageFrames(1, "q", []byte("one"), 0))
	talk.Write(appendMethod(nil, 1, basicConsume, args{}.short(0).shortstr("q").shortstr("t").octet(0).long(0)))
	talk.Write(messageFrames(1, "q", []byte("two"), 0))
	whole := talk.Bytes()
	for n := range len(whole) + 1 {
		bubble(t, Config{}, func(t *testing.T, s *Server) {
			c := connect(t, s)
			go c.gone()
			c.write(whole[:n])
			c.nc.Close()
			synctest.Wait()
			if stats := s.Stats(); stats.Connections+stats.Channels+stats.Queues+stats.Consumers != 0 || stats.Bytes != 0 {
				t.Fatalf("after %d octets: %+v", n, stats)
			}
		})
	}
}
