package network

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/statemesh/statemesh/network/broker"
)

// secured returns the address of an embedded broker behind TLS, and what trusts it.
func secured(t *testing.T) (Address, *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "broker"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		IsCA:         true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		DNSNames:    []string{"broker.example"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AddCert(certificate)

	plain := listen(t)
	server := broker.New(broker.Config{User: "u", Password: "p"})
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve(tls.NewListener(plain, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}))
	}()
	t.Cleanup(func() {
		server.Close()
		<-done
	})
	a := addressOf(plain)
	a.TLS = true
	return a, &tls.Config{RootCAs: trusted}
}

func TestTLS(t *testing.T) {
	a, trusting := secured(t)
	b := rig{TB: t, transport: &AMQP{TLS: trusting}, address: a}
	l := b.dial()
	got := b.consume(l, "k")
	b.publish(l, "k", "one")
	b.expect(got, "one")
	if trusting.ServerName != "" {
		t.Error("the configuration has been changed")
	}

	named := trusting.Clone()
	named.ServerName = "broker.example"
	plain := a
	plain.TLS = false
	wrong := a
	wrong.Password = NewSecret("other")
	tests := []struct {
		name    string
		address Address
		config  *tls.Config
		want    error
	}{
		{"trusted", a, trusting, nil},
		{"by another name", a, named, nil},
		{"not trusted", a, nil, ErrTLS},
		{"no certificate for that name", a, &tls.Config{RootCAs: trusting.RootCAs, ServerName: "other.example"}, ErrTLS},
		{"wrong password", wrong, trusting, ErrCredentials},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			checkProbe(t, probe(t.Context(), test.address, test.config), test.want)
		})
	}
	if err := probe(t.Context(), plain, nil); !errors.Is(err, ErrNotAMQP) && !errors.Is(err, ErrUnreachable) {
		t.Errorf("without TLS: error %v", err)
	}
}

func TestTLSBlockedPeer(t *testing.T) {
	const limit = 200 * time.Millisecond
	a, trusting := secured(t)
	p := newProxy(t, a)
	b := rig{TB: t, transport: &AMQP{TLS: trusting, WriteTimeout: limit}, address: p.Address}
	l := b.dial()
	p.setFrozen(true)
	var err error
	for body := make([]byte, 1<<20); err == nil; {
		within(t, "Publish", limit, func() { err = l.Publish(ExchangeMesh, "k", body) })
	}
	b.dead(l, ErrLost)
	within(t, "Close", limit, func() { l.Close() })
}

func TestTLSSilentPeer(t *testing.T) {
	const limit = 200 * time.Millisecond
	a := serving(t, func(conn net.Conn) {
		for b := make([]byte, 1024); ; {
			if _, err := conn.Read(b); err != nil {
				return
			}
		}
	})
	a.TLS = true
	var err error
	within(t, "Dial", limit, func() { _, err = (&AMQP{ConnectTimeout: limit}).Dial(context.Background(), a) })
	checkProbe(t, err, ErrUnreachable)
}
