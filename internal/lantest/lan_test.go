package lantest

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/statemesh/statemesh/internal/brokertest"
	"github.com/statemesh/statemesh/internal/netnstest"
	"github.com/statemesh/statemesh/network"
	"github.com/statemesh/statemesh/network/seal"
)

// lanPatience bounds every wait of these tests.
const lanPatience = 30 * time.Second

// village is a LAN of hosts that run the ergodic example, and nothing but its .env.
type village struct {
	*testing.T
	lab      *netnstest.TestLab
	programs string // a directory that everybody may read
	rabbitMQ bool   // each host has one
	key      seal.Key

	authority string // directory of the one that signs for all; "" without TLS
}

func newVillage(t *testing.T, programs string, rabbitMQ bool) *village {
	return &village{T: t, lab: netnstest.New(t), programs: programs, rabbitMQ: rabbitMQ, key: seal.NewKey()}
}

// build compiles the programs once, where an unprivileged user can run them.
func build(t *testing.T, packages ...string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "statemesh-lan-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, p := range packages {
		if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, filepath.Base(p)), "github.com/statemesh/statemesh/"+p).CombinedOutput(); err != nil {
			t.Fatalf("go build %s: %v\n%s", p, err, out)
		}
	}
	return dir
}

// settle makes a host with a directory and the .env that all have.
func (v *village) settle(name string, changes map[string]string, addresses ...string) *resident {
	v.Helper()
	var prefixes []netip.Prefix
	for _, a := range addresses {
		prefixes = append(prefixes, netip.MustParsePrefix(a))
	}
	dir, err := os.MkdirTemp("", "statemesh-host-")
	if err != nil {
		v.Fatal(err)
	}
	v.Cleanup(func() { os.RemoveAll(dir) })
	r := &resident{v: v, host: v.lab.Host(name, prefixes...), name: name + "_ao", dir: dir}
	r.user = r.host.Command
	env := map[string]string{
		network.EnvUser: "mesh", network.EnvPassword: "in-the-village", network.EnvMeshKey: v.key.Encode(),
		network.EnvLAN: "1", network.EnvHeartbeat: "1",
	}
	if v.authority != "" {
		env[network.EnvTLSCA], env[network.EnvTLSCert], env[network.EnvTLSKey] = network.FileCA, network.FileCert, network.FileKey
	}
	for name, value := range changes {
		env[name] = value
	}
	if env[network.EnvTLSCA] != "" {
		if _, err := (network.TLSKeygen{Hosts: []string{prefixes[0].Addr().String()}, Out: dir}).Write(v.authority); err != nil {
			v.Fatal(err)
		}
	}
	var b strings.Builder
	for name, value := range env {
		fmt.Fprintf(&b, "%s=%s\n", name, value)
	}
	if err := os.WriteFile(filepath.Join(dir, ".env"), []byte(b.String()), 0o600); err != nil {
		v.Fatal(err)
	}
	if v.rabbitMQ {
		r.startRabbitMQ(env[network.EnvUser], env[network.EnvPassword])
	}
	return r
}

// meshed waits until all hear all from now on, and returns when that was.
func (v *village) meshed(all ...*resident) time.Time {
	v.Helper()
	marks := map[*resident]int{}
	for _, r := range all {
		marks[r] = r.out.len()
	}
	last := time.Time{}
	for _, r := range all {
		for _, other := range all {
			if r != other && !v.Failed() {
				if at := r.hears(other, marks[r]); at.After(last) {
					last = at
				}
			}
		}
	}
	if v.Failed() {
		v.FailNow()
	}
	return last
}

