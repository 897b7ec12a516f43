package network

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/statemesh/statemesh/network/broker"
	"github.com/statemesh/statemesh/network/discovery"
)

// host serves the broker of this host, if nobody else does. The listening port is the
// election: of all processes that try to listen there, one succeeds and serves, the
// others join it. When it ends, they try again. All methods may be called from any
// goroutine.
type host struct {
	listen string // "" for never
	config broker.Config
	logger *slog.Logger

	// secure is what the broker serves with; nil is in clear.
	secure *tls.Config

	// admits says who may connect; nil is everybody who can.
	admits func(netip.Addr) bool

	// answers tells whether somebody serves the address. It is asked where the system lets
	// us listen at a loopback address although somebody listens at that port of all
	// addresses, as a RabbitMQ does: we would take its place unseen. nil elsewhere.
	answers func(ctx context.Context, address string) bool

	work sync.WaitGroup // the goroutine that serves

	// occupied is set when another kind of broker was joined at the address, a RabbitMQ: it
	// will come back, and must find its port free.
	occupied atomic.Bool

	mu     sync.Mutex     // guards what follows
	server *broker.Server // nil while somebody else serves
	closed bool
}

// newHost returns a host that does nothing before ensure.
func newHost(s settings) *host {
	h := &host{
		listen: s.listen,
		config: broker.Config{
			User:     s.own.User,
			Password: s.own.Password.Reveal(),
			VHost:    s.own.VHost,
			Logger:   s.Logger,
		},
		logger: s.Logger,
		secure: s.serving,
	}
	if s.LAN {
		h.admits = func(a netip.Addr) bool { return a.IsLoopback() || s.Discovery.Allowed(a) || isOwn(s.Discovery, a) }
	}
	if runtime.GOOS != "linux" {
		h.answers = answers
	}
	return h
}

// ensure sees to it that somebody listens, we if nobody else does; it is called before each
// attempt to dial the own broker. It fails if nobody can listen there, or after close.
func (h *host) ensure(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return ErrClosed
	case h.listen == "" || h.server != nil || h.occupied.Load():
		return nil
	case h.answers != nil && h.answers(ctx, h.listen):
		return nil
	}
	var config net.ListenConfig // close-on-exec, and SO_REUSEADDR on unix, as Go does by itself
	listener, err := config.Listen(ctx, "tcp", h.listen)
	if inUse(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: cannot host a broker: %w", ErrUnreachable, err)
	}
	if h.admits != nil {
		listener = &admitting{listener, h.admits, h.logger}
	}
	if h.secure != nil {
		listener = &secureListener{listener, h.secure}
	}
	server := broker.New(h.config)
	h.server = server
	h.work.Go(func() {
		err := server.Serve(listener)
		h.mu.Lock()
		if h.server == server {
			h.server = nil
		}
		closed := h.closed
		h.mu.Unlock()
		if !closed {
			h.logger.Error("the hosted broker ended", "address", h.listen, "error", err)
			_ = server.Close()
		}
	})
	about := []any{"address", h.listen}
	if h.secure != nil {
		about = append(about, "tls", true)
	}
	h.logger.Info("hosting the broker", about...)
	return nil
}

// admitting is a listener that hangs up on who may not connect.
type admitting struct {
	net.Listener
	admits func(netip.Addr) bool
	logger *slog.Logger
}

// Accept implements net.Listener.
func (l *admitting) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from, ok := conn.RemoteAddr().(*net.TCPAddr)
		if ok && l.admits(from.AddrPort().Addr().Unmap()) {
			return conn, nil
		}
		l.logger.Debug("a connection from outside of the allowed networks was refused", "from", conn.RemoteAddr().String())
		conn.Close()
	}
}

// isOwn says whether the address is one of this host.
func isOwn(o discovery.Options, a netip.Addr) bool {
	own, err := o.OwnAddresses()
	return err == nil && slices.Contains(own, a)
}

// answers says whether somebody accepts connections at the address.
func answers(ctx context.Context, address string) bool {
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// inUse says whether the error of listening is that somebody else does.
func inUse(err error) bool {
	const wsaeaddrinuse = syscall.Errno(10048) // Windows' own number
	return errors.Is(err, syscall.EADDRINUSE) || runtime.GOOS == "windows" && errors.Is(err, wsaeaddrinuse)
}

// hosting says whether this process serves the broker.
func (h *host) hosting() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.server != nil
}

// close ends the broker, if it is ours, and its connections. It blocks until all its
// goroutines have ended. Calling it again does nothing.
func (h *host) close() {
	h.mu.Lock()
	server := h.server
	h.server, h.closed = nil, true
	h.mu.Unlock()
	if server != nil {
		_ = server.Close()
	}
	h.work.Wait()
}
