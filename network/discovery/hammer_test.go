package discovery

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// envHammer is the cache file that a process of TestHammer works on.
const envHammer = "STATEMESH_TEST_HAMMER"

// TestHammer lets two hundred processes, all alive at once, read and write one file,
// and kills one after the other in the midst of it, each followed by another one.
// On a busy machine there are fewer: as many as could be started in four seconds.
func TestHammer(t *testing.T) {
	if path := os.Getenv(envHammer); path != "" {
		hammer(path)
	}
	processes, duration := 200, 2*time.Second
	if testing.Short() {
		processes, duration = 20, time.Second/2
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "cache")
	if err := WriteCache(path, hammerCache(0)); err != nil {
		t.Fatal(err)
	}
	a := newAnvil(t, path)
	began := time.Now()
	for range processes {
		if time.Since(began) > 4*time.Second {
			break
		}
		a.start()
		a.runUntil("some are there", func() bool { return a.starting < 8 })
	}
	a.runUntil("all are there", func() bool { return a.starting == 0 })
	t.Logf("%d processes are there after %v", len(a.alive), time.Since(began))
	for range 16 { // so many work at once
		a.order(orderOnce)
	}
	for range 4 { // and so many till they are killed
		a.order(orderLoop)
	}
	end := time.Now().Add(duration)
	a.runUntil("much has been done", func() bool {
		return time.Now().After(end) && a.reads >= 20 && a.writes >= 20 && a.killed >= 5
	})
	a.close()
	t.Logf("%d processes were killed at work after %v; the others read %d times and wrote %d times",
		a.killed, time.Since(began), a.reads, a.writes)
	if err := hammerRead(path); err != nil {
		t.Errorf("at the end: %v", err)
	}

	// The killed ones left files and no lock; and once these are old, they go.
	names := fileNames(t, dir)
	t.Logf("%d files are left behind", len(names)-1)
	long := time.Now().Add(-2 * leftoverAge)
	for _, name := range names {
		if err := os.Chtimes(filepath.Join(dir, name), long, long); err != nil {
			t.Error(err)
		}
		if name != "cache" && !isLeftover(name, "cache") {
			t.Errorf("%s is left behind", name)
		}
	}
	if err := WriteCache(path, hammerCache(1)); err != nil {
		t.Error(err)
	}
	if names := fileNames(t, dir); len(names) != 1 {
		t.Errorf("left behind: %q", names)
	}
	if err := hammerRead(path); err != nil {
		t.Errorf("after it: %v", err)
	}
}

// hammerCache returns a cache of which every part is derived from one number, so
// that parts of two do not make one.
func hammerCache(n int) Cache {
	c := Cache{TimeOut: time.Duration(n+1) * time.Millisecond}
	for i := range 1 + n%500 {
		addr := netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
		c.Addresses = append(c.Addresses, netip.AddrPortFrom(addr, uint16(1+(n+i)%65535)))
	}
	return c
}

// hammerRead says what is wrong with the file.
func hammerRead(path string) error {
	c, err := ReadCache(path)
	if err != nil {
		return err
	}
	if len(c.Addresses) == 0 {
		return errors.New("there is no cache")
	}
	b := c.Addresses[0].Addr().As4()
	want := hammerCache(int(b[1])<<16 | int(b[2])<<8 | int(b[3]))
	if diff := diffCache(want, c); diff != "" {
		return fmt.Errorf("torn (-want +got):\n%s", diff)
	}
	return nil
}

// What a process may be told, in a byte of its input, which all of them share.
const (
	orderOnce = '1' // read or write, and say so
	orderLoop = '2' // say who you are, and read and write until you are killed
)

// hammer is what a process does. It ends with its input, or when something is wrong.
func hammer(path string) {
	say := func(form string, args ...any) { fmt.Printf(form+"\n", args...) }
	act := func() string {
		did, err := "r", error(nil)
		if rand.IntN(2) == 0 {
			did, err = "w", WriteCache(path, hammerCache(rand.IntN(1<<24)))
		} else {
			err = hammerRead(path)
		}
		if err != nil {
			say("! %q", err.Error())
			os.Exit(1)
		}
		return did
	}
	say("+")
	for order := make([]byte, 1); ; {
		if _, err := os.Stdin.Read(order); err != nil {
			os.Exit(0)
		}
		if order[0] == orderOnce {
			say("%s", act())
			continue
		}
		for say("%d", os.Getpid()); ; {
			act()
		}
	}
}

