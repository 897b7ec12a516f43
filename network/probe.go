package network

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
)

// probe logs in at the broker and leaves again. It returns nil if that worked, or one of
// the package's errors, within milliseconds if there is an answer at all. It blocks as
// long as ctx allows.
//
// It exists for its definite verdict: to a client that does not announce
// authentication_failure_close, as amqp091-go does not, RabbitMQ answers a wrong
// password by silence for three seconds and then closes the connection.
func probe(ctx context.Context, a Address, config *tls.Config) error {
	conn, err := dial(ctx, a, config, DefaultWriteTimeout)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { abort(conn) })
	defer stop()
	if err = handshake(conn, a); err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: no answer from %s: %w", ErrUnreachable, a.HostPort(), ctx.Err())
	}
	return err
}

// AMQP 0-9-1, sections 2.3.5 and 1.4: frames, and the methods of class connection.
const (
	frameMethod    = 1
	frameHeartbeat = 8
	frameEnd       = 0xce
	largestFrame   = 4096 // payload, before the two sides have agreed on another limit

	amqpStart   = 10<<16 | 10
	amqpStartOK = 10<<16 | 11
	amqpSecure  = 10<<16 | 20
	amqpTune    = 10<<16 | 30
	amqpTuneOK  = 10<<16 | 31
	amqpOpen    = 10<<16 | 40
	amqpOpenOK  = 10<<16 | 41
	amqpClose   = 10<<16 | 50
	amqpCloseOK = 10<<16 | 51
)

const protocolHeader = "AMQP\x00\x00\x09\x01"

var errGarbage = errors.New("malformed frame")

// handshake opens an AMQP connection and closes it again.
func handshake(conn io.ReadWriter, a Address) error {
	_, writeErr := io.WriteString(conn, protocolHeader)
	method, args, err := readMethod(conn) // it may have said why it hung up before we could write
	if err == nil {
		err = writeErr
	}
	if err != nil {
		return handshakeError("connecting", err)
	}
	definite, err := checkStart(method, args)
	if err != nil {
		return err
	}

	if err := writeMethod(conn, amqpStartOK, startOK(a)); err != nil {
		return handshakeError("logging in", err)
	}
	switch method, args, err = readMethod(conn); {
	case errors.Is(err, io.EOF) && !definite:
		// As the specification had it (section 2.2.4) before there were definite answers.
		return fmt.Errorf("%w: the connection was closed after the login", ErrCredentials)
	case err != nil:
		return handshakeError("logging in", err)
	case method == amqpSecure:
		return fmt.Errorf("%w: it wants more than a password", ErrCredentials)
	case method != amqpTune || len(args) < 8:
		return refusal(method, args, ErrCredentials)
	}

	tune := append([]byte(nil), args[:8]...)
	binary.BigEndian.PutUint16(tune[6:], 0) // no heartbeats
	if err := writeMethod(conn, amqpTuneOK, tune); err != nil {
		return handshakeError("opening the virtual host", err)
	}
	if err := writeMethod(conn, amqpOpen, append(shortString(a.VHost), 0, 0)); err != nil {
		return handshakeError("opening the virtual host", err)
	}
	if method, args, err = readMethod(conn); err != nil {
		return handshakeError("opening the virtual host", err)
	}
	if method != amqpOpenOK {
		return refusal(method, args, ErrVHost)
	}

	// We are satisfied; the farewell keeps RabbitMQ from logging a lost connection.
	farewell := []byte{0, 200, 0, 0, 0, 0, 0} // reply-success, no text, no method at fault
	if writeMethod(conn, amqpClose, farewell) == nil {
		_, _, _ = readMethod(conn)
	}
	return nil
}

// checkStart reads connection.start. definite says that the broker will answer a
// failed login.
func checkStart(method uint32, args []byte) (definite bool, err error) {
	if method != amqpStart {
		return false, refusal(method, args, ErrNotAMQP)
	}
	if len(args) < 2 {
		return false, fmt.Errorf("%w: %w", ErrNotAMQP, errGarbage)
	}
	properties, rest, ok := longString(args[2:]) // a table begins as a long string does
	mechanisms, _, ok2 := longString(rest)
	if !ok || !ok2 {
		return false, fmt.Errorf("%w: %w", ErrNotAMQP, errGarbage)
	}
	for _, mechanism := range strings.Fields(string(mechanisms)) {
		if mechanism == "PLAIN" {
			return bytes.Contains(properties, []byte(failureClose)), nil
		}
	}
	return false, fmt.Errorf("%w: it takes no login by user name and password (PLAIN)", ErrCredentials)
}

// failureClose is the capability to answer, or to understand, that a login failed.
const failureClose = "authentication_failure_close"

