package network

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// AMQP is the Transport to RabbitMQ and to brokers that nodes host. Its zero value is
// ready to use; in every field, zero means the default. It may be used from any
// goroutine, but must not be changed while it is.
//
// It does not reconnect: a Link that has died stays dead, and who wants another dials
// again. A broker that has stopped reading makes a write fail after WriteTimeout and
// the Link die. A broker that is silent altogether is given up after one and a half
// times the heartbeat.
type AMQP struct {
	// Name of the connections in RabbitMQ's management. Default: none.
	Name string

	// TLS is used for amqps addresses; ServerName is the address's host if empty. Default:
	// what the system trusts.
	TLS *tls.Config

	// Heartbeat is asked from brokers whose address has none of its own; the smaller of the
	// two sides' wishes counts. At least a second. Default: 10 s.
	Heartbeat time.Duration

	// ConnectTimeout bounds Dial, as its context does. Also how long a broker may take to
	// answer each request of Consume or Bind. Default: 5 s.
	ConnectTimeout time.Duration

	// WriteTimeout bounds each write to the socket, of at most a frame (128 KiB), and Close.
	// Longer is kinder to slow networks. Default: 2 s.
	WriteTimeout time.Duration

	// TTL is how long a message waits in the consumer's queue at the broker before it is
	// dropped there. Default: 50 s.
	TTL time.Duration

	// QueueLength is how many messages wait in that queue before the oldest are dropped. Events
	// that came in one message count as one. Also, there are never more than 64 MiB of them.
	// Default: 10,000.
	QueueLength int

	// Prefetch is how many messages the broker sends ahead of the reader, at most 65535; one with
	// several events has up to 64 KiB. Fewer save memory, more save time on long ways. Default:
	// 256.
	Prefetch int

	// identity is what is used for amqps addresses if TLS is nil, and may be nil too.
	identity *identity
}

// client returns what the broker is met with, if its address is an amqps one; nil trusts what
// the system trusts.
func (t *AMQP) client(a Address) *tls.Config {
	if t.TLS == nil && t.identity != nil {
		return t.identity.client(a.Host)
	}
	return t.TLS
}

// Dial implements Transport. It logs in twice: once to learn at once and for certain
// whether and why the broker refuses, and then to stay.
func (t *AMQP) Dial(ctx context.Context, a Address) (Link, error) {
	ctx, cancel := context.WithTimeout(ctx, orDefault(t.ConnectTimeout, DefaultConnectTimeout))
	defer cancel()
	a = a.complete()
	if err := a.check(); err != nil {
		return nil, misconfigured("broker address", "%w", err)
	}
	config := t.client(a)
	if err := probe(ctx, a, config); err != nil {
		return nil, err
	}
	conn, err := dial(ctx, a, config, orDefault(t.WriteTimeout, DefaultWriteTimeout))
	if err != nil {
		return nil, err
	}
	// Nothing below is sure to return by itself if the broker says nothing more.
	stop := context.AfterFunc(ctx, func() { abort(conn) })
	link, err := t.open(conn, a)
	switch {
	case err != nil:
		stop()
		abort(conn)
		if ctx.Err() != nil {
			err = fmt.Errorf("%w: no answer from %s: %w", ErrUnreachable, a.HostPort(), ctx.Err())
		}
		return nil, err
	case !stop(): // aborted when all was done
		link.Close()
		return nil, fmt.Errorf("%w: no answer from %s: %w", ErrUnreachable, a.HostPort(), ctx.Err())
	}
	return link, nil
}

// open makes a link of a connection: it logs in, opens a channel with confirms, and
// declares the exchanges.
func (t *AMQP) open(conn net.Conn, a Address) (*amqpLink, error) {
	properties := amqp.NewConnectionProperties()
	properties["product"] = product
	if t.Name != "" {
		properties["connection_name"] = t.Name
	}
	heartbeat := a.Heartbeat
	if heartbeat == 0 {
		heartbeat = max(orDefault(t.Heartbeat, DefaultHeartbeat), time.Second)
	}
	connection, err := amqp.Open(conn, amqp.Config{
		SASL:       []amqp.Authentication{&amqp.PlainAuth{Username: a.User, Password: a.Password.Reveal()}},
		Vhost:      a.VHost,
		FrameSize:  128 << 10,
		Heartbeat:  heartbeat,
		Properties: properties,
		Locale:     "en_US",
	})
	if err != nil {
		return nil, brokerError(err, ErrUnreachable)
	}
	// Listening begins before anything can happen to the channel.
	l := newAMQPLink(t, conn, connection)
	channel, err := connection.Channel()
	if err != nil {
		l.Close()
		return nil, brokerError(err, ErrUnreachable)
	}
	l.serve(channel)
	for _, exchange := range exchanges {
		if err := channel.ExchangeDeclare(exchange, "topic", exchange == ExchangeKept, false, false, false, nil); err != nil {
			l.Close()
			return nil, brokerError(err, ErrTopology)
		}
	}
	if err := channel.Confirm(false); err != nil {
		l.Close()
		return nil, brokerError(err, ErrTopology)
	}
	return l, nil
}

// abort ends a connection at once, without a farewell that might have to wait.
func abort(conn net.Conn) {
	if secure, ok := conn.(*tls.Conn); ok {
		secure.NetConn().Close()
	}
	conn.Close()
}

// brokerError makes one of the package's errors of an error of amqp091-go. What the broker
// itself says against what was just asked is meaning, or something more exact.
func brokerError(err error, meaning error) error {
	reply, ok := errors.AsType[*amqp.Error](err)
	switch {
	case !ok:
		return fmt.Errorf("%w: %w", ErrLost, err)
	case !reply.Server:
		return fmt.Errorf("%w: %s", ErrLost, reply.Reason)
	case meaning == ErrLost:
		return fmt.Errorf("%w: reply code %d: %.200q", meaning, reply.Code, reply.Reason)
	}
	return fmt.Errorf("%w: %.200q", replyError(reply.Code, meaning), reply.Reason)
}
