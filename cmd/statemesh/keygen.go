package main

import (
	"context"
	"errors"
	"flag"
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
`,
	setUp: func(t *tool, f *flag.FlagSet) func(context.Context, []string) error {
		var o keygenOptions
		declareDir(f, &o.dir)
		f.StringVar(&o.User, "user", network.DefaultMeshUser, "`NAME` for RABBIT_USER (default "+network.DefaultMeshUser+")")
		f.BoolVar(&o.LAN, "lan", false, "also write STATEMESH_LAN=1, so that nodes look for others on the LAN")
		f.BoolVar(&o.print, "print", false, "print the lines for a new .env, with new secrets, and write no file")
		return func(context.Context, []string) error { return t.keygen(o) }
	},
}

type keygenOptions struct {
	network.Keygen
	dir   string
	print bool
}

func (t *tool) keygen(o keygenOptions) error {
	switch {
	case o.User == "":
		return wrongUsage("-user needs a name")
	case o.print && o.dir != "":
		return wrongUsage("-print writes no file, so -dir has no effect")
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
	return t.print(text)
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
