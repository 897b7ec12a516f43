package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/statemesh/statemesh/network"
	"github.com/statemesh/statemesh/network/discovery"
)

// deadline is how long a test waits for what has to happen.
const deadline = 20 * time.Second

// asMain in the environment makes this test binary be the command.
const asMain = "STATEMESH_TEST_AS_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asMain) != "" {
		main()
	}
	// What the tester's environment says of his own mesh is not meant here.
	for _, name := range []string{
		network.EnvUser, network.EnvPassword, network.EnvPort, network.EnvHeartbeat, network.EnvAttempts, network.EnvMeshKey,
		network.EnvTraceKey, network.EnvSpyKey, network.EnvLAN, network.EnvLANInterfaces, network.EnvLANPrefixes,
	} {
		os.Unsetenv(name)
	}
	goleak.VerifyTestMain(m)
}

// text is a writer for any goroutine.
type text struct {
	mu   sync.Mutex // guards what follows
	b    strings.Builder
	news chan struct{} // made by the reader, gets a value when b grows
}

func (w *text) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case w.news <- struct{}{}:
	default:
	}
	return w.b.Write(p)
}

func (w *text) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

// await waits until what was written satisfies f.
func (w *text) await(t testing.TB, f func(string) bool) {
	t.Helper()
	w.mu.Lock()
	if w.news == nil {
		w.news = make(chan struct{}, 1)
	}
	w.mu.Unlock()
	for late := time.After(deadline); !f(w.String()); {
		select {
		case <-w.news:
		case <-late:
			t.Fatalf("waited in vain; so far:\n%s", w)
		}
	}
}

// call is a statemesh that runs.
type call struct {
	*tool
	t              *testing.T
	stdout, stderr text
	end            context.CancelFunc // as Ctrl-C does
	code           chan int           // gets the exit code
}

// prepare makes a call whose discovery is an error of the test: no test looks at a
// real network.
func prepare(t *testing.T, stdin string) *call {
	c := &call{t: t, code: make(chan int, 1)}
	c.tool = newTool(strings.NewReader(stdin), &c.stdout, &c.stderr)
	c.discover = func(context.Context, network.Config) (discovery.Report, error) {
		t.Error("it looked for nodes")
		return discovery.Report{}, errors.New("not in a test")
	}
	return c
}

// start runs it; it ends with the test at the latest.
func (c *call) start(args ...string) *call {
	c.t.Helper()
	ctx, end := context.WithCancel(context.Background())
	c.end = end
	c.t.Cleanup(end)
	go func() { c.code <- c.tool.run(ctx, args) }()
	return c
}

// wait returns the exit code.
func (c *call) wait() int {
	c.t.Helper()
	select {
	case code := <-c.code:
		return code
	case <-time.After(deadline):
		c.t.Fatalf("it does not end\nstandard output:\n%s\nstandard error:\n%s", &c.stdout, &c.stderr)
		return -1
	}
}

