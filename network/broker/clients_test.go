package broker_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/statemesh/statemesh/internal/brokertest"
	"github.com/statemesh/statemesh/network/broker"
)

// TLS is a matter of the listener.
func TestTLS(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ok(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	ok(t, err)
	cert, err := x509.ParseCertificate(der)
	ok(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(cert)

	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	ok(t, err)
	server := broker.New(broker.Config{})
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	defer func() {
		server.Close()
		if err := <-served; err != broker.ErrClosed {
			t.Error(err)
		}
	}()
	conn, err := amqp.DialTLS("amqps://guest:guest@"+listener.Addr().String()+"/", &tls.Config{RootCAs: roots})
	ok(t, err)
	ch, err := conn.Channel()
	ok(t, err)
	q, err := ch.QueueDeclare("", false, false, true, false, nil)
	ok(t, err)
	deliveries, err := ch.Consume(q.Name, "", true, false, false, false, nil)
	ok(t, err)
	body := strings.Repeat("secret ", 100_000)
	ok(t, ch.PublishWithContext(t.Context(), "", q.Name, false, false, amqp.Publishing{Body: []byte(body)}))
	if d := <-deliveries; string(d.Body) != body {
		t.Fatalf("got %d bytes", len(d.Body))
	}
	ok(t, conn.Close())
}

// A client sees that the server closes, and why.
func TestCloseWithClients(t *testing.T) {
	url, server := serve(t, broker.Config{})
	conn, err := amqp.Dial(url)
	ok(t, err)
	gone := conn.NotifyClose(make(chan *amqp.Error, 1))
	ch, err := conn.Channel()
	ok(t, err)
	_, err = ch.QueueDeclare("q", true, false, false, false, amqp.Table{"x-expires": 60_000})
	ok(t, err)
	if got := server.Stats(); got.Connections != 1 || got.Channels != 1 || got.Queues != 1 {
		t.Errorf("stats %+v", got)
	}
	ok(t, server.Close())
	if reason := <-gone; reason == nil || reason.Code != amqp.ConnectionForced {
		t.Errorf("closed with %v", reason)
	}
	if _, err := amqp.Dial(url); err == nil {
		t.Error("a closed server was dialled")
	}
	if got := server.Stats(); got != (broker.Stats{}) {
		t.Errorf("stats %+v", got)
	}
}

// The suite again with limits so small that all of its back-pressure is at work.
func TestEmbeddedSmall(t *testing.T) {
	brokertest.Run(t, start(t, broker.Config{Limits: broker.Limits{OutputBytes: 4096, FrameBytes: 5000}}))
}

// A consumer that never reads does not make the process grow, and holds up nobody.
func TestSlowConsumerOverTCP(t *testing.T) {
	url, server := serve(t, broker.Config{Limits: broker.Limits{QueueBytes: 4 << 20}})
	slow, err := amqp.DialConfig(url, amqp.Config{Dial: func(network, addr string) (net.Conn, error) {
		conn, err := net.Dial(network, addr)
		if err != nil {
			return nil, err
		}
		return &sluggish{Conn: conn, awake: t.Context().Done(), patience: 40}, nil
	}})
	ok(t, err)
	in, err := slow.Channel()
	ok(t, err)
	q, err := in.QueueDeclare("slow", false, false, true, false, nil)
	ok(t, err)
	_, err = in.Consume(q.Name, "", true, false, false, false, nil)
	ok(t, err)

	conn, err := amqp.Dial(url)
	ok(t, err)
	defer conn.Close()
	out, err := conn.Channel()
	ok(t, err)
	ok(t, out.Confirm(false))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	body := make([]byte, 100_000)
	for range 1000 {
		c, err := out.PublishWithDeferredConfirmWithContext(t.Context(), "", q.Name, false, false, amqp.Publishing{Body: body})
		ok(t, err)
		if acked, err := c.WaitContext(t.Context()); !acked {
			t.Fatalf("not confirmed, %v", err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 16<<20 {
		t.Errorf("the heap has grown by %d MiB while 95 MiB were published", grown>>20)
	}
	if got := server.Stats(); got.Bytes > 5<<20 || got.Dropped < 800 {
		t.Errorf("stats %+v", got)
	}
}

// sluggish reads so many times, and then waits for the end of the test.
type sluggish struct {
	net.Conn
	awake    <-chan struct{}
	patience int
}

func (s *sluggish) Read(p []byte) (int, error) {
	if s.patience--; s.patience < 0 {
		<-s.awake
	}
	return s.Conn.Read(p)
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
