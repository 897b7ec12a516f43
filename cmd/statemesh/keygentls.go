package main

import (
	"errors"
	"flag"
	"path/filepath"

	"github.com/statemesh/statemesh/network"
)

// tlsHelp is the share of -tls in the help.
const tlsHelp = `
-tls also makes a private authority, ca.pem and ca-key.pem, a certificate of this host,
cert.pem and key.pem, and the lines of .env that name them. For each other host,

  statemesh keygen -tls -host 10.0.0.7 -out DIR

makes ca.pem, cert.pem and key.pem in DIR: copy them, and .env, to where the program runs on
that host. ca-key.pem stays where it is: whoever has it can make certificates, and no node
needs it. A certificate is good for two years; to renew one, remove cert.pem and key.pem and
make them again. No file is overwritten.
`

// tlsOptions are the flags of keygen that have to do with certificates.
type tlsOptions struct {
	network.TLSKeygen
	make bool
}

func (o *tlsOptions) declare(f *flag.FlagSet) {
	f.BoolVar(&o.make, "tls", false, "also make an authority and a certificate, and write their names into .env")
	f.Func("host", "with -tls: `NAME` or IP address in the certificate; may be repeated\n(default: the name of this host)", func(s string) error {
		o.Hosts = append(o.Hosts, s)
		return nil
	})
	f.StringVar(&o.Out, "out", "", "with -tls and -host: make the files of another host in `DIR`, and nothing else")
}

// check says what does not go together.
func (o *tlsOptions) check(print, rotate bool) error {
	switch {
	case o.make && print:
		return wrongUsage("-print writes no file, and certificates are files")
	case o.make && rotate:
		return wrongUsage("-rotate changes keys, and nothing else: only -dir goes with it")
	case !o.make && (o.Hosts != nil || o.Out != ""):
		return wrongUsage("-host and -out have no effect without -tls")
	case o.Out != "" && o.Hosts == nil:
		return wrongUsage("-out needs -host, the name or the address of the other host")
	}
	return nil
}

// keygenTLS makes certificates.
func (t *tool) keygenTLS(dir string, o tlsOptions) error {
	r, err := o.Write(dir)
	if errors.Is(err, network.ErrHostName) {
		return usageError{err}
	}
	text := ""
	if len(r.Kept) > 0 {
		text += "there already: " + list(r.Kept) + "\n"
	}
	if len(r.Made) > 0 {
		text += "new: " + list(r.Made) + "\n"
	}
	if len(r.Variables) > 0 {
		text += r.Dotenv + " has " + list(r.Variables) + " already\n"
	}
	if len(r.Written) > 0 {
		text += r.Dotenv + " has new: " + list(r.Written) + "\n"
	}
	for _, path := range r.Made {
		if filepath.Base(path) == network.FileCAKey {
			text += path + " makes certificates: keep it to yourself. No node needs it.\n"
		}
	}
	if err == nil && o.Out != "" {
		text += "Copy the files in " + o.Out + ", and .env, to the other host.\n"
	}
	return errors.Join(t.print(text), err)
}
