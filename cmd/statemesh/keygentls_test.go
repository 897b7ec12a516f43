package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/statemesh/statemesh/network"
)

func TestKeygenTLS(t *testing.T) {
	t.Chdir(t.TempDir())
	const (
		lines = "RABBIT_USER, RABBIT_PASSWORD and MESH_ENCRYPTION_KEY"
		files = "STATEMESH_TLS_CA, STATEMESH_TLS_CERT and STATEMESH_TLS_KEY"
	)
	prepare(t, "").expect(exitOK, ".env has new: "+lines+"\nAll hosts of a mesh need the same lines.\n"+
		"new: ca-key.pem, ca.pem, key.pem and cert.pem\n.env has new: "+files+"\nca-key.pem makes certificates: keep it to yourself. No node needs it.\n", "",
		"keygen", "-tls", "-host", "one.example", "-host", "10.0.0.1")
	prepare(t, "").expect(exitOK, ".env has "+lines+" already\nnothing was written\n"+
		"there already: cert.pem, key.pem and ca.pem\n.env has "+files+" already\n", "", "keygen", "-tls")
	before := readFile(t, ".env")
	prepare(t, "").expect(exitOK, "there already: ca.pem and ca-key.pem\nnew: two/ca.pem, two/key.pem and two/cert.pem\n"+
		"Copy the files in two, and .env, to the other host.\n", "", "keygen", "-tls", "-host", "10.0.0.2", "-out", "two")
	if readFile(t, ".env") != before {
		t.Error("-out has changed .env")
	}
	if entries, err := os.ReadDir("two"); err != nil || len(entries) != 3 {
		t.Errorf("%d files for the other host, %v", len(entries), err)
	}
	// The other host can do with them: it finds others, and hosts a broker, with TLS alone.
	writeFile(t, filepath.Join("two", ".env"), before+network.EnvPort+"=1\n")
	if c, err := network.Load("two"); err != nil || c.Certificates.Cert != network.FileCert {
		t.Errorf("%v, %v", c.Certificates, err)
	}
}

func TestKeygenTLSUsage(t *testing.T) {
	t.Chdir(t.TempDir())
	const more = "; statemesh help keygen tells more\n"
	for args, want := range map[string]string{
		"-tls -print":           "-print writes no file, and certificates are files" + more,
		"-tls -rotate":          "-rotate changes keys, and nothing else: only -dir goes with it" + more,
		"-host h":               "-host and -out have no effect without -tls" + more,
		"-out d":                "-host and -out have no effect without -tls" + more,
		"-tls -out d":           "-out needs -host, the name or the address of the other host" + more,
		"-tls -host h/8 -out d": `neither the name of a host nor an IP address: "h/8"` + more,
	} {
		prepare(t, "").expect(exitUsage, "", "statemesh keygen: "+want, append([]string{"keygen"}, strings.Fields(args)...)...)
	}
	prepare(t, "").expect(exitFailed, "", "statemesh keygen: bad configuration: ca.pem: no such file or directory; it is made with the certificate of this host\n",
		"keygen", "-tls", "-host", "h", "-out", "d")
	if files, _ := filepath.Glob("d/*"); len(files) > 0 {
		t.Errorf("it made %v", files)
	}
}