// expect runs it to its end and compares the exit code and what it wrote.
func (c *call) expect(code int, stdout, stderr string, args ...string) {
	c.t.Helper()
	if got := c.start(args...).wait(); got != code {
		c.t.Errorf("exit code %d, want %d", got, code)
	}
	if diff := cmp.Diff(stdout, c.stdout.String()); diff != "" {
		c.t.Errorf("standard output (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(stderr, c.stderr.String()); diff != "" {
		c.t.Errorf("standard error (-want +got):\n%s", diff)
	}
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestUsage(t *testing.T) {
	const (
		keygen   = "; statemesh help keygen tells more\n"
		discover = "; statemesh help discover tells more\n"
		snoop    = "; statemesh help snoop tells more\n"
		send     = "; statemesh help send tells more\n"
		any      = "; statemesh help tells more\n"
	)
	tests := []struct{ args, stderr string }{
		{"snop", `statemesh: there is no command "snop" (did you mean snoop?)` + any},
		{"disc", `statemesh: there is no command "disc" (did you mean discover?)` + any},
		{"sned x", `statemesh: there is no command "sned" (did you mean send?)` + any},
		{"frobnicate", `statemesh: there is no command "frobnicate"` + any},
		{"-x", `statemesh: there is no command "-x"` + any},
		{"help nothing", `statemesh help: there is no command "nothing"` + any},
		{"help send snoop", `statemesh help: unexpected argument "snoop"` + any},
		{"version 2", `statemesh version: unexpected argument "2"; statemesh help version tells more` + "\n"},

		{"keygen -x", "statemesh keygen: flag provided but not defined: -x" + keygen},
		{"keygen file", `statemesh keygen: unexpected argument "file"` + keygen},
		{"keygen -user", "statemesh keygen: flag needs an argument: -user" + keygen},
		{"keygen -user=", "statemesh keygen: -user needs a name" + keygen},
		{"keygen -user a:b", "statemesh keygen: a user's name has to be 1 to 255 letters, digits or any of . _ -" + keygen},
		{"keygen -print -user a:b", "statemesh keygen: a user's name has to be 1 to 255 letters, digits or any of . _ -" + keygen},
		{"keygen -print -dir d", "statemesh keygen: -print writes no file, so -dir has no effect" + keygen},

		{"discover eth0", `statemesh discover: unexpected argument "eth0"` + discover},
		{"discover -port 65536", "statemesh discover: -port 65536: want a number from 1 to 65535" + discover},
		{"discover -port x", `statemesh discover: invalid value "x" for flag -port: parse error` + discover},
		{"discover -timeout -1s", "statemesh discover: -timeout -1s: a duration cannot be negative" + discover},
		{"discover -interface ,", `statemesh discover: invalid value "," for flag -interface: it names none` + discover},
		{"discover -prefix 10.0.0.0", `statemesh discover: invalid value "10.0.0.0" for flag -prefix: want prefixes like 192.168.1.0/24` + discover},
		{"discover -prefix=", `statemesh discover: invalid value "" for flag -prefix: it names none` + discover},

		{"snoop all", `statemesh snoop: unexpected argument "all"` + snoop},
		{"snoop -for -1s", "statemesh snoop: -for -1s: a duration cannot be negative" + snoop},
		{"snoop -for 5", `statemesh snoop: invalid value "5" for flag -for: parse error` + snoop},
		{"snoop -name [a", `statemesh snoop: invalid value "[a" for flag -name: it is no pattern` + snoop},
		{"snoop -name x[a", `statemesh snoop: invalid value "x[a" for flag -name: it is no pattern` + snoop},
		{"snoop -signal ,", `statemesh snoop: invalid value "," for flag -signal: it holds no pattern` + snoop},
		{"snoop -broker http://u:secret@h", "statemesh snoop: -broker: the scheme has to be amqp or amqps" + snoop},

		{"send", "statemesh send: SIGNAL is missing" + send},
		{"send a b c", `statemesh send: unexpected argument "c"; flags stand before SIGNAL` + send},
		{"send a -lan", "statemesh send: flags stand before SIGNAL; if -lan is the payload, say so with -text" + send},
		{"send a --to=b", "statemesh send: flags stand before SIGNAL; if --to=b is the payload, say so with -text" + send},
		{"send -to= a", "statemesh send: -to needs a routing key" + send},
		{"send -name= a", "statemesh send: -name needs a name" + send},
		{"send -text -json a b", "statemesh send: -text and -json exclude each other" + send},
		{"send -json a", "statemesh send: there is no PAYLOAD for -text or -json" + send},
		{"send -json a {", "statemesh send: PAYLOAD is not JSON: it ends too early" + send},
		{"send -json a 1:2", "statemesh send: PAYLOAD is not JSON: it goes on after the value" + send},
		{"send -timeout -1s a", "statemesh send: -timeout -1s: a duration cannot be negative" + send},
		{"send ENTRY_SIGNAL", "statemesh send: ENTRY_SIGNAL is a signal that only machines send to their states" + send},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			t.Chdir(t.TempDir())
			c := prepare(t, "").start(strings.Fields(tt.args)...)
			if code := c.wait(); code != exitUsage {
				t.Errorf("exit code %d, want %d", code, exitUsage)
			}
			got := c.stderr.String()
			if strings.HasSuffix(tt.stderr, "\n") && got != tt.stderr || !strings.HasPrefix(got, tt.stderr) || strings.Count(got, "\n") != 1 {
				t.Errorf("standard error %q, want %q", got, tt.stderr)
			}
			if strings.Contains(got, "secret") {
				t.Errorf("standard error shows the password: %q", got)
			}
			if got := c.stdout.String(); got != "" {
				t.Errorf("standard output %q", got)
			}
			if files, _ := os.ReadDir("."); len(files) > 0 {
				t.Errorf("it wrote %v", files)
			}
		})
	}
	t.Run("no signal", func(t *testing.T) {
		prepare(t, "").expect(exitUsage, "", "statemesh send: SIGNAL is empty"+send, "send", "")
	})
}

