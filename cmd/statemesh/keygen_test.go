package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/statemesh/statemesh/network"
)

func TestKeygen(t *testing.T) {
	const (
		three = "RABBIT_USER, RABBIT_PASSWORD and MESH_ENCRYPTION_KEY"
		same  = "All hosts of a mesh need the same lines.\n"
	)
	tests := []struct {
		name, args, before, environment string
		code                            int
		stdout, stderr                  string
	}{
		{name: "fresh", stdout: ".env has new: " + three + "\n" + same},
		{name: "LAN", args: "-lan", stdout: ".env has new: RABBIT_USER, RABBIT_PASSWORD, MESH_ENCRYPTION_KEY and STATEMESH_LAN\n" + same},
		{
			name: "partial", before: "# mine\nRABBIT_USER=ann\n",
			stdout: ".env has RABBIT_USER already\n.env has new: RABBIT_PASSWORD and MESH_ENCRYPTION_KEY\n" + same,
		},
		{
			name: "complete", before: "RABBIT_USER=ann\nRABBIT_PASSWORD=hidden\nMESH_ENCRYPTION_KEY=" + strings.Repeat("B", 42) + "A=\n",
			stdout: ".env has " + three + " already\nnothing was written\n",
		},
		{
			name: "environment", environment: network.EnvUser, stdout: ".env has new: " + three + "\n" + same,
			stderr: "statemesh keygen: RABBIT_USER is set in the environment too, which goes before .env\n",
		},
		{
			name: "LAN is off", args: "-lan", before: "STATEMESH_LAN=0\n", stdout: ".env has STATEMESH_LAN already\n.env has new: " + three + "\n" + same,
			stderr: "statemesh keygen: STATEMESH_LAN is set so that nodes do not look for others; it stays so\n",
		},
		{
			name: "guest", args: "-lan", before: "RABBIT_USER=guest\nRABBIT_PASSWORD=guest\n",
			stdout: ".env has RABBIT_USER and RABBIT_PASSWORD already\n.env has new: MESH_ENCRYPTION_KEY and STATEMESH_LAN\n" + same,
			stderr: "statemesh keygen: the LAN needs RABBIT_USER and RABBIT_PASSWORD (other than guest), in the environment or in .env; " +
				"statemesh keygen writes what is missing there\n",
		},
		{
			name: "syntax", before: "hidden\n", code: exitFailed,
			stderr: "statemesh keygen: bad configuration: .env: line 1 is neither NAME=value nor a comment, or a quote in it is not closed\n",
		},
		{
			name: "odd port", before: "RABBIT_PORT=hidden\n", stdout: ".env has new: " + three + "\n" + same,
			stderr: "statemesh keygen: bad configuration: RABBIT_PORT in .env: it has to be a number from 1 to 65535\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			if tt.environment != "" {
				t.Setenv(tt.environment, "hidden")
			}
			if tt.before != "" {
				writeFile(t, ".env", tt.before)
			}
			c := prepare(t, "")
			c.expect(tt.code, tt.stdout, tt.stderr, append([]string{"keygen"}, strings.Fields(tt.args)...)...)
			after := readFile(t, ".env")
			if !strings.HasPrefix(after, tt.before) || (after == tt.before) == strings.Contains(tt.stdout, "new") {
				t.Errorf("the file is now %q", after)
			}
			// No value of the file is shown, but for what everybody knows.
			for line := range strings.Lines(after) {
				if _, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && len(value) > 9 && strings.Contains(c.stdout.String()+c.stderr.String(), value) {
					t.Errorf("a value is shown: %s", line)
				}
			}
			if strings.Contains(c.stdout.String()+c.stderr.String(), "hidden") {
				t.Error("a value is shown")
			}
		})
	}
}

func TestKeygenModes(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, ".env")
	if code := prepare(t, "").start("keygen", "-dir", dir, "-user", "ann").wait(); code != exitOK {
		t.Fatalf("exit code %d", code)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o600 {
		t.Errorf("mode %v, want 0600", info.Mode())
	}
	if !strings.HasPrefix(readFile(t, path), "RABBIT_USER=ann\n") {
		t.Error("the user is not ann")
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	prepare(t, "").expect(exitOK, path+" has RABBIT_USER, RABBIT_PASSWORD and MESH_ENCRYPTION_KEY already\nnothing was written\n",
		"statemesh keygen: other users of this machine can read or write "+path+"; its mode should be 0600\n", "keygen", "-dir", dir)
}

func TestKeygenNoPlace(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	prepare(t, "").expect(exitFailed, "", "statemesh keygen: bad configuration: "+filepath.Join(dir, ".env")+": no such file or directory\n", "keygen", "-dir", dir)
}

func TestKeygenPrint(t *testing.T) {
	t.Chdir(t.TempDir())
	c := prepare(t, "").start("keygen", "-print", "-lan", "-user", "ann")
	if code := c.wait(); code != exitOK {
		t.Fatalf("exit code %d: %s", code, c.stderr.String())
	}
	if files, _ := os.ReadDir("."); len(files) > 0 {
		t.Fatalf("it wrote %v", files)
	}
	writeFile(t, ".env", c.stdout.String())
	config, err := network.Load("")
	if err != nil || config.User != "ann" || config.Password.IsZero() || config.MeshKey.IsZero() || !config.LAN {
		t.Errorf("the lines make %v, %v", config, err)
	}
}

// All who write at once say in sum that they wrote each line once.
func TestKeygenAtOnce(t *testing.T) {
	dir := t.TempDir()
	calls := make([]*call, 8)
	for i := range calls {
		calls[i] = prepare(t, "").start("keygen", "-dir", dir)
	}
	said := 0
	for _, c := range calls {
		if code := c.wait(); code != exitOK {
			t.Errorf("exit code %d: %s", code, &c.stderr)
		}
		said += strings.Count(c.stdout.String(), "has new: ")
	}
	if got := readFile(t, filepath.Join(dir, ".env")); said != 1 || strings.Count(got, "\n") != 3 {
		t.Errorf("%d say that they wrote; the file has %d lines, want 3", said, strings.Count(got, "\n"))
	}
}

func TestKeygenRotate(t *testing.T) {
	t.Chdir(t.TempDir())
	prepare(t, "").start("keygen").wait()
	for _, want := range []string{"step 1 of 3 for MESH_ENCRYPTION_KEY: a new key opens", "step 2 of 3", "step 3 of 3", "step 1 of 3"} {
		c := prepare(t, "").start("keygen", "-rotate")
		if code := c.wait(); code != exitOK || !strings.Contains(c.stdout.String(), want) {
			t.Errorf("exit %d, %q, want %q", code, c.stdout.String(), want)
		}
	}
	prepare(t, "").expect(exitUsage, "", "statemesh keygen: -rotate changes keys, and nothing else: only -dir goes with it; statemesh help keygen tells more\n",
		"keygen", "-rotate", "-lan")
}
