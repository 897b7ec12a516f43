package network

import (
	"bytes"
	"crypto/tls"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What certificates make of a Config, and what it must not be with them.
func TestTLSSettings(t *testing.T) {
	w, elsewhere := newTown(t), newTown(t)
	dir := w.house("here", time.Now(), "h")
	theirs := filepath.Join(elsewhere.house("theirs", time.Now(), "h"), FileCA)
	key, _ := testKey(t, "m")
	all := Certificates{CA: FileCA, Cert: FileCert, Key: FileKey}
	trust, pair := Certificates{CA: FileCA}, Certificates{Cert: FileCert, Key: FileKey}
	i := w.identity(dir)
	serving := i.server()
	own := &tls.Config{RootCAs: i.roots}
	for _, tt := range []struct {
		name   string
		config Config
		own    string // without the user
		serves bool
		wrong  string
	}{
		{name: "none", own: "amqp://127.0.0.1:5672/"},
		{name: "all", config: Config{Certificates: all}, own: "amqps://127.0.0.1:5672/", serves: true},
		{name: "all, another port", config: Config{Certificates: all, Port: 9}, own: "amqps://127.0.0.1:9/", serves: true},
		{name: "all, listen", config: Config{Certificates: all, Listen: "127.0.0.1:7"}, own: "amqps://127.0.0.1:7/", serves: true},
		{name: "all, LAN", config: Config{Certificates: all, LAN: true}, own: "amqps://127.0.0.1:5672/", serves: true},
		{name: "all, a broker", config: Config{Certificates: all, Broker: "amqps://h"}, own: "amqps://h:5671/", serves: true},
		{name: "all, a broker, LAN", config: Config{Certificates: all, Broker: "amqps://h", LAN: true}, own: "amqps://h:5671/", serves: true},
		{name: "all, a broker in clear", config: Config{Certificates: all, Broker: "amqp://h"}, own: "amqp://h:5672/", serves: true},
		{name: "all, a broker in clear, LAN", config: Config{Certificates: all, Broker: "amqp://h", LAN: true}, wrong: "LAN: with certificates, nothing is sent in clear"},
		{name: "all, a broker here in clear, LAN", config: Config{Certificates: all, Broker: "127.0.0.1", LAN: true}, wrong: "LAN: with certificates, nothing is sent in clear"},
		{name: "authority", config: Config{Certificates: trust}, own: "amqp://127.0.0.1:5672/"},
		{name: "authority, LAN", config: Config{Certificates: trust, LAN: true}, wrong: "set STATEMESH_TLS_CERT and STATEMESH_TLS_KEY, too"},
		{name: "authority, a broker, LAN", config: Config{Certificates: trust, Broker: "amqps://h", LAN: true}, own: "amqps://h:5671/"},
		{name: "pair", config: Config{Certificates: pair}, own: "amqps://127.0.0.1:5672/", serves: true},
		{name: "pair, LAN", config: Config{Certificates: pair, LAN: true}, wrong: "LAN: with TLS, hosts that are found by their addresses have no names to check: set STATEMESH_TLS_CA"},
		{name: "a broker, LAN, nothing of ours", config: Config{Broker: "amqps://h", LAN: true}, wrong: "have no names to check"},
		{name: "pair of another authority", config: Config{Certificates: Certificates{CA: theirs, Cert: FileCert, Key: FileKey}}, wrong: "STATEMESH_TLS_CERT: whoever trusts"},
		{name: "pair of another authority, for a broker", config: Config{Certificates: Certificates{CA: theirs, Cert: FileCert, Key: FileKey}, Broker: "amqps://h"},
			own: "amqps://h:5671/", serves: true},
		{name: "TLS", config: Config{TLS: own}, own: "amqp://127.0.0.1:5672/"},
		{name: "TLS before certificates", config: Config{TLS: own, Certificates: all}, own: "amqp://127.0.0.1:5672/"},
		{name: "TLS, LAN", config: Config{TLS: own, LAN: true}, wrong: "LAN: TLS has to have certificates and ClientCAs"},
		{name: "TLS, a broker, LAN", config: Config{TLS: own, Broker: "amqps://h", LAN: true}, own: "amqps://h:5671/"},
		{name: "TLS that serves", config: Config{TLS: serving, LAN: true}, own: "amqps://127.0.0.1:5672/", serves: true},
		{name: "a transport with TLS that serves", config: Config{Transport: &AMQP{TLS: serving}, LAN: true}, own: "amqps://127.0.0.1:5672/", serves: true},
		{name: "a transport with certificates", config: Config{Transport: &AMQP{}, Certificates: all}, wrong: "Certificates: it has no effect with the Transport"},
		{name: "a memory, LAN", config: Config{Transport: NewMemory(), LAN: true}, own: "amqp://127.0.0.1:5672/"},
		{name: "bare broker", config: Config{Broker: "h"}, wrong: "Broker: the user name and the password would cross the network in clear: write amqps:// before the host for TLS, or amqp:// if clear is meant"},
		{name: "bare broker, here", config: Config{Broker: "127.0.0.2:7"}, own: "amqp://127.0.0.2:7/"},
		{name: "bare peer", config: Config{Peers: []string{"amqp://a", "10.0.0.1:5672"}}, wrong: "Peers[1]: the user name and the password would cross"},
		{name: "bare peer, IPv6", config: Config{Peers: []string{"fe80::1"}}, wrong: "Peers[0]: the user name and the password would cross"},
		{name: "bare peer with certificates", config: Config{Peers: []string{"10.0.0.1"}, Certificates: all}, wrong: "Peers[0]: the user name and the password would cross"},
		{name: "bare peers, here", config: Config{Peers: []string{"localhost:9", "::1", "127.0.0.1"}}, own: "amqp://127.0.0.1:5672/"},
		{name: "bare peer of a memory", config: Config{Transport: NewMemory(), Peers: []string{"a"}}, own: "amqp://127.0.0.1:5672/"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			clearEnvironment(t)
			c := tt.config
			c.Dir, c.MeshKey, c.User, c.Password = dir, key, "u", NewSecret("hidden")
			s, err := c.complete()
			if (err != nil) != (tt.wrong != "") || err != nil && (!errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), tt.wrong) || strings.Contains(err.Error(), "\n")) {
				t.Fatalf("error %v, want one that says %q", err, tt.wrong)
			}
			if err != nil {
				return
			}
			if got := strings.Replace(s.own.String(), "u@", "", 1); got != tt.own || (s.serving != nil) != tt.serves {
				t.Errorf("own %s, serves TLS: %v; want %s, %v", got, s.serving != nil, tt.own, tt.serves)
			}
			if h := newHost(s); (h.secure != nil) != tt.serves {
				t.Errorf("the host serves TLS: %v", h.secure != nil)
			}
			if amqp, is := s.Transport.(*AMQP); is && tt.config.TLS == nil && tt.config.Certificates != (Certificates{}) {
				if c := amqp.client(Address{Host: "10.0.0.1"}); c == nil || c.RootCAs == nil && tt.config.Certificates.CA != "" {
					t.Errorf("the transport has %v", c)
				}
			}
		})
	}
}

