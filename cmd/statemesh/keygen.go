package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/statemesh/statemesh/network"
)

var keygenCommand = command{
	name:  "keygen",
	about: "write credentials and a mesh key into .env, as far as they are missing there",
	more: `RABBIT_USER, RABBIT_PASSWORD and MESH_ENCRYPTION_KEY are what all nodes of a mesh share.
What .env says already stays as it is. A new .env can be read by its owner alone. What is
written is named, and not shown. All hosts of a mesh need the same lines: copy the file to
them, in a way that nobody else can read.

-rotate makes the next of three steps of changing the key while the mesh runs: a new key
opens; it seals, and the old one opens; the old one is gone. After each step copy .env to
all hosts, and wait until their nodes say that the keys have changed.
` + tlsHelp,
	setUp: func(t *tool, f *flag.FlagSet) func(context.Context, []string) error {
		var o keygenOptions
		declareDir(f, &o.dir)
		f.StringVar(&o.User, "user", network.DefaultMeshUser, "`NAME` for RABBIT_USER (default "+network.DefaultMeshUser+")")
		f.BoolVar(&o.LAN, "lan", false, "also write STATEMESH_LAN=1, so that nodes look for others on the LAN")
		f.BoolVar(&o.rotate, "rotate", false, "make the next step of changing the mesh key, and the keys of trace and spy if there are any")
		o.tls.declare(f)
		f.BoolVar(&o.print, "print", false, "print the lines for a new .env, with new secrets, and write no file")
		return func(context.Context, []string) error { return t.keygen(o) }
	},
}

type keygenOptions struct {
	network.Keygen
	dir    string
	print  bool
	rotate bool
	tls    tlsOptions
}

func (t *tool) keygen(o keygenOptions) error {
	switch {
	case o.User == "":
		return wrongUsage("-user needs a name")
	case o.print && o.dir != "":
		return wrongUsage("-print writes no file, so -dir has no effect")
	case o.rotate && (o.print || o.LAN || o.User != network.DefaultMeshUser):
		return wrongUsage("-rotate changes keys, and nothing else: only -dir goes with it")
	}
	if err := o.tls.check(o.print, o.rotate); err != nil {
		return err
	}
	if o.tls.Out != "" {
		return t.keygenTLS(o.dir, o.tls)
	}
	if o.rotate {
		return t.rotate(o)
	}
	if o.print {
		lines, err := o.Lines()
		if err != nil {
			return usageError{err}
		}
		return t.print(lines)
	}
	r, err := o.Write(o.dir)
	if errors.Is(err, network.ErrUserName) {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	t.keygenWarnings(o, r)
	text := ""
	if len(r.Kept) > 0 {
		text += r.Path + " has " + list(r.Kept) + " already\n"
	}
	switch {
	case len(r.Written) > 0:
		text += r.Path + " has new: " + list(r.Written) + "\nAll hosts of a mesh need the same lines.\n"
	default:
		text += "nothing was written\n"
	}
	if err := t.print(text); err != nil || !o.tls.make {
		return err
	}
	return t.keygenTLS(o.dir, o.tls)
}

// rotate makes a step and says what comes next.
func (t *tool) rotate(o keygenOptions) error {
	r, err := o.Rotate(o.dir)
	if err != nil {
		return err
	}
	done := map[network.RotationStep]string{
		network.KeyAdded:   "a new key opens. Copy the file to all hosts, then rotate again: it will seal.",
		network.KeyUsed:    "the new key seals, the old one opens. Copy the file to all hosts, wait a few minutes, then rotate again: the old one will be gone.",
		network.KeyRetired: "the old key is gone. Copy the file to all hosts.",
	}
	return t.print(fmt.Sprintf("%s, step %d of 3 for %s: %s\n", r.Path, r.Step, list(r.Variables), done[r.Step]))
}

// keygenWarnings says what may surprise later.
func (t *tool) keygenWarnings(o keygenOptions, r network.KeygenReport) {
	if r.Exposed {
		t.warn("keygen", "other users of this machine can read or write "+r.Path+"; its mode should be 0600")
	}
	for _, name := range append(r.Kept, r.Written...) {
		if os.Getenv(name) != "" {
			t.warn("keygen", name+" is set in the environment too, which goes before "+r.Path)
		}
	}
	c, err := network.Load(o.dir)
	switch {
	case err != nil:
		t.warn("keygen", oneLine(err))
	case !o.LAN:
	case !c.LAN:
		t.warn("keygen", "STATEMESH_LAN is set so that nodes do not look for others; it stays so")
	default:
		if err := lanNeeds(c); err != nil {
			t.warn("keygen", oneLine(err))
		}
	}
}

// list joins names as one does in a sentence.
func list(names []string) string {
	last := len(names) - 1
	if last < 1 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
