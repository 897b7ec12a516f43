package network

import (
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var fourFiles = []string{FileCAKey, FileCA, FileKey, FileCert}

// tree is the content of all files in a directory, by name.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(b)
	}
	return files
}

// bases are the names of files without their directory.
func bases(paths []string) []string {
	var names []string
	for _, path := range paths {
		names = append(names, filepath.Base(path))
	}
	return names
}

func TestTLSKeygen(t *testing.T) {
	clearEnvironment(t)
	dir := t.TempDir()
	r, err := TLSKeygen{Hosts: []string{"One.example", "10.0.0.1", "::ffff:10.0.0.1"}}.Write(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fourFiles, bases(r.Made)); diff != "" || r.Kept != nil || len(r.Written) != 3 || r.Variables != nil {
		t.Errorf("%+v; files (-want +got):\n%s", r, diff)
	}
	for _, name := range append([]string{dotenvName}, fourFiles...) {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || hasModes && info.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	// What is there is enough for a node that looks for others, once there are credentials.
	if _, err := (Keygen{LAN: true}).Write(dir); err != nil {
		t.Fatal(err)
	}
	s, err := Config{Dir: dir}.complete()
	if err != nil || !s.own.TLS || s.serving == nil || len(s.identity.warnings) > 0 {
		t.Fatalf("own %v, error %v, %v", s.own, err, s.identity)
	}
	leaf := s.identity.pair.Leaf
	var addresses []string
	for _, ip := range leaf.IPAddresses {
		addresses = append(addresses, ip.String())
	}
	if diff := cmp.Diff([]string{"one.example", "localhost"}, leaf.DNSNames); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"10.0.0.1", "127.0.0.1", "::1"}, addresses); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
	if left := time.Until(leaf.NotAfter); leaf.IsCA || left < validHost-time.Hour || left > validHost || time.Since(leaf.NotBefore) < slowClocks {
		t.Errorf("valid from %v to %v, authority: %v", leaf.NotBefore, leaf.NotAfter, leaf.IsCA)
	}

	// Once more: nothing changes.
	before := tree(t, dir)
	r, err = TLSKeygen{}.Write(dir)
	if err != nil || r.Made != nil || len(r.Kept) != 3 || r.Written != nil || len(r.Variables) != 3 {
		t.Errorf("again: %+v, %v", r, err)
	}
	if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}

	// Another host: signed by the same authority, whose key stays here.
	out := filepath.Join(dir, "a", "b")
	for round := range 2 {
		r, err = TLSKeygen{Hosts: []string{"10.0.0.7"}, Out: out}.Write(dir)
		if err != nil || r.Dotenv != "" || (len(r.Made) == 3) != (round == 0) {
			t.Fatalf("round %d: %+v, %v", round, r, err)
		}
	}
	there := tree(t, out)
	if len(there) != 3 || there[FileCA] != before[FileCA] || there[FileCAKey] != "" || there[FileKey] == before[FileKey] {
		t.Error("the other host has not its own three files")
	}
	other, err := Certificates{CA: FileCA, Cert: FileCert, Key: FileKey}.load(out)
	if err != nil || other.pair.Leaf.Issuer.String() != leaf.Issuer.String() || other.verifyChainOf(leaf) != nil {
		t.Errorf("the two do not trust each other: %v", err)
	}
	if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
		t.Errorf("changed here (-want +got):\n%s", diff)
	}

	// Renewed: the pair alone is new.
	if err := errors.Join(os.Remove(filepath.Join(dir, FileCert)), os.Remove(filepath.Join(dir, FileKey))); err != nil {
		t.Fatal(err)
	}
	r, err = TLSKeygen{Hosts: []string{"one"}}.Write(dir)
	after := tree(t, dir)
	if err != nil || len(r.Made) != 2 || after[FileCA] != before[FileCA] || after[FileCAKey] != before[FileCAKey] || after[FileCert] == before[FileCert] {
		t.Errorf("renewed: %+v, %v", r, err)
	}
}

