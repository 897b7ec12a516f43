package network

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The files that a TLSKeygen makes, all with mode 0600.
const (
	FileCA    = "ca.pem"     // the certificate of the authority; all hosts have the same
	FileCAKey = "ca-key.pem" // its key, which signs for hosts, and which no node needs
	FileCert  = "cert.pem"   // the certificate of one host
	FileKey   = "key.pem"    // its key
)

// How long the certificates of a TLSKeygen are valid. They begin an hour before they are made,
// for clocks that are slow.
const (
	validAuthority = 10 * 365 * 24 * time.Hour
	validHost      = 2 * 365 * 24 * time.Hour
	slowClocks     = time.Hour
)

// ErrHostName: what a certificate is to be made for is neither a host's name nor an IP address.
var ErrHostName = errors.New("network: neither the name of a host nor an IP address")

// TLSKeygen makes a private authority for a mesh and certificates for its hosts (ECDSA, P-256), as
// Certificates wants them. It never changes a file that is there, but for appending to .env.
type TLSKeygen struct {
	// Hosts are the names and IP addresses of the host. None means the name of this one.
	// localhost, 127.0.0.1 and ::1 are added.
	Hosts []string

	// Out is the directory for the files of another host, and made if it is not there; then
	// Hosts may not be empty. "" makes those of this host.
	Out string
}

// TLSKeygenReport is what TLSKeygen.Write did.
type TLSKeygenReport struct {
	Made      []string // paths of new files
	Kept      []string // of files that were there
	Dotenv    string   // path of .env, "" if nothing was to be written there
	Written   []string // variables that were appended to it
	Variables []string // those that it had already
}

// Write makes what is missing of the four files in dir, "" being the current directory: an
// authority, and a certificate of this host; then it appends the variables that name them to .env
// there, as Keygen.Write does. With Out, the authority has to be in dir; .env is not touched, and
// Out gets all files but FileCAKey.
//
// The error is ErrHostName or wraps ErrConfig, and shows nothing of a file.
func (k TLSKeygen) Write(dir string) (TLSKeygenReport, error) {
	names, err := k.names()
	if err != nil {
		return TLSKeygenReport{}, err
	}
	m := certificateMaker{names: names}
	if k.Out != "" {
		err = m.makeFor(dir, k.Out)
	} else {
		m.report.Dotenv = filepath.Join(dir, dotenvName)
		err = extendDotenv(m.report.Dotenv, func(e environment) (string, error) {
			return m.makeHere(dir, e)
		})
	}
	if err != nil && !errors.Is(err, ErrConfig) {
		err = misconfigured(filepath.Join(dir, dotenvName), "%w", withoutPath(err))
	}
	return m.report, err
}