func TestHelp(t *testing.T) {
	t.Run("alone", func(t *testing.T) { prepare(t, "").expect(exitUsage, "", overview()) })
	for _, args := range []string{"help", "-h", "--help", "-help", "help help", "help version"} {
		t.Run(args, func(t *testing.T) { prepare(t, "").expect(exitOK, overview(), "", strings.Fields(args)...) })
	}
	for _, c := range commands {
		for _, args := range []string{"help " + c.name, c.name + " -h", c.name + " --help", c.name + " -h stray -x"} {
			t.Run(args, func(t *testing.T) { prepare(t, "").expect(exitOK, c.help(), "", strings.Fields(args)...) })
		}
		if !strings.Contains(overview(), "  "+c.name+" ") {
			t.Errorf("the overview has no %s:\n%s", c.name, overview())
		}
		for _, line := range strings.Split(c.help(), "\n") {
			if len(line) > 110 || strings.TrimRight(line, " \t") != line {
				t.Errorf("help of %s: a line is too long or ends in blanks: %q", c.name, line)
			}
		}
	}
}

// run is what main calls.
func TestRun(t *testing.T) {
	var stdout, stderr strings.Builder
	if code := run(t.Context(), []string{"help"}, strings.NewReader(""), &stdout, &stderr); code != exitOK || stdout.String() != overview() || stderr.Len() > 0 {
		t.Errorf("exit code %d, %q, %q", code, stdout.String(), stderr.String())
	}
}

func TestHelpOfKeygen(t *testing.T) {
	want := `usage: statemesh keygen [flags]

Write credentials and a mesh key into .env, as far as they are missing there.

  -dir DIR     DIR with the file .env (default: the current directory)
  -host NAME   with -tls: NAME or IP address in the certificate; may be repeated
               (default: the name of this host)
  -lan         also write STATEMESH_LAN=1, so that nodes look for others on the LAN
  -out DIR     with -tls and -host: make the files of another host in DIR, and nothing else
  -print       print the lines for a new .env, with new secrets, and write no file
  -rotate      make the next step of changing the mesh key, and the keys of trace and spy if there are any
  -tls         also make an authority and a certificate, and write their names into .env
  -user NAME   NAME for RABBIT_USER (default statemesh)
  -h           print this and end
`
	c, _ := commandNamed("keygen")
	got, _, _ := strings.Cut(c.help(), "\nRABBIT_USER,")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestVersion(t *testing.T) {
	for _, args := range []string{"version", "-version", "--version"} {
		c := prepare(t, "").start(args)
		if code := c.wait(); code != exitOK || !strings.HasPrefix(c.stdout.String(), "statemesh ") || strings.Count(c.stdout.String(), "\n") != 1 {
			t.Errorf("%s: exit code %d, %q", args, code, c.stdout.String())
		}
	}
}

// brokenWriter takes nothing.
type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

func TestOutputBreaks(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, ".env"), "")
	for _, args := range []string{"help", "snoop -h", "version", "keygen -print", "keygen -dir " + dir} {
		for err, want := range map[error]struct {
			code   int
			stderr string
		}{
			io.ErrClosedPipe:        {exitOK, ""},
			errors.New("disk full"): {exitFailed, "cannot write: disk full\n"},
		} {
			c := prepare(t, "")
			c.tool.stdout = brokenWriter{err}
			if code := c.start(strings.Fields(args)...).wait(); code != want.code || !strings.HasSuffix(c.stderr.String(), want.stderr) || want.stderr == "" && c.stderr.String() != "" {
				t.Errorf("%s: exit code %d, %q; want %d, %q", args, code, c.stderr.String(), want.code, want.stderr)
			}
		}
	}
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"snoop", "snoop", 0}, {"snop", "snoop", 1}, {"snoopp", "snoop", 1},
		{"snoip", "snoop", 1}, {"sned", "send", 1}, {"keygne", "keygen", 1}, {"version", "discover", 7},
	} {
		if got := distance(tt.a, tt.b); got != tt.want || distance(tt.b, tt.a) != got {
			t.Errorf("distance(%q, %q) = %d, want %d both ways", tt.a, tt.b, got, tt.want)
		}
	}
}
