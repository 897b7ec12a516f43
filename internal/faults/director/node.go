package director

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/statemesh/statemesh/internal/faults/actor"
	"github.com/statemesh/statemesh/internal/faults/judge"
	"github.com/statemesh/statemesh/internal/netnstest"
)

// node is a place for one actor after the other. Its methods are called by one
// goroutine at a time, which holds mu where faults are about it.
type node struct {
	host    *netnstest.Host
	dir     string
	name    string // h1a
	options actor.Options

	mu    sync.Mutex // held while something is done to it
	lives []*judge.Life
	cmd   *exec.Cmd
	ended chan struct{} // closed when the process has ended
}

func (n *node) life() *judge.Life { return n.lives[len(n.lives)-1] }

// start begins a new life, and waits until that obeys signals.
func (n *node) start() error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	o := n.options
	o.Life = n.name + "-" + strconv.Itoa(len(n.lives))
	stderr, err := os.Create(filepath.Join(n.dir, o.Life+".log"))
	if err != nil {
		return err
	}
	defer stderr.Close()
	cmd := n.host.Command(context.Background(), program, append([]string{"actor"}, o.Args()...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = n.dir, stderr, stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() { // ends with the process, which the end of the lab kills at the latest
		_ = cmd.Wait()
		close(ended)
	}()
	n.cmd, n.ended = cmd, ended
	n.lives = append(n.lives, &judge.Life{
		Name: o.Life, Node: n.name, Host: n.host.Name(), At: n.host.Addr(0).String(), Charts: o.Charts, Began: time.Now(),
		Path: filepath.Join(n.dir, actor.LedgerName(o.Life)),
	})
	for late := time.Now().Add(obeysWithin); time.Now().Before(late); {
		if _, err := os.Stat(n.life().Path); err == nil {
			return nil
		}
		if err := n.running(); err != nil {
			return err
		}
		until(context.Background(), time.Now().Add(5*time.Millisecond))
	}
	return fmt.Errorf("director: %s does not begin", o.Life)
}

// obeysWithin is the time in which a process that was started writes its first line.
const obeysWithin = 20 * time.Second

// kill ends the life by force.
func (n *node) kill() error {
	if err := n.running(); err != nil {
		return err
	}
	n.life().Killed = time.Now()
	err := n.cmd.Process.Kill()
	<-n.ended
	return err
}

// ErrEnded is wrapped by the error for a process that ended by itself.
var ErrEnded = errors.New("director: an actor has ended by itself")

func (n *node) running() error {
	select {
	case <-n.ended:
		return fmt.Errorf("%w: %s; see %s", ErrEnded, n.life().Name, filepath.Join(n.dir, n.life().Name+".log"))
	default:
		return nil
	}
}

func (n *node) signal(s os.Signal) error {
	if err := n.running(); err != nil {
		return err
	}
	return n.cmd.Process.Signal(s)
}

// skew makes the clock wrong, or right again with 0.
func (n *node) skew(d time.Duration) error {
	path := filepath.Join(n.dir, actor.SkewName(n.life().Name))
	if err := os.WriteFile(path, []byte(d.String()), 0o600); err != nil {
		return err
	}
	return n.signal(actor.Skew)
}

// end lets the process tell all, and waits for it.
func (n *node) end(patience time.Duration) error {
	if err := n.signal(syscall.SIGTERM); err != nil {
		return err
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-n.ended:
		return nil
	case <-late.C:
		return fmt.Errorf("director: %s does not end", n.life().Name)
	}
}
