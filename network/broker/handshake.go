package broker

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"
)

// protocolHeader is what a client sends first (AMQP 0-9-1, 4.2.2).
var protocolHeader = []byte("AMQP\x00\x00\x09\x01")

// errRefused ends a handshake after the peer has been told why, or shall not be told.
var errRefused = errors.New("broker: refused")

// handshake opens the connection (AMQP 0-9-1, 2.2.4). It runs under one deadline, with the smallest frames, and no writer
// yet: the reader itself writes.
func (c *conn) handshake() error {
	header, err := c.in.take(len(protocolHeader))
	if err != nil {
		return err
	}
	if !bytes.Equal(header, protocolHeader) {
		c.nc.Write(protocolHeader)
		c.linger(false)
		return fmt.Errorf("%w: no AMQP 0-9-1 header", errRefused)
	}
	if err := c.negotiate(); err != nil {
		var e *exception
		if !errors.As(err, &e) || e == errStopping {
			return err
		}
		c.nc.Write(appendMethod(nil, 0, connectionClose, e.closeArgs(c.m.id)))
		c.linger(true)
		return fmt.Errorf("%w: %w", errRefused, e)
	}
	return nil
}

func (c *conn) negotiate() error {
	start := args{}.octet(0).octet(9).longstr(string(c.server.properties())).longstr("PLAIN").longstr("en_US")
	if err := c.ask(connectionStart, start, connectionStartOk); err != nil {
		return err
	}
	if err := c.login(); err != nil {
		return err
	}
	limits := &c.server.config.Limits
	tune := args{}.short(uint16(limits.Channels)).long(uint32(limits.FrameBytes)).short(c.server.config.heartbeatSeconds())
	if err := c.ask(connectionTune, tune, connectionTuneOk); err != nil {
		return err
	}
	if e := c.tune(); e != nil {
		return e
	}
	if err := c.expect(connectionOpen); err != nil {
		return err
	}
	if string(c.m.name) != c.server.vhost.name {
		return refuse(notAllowed, "vhost %s not found", c.m.name)
	}
	if e := c.server.opened(c); e != nil {
		return e
	}
	c.nc.SetDeadline(time.Time{})
	c.in.limit(c.frameMax)
	c.idle = 2 * c.heartbeat
	go c.write() // until goodbye
	c.reply(0, connectionOpenOk, args{}.shortstr(""))
	return nil
}

// ask sends a method and reads the answer into c.m.
func (c *conn) ask(id methodID, a args, answer methodID) error {
	if _, err := c.nc.Write(appendMethod(nil, 0, id, a)); err != nil {
		return err
	}
	return c.expect(answer)
}

// expect reads the method into c.m.
func (c *conn) expect(id methodID) error {
	for {
		f, err := c.in.next()
		switch {
		case err == errFrame:
			return refuse(frameError, "malformed frame")
		case err != nil:
			return err
		case f.kind == frameHeartbeat:
			continue
		case f.kind != frameMethod || f.channel != 0:
			return refuse(unexpectedFrame, "only methods on channel 0 are expected before connection.open")
		}
		if e := c.decode(f.payload); e != nil {
			return e
		}
		switch c.m.id {
		case id:
			return nil
		case connectionClose:
			c.nc.Write(appendMethod(nil, 0, connectionCloseOk, nil))
			c.linger(false)
			return errGoodbye
		}
		return refuse(channelError, "unexpected method %d.%d before connection.open", c.m.id.class(), c.m.id.method())
	}
}

// login checks the credentials in c.m. Only a client that announces that it wants to know is told that they are wrong
// (https://www.rabbitmq.com/auth-notification.html); others just see the end.
func (c *conn) login() error {
	if string(c.m.name) != "PLAIN" {
		return refuse(commandInvalid, "unknown authentication mechanism '%s'", c.m.name)
	}
	var capabilities table
	if f, _ := c.m.table.find("capabilities"); f.kind == 'F' {
		capabilities = f.value
	}
	can := func(name string) bool {
		f, _ := capabilities.find(name)
		return f.kind == 't' && f.value[0] != 0
	}
	c.notifyCancel = can("consumer_cancel_notify")

	// RFC 4616: an identity to act as, which is ignored, the user, and the password, separated by NUL.
	parts := bytes.Split(c.m.response, []byte{0})
	reason := "Login was refused using authentication mechanism PLAIN."
	if len(parts) == 3 && c.server.knows(parts[1], parts[2]) {
		if c.server.config.User != "guest" || c.server.guestMay(c.nc.RemoteAddr()) {
			c.user = c.server.config.User
			return nil
		}
		reason = "User can only log in via localhost"
	}
	c.server.complaints.say(slog.LevelWarn, "login refused", "remote", c.remote)
	if can("authentication_failure_close") {
		return refuse(accessRefused, "%s", reason)
	}
	return fmt.Errorf("%w: %s", errRefused, reason)
}

// tune takes what the client has chosen, by RabbitMQ's rules: no more than offered, where 0 is without limit and so more.
func (c *conn) tune() *exception {
	limits := &c.server.config.Limits
	check := func(name string, least, most, chosen int) *exception {
		switch {
		case chosen != 0 && chosen < least:
			return refuse(notAllowed, "negotiated %s = %d is lower than the minimum allowed value (%d)", name, chosen, least)
		case chosen == 0 || chosen > most:
			return refuse(notAllowed, "negotiated %s = %d is higher than the maximum allowed value (%d)", name, chosen, most)
		}
		return nil
	}
	if e := check("frame_max", frameMin, limits.FrameBytes, int(c.m.frameMax)); e != nil {
		return e
	}
	if e := check("channel_max", 1, limits.Channels, int(c.m.channelMax)); e != nil {
		return e
	}
	c.frameMax, c.channelMax = int(c.m.frameMax), int(c.m.channelMax)
	c.heartbeat = time.Duration(c.m.heartbeat) * time.Second
	return nil
}

// properties is the table the broker describes itself with. Of the capabilities, those that are false are what RabbitMQ
// has and this broker has not.
func (s *Server) properties() args {
	capabilities := args{}.
		flag("publisher_confirms", true).
		flag("basic.nack", true).
		flag("consumer_cancel_notify", true).
		flag("per_consumer_qos", true).
		flag("authentication_failure_close", true).
		flag("connection.blocked", false).
		flag("exchange_exchange_bindings", false).
		flag("consumer_priorities", false).
		flag("direct_reply_to", false)
	return args{}.
		shortstr("capabilities").octet('F').longstr(string(capabilities)).
		text("product", Product).
		text("version", "1").
		text("platform", runtime.Version()).
		text("information", "embedded, in memory")
}

// Product is what the broker calls itself in connection.start.
const Product = "statemesh broker"
