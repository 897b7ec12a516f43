package network

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// town has an authority and directories of hosts with certificates.
type town struct {
	*testing.T
	signer *signer
	root   string
}

func newTown(t *testing.T) *town {
	t.Helper()
	s, err := newSigner(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return &town{t, s, t.TempDir()}
}

// house makes a directory with a certificate of that time for a host with these names.
func (w *town) house(name string, at time.Time, names ...string) string {
	w.Helper()
	der, key, err := w.signer.sign(at, names...)
	if err != nil {
		w.Fatal(err)
	}
	dir := filepath.Join(w.root, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		w.Fatal(err)
	}
	var m certificateMaker
	if err := m.createPair(filepath.Join(dir, FileCert), der, filepath.Join(dir, FileKey), key); err != nil {
		w.Fatal(err)
	}
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.signer.der})
	if err := m.create(filepath.Join(dir, FileCA), authority); err != nil {
		w.Fatal(err)
	}
	return dir
}

// identity loads what house has made; change may leave something out.
func (w *town) identity(dir string, change ...func(*Certificates)) *identity {
	w.Helper()
	c := Certificates{CA: FileCA, Cert: FileCert, Key: FileKey}
	for _, f := range change {
		f(&c)
	}
	i, err := c.load(dir)
	if err != nil {
		w.Fatal(err)
	}
	return i
}

func authorityOnly(c *Certificates) { c.Cert, c.Key = "", "" }
func pairOnly(c *Certificates)      { c.CA = "" }