// clearEnvironment takes out what a variable of the test's own environment could change.
func clearEnvironment(t *testing.T) {
	for _, name := range []string{EnvUser, EnvPassword, EnvPort, EnvMeshKey, EnvLAN, EnvTLSCA, EnvTLSCert, EnvTLSKey} {
		t.Setenv(name, "")
	}
}

// The files are named in .env, from its directory, and what is wrong with them is logged.
func TestTLSFromDotenv(t *testing.T) {
	clearEnvironment(t)
	w := newTown(t)
	dir := w.house("here", time.Now().Add(-validHost-time.Hour), "h")
	if err := os.Chmod(filepath.Join(dir, FileKey), 0o644); err != nil {
		t.Fatal(err)
	}
	lines := EnvTLSCA + "=ca.pem\n" + EnvTLSCert + "=cert.pem\n" + EnvTLSKey + "=key.pem\n"
	if err := os.WriteFile(filepath.Join(dir, dotenvName), []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(dir)
	if want := (Certificates{CA: "ca.pem", Cert: "cert.pem", Key: "key.pem"}); err != nil || c.Certificates != want {
		t.Fatalf("Load: %+v, %v", c.Certificates, err)
	}
	var log bytes.Buffer
	key, _ := testKey(t, "m")
	s, err := Config{Dir: dir, MeshKey: key, Logger: slog.New(slog.NewTextHandler(&log, nil))}.complete()
	if err != nil || s.serving == nil || s.serving.ClientAuth != tls.RequireAndVerifyClientCert || s.serving.MinVersion != tls.VersionTLS12 {
		t.Fatalf("serving %+v, error %v", s.serving, err)
	}
	if s.Certificates != (Certificates{}) {
		t.Errorf("the files are still in the settings: %v", s.Certificates)
	}
	for _, want := range []string{"has expired on", "its mode should be 0600", "file=" + dir} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %q:\n%s", want, &log)
		}
	}
	if text := c.String(); !strings.Contains(text, "ca.pem") {
		t.Errorf("the Config shows as %s", text)
	}
	t.Setenv(EnvTLSCA, "none.pem")
	if _, err := (Config{Dir: dir, MeshKey: key}).complete(); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), "none.pem") {
		t.Errorf("the environment goes before the file: %v", err)
	}
	if s, err := (Config{Dir: dir, MeshKey: key, Transport: NewMemory()}).complete(); err != nil || s.serving != nil {
		t.Errorf("a Memory: %v, %v", s.serving, err)
	}
}
