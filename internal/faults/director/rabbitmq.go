package director

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/statemesh/statemesh/internal/netnstest"
)

var (
	// ErrRabbitMQ is wrapped by the error for a RabbitMQ that does not do as it is told.
	ErrRabbitMQ = errors.New("director: RabbitMQ")
	// ErrNotInstalled is returned where there is no RabbitMQ.
	ErrNotInstalled = errors.New("director: RabbitMQ is not installed: scripts/rabbitmq.sh install")
)

// rabbit is the RabbitMQ of one host. What it keeps on disk outlives it: unlike
// scripts/rabbitmq.sh, start does not begin with an empty directory. Its methods are
// called by one goroutine at a time.
type rabbit struct {
	host *netnstest.Host
	home string // of the program
	dir  string
	env  []string
	cmd  *exec.Cmd
	done chan struct{} // closed when the server has ended
}

const (
	rabbitPatience = 3 * time.Minute
	highWater      = "512MiB"
)

// rabbitHome finds the newest RabbitMQ that is installed as Debian does.
func rabbitHome() (string, error) {
	found, err := filepath.Glob("/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server")
	if err != nil || len(found) == 0 {
		return "", ErrNotInstalled
	}
	return filepath.Dir(slices.Max(found)), nil
}

// newRabbit prepares a server that listens on the host's address and on loopback.
func newRabbit(host *netnstest.Host, dir, cookie, user, password string) (*rabbit, error) {
	home, err := rabbitHome()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, "log"), 0o700); err != nil {
		return nil, err
	}
	for name, content := range map[string]string{
		".erlang.cookie": cookie,
		"plugins":        "[].\n",
		"rabbitmq.conf": strings.Join([]string{
			"listeners.tcp.1 = 0.0.0.0:5672",
			"default_user = " + user,
			"default_pass = " + password,
			"loopback_users = none",
			"vm_memory_high_watermark.absolute = " + highWater,
			"disk_free_limit.absolute = 50MB",
			"cluster_partition_handling = pause_minority",
			"", // the last line has an end
		}, "\n"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o400); err != nil {
			return nil, err
		}
	}
	return &rabbit{host: host, home: home, dir: dir, env: append(slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "RABBIT")
	}),
		"HOME="+dir,
		"RABBITMQ_USE_LONGNAME=true",
		"RABBITMQ_NODENAME="+rabbitName(host.Addr(0)),
		"RABBITMQ_CONF_ENV_FILE=/dev/null",
		"RABBITMQ_CONFIG_FILE="+filepath.Join(dir, "rabbitmq.conf"),
		"RABBITMQ_ADVANCED_CONFIG_FILE="+filepath.Join(dir, "none"),
		"RABBITMQ_ENABLED_PLUGINS_FILE="+filepath.Join(dir, "plugins"),
		"RABBITMQ_MNESIA_BASE="+filepath.Join(dir, "mnesia"),
		"RABBITMQ_LOG_BASE="+filepath.Join(dir, "log"),
		"RABBITMQ_PID_FILE="+filepath.Join(dir, "pid"),
		"RABBITMQ_DIST_PORT=25672",
		"ERL_EPMD_PORT=4369",
		// A broken link is noticed in seconds instead of a minute.
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none -kernel net_ticktime 8",
	)}, nil
}

func rabbitName(a netip.Addr) string { return "rabbit@" + a.String() }

// start runs the server and waits until it answers.
func (r *rabbit) start(ctx context.Context) error {
	console, err := os.OpenFile(filepath.Join(r.dir, "log", "console"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer console.Close()
	r.cmd = r.host.Command(context.WithoutCancel(ctx), filepath.Join(r.home, "rabbitmq-server"))
	r.cmd.Env, r.cmd.Stdout, r.cmd.Stderr = r.env, console, console
	if err := r.cmd.Start(); err != nil {
		return err
	}
	cmd, done := r.cmd, make(chan struct{})
	r.done = done
	go func() { // ends with the server, which kill or the end of the lab kills
		_ = cmd.Wait()
		close(done)
	}()
	late := time.NewTimer(rabbitPatience)
	defer late.Stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !r.listens() {
		select {
		case <-tick.C:
		case <-done:
			return fmt.Errorf("%w of %s has ended; see %s", ErrRabbitMQ, r.host.Name(), console.Name())
		case <-late.C:
			return fmt.Errorf("%w of %s does not listen; see %s", ErrRabbitMQ, r.host.Name(), console.Name())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// listens says whether somebody serves the port. The server opens it last.
func (r *rabbit) listens() bool {
	pids, err := processesWith(r.dir, "beam.smp")
	if err != nil || len(pids) == 0 {
		return false
	}
	inodes, err := listeners(pids[0])
	return err == nil && len(inodes) > 0
}

// kill ends the server by force.
func (r *rabbit) kill() error {
	pids, err := processesWith(r.dir, "beam.smp")
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if p, err := os.FindProcess(pid); err == nil {
			_ = p.Kill() // or it has ended by itself
		}
	}
	if len(pids) == 0 {
		return fmt.Errorf("%w of %s does not run", ErrRabbitMQ, r.host.Name())
	}
	<-r.done
	return nil
}

// ctl runs rabbitmqctl on the host.
func (r *rabbit) ctl(ctx context.Context, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, rabbitPatience)
	defer cancel()
	cmd := r.host.Command(ctx, filepath.Join(r.home, "rabbitmqctl"), append([]string{"--longnames", "--quiet"}, args...)...)
	cmd.Env = r.env
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w of %s: rabbitmqctl %s: %w: %s", ErrRabbitMQ, r.host.Name(), args[0], err, bytes.TrimSpace(out))
	}
	return nil
}

// alarm makes the server believe that it has no memory left, or that it has. One that has
// just come up listens a moment before it can be told.
func (r *rabbit) alarm(ctx context.Context, on bool) error {
	limit := highWater
	if on {
		limit = "1MiB"
	}
	for late := time.Now().Add(rabbitPatience); ; {
		err := r.ctl(ctx, "set_vm_memory_high_watermark", "absolute", limit)
		if err == nil || time.Now().After(late) || !until(ctx, time.Now().Add(time.Second)) {
			return err
		}
	}
}

// join makes the server a member of the cluster of another.
func (r *rabbit) join(ctx context.Context, other *rabbit) error {
	for _, args := range [][]string{{"stop_app"}, {"reset"}, {"join_cluster", rabbitName(other.host.Addr(0))}, {"start_app"}} {
		if err := r.ctl(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

// processesWith returns the processes of that name which have the directory as HOME.
func processesWith(home, name string) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		// A process that ends meanwhile is none of them.
		comm, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "comm"))
		if strings.TrimSpace(string(comm)) != name {
			continue
		}
		env, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		if bytes.Contains(append([]byte{0}, env...), []byte("\x00HOME="+home+"\x00")) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}
