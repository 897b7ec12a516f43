package network_test

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/statemesh/statemesh/network"
)

// certified makes an authority and the certificate of a host, and another one for each further
// host; it returns the directories, each with a .env for all.
func certified(t *testing.T, others ...string) []string {
	t.Helper()
	root := t.TempDir()
	if _, err := (network.TLSKeygen{}).Write(root); err != nil {
		t.Fatal(err)
	}
	if _, err := (network.Keygen{}).Write(root); err != nil {
		t.Fatal(err)
	}
	env, err := os.ReadFile(filepath.Join(root, ".env"))
	if err != nil {
		t.Fatal(err)
	}
	dirs := []string{root}
	for _, name := range others {
		dir := filepath.Join(root, name)
		if _, err := (network.TLSKeygen{Hosts: []string{name}, Out: dir}).Write(root); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, ".env"), env, 0o600); err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, dir)
	}
	return dirs
}

// in lets a node live in a directory, with what .env there says.
func in(dir, listen string, peers ...string) func(*network.Config) {
	return func(c *network.Config) {
		c.Dir, c.Listen, c.Peers = dir, listen, peers
		c.User, c.Password = "", network.Secret{}
	}
}

// Nodes on two hosts with certificates, and a third on a host without: it has the same credentials
// and the same key, hears nothing, and is told why.
func TestTLSMesh(t *testing.T) {
	b := newBed(t)
	dirs := certified(t, "second")
	one, two, three := freeAddress(t), freeAddress(t), freeAddress(t)
	n1 := b.node("one", in(dirs[0], one, "amqps://"+two))
	n1b := b.node("one_b", in(dirs[0], one, "amqps://"+two))
	n2 := b.node("two", in(dirs[1], two, "amqps://"+one))
	if !n1.Hosting() || n1b.Hosting() || !n2.Hosting() {
		t.Fatalf("hosting: %v, %v, %v", n1.Hosting(), n1b.Hosting(), n2.Hosting())
	}
	c, err := network.Load(dirs[0])
	if err != nil {
		t.Fatal(err)
	}
	n3 := b.node("three", func(plain *network.Config) {
		plain.Listen, plain.User, plain.Password = three, c.User, c.Password
		plain.Peers = []string{"amqp://" + one, "amqps://" + two}
	})
	up := func(p network.PeerStatus) bool { return p.State == "up" }
	for _, n := range []*network.Node{n1, n1b, n2} {
		awaitPeers(t, n, "all up", func(all []network.PeerStatus) bool { return len(all) == 2 && up(all[0]) && up(all[1]) })
	}
	awaitPeers(t, n3, "two peers that refuse", func(all []network.PeerStatus) bool {
		return len(all) == 3 && errors.Is(all[1].Err, network.ErrTLS) && errors.Is(all[2].Err, network.ErrTLS)
	})
	all := n3.Peers()
	if !strings.Contains(all[1].Err.Error(), "nothing but TLS") || !strings.Contains(all[2].Err.Error(), "unknown authority") {
		t.Errorf("it is told %v and %v", all[1].Err, all[2].Err)
	}
	e1, e1b, e2, e3 := b.ear(n1, "e1", network.ObjectConfig{}), b.ear(n1b, "e1b", network.ObjectConfig{}), b.ear(n2, "e2", network.ObjectConfig{}), b.ear(n3, "e3", network.ObjectConfig{})
	e1.say(t, 1)
	e1b.expect(t, words(1, 1)...)
	e2.expect(t, words(1, 1)...)
	e2.say(t, 2)
	e1.expect(t, words(2, 2)...)
	e1b.expect(t, words(1, 2)...)
	e3.nothing(t)

	// The broker on the first host changes hands, and still serves nothing but TLS.
	closeNode(t, n1)
	awaitPeers(t, n1b, "hosts", func([]network.PeerStatus) bool { return n1b.Hosting() })
	for _, n := range []*network.Node{n1b, n2} {
		awaitPeers(t, n, "all up again", func(all []network.PeerStatus) bool { return up(all[0]) && up(all[1]) })
	}
	plain, err := network.ParseAddress("amqp://"+one, network.Address{User: c.User, Password: c.Password})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&network.AMQP{}).Dial(t.Context(), plain); !errors.Is(err, network.ErrTLS) {
		t.Errorf("in clear: %v", err)
	}
	e2.say(t, 3)
	e1b.expect(t, words(1, 3)...)
	if lines := b.log.lines("level=WARN", "file="); len(lines) > 0 {
		t.Errorf("warnings: %v", lines)
	}
}

// awaitPeers waits until the brokers of a node are so.
func awaitPeers(t *testing.T, n *network.Node, what string, isSo func([]network.PeerStatus) bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for late := time.After(deadline); !isSo(n.Peers()); {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%s: not %s: %+v", n.Name(), what, n.Peers())
		}
	}
}

// A node whose own broker is not what it has certificates for gives up at once, and says why.
func TestTLSNodeErrors(t *testing.T) {
	dirs, strangers := certified(t), certified(t)
	serving, plain := freeAddress(t), freeAddress(t)
	b := newBed(t)
	b.node("one", in(dirs[0], serving))
	b.node("plain", func(c *network.Config) { c.Listen = plain })
	for name, tt := range map[string]struct {
		change func(*network.Config)
		says   string
	}{
		"no certificates here": {func(c *network.Config) { c.Listen = serving }, "nothing but TLS"},
		"no TLS there":         {in(dirs[0], plain), "does not speak TLS"},
		"another authority":    {in(strangers[0], serving), "unknown authority"},
	} {
		c := b.config
		tt.change(&c)
		n, err := network.NewNode(t.Context(), c)
		if err == nil {
			closeNode(t, n)
		}
		if !errors.Is(err, network.ErrTLS) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want ErrTLS that says %q", name, err, tt.says)
		}
	}
}

// The next process serves TLS as well when the one that did is killed.
func TestTLSProcessOutlivesItsHost(t *testing.T) {
	dir, listen := certified(t)[0], freeAddress(t)
	first := launch(t, dir, listen, "first")
	first.expect("ready hosting=true")
	second := launch(t, dir, listen, "second")
	second.expect("ready hosting=false")
	first.expect("heard second")
	second.expect("heard first")
	first.kill()
	second.expect("hosting=true")
	third := launch(t, dir, listen, "third")
	third.expect("ready hosting=false")
	second.expect("heard third")
	third.expect("heard second")
	// An outsider's handshake shows that it is TLS that is spoken, and asks for a certificate.
	conn, err := net.Dial("tcp", listen)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	asked := false
	outsider := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		asked = true
		return &tls.Certificate{}, nil
	}})
	if err := outsider.HandshakeContext(t.Context()); err == nil {
		_, err = outsider.Read(make([]byte, 1))
		if err == nil {
			t.Error("it talks to an outsider")
		}
	}
	if !asked {
		t.Error("it asks for no certificate")
	}
}
