package network

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// keyed returns an environment with a mesh key, so that nothing is written.
func keyed(t *testing.T) (dir string) {
	t.Helper()
	_, key := testKey(t, "m")
	return environ(t, map[string]string{EnvMeshKey: key}, "")
}

func TestZeroConfig(t *testing.T) {
	dir := keyed(t)
	s, err := Config{Dir: dir}.complete()
	if err != nil {
		t.Fatal(err)
	}
	own := Address{Host: "127.0.0.1", Port: 5672, User: "guest", Password: NewSecret("guest"), VHost: "/"}
	if s.own != own || s.listen != "127.0.0.1:5672" || len(s.peers) != 0 || s.newKey != "" {
		t.Errorf("own %v, listen %q, peers %v, new key %q", s.own, s.listen, s.peers, s.newKey)
	}
	type decided struct {
		Heartbeat, TTL             time.Duration
		Attempts, Outbox, MaxBytes int
		Color                      Color
	}
	want := decided{10 * time.Second, 50 * time.Second, 3, 1024, 1 << 20, ColorAuto}
	got := decided{s.Heartbeat, s.TTL, s.ConnectionAttempts, s.Outbox, s.MaxMessage, s.Color}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	host, _ := os.Hostname()
	if s.Name != fmt.Sprintf("%s-%d", host, os.Getpid()) {
		t.Errorf("name %q", s.Name)
	}
	transport, ok := s.Transport.(*AMQP)
	if !ok || s.Logger == nil || s.SnoopOutput != os.Stdout {
		t.Fatalf("transport %T, logger %v, output %v", s.Transport, s.Logger, s.SnoopOutput)
	}
	if transport.Name != s.Name || transport.Heartbeat != s.Heartbeat || transport.TTL != s.TTL {
		t.Errorf("transport %+v", transport)
	}
}

func TestConfigAddresses(t *testing.T) {
	tests := []struct {
		name   string
		set    map[string]string
		config Config
		own    string
		listen string
		peers  []string
	}{
		{"another port", nil, Config{Port: 99}, "amqp://guest@127.0.0.1:99/", "127.0.0.1:99", nil},
		{"port of the environment", map[string]string{EnvPort: "98"}, Config{Peers: []string{"amqp://h", "amqps://s", "amqp://g:5", "127.0.0.1:6", "localhost"}},
			"amqp://guest@127.0.0.1:98/", "127.0.0.1:98", []string{"amqp://guest@h:98/", "amqps://guest@s:5671/", "amqp://guest@g:5/", "amqp://guest@127.0.0.1:6/", "amqp://guest@localhost:98/"}},
		{"listen", nil, Config{Listen: "127.0.0.9:7"}, "amqp://guest@127.0.0.9:7/", "127.0.0.9:7", nil},
		{"listen without port", nil, Config{Listen: "127.0.0.9", Port: 8}, "amqp://guest@127.0.0.9:8/", "127.0.0.9:8", nil},
		{"listen by name", nil, Config{Listen: "localhost"}, "amqp://guest@localhost:5672/", "localhost:5672", nil},
		{"listen, IPv6", nil, Config{Listen: "[::1]:7"}, "amqp://guest@[::1]:7/", "[::1]:7", nil},
		{"broker", nil, Config{Broker: "amqp://h/v"}, "amqp://guest@h:5672/v", "", nil},
		{"broker without password", nil, Config{Broker: "amqp://u:@h/"}, "amqp://u@h:5672/", "", nil},
		{"user of the environment", map[string]string{EnvUser: "u", EnvPassword: "p"}, Config{Peers: []string{"amqp://h", "amqp://v:q@g"}},
			"amqp://u@127.0.0.1:5672/", "127.0.0.1:5672", []string{"amqp://u@h:5672/", "amqp://v@g:5672/"}},
		{"doubles", nil, Config{Broker: "amqp://h", Peers: []string{"amqp://a", "amqp://u:p@a:5672", "amqp://H:5672", "amqp://a/v"}},
			"amqp://guest@h:5672/", "", []string{"amqp://guest@a:5672/", "amqp://guest@a:5672/v"}},
		{"nothing is hosted in memory", nil, Config{Transport: NewMemory(), Listen: "127.0.0.1:1"}, "amqp://guest@127.0.0.1:1/", "", nil},
		{"AMQP of our own is hosted", nil, Config{Transport: &AMQP{}}, "amqp://guest@127.0.0.1:5672/", "127.0.0.1:5672", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			key, _ := testKey(t, "m")
			test.config.Dir, test.config.MeshKey = environ(t, test.set, ""), key
			s, err := test.config.complete()
			if err != nil {
				t.Fatal(err)
			}
			var peers []string
			for _, p := range s.peers {
				peers = append(peers, p.String())
			}
			if s.own.String() != test.own || s.listen != test.listen {
				t.Errorf("own %v, listen %q", s.own, s.listen)
			}
			if diff := cmp.Diff(test.peers, peers); diff != "" {
				t.Errorf("peers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestConfigCredentials(t *testing.T) {
	dir := keyed(t)
	s, err := Config{Dir: dir, User: "u", Password: NewSecret("p"), Peers: []string{"amqp://h", "amqp://v:q@g"}}.complete()
	if err != nil {
		t.Fatal(err)
	}
	for _, check := range []struct {
		a    Address
		want string
	}{{s.own, "u p"}, {s.peers[0], "u p"}, {s.peers[1], "v q"}} {
		if got := check.a.User + " " + check.a.Password.Reveal(); got != check.want {
			t.Errorf("%v has %q, want %q", check.a, got, check.want)
		}
	}
}

// All mistakes come at once, those of the program and those of the environment.
func TestConfigErrors(t *testing.T) {
	dir := environ(t, map[string]string{EnvTraceKey: "hidden"}, "")
	c := Config{
		Dir: dir, Name: "a\nb", Broker: "http://hidden", Listen: "127.0.0.1:1", Port: -1, Peers: []string{"ok", "h:hidden"},
		Heartbeat: 1500 * time.Millisecond, ConnectionAttempts: -1, Outbox: -1, MaxMessage: 1, TTL: time.Nanosecond, Color: 7,
		TLS: &tls.Config{}, Transport: NewMemory(),
	}
	_, err := c.complete()
	want := []string{"Name", "Broker", "Listen", "Port", "Peers[1]", "Heartbeat: it has no effect", "Heartbeat: it has to be whole seconds",
		"ConnectionAttempts", "Outbox", "MaxMessage", "TTL", "Color", "TLS", EnvTraceKey + " in the environment"}
	if !errors.Is(err, ErrConfig) {
		t.Fatalf("error %v, want an ErrConfig", err)
	}
	if got := strings.Count(err.Error(), "\n") + 1; got != len(want) {
		t.Errorf("%d mistakes, want %d", got, len(want))
	}
	for _, name := range want {
		if !strings.Contains(err.Error(), ErrConfig.Error()+": "+name) {
			t.Errorf("nothing is said of %s", name)
		}
	}
	if strings.Contains(err.Error(), "hid") {
		t.Error("a value is shown")
	}
	if t.Failed() {
		t.Log(err)
	}
	if _, err := os.Stat(dir + "/.env"); err == nil {
		t.Error("a key has been written in spite of the mistakes")
	}
}

func TestConfigListenErrors(t *testing.T) {
	dir := keyed(t)
	for listen, want := range map[string]string{
		"0.0.0.0:5672":       "set RABBIT_USER and RABBIT_PASSWORD",
		"10.0.0.1:5672":      "set RABBIT_USER and RABBIT_PASSWORD",
		"example.org:1":      "an IP address",
		"amqp://127.0.0.1":   "want host:port",
		"127.0.0.1:0":        "number from 1 to 65535",
		"127.0.0.1:hidden":   "number from 1 to 65535",
		"[2001:db8::1]:5672": "statemesh keygen",
	} {
		_, err := Config{Dir: dir, Listen: listen}.complete()
		if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "Listen: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one that says %q", listen, err, want)
		}
	}
	_, err := Config{Dir: dir, User: "u"}.complete()
	if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), `Password: user "u" has none`) {
		t.Errorf("a user without password: error %v", err)
	}
}

