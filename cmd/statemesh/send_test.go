package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/network"
	"github.com/statemesh/statemesh/network/discovery"
)

func TestSend(t *testing.T) {
	dir, port := portDir(t)
	node := newNode(t, dir)
	hearer := newEar(t, node, "hearer")
	hearer.start(t)
	for _, tt := range []struct {
		args  []string
		stdin string
		want  any
	}{
		{args: []string{"word"}, want: nil},
		{args: []string{"word", ""}, want: ""},
		{args: []string{"word", "hello you"}, want: "hello you"},
		{args: []string{"word", `"hello"`}, want: "hello"},
		{args: []string{"word", "5"}, want: int64(5)},
		{args: []string{"word", "-5"}, want: int64(-5)},
		{args: []string{"word", "1e3"}, want: int64(1000)},
		{args: []string{"word", "2.5"}, want: 2.5},
		{args: []string{"word", "null"}, want: nil},
		{args: []string{"word", "truely"}, want: "truely"},
		{args: []string{"word", `{"a":[1,true,null,"x"]}`}, want: map[string]any{"a": []any{int64(1), true, nil, "x"}}},
		{args: []string{"-text", "word", "5"}, want: "5"},
		{args: []string{"-text", "word", "-lan"}, want: "-lan"},
		{args: []string{"-json", "word", "[5]"}, want: []any{int64(5)}},
		{args: []string{"-name", "me", "-to", "big.bad.man", "word", "5"}, want: int64(5)},
		{args: []string{"number8", "100"}, want: int8(100)},
		{args: []string{"word", "-"}, stdin: "{\"a\":\n1}\n", want: map[string]any{"a": int64(1)}},
		{args: []string{"word", "-"}, stdin: "two\nlines\n", want: "two\nlines"},
		{args: []string{"-text", "word", "-"}, stdin: "unread", want: "-"},
	} {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			signal := "word"
			if tt.args[0] == number8.String() {
				signal = tt.args[0]
			}
			prepare(t, tt.stdin).expect(exitOK, fmt.Sprintf("%s was taken by 1 broker: amqp://statemesh@127.0.0.1:%d/\n", signal, port), "",
				append([]string{"send", "-dir", dir}, tt.args...)...)
			got := hearer.hears(t)
			if diff := cmp.Diff(tt.want, got.Payload); diff != "" || got.Signal.String() != signal {
				t.Errorf("%s, payload (-want +got):\n%s", got.Signal, diff)
			}
		})
	}
	// A broker takes what nobody hears.
	for _, args := range [][]string{{"-to", "nobody", "word", "1"}, {"not_declared"}} {
		if code := prepare(t, "").start(append([]string{"send", "-dir", dir}, args...)...).wait(); code != exitOK {
			t.Errorf("%q: exit code %d", args, code)
		}
	}
	if code := prepare(t, "").start("send", "-dir", dir, "-broker", fmt.Sprint("amqp://127.0.0.1:", port), "word", "last").wait(); code != exitOK {
		t.Errorf("-broker: exit code %d", code)
	}
	if got := hearer.hears(t); got.Payload != "last" {
		t.Errorf("heard %v, want the last one only", got)
	}
}

func TestSendMistakes(t *testing.T) {
	dir, _ := portDir(t)
	newNode(t, dir)
	for _, tt := range []struct {
		args   []string
		stdin  string
		code   int
		stderr string
	}{
		{args: []string{"-name", "a b", "word"}, code: exitUsage, stderr: `object name: "a b" is not a name`},
		{args: []string{"-to", strings.Repeat("x", 256), "word"}, code: exitUsage, stderr: "bad routing key"},
		{args: []string{"number8", "1000"}, code: exitUsage, stderr: "payload"}, // this program knows better
		{args: []string{"a\nb"}, code: exitUsage, stderr: "signal's name"},
		{args: []string{"-text", "word", "\xff"}, code: exitUsage, stderr: "payload"},
		{args: []string{"word", strings.Repeat("[", 20) + strings.Repeat("]", 20)}, code: exitUsage, stderr: "payload"},
		{args: []string{"word", "-"}, stdin: strings.Repeat("x", network.DefaultMaxMessage+1), code: exitFailed, stderr: "standard input is longer"},
		{args: []string{"word", "-"}, stdin: strings.Repeat("x", network.DefaultMaxMessage), code: exitFailed, stderr: "too large"},
	} {
		c := prepare(t, tt.stdin).start(append([]string{"send", "-dir", dir}, tt.args...)...)
		if code := c.wait(); code != tt.code || !strings.Contains(c.stderr.String(), tt.stderr) || c.stdout.String() != "" {
			t.Errorf("%.80q: exit code %d, %s", tt.args, code, &c.stderr)
		}
	}
}

