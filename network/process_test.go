package network_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/network"
	"github.com/statemesh/statemesh/network/seal"
)

// The test binary is run again as the processes of the tests below; these
// variables say which.
const (
	envProcess = "STATEMESH_TEST_PROCESS" // the name of the process, "" in the test itself
	envListen  = "STATEMESH_TEST_LISTEN"
)

// Exit codes of a process.
const (
	exitOther = iota + 1
	exitCredentials
)

var (
	otherToInner = hsm.MustBind[string](hsm.NewSignal("other_to_inner"))
	otherToOuter = hsm.MustBind[string](hsm.NewSignal("other_to_outer"))
)

// ergodic is the chart of a process: it goes to and fro, takes the others with
// it, and prints whom it heard.
type ergodic struct{ *network.ActiveObject }

var ergodics = hsm.MustCompile([]hsm.Spec[*ergodic]{
	outer: {Name: "outer", Handle: (*ergodic).outer},
	inner: {Name: "inner", Parent: outer, Handle: (*ergodic).inner},
})

func (c *ergodic) outer(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Init:
		c.move(toInner, otherToOuter)
		return hsm.Handled
	case otherToInner, otherToOuter:
		c.print(e)
		fallthrough
	case toInner:
		return hsm.Tran(inner)
	}
	return hsm.Super
}

func (c *ergodic) inner(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		c.move(toOuter, otherToInner)
		return hsm.Handled
	case hsm.Exit:
		c.CancelEvents(toOuter)
		return hsm.Handled
	case otherToInner, otherToOuter:
		c.print(e)
		return hsm.Handled
	case toInner:
		return hsm.Handled
	case toOuter:
		return hsm.Tran(outer)
	}
	return hsm.Super
}

// move goes on in a while, and lets the others know of the present.
func (c *ergodic) move(next, tell hsm.Signal) {
	_, _ = c.PostFIFO(hsm.Event{Signal: next}, activeobject.Once(20*time.Millisecond))
	_ = c.Transmit(hsm.Event{Signal: tell, Payload: c.Name()})
}

func (c *ergodic) print(e hsm.Event) {
	from, _ := hsm.Payload[string](e)
	fmt.Printf("heard %s\n", from)
}

// TestProcess is no test, but what a process does. It ends with the process.
func TestProcess(t *testing.T) {
	name := os.Getenv(envProcess)
	if name == "" {
		return
	}
	err := process(name)
	switch {
	case err == nil:
		os.Exit(0)
	case errors.Is(err, network.ErrCredentials):
		fmt.Println("error", err)
		os.Exit(exitCredentials)
	}
	fmt.Println("error", err)
	os.Exit(exitOther)
}

func process(name string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	n, err := network.NewNode(ctx, network.Config{Name: name, Listen: os.Getenv(envListen)})
	if err != nil {
		return err
	}
	c := &ergodic{}
	if c.ActiveObject, err = n.NewActiveObject(name, hsm.NewMachine(ergodics, c), network.ObjectConfig{}); err != nil {
		return err
	}
	if err := c.Start(ctx, outer); err != nil {
		return err
	}
	fmt.Printf("ready hosting=%v\n", n.Hosting())
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	hosting := n.Hosting()
	for {
		select {
		case <-ctx.Done():
			end, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			return n.Close(end)
		case <-tick.C:
			if now := n.Hosting(); now != hosting {
				hosting = now
				fmt.Printf("hosting=%v\n", hosting)
			}
		}
	}
}

// running is a process of a test.
type running struct {
	t     *testing.T
	name  string
	cmd   *exec.Cmd
	lines chan string // closed at the end of its output
	ended bool
}

// launch starts a process in the directory, which has its .env.
func launch(t *testing.T, dir, listen, name string, env ...string) *running {
	t.Helper()
	return launchTest(t, "^TestProcess$", dir, listen, name, env...)
}

// launchTest starts a process that is that test.
func launchTest(t *testing.T, test, dir, listen, name string, env ...string) *running {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run="+test)
	cmd.Dir = dir
	// Nothing of the environment of the test, but what a program needs to run.
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, envProcess + "=" + name, envListen + "=" + listen}, env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &running{t: t, name: name, cmd: cmd, lines: make(chan string, 1<<16)}
	go func() { // ended by the end of the process
		defer close(p.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	t.Cleanup(func() { p.kill() })
	return p
}

// kill ends the process as a crash does.
func (p *running) kill() {
	if p.ended {
		return
	}
	p.ended = true
	_ = p.cmd.Process.Kill()
	for range p.lines {
	}
	_ = p.cmd.Wait()
}

// expect reads what the process prints until a line contains the text.
func (p *running) expect(text string) string {
	p.t.Helper()
	late := time.After(deadline)
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				p.t.Fatalf("%s ended and did not say %q", p.name, text)
			}
			if strings.Contains(line, text) {
				return line
			}
		case <-late:
			p.t.Fatalf("%s did not say %q", p.name, text)
		}
	}
}

// forget drops what the process has printed so far, and returns it.
func (p *running) forget() []string {
	var lines []string
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				return lines
			}
			lines = append(lines, line)
		default:
			return lines
		}
	}
}

