package network

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Certificates names files in PEM with which a node speaks TLS. A path that is not absolute
// is meant from Config.Dir. They are read when the node is made, and not again.
//
//  1. CA is whom the node trusts, in the place of whom the system trusts. A broker addressed by a name
//     has to have that name in its certificate. At an IP address, or at localhost, every certificate of
//     these authorities is good: whoever has one is one of us. So they must be private authorities, which
//     sign for nobody but the hosts of the mesh.
//  2. Cert and Key are what the node shows to brokers that ask for a certificate. A broker that it hosts
//     serves nothing but TLS then, on loopback as well, and on the same port; with CA, it lets nobody in
//     without a certificate of these authorities.
//  3. With LAN, all that the node speaks to is spoken to with TLS, or not at all. That takes CA, and where
//     it may host a broker, Cert and Key.
type Certificates struct {
	CA   string // certificates of authorities, at most 16
	Cert string // this host's certificate, followed by those between it and the authority
	Key  string // its private key, not encrypted
}

const (
	// maxAuthorities keeps a collection of public authorities from being taken for ours.
	maxAuthorities = 16

	// endsSoon is how long before its end a certificate is warned of.
	endsSoon = 14 * 24 * time.Hour
)

// identity is what the files of a Certificates hold. It does not change.
type identity struct {
	roots    *x509.CertPool   // nil: those of the system
	pair     *tls.Certificate // nil: none
	warnings []warning
}

// warning is something to log about a file.
type warning struct{ file, text string }

// load reads the files, and returns nil if none is named. Its errors show nothing of them.
func (c Certificates) load(dir string) (*identity, error) {
	if c == (Certificates{}) {
		return nil, nil
	}
	var i identity
	var errs []error
	if c.CA != "" {
		errs = append(errs, i.loadRoots(inDir(dir, c.CA)))
	}
	switch {
	case c.Cert != "" && c.Key != "":
		errs = append(errs, i.loadPair(inDir(dir, c.Cert), inDir(dir, c.Key)))
	case c.Cert != "":
		errs = append(errs, misconfigured(EnvTLSKey, "a certificate needs the file with its key"))
	case c.Key != "":
		errs = append(errs, misconfigured(EnvTLSCert, "a key needs the file with its certificate"))
	}
	return &i, errors.Join(errs...)
}

func inDir(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

func (i *identity) loadRoots(path string) error {
	wrong := func(reason string, args ...any) error {
		return misconfigured(EnvTLSCA+" ("+path+")", reason, args...)
	}
	content, _, err := readRegular(path)
	if err != nil {
		return wrong("%w", err)
	}
	i.roots = x509.NewCertPool()
	n := 0
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return wrong("one of its certificates is malformed")
		}
		i.roots.AddCert(certificate)
		i.checkDates(path, certificate)
		n++
	}
	switch {
	case n == 0:
		return wrong("it holds no certificate in PEM")
	case n > maxAuthorities:
		return wrong("it holds %d certificates, want those of private authorities, at most %d: whoever they sign for is trusted", n, maxAuthorities)
	}
	return nil
}

func (i *identity) loadPair(certPath, keyPath string) error {
	cert, _, err := readRegular(certPath)
	if err != nil {
		return misconfigured(EnvTLSCert+" ("+certPath+")", "%w", err)
	}
	key, mode, err := readRegular(keyPath)
	wrongKey := func(reason string, args ...any) error {
		return misconfigured(EnvTLSKey+" ("+keyPath+")", reason, args...)
	}
	switch {
	case err != nil:
		return wrongKey("%w", err)
	case !bytes.Contains(cert, []byte("-----BEGIN CERTIFICATE-----")):
		return misconfigured(EnvTLSCert+" ("+certPath+")", "it holds no certificate in PEM")
	case bytes.Contains(key, []byte("ENCRYPTED")):
		return wrongKey("the key is encrypted; want one without a passphrase")
	case !bytes.Contains(key, []byte("PRIVATE KEY-----")):
		return wrongKey("it holds no private key in PEM")
	}
	pair, err := tls.X509KeyPair(cert, key)
	switch {
	case err == nil:
	case strings.Contains(err.Error(), "does not match"):
		return wrongKey("the key is not that of the certificate in %s", certPath)
	default:
		return misconfigured(EnvTLSCert+" and "+EnvTLSKey, "%s or %s is malformed", certPath, keyPath)
	}
	i.pair = &pair
	i.checkDates(certPath, pair.Leaf)
	if hasModes && mode&0o006 != 0 {
		i.warn(keyPath, "other users of this machine can read or write the private key in this file; its mode should be 0600")
	}
	return nil
}