func TestSendNobodyListens(t *testing.T) {
	dir, port := portDir(t)
	c := prepare(t, "")
	c.adjust = func(config *network.Config) { // it must not say that it hosts a broker
		config.Logger = slog.New(logHandler{w: &c.stderr, level: slog.LevelInfo})
	}
	c.expect(exitFailed, "", "statemesh send: nobody listens here; nothing was sent\n", "send", "-dir", dir, "word")
	c = prepare(t, "").start("send", "-dir", dir, "-broker", fmt.Sprint("amqp://u:hidden@127.0.0.1:", port), "word")
	if code := c.wait(); code != exitFailed || !strings.Contains(c.stderr.String(), "connection refused") || strings.Contains(c.stderr.String(), "hidden") {
		t.Errorf("exit code %d: %s", code, &c.stderr)
	}
}

func TestSendWithoutKey(t *testing.T) {
	t.Chdir(t.TempDir())
	writeFile(t, ".env", "RABBIT_USER=ann\n")
	prepare(t, "").expect(exitFailed, "", "statemesh send: there is no MESH_ENCRYPTION_KEY in the environment or in .env, "+
		"so that nobody could open the event; nothing was sent\n", "send", "word")
	if got := readFile(t, ".env"); got != "RABBIT_USER=ann\n" {
		t.Errorf(".env is now %q", got)
	}
}

// A broker that says nothing is given up.
func TestSendEnds(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan net.Conn, 16)
	ended := make(chan bool)
	go func() {
		defer close(ended)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- conn
		}
	}()
	defer func() {
		l.Close()
		<-ended
		close(accepted)
		for conn := range accepted {
			conn.Close()
		}
	}()
	dir := meshDir(t, fmt.Sprint("RABBIT_PORT=", l.Addr().(*net.TCPAddr).Port))
	prepare(t, "").expect(exitFailed, "", "statemesh send: it could not be done in 50ms; nothing was sent\n", "send", "-timeout", "50ms", "-dir", dir, "word")
	c := prepare(t, "").start("send", "-timeout", "1h", "-dir", dir, "word")
	defer (<-accepted).Close()
	c.end()
	if code := c.wait(); code != exitFailed || c.stderr.String() != "statemesh send: interrupted\n" {
		t.Errorf("exit code %d: %s", code, &c.stderr)
	}
}

// Nobody types.
func TestSendInputEnds(t *testing.T) {
	c := prepare(t, "")
	r, w := net.Pipe()
	defer r.Close()
	defer w.Close()
	c.stdin = r
	c.start("send", "word", "-")
	c.end()
	if code := c.wait(); code != exitFailed || c.stderr.String() != "statemesh send: interrupted\n" {
		t.Errorf("exit code %d: %s", code, &c.stderr)
	}
	c = prepare(t, "")
	r.Close()
	c.stdin = r
	if code := c.start("send", "word", "-").wait(); code != exitFailed || !strings.HasPrefix(c.stderr.String(), "statemesh send: cannot read standard input: ") {
		t.Errorf("exit code %d: %s", code, &c.stderr)
	}
}

// air is a LAN that is not there: 10.0.0.0/24 on a Memory transport, in virtual time. Host 1
// is that of the command.
type air struct {
	memory *network.Memory
	dir    string // of .env

	mu    sync.Mutex // guards hosts
	hosts []netip.Addr
}

func (a *air) Name() string { return "air" }

func (a *air) Sweep(ctx context.Context, _ discovery.Network, _ []netip.Addr, found func(netip.Addr)) error {
	a.mu.Lock()
	hosts := slices.Clone(a.hosts)
	a.mu.Unlock()
	for _, host := range hosts {
		found(host)
	}
	return ctx.Err()
}

// on makes a Config one of a host of the air.
func (a *air) on(t *testing.T, host string) func(*network.Config) {
	dir, own := t.TempDir(), netip.MustParseAddr(host)
	return func(c *network.Config) {
		c.Transport, c.Broker, c.Name, c.LAN = a.memory, host, "host-"+host, true
		c.Discovery = discovery.Options{
			Dir:    dir,
			Sweeps: []discovery.Sweep{a},
			Networks: func() ([]discovery.Network, error) {
				return []discovery.Network{{Interface: "air0", Index: 1, Own: own, Prefix: netip.MustParsePrefix("10.0.0.0/24")}}, nil
			},
			Own: func() ([]netip.Addr, error) { return []netip.Addr{own}, nil },
		}
	}
}

// ear makes a node on a host, which is found from then on, and an object that listens there.
func (a *air) ear(t *testing.T, host string) *ear {
	t.Helper()
	e := newEar(t, newNode(t, a.dir, a.on(t, host)), "ear")
	e.start(t)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.hosts = append(a.hosts, netip.MustParseAddr(host))
	return e
}

func onTheAir(t *testing.T, test func(t *testing.T, a *air)) {
	synctest.Test(t, func(t *testing.T) {
		test(t, &air{memory: network.NewMemory(), dir: meshDir(t)})
		synctest.Wait()
	})
}