// names are those of the host, each once.
func (k TLSKeygen) names() ([]string, error) {
	given := k.Hosts
	if len(given) == 0 {
		if k.Out != "" {
			return nil, misconfigured("Hosts", "another host needs a name or an IP address")
		}
		if name, err := os.Hostname(); err == nil && isName(strings.ToLower(name)) {
			given = []string{name}
		}
	}
	var names []string
	for _, name := range slices.Concat(given, []string{"localhost", "127.0.0.1", "::1"}) {
		name = strings.ToLower(name)
		if ip, err := netip.ParseAddr(name); err == nil && ip.Zone() == "" {
			name = ip.Unmap().String()
		} else if !isName(name) {
			return nil, fmt.Errorf("%w: %.100q", ErrHostName, name)
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// certificateMaker does the work of one Write. What it has made stays made if it is asked again.
type certificateMaker struct {
	names  []string
	report TLSKeygenReport
}

// makeHere makes the files of this host, and returns what .env lacks. It is called while nobody
// else writes to .env, so that only one process makes the files.
func (m *certificateMaker) makeHere(dir string, e environment) (string, error) {
	m.report.Written, m.report.Variables = nil, nil
	var lines strings.Builder
	for _, v := range [][2]string{{EnvTLSCA, FileCA}, {EnvTLSCert, FileCert}, {EnvTLSKey, FileKey}} {
		name, file := v[0], v[1]
		switch e.file[name] {
		case "":
			m.report.Written = append(m.report.Written, name)
			lines.WriteString(name + "=" + file + "\n")
		case file:
			m.report.Variables = append(m.report.Variables, name)
		default:
			return "", misconfigured(name+" in "+e.path, "it names another file than %s; there is nothing to make", file)
		}
	}
	err := m.makePair(dir, dir, true)
	if err == nil {
		err = m.check(dir)
	}
	if err != nil {
		m.report.Written, m.report.Variables = nil, nil
		return "", err
	}
	return lines.String(), nil
}

// makeFor makes the files of another host.
func (m *certificateMaker) makeFor(dir, out string) error {
	if err := os.MkdirAll(out, 0o700); err != nil {
		return misconfigured(out, "%w", withoutPath(err))
	}
	authority, _, err := readRegular(filepath.Join(dir, FileCA))
	if err != nil {
		return misconfigured(filepath.Join(dir, FileCA), "%w; it is made with the certificate of this host", err)
	}
	path := filepath.Join(out, FileCA)
	switch there, err := m.has(path); {
	case err != nil:
		return err
	case !there:
		if err := m.create(path, authority); err != nil {
			return err
		}
	}
	if err := m.makePair(dir, out, false); err != nil {
		return err
	}
	return m.check(out)
}

// check sees to it that what is there now would do for a node.
func (m *certificateMaker) check(dir string) error {
	i, err := Certificates{CA: FileCA, Cert: FileCert, Key: FileKey}.load(dir)
	if err == nil {
		err = i.checkOwn()
	}
	return err
}

// makePair makes a host's certificate and key in out, unless they are there, with the authority in
// dir, which it makes first if it may.
func (m *certificateMaker) makePair(dir, out string, mayMakeAuthority bool) error {
	cert, key := filepath.Join(out, FileCert), filepath.Join(out, FileKey)
	there, err := m.both(cert, key)
	if err != nil || there && !mayMakeAuthority {
		return err
	}
	caPath, caKeyPath := filepath.Join(dir, FileCA), filepath.Join(dir, FileCAKey)
	if there {
		_, err := m.has(caPath) // its key may be elsewhere
		return err
	}
	hasAuthority, err := m.both(caPath, caKeyPath)
	if err != nil {
		return err
	}
	var authority *signer
	switch {
	case hasAuthority:
		authority, err = loadSigner(caPath, caKeyPath)
	case mayMakeAuthority:
		if authority, err = newSigner(time.Now()); err == nil {
			err = m.createPair(caPath, authority.der, caKeyPath, authority.key)
		}
	default:
		err = misconfigured(caKeyPath, "%w", os.ErrNotExist)
	}
	if err != nil {
		return err
	}
	der, hostKey, err := authority.sign(time.Now(), m.names...)
	if err != nil {
		return err
	}
	return m.createPair(cert, der, key, hostKey)
}

// has says whether there is a file.
func (m *certificateMaker) has(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, misconfigured(path, "%w", withoutPath(err))
	}
	if !slices.Contains(m.report.Made, path) && !slices.Contains(m.report.Kept, path) {
		m.report.Kept = append(m.report.Kept, path)
	}
	return true, nil
}

// both says whether a certificate and its key are there; one alone is a mistake.
func (m *certificateMaker) both(cert, key string) (bool, error) {
	hasCert, err := m.has(cert)
	if err != nil {
		return false, err
	}
	hasKey, err := m.has(key)
	switch {
	case err != nil:
		return false, err
	case hasCert && !hasKey:
		return false, misconfigured(key, "it is not there, but %s is", cert)
	case hasKey && !hasCert:
		return false, misconfigured(cert, "it is not there, but %s is", key)
	}
	return hasCert, nil
}

func (m *certificateMaker) createPair(certPath string, der []byte, keyPath string, key *ecdsa.PrivateKey) error {
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := m.create(keyPath, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})); err != nil {
		return err
	}
	err = m.create(certPath, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	if err != nil { // a key without its certificate would be in the way of the next attempt
		m.report.Made = slices.DeleteFunc(m.report.Made, func(path string) bool { return path == keyPath })
		return errors.Join(err, os.Remove(keyPath))
	}
	return nil
}

// create writes a file that is not there yet.
func (m *certificateMaker) create(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return misconfigured(path, "%w", withoutPath(err))
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(misconfigured(path, "%w", withoutPath(err)), os.Remove(path))
	}
	m.report.Made = append(m.report.Made, path)
	return nil
}

// signer is an authority.
type signer struct {
	der         []byte
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newSigner(now time.Time) (*signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: "statemesh CA " + rand.Text()[:8]}, // told apart from others by its name
		NotBefore: now.Add(-slowClocks), NotAfter: now.Add(validAuthority),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	return &signer{der, certificate, key}, err
}

// loadSigner reads an authority that newSigner has made.
func loadSigner(certPath, keyPath string) (*signer, error) {
	certPEM, _, err := readRegular(certPath)
	if err != nil {
		return nil, misconfigured(certPath, "%w", err)
	}
	keyPEM, _, err := readRegular(keyPath)
	if err != nil {
		return nil, misconfigured(keyPath, "%w", err)
	}
	const foreign = "it is not one that keygen has made"
	block, _ := pem.Decode(certPEM)
	keyBlock, _ := pem.Decode(keyPEM)
	if block == nil || keyBlock == nil {
		return nil, misconfigured(certPath+" or "+keyPath, foreign)
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil || !certificate.IsCA {
		return nil, misconfigured(certPath, foreign)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(keyBlock.Bytes)
	key, isECDSA := parsed.(*ecdsa.PrivateKey)
	if err != nil || !isECDSA {
		return nil, misconfigured(keyPath, foreign)
	}
	if public, ok := certificate.PublicKey.(*ecdsa.PublicKey); !ok || !public.Equal(key.Public()) {
		return nil, misconfigured(keyPath, "the key is not that of the certificate in %s", certPath)
	}
	if now := time.Now(); now.After(certificate.NotAfter) {
		return nil, misconfigured(certPath, "the authority has expired on %s", day(certificate.NotAfter))
	}
	return &signer{bytes.Clone(block.Bytes), certificate, key}, nil
}

// sign makes a certificate for a host with these names and addresses.
func (s *signer) sign(now time.Time, names ...string) (der []byte, key *ecdsa.PrivateKey, err error) {
	if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: fmt.Sprintf("%.64s", names[0])},
		NotBefore: now.Add(-slowClocks), NotAfter: now.Add(validHost),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if end := s.certificate.NotAfter; template.NotAfter.After(end) {
		template.NotAfter = end
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err = x509.CreateCertificate(rand.Reader, template, s.certificate, key.Public(), s.key)
	return der, key, err
}