func TestCertificatesLoad(t *testing.T) {
	w := newTown(t)
	good, old := w.house("good", time.Now(), "h"), w.house("old", time.Now().Add(-validHost-time.Hour), "h")
	w.house("other", time.Now(), "h")
	soon := w.house("soon", time.Now().Add(-validHost+10*24*time.Hour), "h")
	early := w.house("early", time.Now().Add(48*time.Hour), "h")
	read := func(path string) string {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	write := func(name, content string, mode os.FileMode) {
		path := filepath.Join(good, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	key := read(filepath.Join(good, FileKey))
	write("text", "hidden\n", 0o600)
	write("broken", "-----BEGIN CERTIFICATE-----\naGlkZGVu\n-----END CERTIFICATE-----\n", 0o600)
	write("broken-key", "-----BEGIN PRIVATE KEY-----\naGlkZGVu\n-----END PRIVATE KEY-----\n", 0o600)
	write("encrypted", strings.ReplaceAll(key, "PRIVATE", "ENCRYPTED PRIVATE"), 0o600)
	write("many", strings.Repeat(read(filepath.Join(good, FileCA)), maxAuthorities+1), 0o600)
	write("open", key, 0o604)

	tests := []struct {
		name, dir string
		files     Certificates
		wrong     string // part of the error
		warns     string // part of the warning
	}{
		{name: "nothing"},
		{name: "all", dir: good, files: Certificates{CA: "ca.pem", Cert: "cert.pem", Key: "key.pem"}},
		{name: "absolute", dir: "/nowhere", files: Certificates{CA: filepath.Join(good, "ca.pem")}},
		{name: "from the directory", dir: w.root, files: Certificates{CA: "good/ca.pem"}},
		{name: "no authority", dir: good, files: Certificates{Cert: "cert.pem", Key: "key.pem"}},
		{name: "missing", dir: good, files: Certificates{CA: "none"}, wrong: "STATEMESH_TLS_CA (" + good + "/none): no such file or directory"},
		{name: "a directory", dir: w.root, files: Certificates{CA: "good"}, wrong: "STATEMESH_TLS_CA (" + good + "): it is not a regular file"},
		{name: "no PEM", dir: good, files: Certificates{CA: "text"}, wrong: "text): it holds no certificate in PEM"},
		{name: "a key as authority", dir: good, files: Certificates{CA: "key.pem"}, wrong: "key.pem): it holds no certificate in PEM"},
		{name: "broken authority", dir: good, files: Certificates{CA: "broken"}, wrong: "malformed"},
		{name: "public authorities", dir: good, files: Certificates{CA: "many"}, wrong: "17 certificates, want those of private authorities"},
		{name: "certificate alone", dir: good, files: Certificates{Cert: "cert.pem"}, wrong: "STATEMESH_TLS_KEY: a certificate needs"},
		{name: "key alone", dir: good, files: Certificates{Key: "key.pem"}, wrong: "STATEMESH_TLS_CERT: a key needs"},
		{name: "missing certificate", dir: good, files: Certificates{Cert: "none", Key: "key.pem"}, wrong: "STATEMESH_TLS_CERT (" + good + "/none): no such file"},
		{name: "missing key", dir: good, files: Certificates{Cert: "cert.pem", Key: "none"}, wrong: "STATEMESH_TLS_KEY (" + good + "/none): no such file"},
		{name: "no certificate", dir: good, files: Certificates{Cert: "text", Key: "key.pem"}, wrong: "text): it holds no certificate"},
		{name: "no key", dir: good, files: Certificates{Cert: "cert.pem", Key: "text"}, wrong: "text): it holds no private key"},
		{name: "switched", dir: good, files: Certificates{Cert: "key.pem", Key: "cert.pem"}, wrong: "key.pem): it holds no certificate"},
		{name: "broken certificate", dir: good, files: Certificates{Cert: "broken", Key: "key.pem"}, wrong: "is malformed"},
		{name: "broken key", dir: good, files: Certificates{Cert: "cert.pem", Key: "broken-key"}, wrong: "is malformed"},
		{name: "encrypted", dir: good, files: Certificates{Cert: "cert.pem", Key: "encrypted"}, wrong: "encrypted): the key is encrypted"},
		{name: "key of another", dir: w.root, files: Certificates{Cert: "good/cert.pem", Key: "other/key.pem"}, wrong: "the key is not that of the certificate in " + good},
		{name: "expired", dir: old, files: Certificates{CA: "ca.pem", Cert: "cert.pem", Key: "key.pem"}, warns: "has expired on"},
		{name: "expires soon", dir: soon, files: Certificates{Cert: "cert.pem", Key: "key.pem"}, warns: "expires on"},
		{name: "not valid yet", dir: early, files: Certificates{Cert: "cert.pem", Key: "key.pem"}, warns: "not valid before"},
		{name: "key for everybody", dir: good, files: Certificates{Cert: "cert.pem", Key: "open"}, warns: "mode should be 0600"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			i, err := tt.files.load(tt.dir)
			if (err != nil) != (tt.wrong != "") || err != nil && (!errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), tt.wrong)) {
				t.Fatalf("error %v, want one that says %q", err, tt.wrong)
			}
			if err != nil {
				if strings.Contains(err.Error(), "hidden") || strings.Contains(err.Error(), "\n") {
					t.Errorf("error %q", err)
				}
				return
			}
			if (i == nil) != (tt.files == Certificates{}) {
				t.Fatalf("identity %v", i)
			}
			var warned []warning
			if i != nil {
				warned = i.warnings
			}
			if len(warned) > 1 || (len(warned) == 1) != (tt.warns != "") || len(warned) == 1 && !strings.Contains(warned[0].text, tt.warns) {
				t.Errorf("warnings %v, want one that says %q", warned, tt.warns)
			}
		})
	}
}

