package lantest

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/statemesh/statemesh/internal/netnstest"
	"github.com/statemesh/statemesh/network"
)

// resident is one host with its program.
type resident struct {
	v    *village
	host *netnstest.Host
	name string // of its object too
	dir  string
	user func(ctx context.Context, name string, args ...string) *exec.Cmd

	cmd    *exec.Cmd
	out    *record // standard output
	errs   *record // standard error
	exited chan struct{}
	began  time.Time
}

// record keeps what a program writes.
type record struct {
	mu    sync.Mutex // guards what follows
	lines []string
	times []time.Time
	grown chan struct{} // closed when there is more
}

func newRecord() *record { return &record{grown: make(chan struct{})} }

func (r *record) copy(from io.Reader) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		r.mu.Lock()
		r.lines, r.times = append(r.lines, lines.Text()), append(r.times, time.Now())
		close(r.grown)
		r.grown = make(chan struct{})
		r.mu.Unlock()
	}
}

func (r *record) len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.lines)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.lines[max(0, len(r.lines)-40):], "\n")
}

// find returns when the first line from the given one on came that matches, and waits
// for it until late.
func (r *record) find(pattern *regexp.Regexp, from int, late <-chan time.Time) (time.Time, bool) {
	for {
		r.mu.Lock()
		for ; from < len(r.lines); from++ {
			if pattern.MatchString(r.lines[from]) {
				at := r.times[from]
				r.mu.Unlock()
				return at, true
			}
		}
		grown := r.grown
		r.mu.Unlock()
		select {
		case <-grown:
		case <-late:
			return time.Time{}, false
		}
	}
}

// unprivileged makes the host's program run as nobody.
func (r *resident) unprivileged() *resident {
	r.user = r.host.Unprivileged
	for _, path := range []string{r.dir, filepath.Join(r.dir, ".env")} {
		if err := os.Chown(path, 65534, 65534); err != nil {
			r.v.Fatal(err)
		}
	}
	return r
}

func (r *resident) startRabbitMQ(user, password string) {
	r.v.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		r.v.Fatal(err)
	}
	script, state := filepath.Join(root, "scripts", "rabbitmq.sh"), filepath.Join(r.dir, "rabbitmq")
	start := r.host.Command(context.Background(), script, "start", state)
	// On one address of the LAN alone, as administrators like it, or on all.
	listen := r.host.Addr(0).String()
	if strings.HasPrefix(r.name, "h1") {
		listen = "0.0.0.0"
	}
	start.Env = append(os.Environ(), "RABBIT_LISTEN="+listen+":5672", network.EnvUser+"="+user, network.EnvPassword+"="+password)
	if _, err := os.Stat(filepath.Join(r.dir, network.FileCert)); err == nil {
		start.Env = append(start.Env, "RABBIT_TLS="+r.dir)
	}
	if out, err := start.CombinedOutput(); err != nil {
		r.v.Fatalf("RabbitMQ on %s: %v\n%s", r.name, err, out)
	}
	r.v.Cleanup(func() { _ = exec.Command(script, "stop", state).Run() })
}

// killRabbitMQ ends the server by force.
func (r *resident) killRabbitMQ() {
	r.v.Helper()
	if out, err := exec.Command("../../scripts/rabbitmq.sh", "kill", filepath.Join(r.dir, "rabbitmq")).CombinedOutput(); err != nil {
		r.v.Fatalf("killing the server on %s: %v\n%s", r.name, err, out)
	}
}

// start runs the program on the host.
func (r *resident) start(args ...string) {
	r.v.Helper()
	args = append([]string{"-name", r.name, "-no-color", "-stats", "-fast", "20"}, args...)
	r.cmd = r.user(context.Background(), filepath.Join(r.v.programs, "ergodic"), args...)
	r.cmd.Dir = r.dir
	r.out, r.errs, r.exited = newRecord(), newRecord(), make(chan struct{})
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		r.v.Fatal(err)
	}
	errs, err := r.cmd.StderrPipe()
	if err != nil {
		r.v.Fatal(err)
	}
	r.began = time.Now()
	if err := r.cmd.Start(); err != nil {
		r.v.Fatal(err)
	}
	var readers sync.WaitGroup
	readers.Go(func() { r.out.copy(out) })
	readers.Go(func() { r.errs.copy(errs) })
	cmd, exited := r.cmd, r.exited
	go func() { // ends with the program, which Cleanup kills
		readers.Wait()
		_ = cmd.Wait()
		close(exited)
	}()
	r.v.Cleanup(func() { _ = cmd.Process.Kill(); <-exited })
}

func (r *resident) kill() {
	_ = r.cmd.Process.Kill()
	<-r.exited
}

// nodeCounts is what of -stats matters here.
type nodeCounts struct {
	Node  string
	Stats struct {
		Transmitted, Missed uint64
		Senders             []network.SenderStats
		Problems            map[string]uint64
	}
	Peers []struct {
		Address, State string
		Sent, Dropped  uint64
	}
}

// stop ends the program as Ctrl-C does, and returns its counts.
func (r *resident) stop() nodeCounts {
	r.v.Helper()
	if err := r.cmd.Process.Signal(syscall.SIGINT); err != nil {
		r.v.Fatal(err)
	}
	select {
	case <-r.exited:
	case <-time.After(lanPatience):
		r.v.Fatalf("%s does not end", r.name)
	}
	var counts nodeCounts
	for _, line := range r.errs.lines {
		if strings.HasPrefix(line, "{") {
			if err := json.Unmarshal([]byte(line), &counts); err != nil {
				r.v.Fatalf("%s: %v", line, err)
			}
			return counts
		}
	}
	r.v.Fatalf("%s told no counts:\n%s", r.name, r.errs)
	return counts
}

// hears waits until the host has heard the other one's trace, of a time after the mark, and
// returns when that was.
func (r *resident) hears(other *resident, mark int) time.Time {
	r.v.Helper()
	at, ok := r.out.find(regexp.MustCompile(`\[`+other.name+`\] e->`), mark, time.After(lanPatience))
	if !ok {
		r.v.Errorf("%s does not hear %s; it printed\n%s\nand said\n%s\nand the other said\n%s", r.name, other.name, r.out, r.errs, other.errs)
	}
	return at
}

// says waits until the program has logged something.
func (r *resident) says(pattern string, mark int) {
	r.v.Helper()
	if _, ok := r.errs.find(regexp.MustCompile(pattern), mark, time.After(lanPatience)); !ok {
		r.v.Errorf("%s does not say %q; it said\n%s", r.name, pattern, r.errs)
	}
}
