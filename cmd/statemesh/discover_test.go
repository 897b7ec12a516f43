package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/network"
	"github.com/statemesh/statemesh/network/discovery"
)

// meshDir returns a directory with a complete .env, with more lines.
func meshDir(t *testing.T, lines ...string) string {
	t.Helper()
	dir := t.TempDir()
	keys, err := network.Keygen{}.Lines()
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, ".env"), keys+strings.Join(append(lines, ""), "\n"))
	return dir
}

var lan = netip.MustParsePrefix("192.168.1.0/24")

func someReport() discovery.Report {
	at := func(host byte) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 168, 1, host}), 5672)
	}
	return discovery.Report{
		Began:   time.Date(2026, 11, 22, 1, 2, 3, 500_000_000, time.UTC),
		Elapsed: 1234567 * time.Microsecond,
		Rungs: []discovery.RungReport{
			{Rung: "hosts", Asked: 1, Found: 1, Elapsed: 1500 * time.Microsecond},
			{Rung: "cache", Elapsed: 42 * time.Microsecond, Err: errors.New("cache: line 3:\nnot\tJSON")},
			{Rung: "table", Interface: "eth0", Network: lan, Asked: 2, Found: 2, Elapsed: 300 * time.Microsecond},
			{Rung: "arp", Interface: "eth0", Network: lan, Asked: 253, Found: 2, Elapsed: 12345678 * time.Microsecond},
			{Rung: "udp", Interface: "eth0", Network: lan, Skipped: "arp has answered"},
		},
		Candidates: []discovery.Candidate{
			{
				Address: at(7), Via: "arp", Verdict: discovery.Ours, Elapsed: 20 * time.Millisecond, RoundTrip: 1260 * time.Microsecond,
				Nodes: []discovery.Node{{ID: [16]byte{0xab, 15: 1}, Name: "bob-1"}, {ID: [16]byte{2}, Name: "bob-2"}},
			},
			{Address: at(9), Name: "cellar", Via: "hosts", Verdict: discovery.WrongCredentials, Err: errors.New("network: broker refused the user name or the password")},
			{Address: at(11), Via: "table", Verdict: discovery.Dead},
		},
	}
}

const tables = `RUNG   INTERFACE  NETWORK         ASKED  FOUND  TOOK   NOTE
hosts  -          -               1      1      1.5ms
cache  -          -               0      0      42µs   gave up: cache: line 3:; not JSON
table  eth0       192.168.1.0/24  2      2      300µs
arp    eth0       192.168.1.0/24  253    2      12.3s
udp    eth0       192.168.1.0/24  0      0      -      skipped: arp has answered

ADDRESS            NAME    VERDICT            VIA    ROUND TRIP  NODES         WHY
192.168.1.7:5672   -       ours               arp    1.3ms       bob-1, bob-2
192.168.1.9:5672   cellar  wrong credentials  hosts  -           -             broker refused the user name or the password
192.168.1.11:5672  -       dead               table  -           -

1 of 3 addresses is ours. It took 1.23s.
`

const reportLine = `{"began":"2026-11-22T01:02:03.5Z","elapsed_ms":1234.567,"rungs":[` +
	`{"rung":"hosts","asked":1,"found":1,"elapsed_ms":1.5},` +
	`{"rung":"cache","asked":0,"found":0,"elapsed_ms":0.042,"error":"cache: line 3:; not\tJSON"},` +
	`{"rung":"table","interface":"eth0","network":"192.168.1.0/24","asked":2,"found":2,"elapsed_ms":0.3},` +
	`{"rung":"arp","interface":"eth0","network":"192.168.1.0/24","asked":253,"found":2,"elapsed_ms":12345.678},` +
	`{"rung":"udp","interface":"eth0","network":"192.168.1.0/24","asked":0,"found":0,"elapsed_ms":0,"skipped":"arp has answered"}],` +
	`"candidates":[` +
	`{"address":"192.168.1.7:5672","verdict":"ours","via":"arp","elapsed_ms":20,"round_trip_ms":1.26,"nodes":[{"id":"ab000000000000000000000000000001","name":"bob-1"},{"id":"02000000000000000000000000000000","name":"bob-2"}]},` +
	`{"address":"192.168.1.9:5672","name":"cellar","verdict":"wrong credentials","via":"hosts","elapsed_ms":0,"nodes":[],"why":"broker refused the user name or the password"},` +
	`{"address":"192.168.1.11:5672","verdict":"dead","via":"table","elapsed_ms":0,"nodes":[]}]}` + "\n"

