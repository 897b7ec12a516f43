package network

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/statemesh/statemesh/network/discovery"
	"github.com/statemesh/statemesh/network/seal"
)

// secureHosts returns hosts that would all serve the same address, with TLS.
func secureHosts(t *testing.T, i *identity, n int) ([]*host, Address) {
	hosts, a := hostsAt(t, n)
	for _, h := range hosts {
		h.secure = i.server()
	}
	a.TLS = true
	return hosts, a
}

// Who is let in by a hosted broker that has certificates, and whom a client takes for one. Every
// verdict comes within a second.
func TestTLSHost(t *testing.T) {
	w, elsewhere := newTown(t), newTown(t)
	one, two := w.identity(w.house("one", time.Now(), "one.example")), w.identity(w.house("two", time.Now(), "two.example"))
	strange := elsewhere.identity(elsewhere.house("strange", time.Now(), "one.example"))
	old := w.identity(w.house("old", time.Now().Add(-validHost-time.Hour), "one.example"))
	early := w.identity(w.house("early", time.Now().Add(2*time.Hour), "one.example"))
	authority := w.identity(w.root+"/one", authorityOnly)
	pair := w.identity(w.root+"/one", pairOnly)

	serve := func(i *identity) Address {
		hosts, a := secureHosts(t, i, 1)
		if err := hosts[0].ensure(t.Context()); err != nil {
			t.Fatal(err)
		}
		return a
	}
	served, expired, stranger, open := serve(one), serve(old), serve(strange), serve(pair)
	plainHosts, plain := hostsAt(t, 1)
	if err := plainHosts[0].ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	with := func(i *identity, change func(*tls.Config)) *tls.Config {
		c := i.client("127.0.0.1")
		change(c)
		return c
	}
	upTo := func(version uint16) func(*tls.Config) {
		return func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, version }
	}
	but := func(a Address, change func(*Address)) Address { change(&a); return a }
	toPlain := func(a *Address) { a.TLS = false }

	tests := []struct {
		name    string
		address Address
		config  *tls.Config
		want    error
		says    string
	}{
		{"the same host", served, one.client("127.0.0.1"), nil, ""},
		{"by the name localhost", served, one.client("localhost"), nil, ""},
		{"another host", served, two.client("127.0.0.1"), nil, ""},
		{"by its name", served, two.client("one.example"), nil, ""},
		{"by another name", served, two.client("two.example"), ErrTLS, "not two.example"},
		{"TLS 1.2", served, with(two, upTo(tls.VersionTLS12)), nil, ""},
		{"TLS 1.1", served, with(two, upTo(tls.VersionTLS11)), ErrTLS, "version"},
		{"wrong password", but(served, func(a *Address) { a.Password = NewSecret("hidden") }), two.client("127.0.0.1"), ErrCredentials, ""},
		{"no certificate", served, authority.client("127.0.0.1"), ErrTLS, "refused our certificate, or wants one"},
		{"no certificate, TLS 1.2", served, with(authority, upTo(tls.VersionTLS12)), ErrTLS, "refused our certificate, or wants one"},
		{"certificate of another authority", served, with(strange, func(c *tls.Config) { c.VerifyConnection = nil }), ErrTLS, "refused our certificate"},
		{"trusts another authority", served, strange.client("127.0.0.1"), ErrTLS, "unknown authority"},
		{"trusts the system's", served, pair.client("127.0.0.1"), ErrTLS, "unknown authority"},
		{"expired certificate", served, old.client("127.0.0.1"), ErrTLS, "refused our certificate"},
		{"certificate of tomorrow", served, early.client("127.0.0.1"), ErrTLS, "refused our certificate"},
		{"in clear", but(served, toPlain), nil, ErrTLS, "nothing but TLS"},
		{"expired broker", expired, one.client("127.0.0.1"), ErrTLS, "expired"},
		{"broker of another authority", stranger, one.client("127.0.0.1"), ErrTLS, "unknown authority"},
		{"plain broker", but(plain, func(a *Address) { a.TLS = true }), one.client("127.0.0.1"), ErrTLS, "does not speak TLS"},
		{"no authority, no certificate", open, authority.client("127.0.0.1"), nil, ""},
		{"no authority, in clear", but(open, toPlain), nil, ErrTLS, "nothing but TLS"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			began := time.Now()
			err := probe(ctx, test.address, test.config)
			if took := time.Since(began); took > time.Second {
				t.Errorf("the verdict took %v", took)
			}
			checkProbe(t, err, test.want)
			if err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %v, want one that says %q", err, test.says)
			}
			if test.config == nil || test.config.ServerName != "127.0.0.1" || test.config.MaxVersion != 0 {
				return
			}
			// A transport says the same.
			link, dialErr := (&AMQP{TLS: test.config}).Dial(ctx, test.address)
			if dialErr == nil {
				link.Close()
			}
			checkProbe(t, dialErr, test.want)
		})
	}
}