// wait waits for the end of the process and returns its exit code.
func (p *running) wait() int {
	p.t.Helper()
	done := make(chan struct{})
	go func() {
		for range p.lines {
		}
		_ = p.cmd.Wait()
		close(done)
	}()
	select {
	case <-done:
		p.ended = true
	case <-time.After(deadline):
		p.t.Fatalf("%s does not end", p.name)
	}
	return p.cmd.ProcessState.ExitCode()
}

// either reads what two processes print until a line of one is the text, and
// returns that one first.
func either(one, two *running, text string) (it, other *running) {
	one.t.Helper()
	late := time.After(deadline)
	for {
		select {
		case line, ok := <-one.lines:
			if ok && line == text {
				return one, two
			}
		case line, ok := <-two.lines:
			if ok && line == text {
				return two, one
			}
		case <-late:
			one.t.Fatalf("neither %s nor %s said %q", one.name, two.name, text)
		}
	}
}

// The first process hosts, the second joins it, and when the first one is killed
// the second goes on, and hears a third one that comes then.
func TestProcessOutlivesItsHost(t *testing.T) {
	dir, listen := t.TempDir(), freeAddress(t)
	first := launch(t, dir, listen, "first")
	if got := first.expect("ready"); got != "ready hosting=true" {
		t.Fatalf("the first process is %q", got)
	}
	if info, err := os.Stat(dir + "/.env"); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the key of the mesh: %v, %v", info, err)
	}
	second := launch(t, dir, listen, "second")
	if got := second.expect("ready"); got != "ready hosting=false" {
		t.Fatalf("the second process is %q", got)
	}
	first.expect("heard second")
	second.expect("heard first")

	killed := time.Now()
	first.kill()
	second.expect("hosting=true")
	t.Logf("the second process hosts %v after the kill", time.Since(killed))
	third := launch(t, dir, listen, "third")
	third.expect("ready hosting=false")
	ready := time.Now()
	second.expect("heard third")
	took := time.Since(ready)
	t.Logf("the third one is heard %v after it was ready, %v after the kill", took, time.Since(killed))
	if took > time.Second {
		t.Errorf("the third process was heard after %v, want a second at most", took)
	}
	third.expect("heard second")
}

// Of those that remain when the host is killed, one hosts, and they hear each
// other again.
func TestProcessesElectAHost(t *testing.T) {
	dir, listen := t.TempDir(), freeAddress(t)
	first := launch(t, dir, listen, "first")
	first.expect("ready hosting=true")
	one, two := launch(t, dir, listen, "one"), launch(t, dir, listen, "two")
	for _, p := range []*running{one, two} {
		p.expect("ready hosting=false")
	}
	one.expect("heard two")
	two.expect("heard one")
	for round := range 3 { // the successor may die as well
		killed := time.Now()
		first.kill()
		host, other := either(one, two, "hosting=true")
		t.Logf("%s hosts %v after the kill", host.name, time.Since(killed))
		host.forget()
		other.forget()
		other.expect("heard " + host.name)
		t.Logf("%s hears it %v after the kill", other.name, time.Since(killed))
		for range 5 {
			other.expect("heard " + host.name)
			host.expect("heard " + other.name)
		}
		first, one, two = host, other, launch(t, dir, listen, fmt.Sprint("heir", round))
		two.expect("ready hosting=false")
		one.expect("heard " + two.name)
		two.expect("heard " + one.name)
	}
}

// Who does not know the password is told so, at once, and disturbs nobody.
func TestProcessWithWrongPassword(t *testing.T) {
	dir, listen := t.TempDir(), freeAddress(t)
	const password, wrong = "the-password-of-the-mesh", "a-guess-at-the-password"
	first := launch(t, dir, listen, "first", network.EnvUser+"=user", network.EnvPassword+"="+password)
	first.expect("ready hosting=true")
	began := time.Now()
	intruder := launch(t, dir, listen, "intruder", network.EnvUser+"=user", network.EnvPassword+"="+wrong)
	said := intruder.expect("error")
	code := intruder.wait()
	took := time.Since(began)
	t.Logf("refused after %v: %s", took, said)
	if code != exitCredentials || took > 5*time.Second {
		t.Errorf("it ended with %d after %v, want %d at once", code, took, exitCredentials)
	}
	if strings.Contains(said, password) || strings.Contains(said, wrong) {
		t.Errorf("the error shows a password: %s", said)
	}
	friend := launch(t, dir, listen, "friend", network.EnvUser+"=user", network.EnvPassword+"="+password)
	friend.expect("heard first")
	first.expect("heard friend")
}

// A process with another key joins the broker, and neither hears nor is heard.
func TestProcessWithOtherKey(t *testing.T) {
	dir, listen := t.TempDir(), freeAddress(t)
	first := launch(t, dir, listen, "first")
	first.expect("ready hosting=true")
	stranger := launch(t, dir, listen, "stranger", network.EnvMeshKey+"="+seal.NewKey().Encode())
	stranger.expect("ready hosting=false")
	friend := launch(t, dir, listen, "friend")
	for range 10 { // what the stranger said meanwhile came before some of it
		first.expect("heard friend")
		friend.expect("heard first")
	}
	for _, p := range []*running{first, friend, stranger} {
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range []*running{first, friend, stranger} {
		for line := range p.lines {
			if p == stranger && strings.HasPrefix(line, "heard") || strings.Contains(line, "stranger") {
				t.Errorf("%s: %s", p.name, line)
			}
		}
		if code := p.wait(); code != 0 {
			t.Errorf("%s ended with %d", p.name, code)
		}
	}
}
