package network

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/statemesh/statemesh/network/broker"
)

// host serves the broker of this host, if nobody else does. The listening port is the
// election: of all processes that try to listen there, one succeeds and serves, the
// others join it. When it ends, they try again. All methods may be called from any
// goroutine.
type host struct {
	listen string // "" for never
	config broker.Config
	logger *slog.Logger

	// answers tells whether somebody serves the address. It is asked where the system lets
	// us listen at a loopback address although somebody listens at that port of all
	// addresses, as a RabbitMQ does: we would take its place unseen. nil elsewhere.
	answers func(ctx context.Context, address string) bool

	work sync.WaitGroup // the goroutine that serves

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
	case h.listen == "" || h.server != nil:
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
	h.logger.Info("hosting the broker", "address", h.listen)
	return nil
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