// The broker that serves TLS changes hands like any other.
func TestTLSTakeover(t *testing.T) {
	w := newTown(t)
	i := w.identity(w.house("here", time.Now(), "h"))
	hosts, a := secureHosts(t, i, 2)
	b := rig{TB: t, transport: &AMQP{identity: i}, address: a}
	for _, h := range hosts {
		b.ok(h.ensure(t.Context()))
	}
	for n, h := range hosts {
		b.ok(h.ensure(t.Context()))
		if !h.hosting() {
			t.Fatalf("host %d does not host", n)
		}
		in, out := b.dial(), b.dial()
		got := b.consume(in, "k")
		large := strings.Repeat("x", 1<<20)
		b.publish(out, "k", "one", large)
		b.expect(got, "one", large)
		h.close()
		b.dead(in, ErrLost)
	}
}

// A client that has not spoken keeps no other out, and the host closes in spite of it.
func TestTLSSilentClient(t *testing.T) {
	w := newTown(t)
	i := w.identity(w.house("here", time.Now(), "h"))
	hosts, a := secureHosts(t, i, 1)
	b := rig{TB: t, transport: &AMQP{identity: i}, address: a}
	b.ok(hosts[0].ensure(t.Context()))
	for range 3 {
		silent, err := net.Dial("tcp", a.HostPort())
		b.ok(err)
		defer silent.Close()
	}
	b.dial()
	within(t, "close", time.Second, hosts[0].close)
}

// What is not TLS is answered with an alert before it is hung up on, whatever it is.
func TestTLSRefusesClear(t *testing.T) {
	w := newTown(t)
	hosts, a := secureHosts(t, w.identity(w.house("here", time.Now(), "h")), 1)
	if err := hosts[0].ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, says := range []string{protocolHeader, "GET / HTTP/1.1\r\n\r\n", "A"} {
		conn, err := net.Dial("tcp", a.HostPort())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(patience))
		io.WriteString(conn, says)
		if answer, err := io.ReadAll(conn); string(answer) != plainRefused {
			t.Errorf("%q is answered %q, %v", says, answer, err)
		}
	}
}

// eavesdropper is a server in clear that keeps what is said to it.
func eavesdropper(t *testing.T) (Address, func() []byte) {
	var mu sync.Mutex
	var heard bytes.Buffer
	a := serving(t, func(conn net.Conn) {
		conn.SetDeadline(time.Now().Add(50 * time.Millisecond))
		b := make([]byte, 4096)
		n, _ := io.ReadAtLeast(conn, b, 6)
		mu.Lock()
		defer mu.Unlock()
		heard.Write(b[:n])
	})
	return a, func() []byte {
		mu.Lock()
		defer mu.Unlock()
		return bytes.Clone(heard.Bytes())
	}
}

// What a scout with certificates says of brokers with and without TLS, and one without of those
// with; and that it says its password to none of them in clear.
func TestTLSScout(t *testing.T) {
	w, elsewhere := newTown(t), newTown(t)
	ours := w.identity(w.house("ours", time.Now(), "h"))
	strange := elsewhere.identity(elsewhere.house("strange", time.Now(), "h"))
	at := func(a Address) netip.AddrPort { return netip.MustParseAddrPort(a.HostPort()) }
	served, secureAddress := secureHosts(t, ours, 1)
	plain, plainAddress := hostsAt(t, 1)
	const password = "password-of-the-town"
	for _, h := range []*host{served[0], plain[0]} {
		h.config.Password = password
		if err := h.ensure(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ear, heard := eavesdropper(t)

	for _, tt := range []struct {
		name     string
		identity *identity
		at       Address
		want     discovery.Verdict
		says     string
	}{
		{"TLS on both sides", ours, secureAddress, discovery.LetIn, ""},
		{"TLS here only", ours, plainAddress, discovery.NotAMQP, "the broker there does not speak TLS"},
		{"TLS there only", nil, secureAddress, discovery.NotAMQP, "the broker there speaks nothing but TLS"},
		{"another authority", strange, secureAddress, discovery.WrongCredentials, "unknown authority"},
		{"an eavesdropper", ours, ear, discovery.NotAMQP, "does not speak TLS"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			own := Address{TLS: tt.identity != nil, User: "u", Password: NewSecret(password), VHost: "/"}
			p := &prober{transport: &AMQP{identity: tt.identity}, defaults: own, sender: seal.NewSenderID(), directory: new(directory)}
			began := time.Now()
			verdict, err := p.Knock(t.Context(), at(tt.at))
			if verdict != tt.want || (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("verdict %v, error %v; want %v, %q", verdict, err, tt.want, tt.says)
			}
			if took := time.Since(began); took > time.Second {
				t.Errorf("the verdict took %v", took)
			}
			if a := p.address(at(tt.at)); a.TLS != own.TLS {
				t.Errorf("found, it is %v", a)
			}
		})
	}
	if b := heard(); len(b) == 0 || b[0] != recordHandshake || bytes.Contains(b, []byte(password)) {
		t.Errorf("the eavesdropper heard %q", b)
	}
}
