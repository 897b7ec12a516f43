package network

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
)

var discard = slog.New(slog.DiscardHandler)

// hostsAt returns hosts that would all serve the same address.
func hostsAt(t *testing.T, n int) ([]*host, Address) {
	a := closedPort(t)
	var hosts []*host
	for range n {
		h := newHost(settings{Config: Config{Logger: discard}, own: a, listen: a.HostPort()})
		t.Cleanup(h.close)
		hosts = append(hosts, h)
	}
	return hosts, a
}

func TestTakeover(t *testing.T) {
	hosts, a := hostsAt(t, 2)
	b := rig{TB: t, transport: &AMQP{}, address: a}
	// Each of the two dials as a node does.
	meet := func(hosts ...*host) (links []Link) {
		for _, h := range hosts {
			b.ok(h.ensure(t.Context()))
			links = append(links, b.dial())
		}
		return links
	}
	first := meet(hosts...)
	if !hosts[0].hosting() || hosts[1].hosting() {
		t.Fatalf("hosting: %v, %v; want the first alone", hosts[0].hosting(), hosts[1].hosting())
	}
	got := b.consume(first[0], "k")
	b.publish(first[1], "k", "one")
	b.expect(got, "one")

	hosts[0].close()
	b.dead(first[0], ErrLost)
	b.dead(first[1], ErrLost)
	if err := hosts[0].ensure(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed host says %v", err)
	}

	second := meet(hosts[1])
	if hosts[0].hosting() || !hosts[1].hosting() {
		t.Errorf("hosting: %v, %v; want the second alone", hosts[0].hosting(), hosts[1].hosting())
	}
	got = b.consume(second[0], "k")
	b.publish(second[0], "k", "two")
	b.expect(got, "two")
	hosts[0].close()
}

// Of many that try at once, one hosts; and again when it ends, till nobody is left.
func TestElection(t *testing.T) {
	hosts, a := hostsAt(t, 10)
	for left := len(hosts); left > 0; left-- {
		var work sync.WaitGroup
		for _, h := range hosts {
			work.Go(func() {
				for range 3 {
					if err := h.ensure(t.Context()); err != nil && !errors.Is(err, ErrClosed) {
						t.Error(err)
					}
				}
			})
		}
		work.Wait()
		var winners []*host
		for _, h := range hosts {
			if h.hosting() {
				winners = append(winners, h)
			}
		}
		if len(winners) != 1 {
			t.Fatalf("%d hosts, want 1", len(winners))
		}
		if err := probe(t.Context(), a, nil); err != nil {
			t.Error(err)
		}
		winners[0].close()
	}
	if err := probe(t.Context(), a, nil); !errors.Is(err, ErrRefused) {
		t.Errorf("after the last one: %v", err)
	}
}

func TestHostCredentials(t *testing.T) {
	hosts, a := hostsAt(t, 1)
	if err := hosts[0].ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := probe(t.Context(), a, nil); err != nil {
		t.Error(err)
	}
	a.Password = NewSecret("other")
	if err := probe(t.Context(), a, nil); !errors.Is(err, ErrCredentials) {
		t.Errorf("another password: %v", err)
	}
}

func TestHostJoins(t *testing.T) {
	hosts, a := hostsAt(t, 1)
	listener, err := net.Listen("tcp", a.HostPort())
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if err := hosts[0].ensure(t.Context()); err != nil || hosts[0].hosting() {
		t.Errorf("hosting %v, error %v", hosts[0].hosting(), err)
	}
}

// Where the system would let us listen beside who listens at all addresses, we ask first.
func TestHostAsksFirst(t *testing.T) {
	hosts, a := hostsAt(t, 1)
	h, served := hosts[0], true
	h.answers = func(_ context.Context, address string) bool {
		if address != a.HostPort() {
			t.Errorf("asked for %s", address)
		}
		return served
	}
	if err := h.ensure(t.Context()); err != nil || h.hosting() {
		t.Errorf("somebody listens: hosting %v, error %v", h.hosting(), err)
	}
	if answers(t.Context(), a.HostPort()) {
		t.Error("nobody listens, and answers says that somebody does")
	}
	served = false
	if err := h.ensure(t.Context()); err != nil || !h.hosting() {
		t.Errorf("nobody listens: hosting %v, error %v", h.hosting(), err)
	}
	if !answers(t.Context(), a.HostPort()) {
		t.Error("somebody listens, and answers says that nobody does")
	}
}

func TestHostErrors(t *testing.T) {
	hosts, _ := hostsAt(t, 2)
	hosts[0].listen = "192.0.2.1:5672" // of nobody, RFC 5737
	if err := hosts[0].ensure(t.Context()); !errors.Is(err, ErrUnreachable) || !errors.Is(err, syscall.EADDRNOTAVAIL) {
		t.Errorf("an address that is not ours: %v", err)
	}
	hosts[1].listen = ""
	if err := hosts[1].ensure(t.Context()); err != nil || hosts[1].hosting() {
		t.Errorf("nothing to host: hosting %v, error %v", hosts[1].hosting(), err)
	}
}

// A broker whose listener fails is not ours any more; the next ensure makes another.
func TestHostRecovers(t *testing.T) {
	hosts, a := hostsAt(t, 1)
	h := hosts[0]
	if err := h.ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.mu.Lock()
	server := h.server
	h.mu.Unlock()
	server.Close()
	eventually(t, "it hosts no more", func() bool { return !h.hosting() })
	if err := h.ensure(t.Context()); err != nil || !h.hosting() {
		t.Errorf("hosting %v, error %v", h.hosting(), err)
	}
	if err := probe(t.Context(), a, nil); err != nil {
		t.Error(err)
	}
}

// A host that serves a LAN hangs up on whoever is not on it, before a word is said.
func TestHostAdmits(t *testing.T) {
	hosts, a := hostsAt(t, 1)
	var asked []netip.Addr
	admitted := false
	hosts[0].admits = func(from netip.Addr) bool {
		asked = append(asked, from)
		return admitted
	}
	b := rig{TB: t, transport: &AMQP{}, address: a}
	b.ok(hosts[0].ensure(t.Context()))
	if _, err := b.transport.Dial(t.Context(), a); !errors.Is(err, ErrUnreachable) && !errors.Is(err, ErrLost) {
		t.Errorf("a stranger's dial ends in %v", err)
	}
	hosts[0].close()
	admitted = true
	hosts, a = hostsAt(t, 1)
	hosts[0].admits = func(netip.Addr) bool { return true }
	b.address = a
	b.ok(hosts[0].ensure(t.Context()))
	b.dial()
	if len(asked) == 0 || !asked[0].IsLoopback() {
		t.Errorf("asked about %v", asked)
	}
}

// Where another kind of broker was joined, nobody takes its place while it is away.
func TestHostLeavesTheNextRabbitMQItsPort(t *testing.T) {
	hosts, a := hostsAt(t, 1)
	hosts[0].occupied.Store(true)
	if err := hosts[0].ensure(t.Context()); err != nil || hosts[0].hosting() {
		t.Errorf("ensure: %v, hosting: %v", err, hosts[0].hosting())
	}
	if _, err := (&AMQP{}).Dial(t.Context(), a); !errors.Is(err, ErrRefused) {
		t.Errorf("dial: %v, want ErrRefused", err)
	}
}