func TestDiscover(t *testing.T) {
	noNetwork := discovery.Report{Elapsed: 2 * time.Second, Rungs: []discovery.RungReport{
		{Rung: "table", Err: fmt.Errorf("%w: %q", discovery.ErrInterface, "eth7")},
	}}
	one := discovery.Report{Elapsed: time.Second, Candidates: someReport().Candidates[:1], Rungs: someReport().Rungs[2:3]}
	other := discovery.Report{Elapsed: time.Second, Candidates: someReport().Candidates[2:], Rungs: someReport().Rungs[2:3]}
	tests := []struct {
		name, args string
		report     discovery.Report
		err        error
		code       int
		stdout     string // its end, if it begins with dots
		stderr     string
	}{
		{name: "tables", report: someReport(), stdout: tables},
		{name: "JSON", args: "-json", report: someReport(), stdout: reportLine},
		{
			name:   "nobody",
			stdout: "RUNG  INTERFACE  NETWORK  ASKED  FOUND  TOOK  NOTE\n\nNobody was found; this host is on no network that could be searched.\n",
		},
		{name: "nobody, JSON", args: "-json", stdout: `{"began":"0001-01-01T00:00:00Z","elapsed_ms":0,"rungs":[],"candidates":[]}` + "\n"},
		{
			name: "no such interface", report: noNetwork, code: exitFailed,
			stdout: "...this host is on no network that could be searched. It took 2s.\n",
			stderr: `statemesh discover: no network could be searched: discovery: no such interface: "eth7"` + "\n",
		},
		{name: "one", report: one, stdout: "...\n\n1 address, which is ours. It took 1s.\n"},
		{name: "another one", report: other, stdout: "...\n\n1 address, which is not ours. It took 1s.\n"},
		{name: "error", err: network.ErrConfig, code: exitFailed, stderr: "statemesh discover: bad configuration\n"},
		{
			name: "two errors", err: errors.Join(errors.New("network: one"), errors.New("network: two")), code: exitFailed,
			stderr: "statemesh discover: one\nstatemesh discover: two\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := prepare(t, "")
			c.discover = func(context.Context, network.Config) (discovery.Report, error) { return tt.report, tt.err }
			code := c.start(append([]string{"discover", "-dir", meshDir(t)}, strings.Fields(tt.args)...)...).wait()
			if code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			got := c.stdout.String()
			if end, ok := strings.CutPrefix(tt.stdout, "..."); ok && strings.HasSuffix(got, end) {
				got = tt.stdout
			}
			if diff := cmp.Diff(tt.stdout, got); diff != "" {
				t.Errorf("standard output (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.stderr, c.stderr.String()); diff != "" {
				t.Errorf("standard error (-want +got):\n%s", diff)
			}
			if strings.Contains(tt.args, "-json") && !json.Valid([]byte(got)) {
				t.Error("not JSON")
			}
		})
	}
}

