package director

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/statemesh/statemesh/internal/faults/actor"
	"github.com/statemesh/statemesh/internal/faults/judge"
	"github.com/statemesh/statemesh/internal/faults/ledger"
	"github.com/statemesh/statemesh/internal/faults/schedule"
	"github.com/statemesh/statemesh/internal/netnstest"
)

func TestPlan(t *testing.T) {
	for _, c := range []struct {
		broker                   string
		memory, nodes, endangers bool
	}{
		{Embedded, false, true, false},
		{RabbitMQ, true, false, false},
		{Cluster, true, false, true},
	} {
		p := Options{Broker: c.broker, For: time.Minute}.Plan()
		if got := slices.Contains(p.Kinds, schedule.FillMemory); got != c.memory {
			t.Errorf("%s: memory is filled: %v", c.broker, got)
		}
		if got := slices.Contains(p.Kinds, schedule.SkewClock); got != actor.CanSkew {
			t.Errorf("%s: clocks are wrong: %v", c.broker, got)
		}
		if p.NodesHost != c.nodes || p.Majority != c.endangers {
			t.Errorf("%s: %+v", c.broker, p)
		}
	}
}

// TestActorsAreAlike: what one holds in the end is compared with what others held.
func TestActorsAreAlike(t *testing.T) {
	lab := netnstest.New(t)
	d := &director{Options: Options{Broker: Embedded}}
	named := make(map[string]bool)
	for _, n := range d.actors(lab.Host("a"), t.TempDir(), "") {
		least := 0
		for _, name := range n.options.Charts {
			named[name] = true
			if actor.AtLeastOnce(name) {
				least++
			}
		}
		if len(n.options.Charts) != charts/nodesAHost || least != 2 {
			t.Errorf("%s has %d charts, %d of them at-least-once", n.name, len(n.options.Charts), least)
		}
	}
	if len(named) != charts {
		t.Errorf("%d names of %d charts", len(named), charts)
	}
}

// TestServes looks for who listens on a host.
func TestServes(t *testing.T) {
	if netnstest.InChild() {
		netnstest.RequireInside(t)
		ask := func(want bool) {
			t.Helper()
			if got, err := serves(os.Getpid()); got != want || err != nil {
				t.Errorf("serves: %v, %v; want %v", got, err, want)
			}
		}
		ask(false)
		other, err := net.Listen("tcp", "127.0.0.1:5671")
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		ask(false)
		for _, at := range []string{"127.0.0.1:5672", ":5672"} {
			l, err := net.Listen("tcp", at)
			if err != nil {
				t.Fatal(err)
			}
			ask(true)
			if got, err := serves(os.Getppid()); got || err != nil && !os.IsNotExist(err) {
				t.Errorf("another process: %v, %v", got, err)
			}
			l.Close()
			ask(false)
		}
		return
	}
	lab := netnstest.New(t)
	netnstest.RunTest(t, lab.Host("a").Command)
}

func TestWatch(t *testing.T) {
	var nodes []*node
	var writers []*ledger.Writer
	running := make(chan struct{})
	for _, name := range []string{"a", "b"} {
		path := filepath.Join(t.TempDir(), name)
		w, err := ledger.Create(path, name+"-0")
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		writers = append(writers, w)
		nodes = append(nodes, &node{name: name, ended: running, lives: []*judge.Life{{Name: name + "-0", Path: path, Charts: []string{"c_" + name, "d_" + name, actor.LeastOnce + "_" + name}}}})
	}
	since := time.Now()
	write := func(w int, l ledger.Line) {
		t.Helper()
		if err := writers[w].Write(l); err != nil {
			t.Fatal(err)
		}
	}
	cross := func(at time.Time, kind string, number uint64) {
		t.Helper()
		for w, other := range []string{"b", "a"} {
			own := []string{"a", "b"}[w]
			write(w, ledger.Line{Kind: ledger.Got, At: at, Event: ledger.Event{Life: other + "-0", Chart: kind + other, Number: number}, By: "c_" + own})
			write(w, ledger.Line{Kind: ledger.Try, At: at, Event: ledger.Event{Chart: kind + own, Number: number}})
		}
	}
	cross(since.Add(-time.Minute), "c_", 1)
	watch := newWatch(nodes)
	meshed := func(want bool) {
		t.Helper()
		if err := watch.look(); err != nil {
			t.Fatal(err)
		}
		if got := watch.meshed(since); got != want {
			t.Errorf("meshed: %v, want %v", got, want)
		}
	}
	meshed(false)
	cross(since.Add(-time.Second), "c_", 2)
	meshed(false)
	cross(since.Add(time.Second), "c_", 3)
	meshed(false) // nothing of the other chart yet
	cross(since.Add(time.Second), "d_", 1)
	meshed(true)
	if want := since.Add(time.Second).Truncate(time.Microsecond); !watch.newest.Equal(want) {
		t.Errorf("the newest arrival at %v, want %v", watch.newest, want)
	}
}