// verifyChainOf asks whether a broker with that certificate is one of us.
func (i *identity) verifyChainOf(leaf *x509.Certificate) error {
	_, err := leaf.Verify(x509.VerifyOptions{Roots: i.roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	return err
}

// What is half there, or somebody else's, is left alone and named.
func TestTLSKeygenErrors(t *testing.T) {
	clearEnvironment(t)
	full := t.TempDir()
	if _, err := (TLSKeygen{}).Write(full); err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	if _, err := (TLSKeygen{}).Write(other); err != nil {
		t.Fatal(err)
	}
	files, others := tree(t, full), tree(t, other)
	without := func(names ...string) map[string]string {
		left := map[string]string{}
		for name, content := range files {
			if !slices.Contains(names, name) {
				left[name] = content
			}
		}
		return left
	}
	with := func(name, content string) map[string]string {
		changed := without()
		changed[name] = content
		return changed
	}
	forHost := TLSKeygen{Hosts: []string{"h"}, Out: "out"}
	old, err := newSigner(time.Now().Add(-validAuthority - time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	expired := t.TempDir()
	var m certificateMaker
	if err := m.createPair(filepath.Join(expired, FileCA), old.der, filepath.Join(expired, FileCAKey), old.key); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		keygen TLSKeygen
		before map[string]string
		wrong  string // "" for success
	}{
		{"a bad name", TLSKeygen{Hosts: []string{"a b"}}, nil, `IP address: "a b"`},
		{"a prefix", TLSKeygen{Hosts: []string{"10.0.0.0/8"}}, nil, "IP address"},
		{"an empty name", TLSKeygen{Hosts: []string{""}}, nil, "IP address"},
		{"another host without name", TLSKeygen{Out: "out"}, files, "Hosts: another host needs a name"},
		{"another host without authority", forHost, nil, "ca.pem: no such file or directory; it is made"},
		{"another host without the authority's key", forHost, without(FileCAKey), "ca-key.pem: it is not there, but "},
		{"no authority's key, and not needed", TLSKeygen{}, without(FileCAKey), ""},
		{"no authority's key", TLSKeygen{}, without(FileCAKey, FileCert, FileKey), "ca-key.pem: it is not there, but "},
		{"no authority", TLSKeygen{}, without(FileCA, FileCert, FileKey), "ca.pem: it is not there, but "},
		{"no authority, but a certificate", TLSKeygen{}, without(FileCA, FileCAKey), "ca.pem): no such file"},
		{"no certificate", TLSKeygen{}, without(FileCert), "cert.pem: it is not there, but "},
		{"no key", TLSKeygen{}, without(FileKey), "key.pem: it is not there, but "},
		{"another authority", TLSKeygen{}, with(FileCA, others[FileCA]), "does not trust this certificate"},
		{"another authority's key", forHost, with(FileCAKey, others[FileCAKey]), "the key is not that of the certificate"},
		{"no authority", forHost, with(FileCA, files[FileCert]), "it is not one that keygen has made"},
		{"text", forHost, with(FileCAKey, "hidden"), "it is not one that keygen has made"},
		{"expired", forHost, tree(t, expired), "the authority has expired on"},
		{"other files in .env", TLSKeygen{}, map[string]string{dotenvName: EnvTLSCA + "=/etc/hidden.pem\n"}, "STATEMESH_TLS_CA in "},
		{"part of .env", TLSKeygen{}, with(dotenvName, EnvTLSKey+"=key.pem"), ""},
		{"a malformed .env", TLSKeygen{}, map[string]string{dotenvName: "hidden\n"}, "line 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, content := range tt.before {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			out := tt.keygen.Out
			if out != "" {
				tt.keygen.Out = filepath.Join(dir, out)
			}
			r, err := tt.keygen.Write(dir)
			if tt.wrong == "" {
				if err != nil || r.Made != nil {
					t.Errorf("%+v, %v", r, err)
				}
				return
			}
			if !errors.Is(err, ErrConfig) && !errors.Is(err, ErrHostName) || !strings.Contains(err.Error(), tt.wrong) || strings.Contains(err.Error(), "hidden") {
				t.Errorf("error %v, want one that says %q", err, tt.wrong)
			}
			if r.Written != nil {
				t.Errorf("it says it has written %v", r.Written)
			}
			for name, content := range tree(t, dir) {
				if before, was := tt.before[name]; was && before != content || !was && name == FileCert {
					t.Errorf("%s has changed", name)
				}
			}
			if tree(t, dir)[dotenvName] != tt.before[dotenvName] {
				t.Error(".env has changed")
			}
			if _, made := tree(t, filepath.Join(dir, "out"))[FileCert]; made {
				t.Error("a certificate was made")
			}
		})
	}
}

// However many ask at once, there is one authority and one certificate.
func TestTLSKeygenAtOnce(t *testing.T) {
	clearEnvironment(t)
	dir := t.TempDir()
	var work sync.WaitGroup
	made := make([]int, 8)
	for i := range made {
		work.Go(func() {
			r, err := TLSKeygen{}.Write(dir)
			if err != nil {
				t.Error(err)
			}
			made[i] = len(r.Made)
		})
	}
	work.Wait()
	slices.Sort(made)
	if diff := cmp.Diff([]int{0, 0, 0, 0, 0, 0, 0, 4}, made); diff != "" {
		t.Errorf("files made by each (-want +got):\n%s", diff)
	}
	if got := strings.Count(tree(t, dir)[dotenvName], "\n"); got != 3 {
		t.Errorf(".env has %d lines, want 3", got)
	}
}