// balanced stops all, one after the other, and checks for each pair of which the sender
// was stopped first: all that was sent was received, or is reported as missed or as sent
// before the first.
func (v *village) balanced(all ...*resident) (missed uint64) {
	v.Helper()
	var senders []nodeCounts
	for _, r := range all {
		counts := r.stop()
		for _, sender := range senders {
			for _, s := range counts.Stats.Senders {
				if s.Node != sender.Node {
					continue
				}
				v.Logf("%s to %s: sent %d = received %d + missed %d + before the first %d",
					sender.Node, counts.Node, sender.Stats.Transmitted, s.Received, s.Missed, s.Earlier)
				if sender.Stats.Transmitted != s.Received+s.Missed+s.Earlier {
					v.Errorf("the sum is not what was sent; peers of the sender: %+v", sender.Peers)
				}
				missed += s.Missed
			}
		}
		senders = append(senders, counts)
	}
	return missed
}

// TestLAN runs the ergodic example on hosts that know nothing of each other.
func TestLAN(t *testing.T) {
	if err := netnstest.Available(); err != nil && os.Getenv(netnstest.Required) == "" {
		t.Skip(err)
	}
	programs := build(t, "examples/ergodic", "cmd/statemesh")
	for _, broker := range []string{"embedded", "RabbitMQ"} {
		t.Run(broker, func(t *testing.T) {
			rabbitMQ := broker == "RabbitMQ"
			if rabbitMQ {
				if err := exec.Command("../../scripts/rabbitmq.sh", "install").Run(); err != nil {
					brokertest.RabbitMQ(t) // says whether that is a failure
					t.Skip("RabbitMQ cannot be installed here")
				}
			}
			for _, scenario := range []struct {
				name string
				run  func(*village)
			}{
				{"mesh", testMesh},
				{"strangers", testStrangers},
				{"networks", testNetworks},
				{"tls", testTLS},
			} {
				t.Run(scenario.name, func(t *testing.T) { scenario.run(newVillage(t, programs, rabbitMQ)) })
			}
		})
	}
}

// testMesh: three hosts find each other; a broker dies and comes back; a link is cut for
// ten seconds; a fourth host comes late, and a fifth runs without any privilege.
func testMesh(v *village) {
	h1, h2, h3 := v.settle("h1", nil, "10.77.0.1/24"), v.settle("h2", nil, "10.77.0.2/24"), v.settle("h3", nil, "10.77.0.3/24")
	all := []*resident{h1, h2, h3}
	for _, r := range all {
		r.start()
	}
	full := v.meshed(all...).Sub(h1.began)
	v.Logf("from the start of the first program to all hear all: %v", full.Round(time.Millisecond))
	if !v.rabbitMQ && full > 2*time.Second {
		v.Errorf("full mesh after %v, want under 2 s", full)
	}

	if v.rabbitMQ {
		mark := h1.errs.len()
		h2.killRabbitMQ()
		h1.says("lost a broker.*10.77.0.2", mark)
		mark = h1.errs.len()
		h2.startRabbitMQ("mesh", "in-the-village")
		h1.says("a broker is back.*10.77.0.2", mark)
	} else {
		mark := h1.errs.len()
		h2.kill() // its broker dies with it
		h1.says("lost a broker.*10.77.0.2", mark)
		h2.start()
	}
	v.meshed(all...)
	v.Log("a broker was killed and came back: all hear all")

	mark := h1.errs.len()
	if err := h3.host.Cut(0); err != nil {
		v.Fatal(err)
	}
	<-time.After(10 * time.Second) // the outage itself
	h1.says("lost a broker.*10.77.0.3", mark)
	mark = h1.errs.len()
	if err := h3.host.Mend(0); err != nil {
		v.Fatal(err)
	}
	h1.says("a broker is back.*10.77.0.3", mark)
	v.meshed(all...)
	v.Log("a link was cut for 10 s: all hear all")

	h4 := v.settle("h4", nil, "10.77.0.4/24")
	h4.start()
	late := v.meshed(append(all, h4)...).Sub(h4.began)
	v.Logf("a latecomer: all hear all %v after its start", late.Round(time.Millisecond))
	h5 := v.settle("h5", nil, "10.77.0.5/24").unprivileged()
	h5.start()
	late = v.meshed(append(all, h4, h5)...).Sub(h5.began)
	v.Logf("a latecomer without privileges: all hear all %v after its start", late.Round(time.Millisecond))
	v.Logf("missed in all: %d", v.balanced(append(all, h4, h5)...))
}

