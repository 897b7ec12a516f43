package broker

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// ErrClosed is what [Server.Serve] returns after [Server.Close].
var ErrClosed = errors.New("broker: server closed")

// Server is an AMQP 0-9-1 broker. [New] makes one; its methods may be called from any goroutine.
type Server struct {
	config Config
	log    *slog.Logger

	complaints complaints

	vhost *vhost
	epoch time.Time // when its clock began

	bytes     atomic.Int64 // of all messages; see ledger
	dropped   atomic.Uint64
	consumers atomic.Int64
	channels  atomic.Int64

	making sync.Mutex // held by the only goroutine that makes room

	// mu guards what follows. It is taken before conn.mu, and never together with vhost.mu.
	mu        sync.Mutex
	closed    bool
	listeners map[net.Listener]struct{}
	conns     map[*conn]struct{} // all, in the handshake or open
	pending   []*conn            // in the handshake, oldest first
	open      int
	in, out   uint64 // messages of connections that are gone

	connections sync.WaitGroup // one for each connection
	timers      sync.WaitGroup // one for each armed timer
}

// New makes a server. It serves nobody until [Server.Serve] is called and holds nothing that needs closing until then.
func New(config Config) *Server {
	s := &Server{
		config:    config.withDefaults(),
		epoch:     time.Now(),
		listeners: map[net.Listener]struct{}{},
		conns:     map[*conn]struct{}{},
	}
	s.log = s.config.Logger
	s.complaints.log = s.log
	s.vhost = newVHost(s.config.VHost, &s.config.Limits)
	return s
}

// Serve accepts connections from the listener and serves each on goroutines of its own, until the listener fails or the
// server is closed. It blocks, always returns an error (after Close, ErrClosed), and closes the listener. It may be called
// for several listeners at once. TLS needs nothing but a listener that speaks it.
func (s *Server) Serve(listener net.Listener) error {
	defer listener.Close()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	s.listeners[listener] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.listeners, listener)
		s.mu.Unlock()
	}()

	var wait time.Duration
	for {
		nc, err := listener.Accept()
		if err == nil {
			wait = 0
			s.welcome(nc)
			continue
		}
		s.mu.Lock()
		closed := s.closed
		s.mu.Unlock()
		var temporary interface{ Temporary() bool }
		switch {
		case closed:
			return ErrClosed
		case errors.As(err, &temporary) && temporary.Temporary() && !errors.Is(err, net.ErrClosed):
			// Out of sockets or the like: connections that end help. The wait is short enough not to need waking by Close.
			wait = min(max(2*wait, 5*time.Millisecond), 200*time.Millisecond)
			s.complaints.say(slog.LevelWarn, "accept failed", "error", err, "wait", wait)
			time.Sleep(wait)
		default:
			return err
		}
	}
}

// welcome starts serving a connection.
func (s *Server) welcome(nc net.Conn) {
	c := newConn(s, nc)
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		nc.Close()
		return
	}
	// Who holds on to a connection without logging in must not keep out who does.
	if len(s.pending) >= s.config.Limits.Handshakes {
		oldest := s.pending[0]
		s.pending = slices.Delete(s.pending, 0, 1)
		oldest.interrupt()
		s.complaints.say(slog.LevelWarn, "too many handshakes, oldest dropped", "remote", oldest.remote)
	}
	s.pending = append(s.pending, c)
	s.conns[c] = struct{}{}
	s.connections.Add(1)
	s.mu.Unlock()
	go c.run()
}

// opened moves a connection from the handshake to the open ones, if one more is allowed.
func (s *Server) opened(c *conn) *exception {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open >= s.config.Limits.Connections {
		return refuse(notAllowed, "access to vhost '%s' refused for user '%s': connection limit (%d) is reached",
			s.vhost.name, c.user, s.config.Limits.Connections)
	}
	s.forgetPending(c)
	s.open++
	c.open = true
	return nil
}

