package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/statemesh/statemesh/network"
)

// nodeFlags are those of all commands that join a mesh.
type nodeFlags struct {
	dir    string
	broker string
	lan    bool
}

func declareDir(f *flag.FlagSet, dir *string) {
	f.StringVar(dir, "dir", "", "`DIR` with the file .env (default: the current directory)")
}

func (o *nodeFlags) declare(f *flag.FlagSet) {
	declareDir(f, &o.dir)
	f.StringVar(&o.broker, "broker", "", "`URL` of the broker, amqp:// or amqps:// (default: the one on this host)")
	f.BoolVar(&o.lan, "lan", false, "find peers on the networks of this host (as STATEMESH_LAN=1)")
}

// config is what the environment, .env and the flags say. Its logger writes to standard
// error what is as important as level, in the name of the command.
func (t *tool) config(command string, o nodeFlags, level slog.Level) (network.Config, error) {
	c, err := network.Load(o.dir)
	if err != nil {
		return c, err
	}
	if o.broker != "" {
		if _, err := network.ParseAddress(o.broker, network.Address{}); err != nil {
			return c, wrongUsage("-broker: %s", strings.TrimPrefix(err.Error(), network.ErrConfig.Error()+": broker address: "))
		}
	}
	c.Broker = o.broker
	c.LAN = c.LAN || o.lan
	c.SnoopOutput = io.Discard
	c.Logger = slog.New(logHandler{w: t.stderr, command: command, level: level})
	if c.LAN {
		if err := lanNeeds(c); err != nil {
			return c, err
		}
	}
	if t.adjust != nil {
		t.adjust(&c)
	}
	return c, nil
}

// lanNeeds says what is missing for whatever leaves this host.
func lanNeeds(c network.Config) error {
	const guest = "guest"
	is := func(value string) bool { return value == "" || value == guest }
	var missing []string
	if is(c.User) && is(c.Password.Reveal()) {
		missing = append(missing, network.EnvUser, network.EnvPassword+" (other than guest)")
	}
	if c.MeshKey.IsZero() {
		missing = append(missing, network.EnvMeshKey)
	}
	if missing == nil {
		return nil
	}
	return fmt.Errorf("the LAN needs %s, in the environment or in %s; statemesh keygen writes what is missing there",
		list(missing), dotenv(c.Dir))
}

// dotenv is the path of the file .env.
func dotenv(dir string) string { return filepath.Join(dir, ".env") }

// oneLine is what an error says, mistakes parted by semicolons.
func oneLine(err error) string {
	return strings.ReplaceAll(strings.ReplaceAll(err.Error(), "\n", "; "), "network: ", "")
}

// notNegative checks a duration that a flag gave.
func notNegative(name string, d time.Duration) error {
	if d < 0 {
		return wrongUsage("-%s %v: a duration cannot be negative", name, d)
	}
	return nil
}

// errInterrupted: Ctrl-C came, or SIGTERM.
var errInterrupted = errors.New("interrupted")
