package network

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/statemesh/statemesh/network/broker"
)

// hosted returns the address of an embedded broker on a free port, for user "u" with
// password "p".
func hosted(t testing.TB) Address {
	t.Helper()
	listener := listen(t)
	server := broker.New(broker.Config{User: "u", Password: "p"})
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(listener)
	}()
	t.Cleanup(func() {
		server.Close()
		<-done
	})
	return addressOf(listener)
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener
}

func addressOf(listener net.Listener) Address {
	return Address{Host: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port, User: "u", Password: NewSecret("p"), VHost: "/"}
}

// serving returns the address of a server that treats each connection as serve says, and
// closes it afterwards.
func serving(t testing.TB, serve func(conn net.Conn)) Address {
	t.Helper()
	listener := listen(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conn.SetDeadline(time.Now().Add(patience))
			serve(conn)
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		<-done
	})
	return addressOf(listener)
}

func TestProbe(t *testing.T) {
	a := hosted(t)
	with := func(change func(a *Address)) Address {
		b := a
		change(&b)
		return b
	}
	tests := []struct {
		name    string
		address Address
		want    error
	}{
		{"open", a, nil},
		{"wrong password", with(func(a *Address) { a.Password = NewSecret("hidden") }), ErrCredentials},
		{"wrong user", with(func(a *Address) { a.User = "hidden" }), ErrCredentials},
		{"wrong virtual host", with(func(a *Address) { a.VHost = "hidden" }), ErrVHost},
		{"nobody listens", closedPort(t), ErrRefused},
		{"TLS to a plain port", with(func(a *Address) { a.TLS = true }), ErrTLS},
		{"no such host", with(func(a *Address) { a.Host = "hidden.invalid" }), ErrUnreachable},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			began := time.Now()
			err := probe(ctx, test.address, nil)
			checkProbe(t, err, test.want)
			if took := time.Since(began); took > time.Second && test.want != ErrUnreachable {
				t.Errorf("the verdict took %v", took)
			}
		})
	}
}

// checkProbe checks that err is that verdict and no other.
func checkProbe(t *testing.T, err, want error) {
	t.Helper()
	for _, verdict := range []error{ErrCredentials, ErrVHost, ErrNotAMQP, ErrTLS, ErrRefused, ErrUnreachable} {
		if errors.Is(err, verdict) != (verdict == want) {
			t.Fatalf("error %v, want %v", err, want)
		}
	}
	switch {
	case (err == nil) != (want == nil):
		t.Errorf("error %v, want %v", err, want)
	case err != nil && (strings.Contains(err.Error(), "hidden") && want != ErrUnreachable || strings.Contains(err.Error(), "\n")):
		t.Errorf("error %q", err)
	}
}

// closedPort returns an address where nobody listens.
func closedPort(t testing.TB) Address {
	listener := listen(t)
	defer listener.Close()
	return addressOf(listener)
}

// method returns a method frame on channel 0.
func method(id uint32, args ...byte) string {
	var b bytes.Buffer
	_ = writeMethod(&b, id, args)
	return b.String()
}

// startWith returns connection.start.
func startWith(properties, mechanisms string) string {
	args := appendLongString([]byte{0, 9}, properties)
	args = appendLongString(args, mechanisms)
	return method(amqpStart, appendLongString(args, "en_US")...)
}

