package network

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
)

// secureListener is a listener that takes TLS connections only. The handshake is made by whoever reads
// from a connection first, under the deadline that he has set.
type secureListener struct {
	net.Listener
	config *tls.Config
}

// Accept implements net.Listener.
func (l *secureListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return tls.Server(&secureOnly{Conn: conn}, l.config), nil
}

// secureOnly answers a client that does not speak TLS. crypto/tls would hang up on it without a
// word, and it could not know why.
type secureOnly struct {
	net.Conn
	looked bool // at the first byte; for whoever reads
}

// The content types of TLS records, RFC 8446 section 5.1, and the alert with which a
// server refuses what is no handshake, as OpenSSL and Erlang do.
const (
	recordAlert     = 0x15
	recordHandshake = 0x16
	plainRefused    = "\x15\x03\x01\x00\x02\x02\x46" // fatal, protocol_version
)

var errClientPlain = errors.New("the client does not speak TLS")

// Read implements net.Conn.
func (c *secureOnly) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 && !c.looked {
		c.looked = true
		if b[0] != recordHandshake {
			_, _ = io.WriteString(c.Conn, plainRefused)
			return 0, errClientPlain
		}
	}
	return n, err
}
