package network

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// patientConn is a connection whose writes do not wait for ever. Without it a broker that
// has stopped reading, as RabbitMQ does when it is short of memory, holds the writer
// for as long as it likes.
type patientConn struct {
	net.Conn
	patience time.Duration
}

func (c patientConn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.patience)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

// dial connects to the address, with TLS if it says so. Its errors wrap one of the
// package's.
func dial(ctx context.Context, a Address, config *tls.Config, patience time.Duration) (net.Conn, error) {
	var dialer net.Dialer
	plain, err := dialer.DialContext(ctx, "tcp", a.HostPort())
	if err != nil {
		return nil, dialError(a, err)
	}
	conn := net.Conn(patientConn{plain, patience})
	if !a.TLS {
		return conn, nil
	}
	if config == nil {
		config = &tls.Config{}
	}
	if config.ServerName == "" {
		config = config.Clone()
		config.ServerName = a.Host
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%w: no TLS handshake with %s in time: %w", ErrUnreachable, a.HostPort(), ctx.Err())
		}
		return nil, fmt.Errorf("%w: %s: %w", ErrTLS, a.HostPort(), handshakeFailure(err))
	}
	return secure, nil
}

var (
	errNoTLS    = errors.New("the broker there does not speak TLS")
	errWantsTLS = errors.New("the broker there speaks nothing but TLS")
)

// oneSided says whether one of the two sides speaks TLS and the other does not.
func oneSided(err error) bool { return errors.Is(err, errNoTLS) || errors.Is(err, errWantsTLS) }

// handshakeFailure says in words why there is no TLS.
func handshakeFailure(err error) error {
	op, isOp := errors.AsType[*net.OpError](err)
	switch {
	case errors.As(err, new(tls.RecordHeaderError)):
		return errNoTLS
	case isOp && op.Op == "remote error":
		return fmt.Errorf("the broker refused our certificate, or wants one: %w", op.Err)
	case errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET):
		return fmt.Errorf("the connection was closed; perhaps %w", errNoTLS)
	}
	return err
}

// dialError sorts the error of connecting.
func dialError(a Address, err error) error {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("%w: nobody listens at %s", ErrRefused, a.HostPort())
	}
	// Without the addresses that net puts before it.
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	if call, ok := errors.AsType[*os.SyscallError](err); ok {
		err = call.Err
	}
	return fmt.Errorf("%w: %s: %w", ErrUnreachable, a.HostPort(), err)
}