func TestConfigShowsNoSecret(t *testing.T) {
	key, text := testKey(t, "k")
	c := Config{
		Name: "n", Broker: "amqp://me:hidden@rabbit/v", Listen: "hid den", User: "u", Password: NewSecret("hidden"),
		Peers: []string{"amqp://me:hidden@peer", "h:1"}, MeshKey: key, TraceKey: key, SpyKey: key, Heartbeat: time.Second,
		Transport: &AMQP{}, TLS: &tls.Config{},
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("text", "config", c, "pointer", &c)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("json", "config", c, "list", []Config{c})
	printed := map[string]string{"log": log.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		printed[verb] = fmt.Sprintf(verb, c) + fmt.Sprintf(verb, &c) + fmt.Sprintf(verb, struct{ C Config }{c})
	}
	marshalled, err := json.Marshal(map[string]any{"c": c, "p": &c})
	if err != nil {
		t.Fatal(err)
	}
	printed["json"] = string(marshalled)
	for how, got := range printed {
		if strings.Contains(got, "hid") || strings.Contains(got, text) {
			t.Errorf("%s shows a secret: %s", how, got)
		}
		if !strings.Contains(got, "amqp://me@rabbit:5672/v") || !strings.Contains(got, key.ID().String()) {
			t.Errorf("%s shows too little: %s", how, got)
		}
	}

	// Inside other people's structs nobody asks Format, and only the URLs are without cover.
	c.Broker, c.Peers = "", nil
	s := settings{Config: c, own: Address{Password: c.Password}}
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		if got := fmt.Sprintf(verb, struct{ c Config }{c}) + fmt.Sprintf(verb, s) + fmt.Sprintf(verb, struct{ s settings }{s}); strings.Contains(got, "hidden") || strings.Contains(got, text) {
			t.Errorf("%s shows a secret: %s", verb, got)
		}
	}
}

func TestColorString(t *testing.T) {
	for c, want := range map[Color]string{ColorAuto: "auto", ColorAlways: "always", ColorNever: "never", 9: "Color(9)"} {
		if got := c.String(); got != want {
			t.Errorf("%d is %q, want %q", int(c), got, want)
		}
	}
}