func TestSendOnTheLAN(t *testing.T) {
	const (
		one   = "amqp://statemesh@10.0.0.1:5672/"
		two   = "amqp://statemesh@10.0.0.2:5672/"
		three = "amqp://statemesh@10.0.0.3:5672/"
	)
	send := func(t *testing.T, a *air, change ...func(*network.Config)) *call {
		c := prepare(t, "")
		here := a.on(t, "10.0.0.1")
		c.adjust = func(config *network.Config) {
			if !config.LAN {
				t.Error("-lan is not in the Config")
			}
			for _, f := range append([]func(*network.Config){here}, change...) {
				f(config)
			}
		}
		return c
	}
	args := []string{"send", "-lan", "-dir"}
	t.Run("all", func(t *testing.T) {
		onTheAir(t, func(t *testing.T, a *air) {
			ears := []*ear{a.ear(t, "10.0.0.2"), a.ear(t, "10.0.0.3")}
			c := send(t, a).start(append(args, a.dir, "word", "5")...)
			code := c.wait()
			taken := strings.TrimPrefix(c.stdout.String(), "word was taken by 3 brokers: ")
			if code != exitOK || len(taken) == c.stdout.b.Len() || !contains(one, two, three)(taken) || c.stderr.String() != "" {
				t.Errorf("exit code %d, %q, %q", code, &c.stdout, &c.stderr)
			}
			for _, e := range ears {
				if got := e.hears(t); got.Payload != int64(5) {
					t.Errorf("%s heard %v", e.Node().Name(), got)
				}
			}
		})
	})
	t.Run("one is down", func(t *testing.T) {
		onTheAir(t, func(t *testing.T, a *air) {
			a.ear(t, "10.0.0.2")
			a.memory.Refuse("10.0.0.3", network.ErrUnreachable)
			c := send(t, a, func(c *network.Config) { c.Peers = []string{"10.0.0.3"} }).start(append(args, a.dir, "word", "5")...)
			want := "statemesh send: word was taken by 2 brokers, and not by " + three + " (broker unreachable: 10.0.0.3:5672)\n"
			if code := c.wait(); code != exitFailed || !strings.HasSuffix(c.stderr.String(), want) || c.stdout.String() != "" {
				t.Errorf("exit code %d, %q, %q; want %q", code, &c.stdout, &c.stderr, want)
			}
		})
	})
	t.Run("one takes nothing", func(t *testing.T) {
		onTheAir(t, func(t *testing.T, a *air) {
			a.memory.Block("10.0.0.3", true)
			c := send(t, a, func(c *network.Config) { c.Peers = []string{"10.0.0.3"} })
			began := time.Now()
			c.start(append(args, a.dir, "-timeout", "3s", "word", "5")...)
			want := "statemesh send: word was taken by 1 broker, and not by " + three + "\n"
			if code := c.wait(); code != exitFailed || !strings.HasSuffix(c.stderr.String(), want) {
				t.Errorf("exit code %d, %q; want %q", code, &c.stderr, want)
			}
			if took := time.Since(began); took > 6*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	})
	t.Run("a stranger", func(t *testing.T) {
		onTheAir(t, func(t *testing.T, a *air) {
			a.ear(t, "10.0.0.2")
			a.memory.Refuse("10.0.0.2", network.ErrCredentials)
			c := send(t, a).start(append(args, a.dir, "word", "5")...)
			if code := c.wait(); code != exitOK || c.stdout.String() != "word was taken by 1 broker: "+one+"\n" ||
				!contains("10.0.0.2", "wrong credentials")(c.stderr.String()) {
				t.Errorf("exit code %d, %q, %q", code, &c.stdout, &c.stderr)
			}
		})
	})
	t.Run("too slow", func(t *testing.T) {
		onTheAir(t, func(t *testing.T, a *air) {
			c := send(t, a, func(c *network.Config) { c.Discovery.Sweeps = []discovery.Sweep{slowSweep{}} })
			c.start(append(args, a.dir, "-timeout", "3s", "word")...)
			want := "statemesh send: it could not be done in 3s; nothing was sent\n"
			if code := c.wait(); code != exitFailed || c.stderr.String() != want {
				t.Errorf("exit code %d, %q; want %q", code, &c.stderr, want)
			}
		})
	})
	// With -lan a node hosts the broker if nobody else does, but nobody is there.
	t.Run("nobody", func(t *testing.T) {
		dir, port := portDir(t)
		a := &air{}
		c := prepare(t, "")
		c.adjust = func(config *network.Config) {
			a.on(t, "10.0.0.1")(config)
			config.Transport, config.Broker, config.Listen = nil, "", fmt.Sprint("127.0.0.1:", port)
		}
		c.expect(exitFailed, "", "statemesh send: nobody listens here; nothing was sent\n", append(args, dir, "word")...)
	})
	t.Run("no keys", func(t *testing.T) {
		dir := t.TempDir()
		prepare(t, "").expect(exitFailed, "", "statemesh send: the LAN needs RABBIT_USER, RABBIT_PASSWORD (other than guest) and MESH_ENCRYPTION_KEY, "+
			"in the environment or in "+filepath.Join(dir, ".env")+"; statemesh keygen writes what is missing there\n", append(args, dir, "word")...)
	})
}

// slowSweep takes as long as it may.
type slowSweep struct{}

func (slowSweep) Name() string { return "slow" }

func (slowSweep) Sweep(ctx context.Context, _ discovery.Network, _ []netip.Addr, _ func(netip.Addr)) error {
	<-ctx.Done()
	return errors.New("slow")
}