// What .env and the flags say comes to discovery.
func TestDiscoverConfig(t *testing.T) {
	dir := meshDir(t, "RABBIT_PORT=5673", "STATEMESH_LAN_INTERFACES=eth9")
	for _, tt := range []struct {
		args       string
		port       int
		interfaces []string
		prefixes   []netip.Prefix
	}{
		{"", 5673, []string{"eth9"}, nil},
		{"-port 5674 -interface eth0,eth1 -prefix 192.168.1.7/24,10.0.0.0/8", 5674, []string{"eth0", "eth1"}, []netip.Prefix{lan, netip.MustParsePrefix("10.0.0.0/8")}},
	} {
		c := prepare(t, "")
		var got network.Config
		c.discover = func(_ context.Context, config network.Config) (discovery.Report, error) {
			got = config
			if config.TraceCharts != nil {
				fmt.Fprintln(config.TraceCharts, "a line of trace")
			}
			config.Logger.Warn("something\nodd", "file", "cache")
			config.Logger.With("a", 1).WithGroup("g").Warn("else")
			config.Logger.Info("too much")
			return discovery.Report{}, nil
		}
		args := append([]string{"discover", "-trace", "-dir", dir}, strings.Fields(tt.args)...)
		if code := c.start(args...).wait(); code != exitOK {
			t.Errorf("exit code %d", code)
		}
		if got.Port != tt.port || !got.LAN || got.Dir != dir || got.MeshKey.IsZero() || got.Password.IsZero() {
			t.Errorf("%s: config %v", tt.args, got)
		}
		if got.Discovery.Interfaces == nil { // looked up later, as for all that is not set
			got.Discovery.Interfaces = []string{"eth9"}
		}
		if diff := cmp.Diff(tt.interfaces, got.Discovery.Interfaces); diff != "" {
			t.Errorf("interfaces (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(fmt.Sprint(tt.prefixes), fmt.Sprint(got.Discovery.Prefixes)); diff != "" {
			t.Errorf("prefixes (-want +got):\n%s", diff)
		}
		want := "a line of trace\nstatemesh discover: something; odd (file cache)\nstatemesh discover: else (a 1)\n"
		if diff := cmp.Diff(want, c.stderr.String()); diff != "" {
			t.Errorf("standard error (-want +got):\n%s", diff)
		}
	}
}

// Without credentials and a key nobody is looked for.
func TestDiscoverNeedsKeys(t *testing.T) {
	const (
		begin = "statemesh discover: the LAN needs "
		end   = "; statemesh keygen writes what is missing there\n"
	)
	key := "MESH_ENCRYPTION_KEY=" + strings.Repeat("B", 42) + "A=\n"
	for _, tt := range []struct{ name, env, missing string }{
		{"nothing", "", "RABBIT_USER, RABBIT_PASSWORD (other than guest) and MESH_ENCRYPTION_KEY"},
		{"guest", "RABBIT_USER=guest\nRABBIT_PASSWORD=guest\n" + key, "RABBIT_USER and RABBIT_PASSWORD (other than guest)"},
		{"no key", "RABBIT_USER=u\nRABBIT_PASSWORD=p\n", "MESH_ENCRYPTION_KEY"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			writeFile(t, ".env", tt.env)
			prepare(t, "").expect(exitFailed, "", begin+tt.missing+", in the environment or in .env"+end, "discover")
			if got := readFile(t, ".env"); got != tt.env {
				t.Errorf(".env is now %q", got)
			}
		})
	}
	t.Run("half a guest", func(t *testing.T) {
		for _, env := range []string{"RABBIT_PASSWORD=p\n", "RABBIT_USER=u\n", "RABBIT_USER=guest\nRABBIT_PASSWORD=p\n"} {
			t.Chdir(t.TempDir())
			writeFile(t, ".env", env+key)
			c := prepare(t, "")
			c.discover = func(context.Context, network.Config) (discovery.Report, error) { return discovery.Report{}, nil }
			if code := c.start("discover").wait(); code != exitOK {
				t.Errorf("%q: exit code %d: %s", env, code, &c.stderr)
			}
		}
	})
	t.Run("a bad file", func(t *testing.T) {
		t.Chdir(t.TempDir())
		writeFile(t, ".env", "RABBIT_PORT=hidden\nMESH_ENCRYPTION_KEY=hidden\n")
		c := prepare(t, "").start("discover")
		if code := c.wait(); code != exitFailed {
			t.Errorf("exit code %d", code)
		}
		lines := strings.Split(c.stderr.String(), "\n")
		if len(lines) != 3 || !strings.HasPrefix(lines[0], "statemesh discover: bad configuration: RABBIT_PORT in .env: ") ||
			!strings.HasPrefix(lines[1], "statemesh discover: bad configuration: MESH_ENCRYPTION_KEY in .env: ") || strings.Contains(c.stderr.String(), "hidden") {
			t.Errorf("standard error %q", lines)
		}
	})
}

// It ends when it may look no longer.
func TestDiscoverEnds(t *testing.T) {
	endless := func(ctx context.Context, _ network.Config) (discovery.Report, error) {
		<-ctx.Done()
		return discovery.Report{}, ctx.Err()
	}
	c := prepare(t, "")
	c.discover = endless
	c.expect(exitFailed, "", "statemesh discover: looking was not over after 1ms\n", "discover", "-timeout", "1ms", "-dir", meshDir(t))

	c = prepare(t, "")
	began := make(chan bool)
	c.discover = func(ctx context.Context, config network.Config) (discovery.Report, error) {
		close(began)
		return endless(ctx, config)
	}
	c.start("discover", "-timeout", "1h", "-dir", meshDir(t))
	<-began
	c.end()
	if code := c.wait(); code != exitFailed || c.stderr.String() != "statemesh discover: interrupted\n" {
		t.Errorf("exit code %d, %q", code, c.stderr.String())
	}
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "", 1: "0s", 999: "1µs", 1234567: "1.2ms", 999_960_000: "1s", 1_234_567_890: "1.23s", 12_345_678_900: "12.3s", 61 * time.Second: "1m1s",
	} {
		if got := short(d); got != want {
			t.Errorf("short(%d) = %q, want %q", d, got, want)
		}
	}
}