// Who trusts the same authorities has to trust our own certificate, or we could talk to nobody.
func TestCertificatesCheckOwn(t *testing.T) {
	w, elsewhere := newTown(t), newTown(t)
	ours, theirs := w.house("ours", time.Now(), "h"), elsewhere.house("theirs", time.Now(), "h")
	for name, tt := range map[string]struct {
		identity *identity
		good     bool
	}{
		"ours":              {w.identity(ours), true},
		"authority alone":   {w.identity(ours, authorityOnly), true},
		"pair alone":        {w.identity(ours, pairOnly), true},
		"expired":           {w.identity(w.house("old", time.Now().Add(-2*validHost), "h")), true}, // warned of
		"another authority": {w.identity(ours, func(c *Certificates) { c.CA = filepath.Join(theirs, FileCA) }), false},
	} {
		if err := tt.identity.checkOwn(); (err == nil) != tt.good || err != nil && !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	serverOnly := w.identity(ours)
	serverOnly.pair.Leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	if err := serverOnly.checkOwn(); err == nil {
		t.Error("a certificate that is for servers only is taken")
	}
}

// How the names of brokers are checked; see Certificates.
func TestCertificatesNames(t *testing.T) {
	w, elsewhere := newTown(t), newTown(t)
	ours := w.identity(w.house("ours", time.Now(), "one.example", "10.0.0.1"))
	theirs := elsewhere.identity(elsewhere.house("theirs", time.Now(), "one.example", "10.0.0.1"))
	clientOnly := *ours.pair.Leaf
	clientOnly.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	shown := map[string]*x509.Certificate{"ours": ours.pair.Leaf, "theirs": theirs.pair.Leaf, "a client's": &clientOnly}
	// accepts says whether the configuration for a host takes a certificate, as crypto/tls asks it.
	accepts := func(c *tls.Config, leaf *x509.Certificate) bool {
		if c.VerifyConnection != nil {
			if !c.InsecureSkipVerify {
				t.Error("the standard rules are not left out")
			}
			return c.VerifyConnection(tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}}) == nil
		}
		if c.InsecureSkipVerify {
			t.Fatal("nothing is checked")
		}
		_, err := leaf.Verify(x509.VerifyOptions{Roots: c.RootCAs, DNSName: c.ServerName})
		return err == nil
	}
	for _, tt := range []struct {
		host, shows string
		want        bool
	}{
		{"one.example", "ours", true},
		{"two.example", "ours", false},
		{"one.example", "theirs", false},
		{"10.0.0.1", "ours", true},
		{"10.0.0.2", "ours", true}, // one of us, wherever
		{"10.0.0.1", "theirs", false},
		{"10.0.0.1", "a client's", false},
		{"fe80::1%eth0", "ours", true},
		{"localhost", "ours", true},
		{"localhost", "theirs", false},
		{"localhost.example", "ours", false},
	} {
		if got := accepts(ours.client(tt.host), shown[tt.shows]); got != tt.want {
			t.Errorf("%s shows a certificate of %s: accepted %v, want %v", tt.host, tt.shows, got, tt.want)
		}
	}
	if err := ours.verifyChain(tls.ConnectionState{}); err == nil {
		t.Error("no certificate is accepted")
	}

	// Without an authority of our own, names are checked everywhere, at a loopback address that of our
	// own certificate.
	public := w.identity(filepath.Join(w.root, "ours"), pairOnly)
	wild := w.identity(w.house("wild", time.Now(), "*.example"), pairOnly)
	address := w.identity(w.house("address", time.Now(), "10.0.0.9"), pairOnly)
	got := map[string]string{}
	for name, c := range map[string]*tls.Config{
		"name": public.client("two.example"), "address": public.client("10.0.0.2"), "loopback": public.client("127.0.0.1"), "localhost": public.client("localhost"),
		"wildcard": wild.client("127.0.0.1"), "own address": address.client("::1"), "no certificate": (&identity{}).client("127.0.0.1"),
	} {
		if c.InsecureSkipVerify || c.VerifyConnection != nil || c.RootCAs != nil || c.MinVersion != tls.VersionTLS12 {
			t.Errorf("%s: not the standard rules", name)
		}
		got[name] = c.ServerName
	}
	want := map[string]string{
		"name": "two.example", "address": "10.0.0.2", "loopback": "one.example", "localhost": "one.example",
		"wildcard": "any.example", "own address": "10.0.0.9", "no certificate": "127.0.0.1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names that are checked (-want +got):\n%s", diff)
	}
}