// testStrangers: one host has another password, one another key. Nobody hears them, they
// hear nobody, and everybody says why.
func testStrangers(v *village) {
	h1, h2 := v.settle("h1", nil, "10.77.0.1/24"), v.settle("h2", nil, "10.77.0.2/24")
	password := v.settle("h3", map[string]string{network.EnvPassword: "of-another-village"}, "10.77.0.3/24")
	key := v.settle("h4", map[string]string{network.EnvMeshKey: seal.NewKey().Encode()}, "10.77.0.4/24")
	all := []*resident{h1, h2, password, key}
	for _, r := range all {
		r.start()
	}
	v.meshed(h1, h2)
	password.says(`no peer.*10.77.0.[12].*wrong credentials`, 0)
	key.says(`no peer.*10.77.0.[12].*not ours`, 0)
	v.discoverAll()
	mark := h1.out.len()
	v.meshed(h1, h2) // once more, with time for the others to be heard
	for _, r := range []*resident{h1, h2} {
		for _, stranger := range []*resident{password, key} {
			if strings.Contains(r.out.String(), stranger.name) || strings.Contains(stranger.out.String(), r.name) {
				v.Errorf("%s and %s hear each other:\n%s", r.name, stranger.name, r.out)
			}
		}
	}
	_ = mark
	v.balanced(h1, h2)
	for _, stranger := range []*resident{password, key} {
		if n := len(stranger.stop().Stats.Senders); n != 0 {
			v.Errorf("%s heard events of %d others", stranger.name, n)
		}
	}
}

// discoverAll runs the tool on a host of its own, with privileges and without, and looks at
// what it says of the others.
func (v *village) discoverAll() {
	v.Helper()
	h9 := v.settle("h9", nil, "10.77.0.9/24")
	for _, privileged := range []bool{true, false} {
		if !privileged {
			h9.unprivileged()
		}
		cmd := h9.user(context.Background(), filepath.Join(v.programs, "statemesh"), "discover")
		cmd.Dir = h9.dir
		out, err := cmd.CombinedOutput()
		v.Logf("statemesh discover, privileged: %v\n%s", privileged, out)
		if err != nil {
			v.Errorf("statemesh discover: %v", err)
		}
		for address, verdict := range map[string]string{
			"10.77.0.1": "ours", "10.77.0.2": "ours", "10.77.0.3": "wrong credentials", "10.77.0.4": "not ours",
		} {
			if !regexp.MustCompile(regexp.QuoteMeta(address) + `:5672\s.*\b` + verdict).Match(out) {
				v.Errorf("it does not say that %s is %s", address, verdict)
			}
		}
		if bytes.Contains(out, []byte("village")) {
			v.Error("it shows a password")
		}
	}
}

// testNetworks: hosts of a /16, two of which have a second interface to another network,
// so that there are two ways between them.
func testNetworks(v *village) {
	h1 := v.settle("h1", nil, "10.77.0.1/16")
	h2 := v.settle("h2", nil, "10.77.0.2/16", "10.99.0.2/24")
	h3 := v.settle("h3", nil, "10.99.0.3/24")
	h4 := v.settle("h4", nil, "10.77.200.4/16") // beyond the /24 that h1 and h2 search
	h5 := v.settle("h5", nil, "10.77.0.5/16", "10.99.0.5/24")
	far := filepath.Join(h4.dir, ".statemesh_hosts.json")
	if err := os.WriteFile(far, []byte(`{"hosts": ["10.77.0.1"]}`), 0o644); err != nil {
		v.Fatal(err)
	}
	for _, r := range []*resident{h1, h2, h3, h4, h5} {
		r.start()
	}
	for range 3 {
		v.meshed(h1, h2)
		if !v.rabbitMQ { // it listens on the first address only
			v.meshed(h2, h3)
		}
		v.meshed(h1, h4) // is named by h4, and h1 hears of it
		v.meshed(h2, h5)
	}
	v.balanced(h1, h2, h3, h4)
	ways := 0
	for _, p := range h5.stop().Peers {
		if strings.Contains(p.Address, "10.77.0.2:") || strings.Contains(p.Address, "10.99.0.2:") {
			ways++
		}
	}
	if ways != 1 {
		v.Errorf("h5 has %d peers for the broker of h2, want one", ways)
	}
}