func TestProbeAnswers(t *testing.T) {
	start := startWith("", "AMQPLAIN PLAIN")
	definite := startWith(failureClose, "PLAIN")
	tune := method(amqpTune, 0, 0, 0, 2, 0, 0, 0, 60)
	closing := func(code uint16) string {
		return method(amqpClose, append(binary.BigEndian.AppendUint16(nil, code), "\x06hidden\x00\x00\x00\x00"...)...)
	}
	heartbeat := "\x08\x00\x00\x00\x00\x00\x00\xce"
	tests := []struct {
		name    string
		answers []string // one for each thing that the probe says
		want    error
	}{
		{"as it should be", []string{start, tune, method(amqpOpenOK, 0), method(amqpCloseOK)}, nil},
		{"no farewell", []string{start, tune, method(amqpOpenOK, 0)}, nil},
		{"heartbeats in between", []string{start, tune, heartbeat + heartbeat + method(amqpOpenOK, 0)}, nil},
		{"nothing", nil, ErrUnreachable},
		{"HTTP", []string{"HTTP/1.1 400 Bad Request\r\n\r\n"}, ErrNotAMQP},
		{"SSH", []string{"SSH-2.0-OpenSSH\r\n"}, ErrNotAMQP},
		{"TLS", []string{"\x15\x03\x01\x00\x02\x02\x16"}, ErrTLS},
		{"AMQP 1.0", []string{"AMQP\x00\x01\x00\x00"}, ErrNotAMQP},
		{"half a frame", []string{start[:20]}, ErrNotAMQP},
		{"half a header", []string{start[:3]}, ErrNotAMQP},
		{"a huge frame", []string{"\x01\x00\x00\x7f\xff\xff\xff"}, ErrNotAMQP},
		{"another channel", []string{"\x01\x00\x01\x00\x00\x00\x00\xce"}, ErrNotAMQP},
		{"a wrong end", []string{start[:len(start)-1] + "\x00"}, ErrNotAMQP},
		{"a short start", []string{method(amqpStart, 0)}, ErrNotAMQP},
		{"a start without mechanisms", []string{method(amqpStart, 0, 9, 0, 0, 0, 0)}, ErrNotAMQP},
		{"a start with a large table", []string{method(amqpStart, 0, 9, 255, 255, 255, 255)}, ErrNotAMQP},
		{"another method", []string{tune}, ErrNotAMQP},
		{"501", []string{closing(501)}, ErrNotAMQP},
		{"only heartbeats", []string{strings.Repeat(heartbeat, 20)}, ErrNotAMQP},
		{"no PLAIN", []string{startWith("", "EXTERNAL PLAINER")}, ErrCredentials},
		{"403", []string{definite, closing(403)}, ErrCredentials},
		{"closed after the login", []string{start}, ErrCredentials},
		{"closed after the login, though it answers", []string{definite}, ErrUnreachable},
		{"secure", []string{start, method(amqpSecure, 0, 0, 0, 0)}, ErrCredentials},
		{"a short tune", []string{start, method(amqpTune, 0)}, ErrNotAMQP},
		{"530", []string{start, tune, closing(530)}, ErrVHost},
		{"402", []string{start, tune, closing(402)}, ErrVHost},
		{"403 for the virtual host", []string{start, tune, closing(403)}, ErrCredentials},
		{"320", []string{start, tune, closing(320)}, ErrUnreachable},
		{"closed at the virtual host", []string{start, tune}, ErrUnreachable},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := serving(t, func(conn net.Conn) {
				header := make([]byte, len(protocolHeader))
				if _, err := io.ReadFull(conn, header); err != nil || string(header) != protocolHeader {
					t.Errorf("it begins with %q, %v", header, err)
				}
				for i, answer := range test.answers {
					for range []int{0, 1, 2, 1}[i] { // start-ok; tune-ok and open; close
						if _, _, err := readMethod(conn); err != nil {
							t.Errorf("before answer %d: %v", i, err)
						}
					}
					io.WriteString(conn, answer)
				}
				// Half closed, or what is not read yet would make the system throw away the answers.
				conn.(*net.TCPConn).CloseWrite()
				io.Copy(io.Discard, conn)
			})
			checkProbe(t, probe(t.Context(), a, nil), test.want)
		})
	}
}

func TestProbeSilence(t *testing.T) {
	a := serving(t, func(conn net.Conn) { io.Copy(io.Discard, conn) })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	err := probe(ctx, a, nil)
	checkProbe(t, err, ErrUnreachable)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want it to say that the time was over", err)
	}
	cancel()
	if err := probe(ctx, a, nil); !errors.Is(err, ErrUnreachable) {
		t.Errorf("cancelled: error %v", err)
	}
}

// What claims to be large gets no memory.
func TestProbeIsFrugal(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := handshake(said{strings.NewReader("\x01\x00\x00\x0f\xff\xff\xff"), io.Discard}, Address{})
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
		t.Errorf("%d bytes", grown)
	}
	checkProbe(t, err, ErrNotAMQP)
}

// said is a connection on which everything has been said.
type said struct {
	io.Reader
	io.Writer
}

func FuzzProbe(f *testing.F) {
	start, tune := startWith(failureClose, "PLAIN"), method(amqpTune, 0, 0, 0, 2, 0, 0, 0, 60)
	for _, seed := range []string{
		"", "AMQP\x00\x00\x09\x01", start, start + tune + method(amqpOpenOK, 0) + method(amqpCloseOK),
		start + method(amqpClose, 1, 0x93, 0, 0, 0, 0, 0), start + method(amqpSecure), start + tune + "\x08\x00\x00\x00\x00\x00\x00\xce",
	} {
		f.Add([]byte(seed))
	}
	a := Address{Host: "h", Port: 1, User: "u", Password: NewSecret("hidden"), VHost: "/"}
	f.Fuzz(func(t *testing.T, answer []byte) {
		var wrote bytes.Buffer
		err := handshake(said{bytes.NewReader(answer), &wrote}, a)
		named := false
		for _, verdict := range []error{nil, ErrCredentials, ErrVHost, ErrNotAMQP, ErrTLS, ErrUnreachable} {
			named = named || errors.Is(err, verdict)
		}
		if !named {
			t.Fatalf("error %v", err)
		}
		if err != nil && strings.Contains(err.Error(), "hidden") {
			t.Fatalf("error %v shows the password", err)
		}
		if wrote.Len() > 1024 {
			t.Fatalf("it wrote %d bytes", wrote.Len())
		}
	})
}
