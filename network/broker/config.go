package broker

import (
	"log/slog"
	"math"
	"time"
)

// Config says how a [Server] behaves. The zero value is ready to use: user guest with password guest, who may log in
// from this host only.
type Config struct {
	// User and Password are the only credentials that open a connection. Without a User they are both "guest", as in a
	// fresh RabbitMQ. A User with an empty Password lets nobody in.
	User, Password string

	// RemoteGuest lets the user called "guest" log in from other hosts. By default guest may only come over loopback, a
	// Unix socket or a pipe, as with RabbitMQ's loopback_users, because its password is known to everybody.
	RemoteGuest bool

	// VHost is the name of the only virtual host, "/" if empty. Clients that open another one are refused with 530.
	VHost string

	// Heartbeat is the interval offered to clients; they decide. A client that is silent for twice the agreed interval is
	// dropped. Shorter finds dead peers sooner and costs a frame each way per half interval. Whole seconds, rounded up; 60 s
	// by default, as with RabbitMQ.
	Heartbeat time.Duration

	// HandshakeTimeout is how long a peer may take from connecting to an open connection; 5 s by default. It is short
	// because until then anybody holds a socket, a goroutine and about 8 KiB.
	HandshakeTimeout time.Duration

	// WriteTimeout is how long a peer may let one write of at most 128 KiB wait; 30 s by default. Then it is dropped. Longer
	// is kinder to consumers that pause, shorter frees what a hung one holds.
	WriteTimeout time.Duration

	// Logger hears of connections (debug), of mistakes of clients (info) and of refused logins (warn), of the last two once
	// a minute each, with the number of those left out; nil is silence. Passwords and message bodies are never logged.
	Logger *slog.Logger

	// Limits bounds what peers can make the server hold.
	Limits Limits
}

// Limits bounds what peers can make a [Server] hold. A field that is zero or negative has its default.
type Limits struct {
	Connections int // open connections; more are refused with 530. 2048 by default.
	Handshakes  int // peers that have not opened a connection yet; one more drops the oldest. 128 by default.
	Channels    int // channels a connection (channel-max), at most 65535; more are refused with 530. 2047 by default, as with RabbitMQ.
	Exchanges   int // exchanges; more are refused with 406. 1024 by default.
	Queues      int // queues; more are refused with 406. 4096 by default.
	Bindings    int // bindings; more are refused with 406. 16384 by default.
	Consumers   int // consumers of all connections; more are refused with 530. 16384 by default.

	// FrameBytes is the largest frame (frame-max), at least 4096. Each connection may hold a read buffer of this size. 128 KiB
	// by default, as with RabbitMQ.
	FrameBytes int

	// MessageBytes is the largest body; a larger one closes its channel with 406. 16 MiB by default.
	MessageBytes int

	// QueueMessages and QueueBytes bound each queue, whatever its arguments ask for; beyond them the oldest messages go (or,
	// with x-overflow reject-publish, new ones are refused). Bytes count bodies, properties, keys and about 200 octets a
	// message. 1,000,000 messages and 256 MiB by default.
	QueueMessages, QueueBytes int

	// UnackedMessages is how many deliveries of one channel may wait for their acknowledgement; more are not delivered. It is
	// the prefetch of consumers that set none, or a larger one. 65,535 by default.
	UnackedMessages int

	// OutputBytes is how many bytes of deliveries may wait in memory for one connection's socket while as many are being
	// written; consumers that are slower leave their messages in the queue. As much again may be replies; then the client is
	// not read from until it reads. Each bound may be exceeded by one message. Larger saves system calls. 512 KiB by default.
	OutputBytes int

	// TotalBytes bounds all messages together, counted as for QueueBytes, in queues, waiting for acknowledgement, and on their
	// way in; see the package documentation for what happens there. A single connection can make at most a quarter of it
	// wait for acknowledgement, and another quarter in unfinished bodies. It is kept to within about 32 KiB a queue and
	// connection. 512 MiB by default.
	TotalBytes int
}

// maxBindingArguments is how many octets of arguments a binding may have; they are kept, because they are part of what
// the binding is.
const maxBindingArguments = 1024

// withDefaults fills in what is not set.
func (c Config) withDefaults() Config {
	if c.User == "" {
		c.User, c.Password = "guest", "guest"
	}
	if c.VHost == "" {
		c.VHost = "/"
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	or := func(v *time.Duration, def time.Duration) {
		if *v <= 0 {
			*v = def
		}
	}
	or(&c.Heartbeat, time.Minute)
	or(&c.HandshakeTimeout, 5*time.Second)
	or(&c.WriteTimeout, 30*time.Second)
	c.Limits = c.Limits.withDefaults()
	return c
}

func (l Limits) withDefaults() Limits {
	or := func(v *int, def int) {
		if *v <= 0 {
			*v = def
		}
	}
	or(&l.Connections, 2048)
	or(&l.Handshakes, 128)
	or(&l.Channels, 2047)
	or(&l.Exchanges, 1024)
	or(&l.Queues, 4096)
	or(&l.Bindings, 16384)
	or(&l.Consumers, 16384)
	or(&l.FrameBytes, 128<<10)
	or(&l.MessageBytes, 16<<20)
	or(&l.QueueMessages, 1_000_000)
	or(&l.QueueBytes, 256<<20)
	or(&l.UnackedMessages, math.MaxUint16)
	or(&l.OutputBytes, 512<<10)
	or(&l.TotalBytes, 512<<20)
	l.Channels = min(l.Channels, math.MaxUint16)
	l.FrameBytes = min(max(l.FrameBytes, frameMin), 1<<30)
	return l
}

// heartbeatSeconds is the interval in the unit of connection.tune.
func (c *Config) heartbeatSeconds() uint16 {
	return uint16(min((c.Heartbeat+time.Second-1)/time.Second, math.MaxUint16))
}
