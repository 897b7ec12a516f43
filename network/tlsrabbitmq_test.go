package network

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/statemesh/statemesh/internal/brokertest"
)

// secureRabbitMQ starts a RabbitMQ that serves TLS alone, to clients with a certificate of
// the town; its certificate is in dir.
func secureRabbitMQ(t *testing.T, dir string) Address {
	t.Helper()
	brokertest.RabbitMQ(t) // skips if there is none
	const script = "../scripts/rabbitmq.sh"
	state := t.TempDir()
	start := exec.Command(script, "start", state)
	start.Env = append(os.Environ(), "RABBIT_TLS="+dir, EnvUser+"=", EnvPassword+"=")
	start.Stderr = os.Stderr
	url, err := start.Output()
	if exit, is := errors.AsType[*exec.ExitError](err); is && exit.ExitCode() == 3 && os.Getenv(brokertest.RequireVariable) != "1" {
		t.Skip("RabbitMQ is not installed here: it cannot be started with TLS")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if out, err := exec.Command(script, "stop", state).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	a, err := ParseAddress(strings.TrimSpace(string(url)), Address{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// RabbitMQ with TLS, which asks for client certificates: what a link does, what a node does that
// finds it at its default address, and what refusals look like.
func TestTLSRabbitMQ(t *testing.T) {
	clearEnvironment(t)
	w, elsewhere := newTown(t), newTown(t)
	dir := w.house("here", time.Now(), "h")
	ours, authority := w.identity(dir), w.identity(dir, authorityOnly)
	strange := elsewhere.identity(elsewhere.house("strange", time.Now(), "h"))
	old := w.identity(w.house("old", time.Now().Add(-validHost-time.Hour), "h"))
	a := secureRabbitMQ(t, dir)
	if !a.TLS {
		t.Fatalf("it is at %v", a)
	}

	b := rig{TB: t, transport: &AMQP{identity: ours}, address: a}
	link := b.dial()
	got := b.consume(link, "k")
	large := strings.Repeat("x", 1<<20)
	b.publish(link, "k", "one", large)
	b.expect(got, "one", large)

	untrusted := strange.client(a.Host)
	untrusted.VerifyConnection = nil // it takes the broker, and the broker does not take it
	wrong, plain := a, a
	wrong.Password = NewSecret("hidden")
	plain.TLS = false
	for _, tt := range []struct {
		name string
		err  func(context.Context) error
		want error
		says string
	}{
		{"wrong password", func(ctx context.Context) error { return probe(ctx, wrong, ours.client(a.Host)) }, ErrCredentials, ""},
		{"no certificate", func(ctx context.Context) error { return probe(ctx, a, authority.client(a.Host)) }, ErrTLS, "refused our certificate, or wants one"},
		{"certificate of another authority", func(ctx context.Context) error { return probe(ctx, a, untrusted) }, ErrTLS, "refused our certificate, or wants one"},
		{"expired certificate", func(ctx context.Context) error { return probe(ctx, a, old.client(a.Host)) }, ErrTLS, "refused our certificate, or wants one"},
		{"trusts another authority", func(ctx context.Context) error { return probe(ctx, a, strange.client(a.Host)) }, ErrTLS, "unknown authority"},
		{"in clear", func(ctx context.Context) error { return probe(ctx, plain, nil) }, ErrTLS, "nothing but TLS"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			began := time.Now()
			err := tt.err(ctx)
			if took := time.Since(began); took > time.Second {
				t.Errorf("the verdict took %v", took)
			}
			checkProbe(t, err, tt.want)
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %v, want one that says %q", err, tt.says)
			}
		})
	}

	n, err := NewNode(t.Context(), Config{
		Dir: w.root, Listen: a.HostPort(), User: a.User, Password: a.Password, SnoopOutput: io.Discard,
		Certificates: Certificates{CA: "here/ca.pem", Cert: "here/cert.pem", Key: "here/key.pem"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if n.Hosting() || n.Peers()[0].State != "up" || !n.host.occupied.Load() {
		t.Errorf("hosting: %v, %+v", n.Hosting(), n.Peers())
	}
	if err := n.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