// startOK is what connection.start-ok carries.
func startOK(a Address) []byte {
	capability := append(shortString(failureClose), 't', 1)
	properties := append(shortString("capabilities"), 'F')
	properties = appendLongString(properties, string(capability))
	properties = append(append(properties, shortString("product")...), 'S')
	properties = appendLongString(properties, product+" probe")

	args := appendLongString(nil, string(properties))
	args = append(args, shortString("PLAIN")...)
	args = appendLongString(args, "\x00"+a.User+"\x00"+a.Password.Reveal())
	return append(args, shortString("en_US")...)
}

// refusal says what an unexpected method, mostly connection.close, means.
func refusal(method uint32, args []byte, meaning error) error {
	if method != amqpClose || len(args) < 2 {
		return fmt.Errorf("%w: unexpected method %d.%d", ErrNotAMQP, method>>16, method&0xffff)
	}
	return replyError(int(binary.BigEndian.Uint16(args)), meaning)
}

// replyError makes an error of a broker's reply code, AMQP 0-9-1 section 1.2. The text
// that comes with it is left out: it is not ours and may hold anything.
func replyError(code int, meaning error) error {
	switch code {
	case 403: // access-refused
		if !errors.Is(meaning, ErrTopology) {
			meaning = ErrCredentials
		}
	case 402, 530: // invalid-path, not-allowed
		meaning = ErrVHost
	case 320, 506, 541: // connection-forced, resource-error, internal-error
		meaning = ErrUnreachable
	case 501, 502, 503, 505: // frame-error, syntax-error, command-invalid, unexpected-frame
		meaning = ErrNotAMQP
	}
	return fmt.Errorf("%w: reply code %d", meaning, code)
}

// handshakeError says what a failure to read or write means.
func handshakeError(while string, err error) error {
	// In TLS 1.3, the client is through with the handshake before the server has looked at
	// its certificate.
	op, isOp := errors.AsType[*net.OpError](err)
	switch {
	case errors.Is(err, errWantsTLS):
		return fmt.Errorf("%w: %w", ErrTLS, err)
	case isOp && op.Op == "remote error":
		return fmt.Errorf("%w: %w", ErrTLS, handshakeFailure(err))
	case errors.Is(err, errGarbage):
		return fmt.Errorf("%w: %w while %s", ErrNotAMQP, err, while)
	}
	if netErr, ok := errors.AsType[net.Error](err); ok && netErr.Timeout() {
		return fmt.Errorf("%w: no answer while %s", ErrUnreachable, while)
	}
	return fmt.Errorf("%w: the connection was closed while %s", ErrUnreachable, while)
}

// readMethod reads the next method on channel 0. Its error is errGarbage if what
// comes is not one, io.EOF if nothing comes, or that of r.
func readMethod(r io.Reader) (method uint32, args []byte, err error) {
	for range 8 { // heartbeats in between
		var header [7]byte
		if n, err := io.ReadFull(r, header[:]); err != nil {
			if n > 0 && errors.Is(err, io.ErrUnexpectedEOF) {
				err = errGarbage
			}
			return 0, nil, err
		}
		if string(header[:4]) == protocolHeader[:4] {
			return 0, nil, fmt.Errorf("%w: it speaks another version of AMQP", errGarbage)
		}
		if header[0] == recordAlert && header[1] == 3 {
			return 0, nil, errWantsTLS
		}
		kind, channel, size := header[0], binary.BigEndian.Uint16(header[1:]), binary.BigEndian.Uint32(header[3:])
		if size > largestFrame || channel != 0 {
			return 0, nil, errGarbage
		}
		frame := make([]byte, size+1)
		if _, err := io.ReadFull(r, frame); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				err = errGarbage
			}
			return 0, nil, err
		}
		switch {
		case frame[size] != frameEnd:
			return 0, nil, errGarbage
		case kind == frameMethod && size >= 4:
			return binary.BigEndian.Uint32(frame), frame[4:size], nil
		case kind != frameHeartbeat || size != 0:
			return 0, nil, errGarbage
		}
	}
	return 0, nil, errGarbage
}

func writeMethod(w io.Writer, method uint32, args []byte) error {
	frame := []byte{frameMethod, 0, 0}
	frame = binary.BigEndian.AppendUint32(frame, uint32(4+len(args)))
	frame = binary.BigEndian.AppendUint32(frame, method)
	frame = append(append(frame, args...), frameEnd)
	_, err := w.Write(frame)
	return err
}

// longString takes a long string from the front of b.
func longString(b []byte) (s, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	size := binary.BigEndian.Uint32(b)
	if b = b[4:]; uint64(size) > uint64(len(b)) {
		return nil, nil, false
	}
	return b[:size], b[size:], true
}

func appendLongString(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

// shortString returns a string of at most 255 bytes in its form on the wire.
func shortString(s string) []byte { return append([]byte{byte(len(s))}, s...) }

// product is the name that we give to brokers.
const product = "statemesh"