// anvil keeps the processes. Only the goroutine of the test uses it.
type anvil struct {
	t      *testing.T
	path   string
	alive  map[int]*exec.Cmd // by process id
	orders *os.File          // the processes read what is written here
	ends   [2]*os.File       // input and output of the processes
	lines  chan string       // what they say; closed at the end of it

	starting              int   // processes that have not yet said that they are there
	loops                 int   // orders to loop that nobody follows yet
	victims               []int // process ids of those that loop
	closing               bool
	reads, writes, killed int
}

func newAnvil(t *testing.T, path string) *anvil {
	t.Helper()
	input, orders, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	listen, output, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	a := &anvil{t: t, path: path, alive: map[int]*exec.Cmd{}, orders: orders, ends: [2]*os.File{input, output}, lines: make(chan string)}
	go func() { // ended by the end of all processes
		defer close(a.lines)
		defer listen.Close()
		for s := bufio.NewScanner(listen); s.Scan(); {
			a.lines <- s.Text()
		}
	}()
	t.Cleanup(a.abandon)
	return a
}

func (a *anvil) order(order byte) {
	a.t.Helper()
	if _, err := a.orders.Write([]byte{order}); err != nil {
		a.t.Fatal(err)
	}
	if order == orderLoop {
		a.loops++
	}
}

func (a *anvil) start() {
	a.t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestHammer$")
	// Without the second that the race detector waits at the end.
	cmd.Env = append(os.Environ(), envHammer+"="+a.path, "GOMAXPROCS=1", "GORACE="+os.Getenv("GORACE")+" atexit_sleep_ms=0")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = a.ends[0], a.ends[1], os.Stderr
	if err := cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	a.alive[cmd.Process.Pid] = cmd
	a.starting++
}

// runUntil lets them work until it is so.
func (a *anvil) runUntil(what string, isSo func() bool) {
	a.t.Helper()
	tick := time.NewTicker(3 * time.Millisecond) // how long a victim may work, about
	defer tick.Stop()
	for late := time.After(30 * time.Second); !isSo(); {
		select {
		case line := <-a.lines:
			a.hear(line)
		case <-tick.C:
			if len(a.victims) > 0 && a.starting < 4 {
				a.kill(a.victims[0])
				a.victims = a.victims[1:]
				if a.killed++; !a.closing {
					a.start()
					a.order(orderLoop)
				}
			}
		case <-late:
			a.t.Fatalf("waited in vain: %s", what)
		}
	}
}

func (a *anvil) hear(line string) {
	a.t.Helper()
	pid, err := strconv.Atoi(line)
	switch {
	case line == "+":
		a.starting--
	case line == "r":
		a.reads++
		a.order(orderOnce)
	case line == "w":
		a.writes++
		a.order(orderOnce)
	case err == nil && a.alive[pid] != nil:
		a.loops--
		a.victims = append(a.victims, pid)
	default:
		a.t.Fatalf("a process says %q", line)
	}
}

func (a *anvil) kill(pid int) {
	cmd := a.alive[pid]
	delete(a.alive, pid)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

// close lets them end: who loops is killed and not followed, the others end with
// their input.
func (a *anvil) close() {
	a.t.Helper()
	a.closing = true
	a.runUntil("all are there, and who loops is killed", func() bool { return a.starting+a.loops+len(a.victims) == 0 })
	_ = a.orders.Close()
	_ = a.ends[1].Close()
	for line := range a.lines {
		if line != "r" && line != "w" {
			a.t.Errorf("a process says %q", line)
		}
	}
	for pid, cmd := range a.alive {
		if err := cmd.Wait(); err != nil {
			a.t.Errorf("a process ended with %v", err)
		}
		delete(a.alive, pid)
	}
}

// abandon leaves nothing running, whatever happened.
func (a *anvil) abandon() {
	for pid := range a.alive {
		a.kill(pid)
	}
	_ = errors.Join(a.orders.Close(), a.ends[0].Close(), a.ends[1].Close())
	for range a.lines {
	}
}
