package network

import (
	"errors"
	"fmt"
)

// Mistakes of whoever set the node up. Trying again does not help.
var (
	// ErrConfig: a field of Config, an environment variable, a line of .env or an
	// address is not what it has to be. All mistakes come at once, joined.
	ErrConfig = errors.New("network: bad configuration")

	// ErrCredentials: the broker refused the user name or the password.
	ErrCredentials = errors.New("network: broker refused the user name or the password")

	// ErrVHost: the broker has no such virtual host, or this user may not enter it.
	// RabbitMQ answers so, too, when a limit of connections is reached.
	ErrVHost = errors.New("network: broker refused the virtual host")

	// ErrNotAMQP: something answered, but not in AMQP 0-9-1.
	ErrNotAMQP = errors.New("network: not an AMQP 0-9-1 broker")

	// ErrTLS: no TLS handshake, for example because the certificate is not trusted
	// or the other side does not speak TLS.
	ErrTLS = errors.New("network: TLS handshake failed")

	// ErrTopology: the broker refused to declare the exchanges, the queue or a
	// binding of the mesh, mostly for want of permission.
	ErrTopology = errors.New("network: broker refused an exchange, queue or binding")

	// ErrRoutingKey: a routing key longer than 255 bytes.
	ErrRoutingKey = errors.New("network: bad routing key")
)

// What happens to connections. Trying again later may help.
var (
	// ErrRefused: nobody listens at the address.
	ErrRefused = errors.New("network: connection refused")

	// ErrUnreachable: no answer in time, no way to the host, or no such host.
	ErrUnreachable = errors.New("network: broker unreachable")

	// ErrLost: the connection was there and broke.
	ErrLost = errors.New("network: connection lost")

	// ErrClosed: the Link has been closed by Close.
	ErrClosed = errors.New("network: link closed")
)

var (
	errConsuming    = errors.New("network: Consume has been called before")
	errNotConsuming = errors.New("network: Bind needs Consume to have been called")
	errQueueGone    = fmt.Errorf("%w: the queue was deleted", ErrLost)
)

// misconfigured says in one sentence what is wrong with the field, variable or
// file called name. The reason must not quote what may be a secret.
func misconfigured(name, reason string, args ...any) error {
	return fmt.Errorf("%w: %s: %w", ErrConfig, name, fmt.Errorf(reason, args...))
}