// readRegular reads a file of at most 64 KiB. Its errors leave out the path.
func readRegular(path string) ([]byte, fs.FileMode, error) {
	info, err := os.Stat(path) // before it is opened: opening a pipe would wait for a writer
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New(errNotRegular)
	}
	if err != nil {
		return nil, 0, withoutPath(err)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, withoutPath(err)
	}
	defer f.Close()
	content, err := readLimited(f)
	return content, info.Mode(), withoutPath(err)
}

func (i *identity) warn(path, text string) { i.warnings = append(i.warnings, warning{path, text}) }

func (i *identity) checkDates(path string, c *x509.Certificate) {
	switch now := time.Now(); {
	case now.After(c.NotAfter):
		i.warn(path, "the certificate in this file has expired on "+day(c.NotAfter)+"; no connection will be made with it")
	case now.Before(c.NotBefore):
		i.warn(path, "the certificate in this file is not valid before "+day(c.NotBefore)+"; no connection will be made with it, or the clock is wrong")
	case now.Add(endsSoon).After(c.NotAfter):
		i.warn(path, "the certificate in this file expires on "+day(c.NotAfter))
	}
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// checkOwn says why those who trust the same authorities would not trust our certificate,
// but for its dates.
func (i *identity) checkOwn() error {
	if i.roots == nil || i.pair == nil {
		return nil
	}
	for _, use := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
		_, err := i.pair.Leaf.Verify(x509.VerifyOptions{
			Roots: i.roots, Intermediates: intermediates(i.pair), KeyUsages: []x509.ExtKeyUsage{use},
		})
		if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
			continue // which is warned of
		}
		if err != nil {
			return misconfigured(EnvTLSCert, "whoever trusts %s does not trust this certificate: %w", EnvTLSCA, err)
		}
	}
	return nil
}

func intermediates(pair *tls.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, der := range pair.Certificate[1:] {
		if c, err := x509.ParseCertificate(der); err == nil {
			pool.AddCert(c)
		}
	}
	return pool
}

// server is what a hosted broker serves with, nil if it serves in clear.
func (i *identity) server() *tls.Config {
	if i.pair == nil {
		return nil
	}
	config := &tls.Config{Certificates: []tls.Certificate{*i.pair}, MinVersion: tls.VersionTLS12}
	if i.roots != nil {
		config.ClientCAs, config.ClientAuth = i.roots, tls.RequireAndVerifyClientCert
	}
	return config
}

// client is what a broker on that host is met with.
func (i *identity) client(host string) *tls.Config {
	config := &tls.Config{RootCAs: i.roots, MinVersion: tls.VersionTLS12, ServerName: host}
	if i.pair != nil {
		config.Certificates = []tls.Certificate{*i.pair}
	}
	_, notIP := netip.ParseAddr(host)
	switch {
	case i.roots != nil && (notIP == nil || host == "localhost"):
		config.InsecureSkipVerify = true // by the standard rules, of which the one on names is left out:
		config.VerifyConnection = i.verifyChain
	case i.roots == nil && i.pair != nil && isLoopback(host):
		// The broker of this host has the same certificate as we, and no public authority
		// signs for loopback addresses.
		if name := ownName(i.pair.Leaf); name != "" {
			config.ServerName = name
		}
	}
	return config
}

// verifyChain accepts every certificate that the authorities signed for a server.
func (i *identity) verifyChain(state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("tls: the broker shows no certificate")
	}
	between := x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{
		Roots: i.roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	return err
}

// ownName is a name that the certificate is good for, "" if there is none.
func ownName(c *x509.Certificate) string {
	switch {
	case len(c.DNSNames) > 0:
		return strings.Replace(c.DNSNames[0], "*", "any", 1)
	case len(c.IPAddresses) > 0:
		return c.IPAddresses[0].String()
	}
	return ""
}

// isLoopback says whether what is sent to the host stays on this one.
func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