func (s *Server) forgetPending(c *conn) {
	if i := slices.Index(s.pending, c); i >= 0 {
		s.pending = slices.Delete(s.pending, i, i+1)
	}
}

// gone forgets a connection that has ended.
func (s *Server) gone(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgetPending(c)
	delete(s.conns, c)
	if c.open {
		s.open--
		in, out := c.traffic()
		s.in += in
		s.out += out
	}
	s.connections.Done()
}

// Close ends the server: it closes the listeners, tells every client that it goes (320 CONNECTION_FORCED), and waits for
// all goroutines it has started. A client that does not answer delays it by at most a second. All messages are lost. It
// may be called more than once, and always returns nil.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	for l := range s.listeners {
		l.Close()
	}
	for c := range s.conns {
		c.stop()
	}
	s.mu.Unlock()
	s.connections.Wait()

	// Nobody is left who could make a queue.
	for _, q := range s.vhost.all() {
		s.vhost.deleteQueue(q, false, false, nil)
	}
	s.timers.Wait()
	return nil
}

// Stats is what a server holds and has done.
type Stats struct {
	Connections int // open, without those in the handshake
	Channels    int
	Queues      int
	Consumers   int
	Bytes       int64 // of all messages held, in the sense of Limits.TotalBytes and as exact as it

	MessagesIn  uint64 // published by clients, routable or not
	MessagesOut uint64 // delivered and got, each time
	Dropped     uint64 // lost by expiring or by a limit of a queue or of the server, once a queue
}

// Stats returns the present state. The counters begin at 0 and never go down.
func (s *Server) Stats() Stats {
	v := s.vhost
	v.mu.RLock()
	queues := len(v.queues)
	v.mu.RUnlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := Stats{
		Connections: s.open, Channels: int(s.channels.Load()), Queues: queues, Consumers: int(s.consumers.Load()),
		Bytes: max(s.bytes.Load(), 0), MessagesIn: s.in, MessagesOut: s.out, Dropped: s.dropped.Load(),
	}
	for c := range s.conns {
		if c.open {
			in, out := c.traffic()
			stats.MessagesIn += in
			stats.MessagesOut += out
		}
	}
	return stats
}

// now is the server's clock, in nanoseconds. It is never 0.
func (s *Server) now() int64 { return int64(time.Since(s.epoch)) + 1 }

// full tells whether all messages together are beyond their limit.
func (s *Server) full() bool { return s.bytes.Load() > int64(s.config.Limits.TotalBytes) }

// makeRoom drops the oldest messages of the largest queues until there is room, and some more, so that it is not needed
// for every message. It returns false if dropping does not help.
func (s *Server) makeRoom() bool {
	s.making.Lock()
	defer s.making.Unlock()
	limit := int64(s.config.Limits.TotalBytes)
	for s.full() {
		var largest *queue
		var most int64
		for _, q := range s.vhost.all() {
			if q.overflow == rejectPublish {
				continue // loses nothing
			}
			if n := q.held(); n > most {
				largest, most = q, n
			}
		}
		if largest == nil {
			return false
		}
		largest.shed(most - (s.bytes.Load() - limit/16*15))
	}
	return true
}

// knows tells whether these are the credentials. It takes the same time for all.
func (s *Server) knows(user, password []byte) bool {
	same := func(got []byte, want string) int {
		g, w := sha256.Sum256(got), sha256.Sum256([]byte(want))
		return subtle.ConstantTimeCompare(g[:], w[:])
	}
	return same(user, s.config.User)&same(password, s.config.Password) == 1 && s.config.Password != ""
}

// guestMay tells whether the user called guest may come from that address.
func (s *Server) guestMay(from net.Addr) bool {
	if s.config.RemoteGuest {
		return true
	}
	switch from.Network() {
	case "unix", "pipe":
		return true
	}
	address, err := netip.ParseAddrPort(from.String())
	return err == nil && address.Addr().Unmap().IsLoopback()
}