// testTLS: three hosts with certificates of one authority, one without, one with a certificate of
// another authority. The last two have the same password and key, hear nobody, and are told why.
func testTLS(v *village) {
	authority := func() string {
		dir := v.TempDir()
		if _, err := (network.TLSKeygen{}).Write(dir); err != nil {
			v.Fatal(err)
		}
		return dir
	}
	v.authority = authority()
	h1, h2, h3 := v.settle("h1", nil, "10.77.0.1/24"), v.settle("h2", nil, "10.77.0.2/24"), v.settle("h3", nil, "10.77.0.3/24")
	plain := v.settle("h4", map[string]string{network.EnvTLSCA: "", network.EnvTLSCert: "", network.EnvTLSKey: ""}, "10.77.0.4/24")
	ours := v.authority
	v.authority = authority()
	other := v.settle("h5", nil, "10.77.0.5/24")
	v.authority = ours

	all := []*resident{h1, h2, h3}
	for _, r := range all {
		r.start()
	}
	full := v.meshed(all...).Sub(h1.began)
	v.Logf("from the start of the first program to all hear all: %v", full.Round(time.Millisecond))
	if !v.rabbitMQ && full > 2*time.Second {
		v.Errorf("full mesh after %v, want under 2 s", full)
	}
	plain.start()
	other.start()
	plain.says(`no peer.*10.77.0.[123].*nothing but TLS`, 0)
	other.says(`no peer.*10.77.0.[123].*wrong credentials.*unknown authority`, 0)

	rabbitMQ := v.rabbitMQ
	v.rabbitMQ = false // who only looks needs none
	h9 := v.settle("h9", nil, "10.77.0.9/24")
	v.rabbitMQ = rabbitMQ
	discover := h9.user(context.Background(), filepath.Join(v.programs, "statemesh"), "discover")
	discover.Dir = h9.dir
	out, err := discover.CombinedOutput()
	v.Logf("statemesh discover:\n%s", out)
	if err != nil {
		v.Errorf("statemesh discover: %v", err)
	}
	for address, says := range map[string]string{
		"10.77.0.1": "ours", "10.77.0.2": "ours", "10.77.0.3": "ours",
		"10.77.0.4": "not AMQP.*does not speak TLS", "10.77.0.5": "wrong credentials.*unknown authority",
	} {
		if !regexp.MustCompile(regexp.QuoteMeta(address) + `:5672\s.*\b` + says).Match(out) {
			v.Errorf("it does not say that %s is %s", address, says)
		}
	}

	if !v.rabbitMQ {
		mark := h1.errs.len()
		h2.kill() // its broker dies with it
		h1.says("lost a broker.*10.77.0.2", mark)
		h2.start()
	}
	v.meshed(all...)
	for _, r := range all {
		for _, stranger := range []*resident{plain, other} {
			if strings.Contains(r.out.String(), stranger.name) || strings.Contains(stranger.out.String(), r.name) {
				v.Errorf("%s and %s hear each other:\n%s", r.name, stranger.name, r.out)
			}
		}
	}
	v.balanced(all...)
	for _, stranger := range []*resident{plain, other} {
		if n := len(stranger.stop().Stats.Senders); n != 0 {
			v.Errorf("%s heard events of %d others", stranger.name, n)
		}
	}
}
