package main

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/network"
)

// freePort returns a loopback port where nobody listens.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// portDir returns a directory with the .env of a mesh at a free port.
func portDir(t *testing.T) (dir string, port int) {
	t.Helper()
	port = freePort(t)
	return meshDir(t, fmt.Sprint("RABBIT_PORT=", port)), port
}

// newNode makes a node of the mesh of the directory, which lives until the test ends.
func newNode(t *testing.T, dir string, change ...func(*network.Config)) *network.Node {
	t.Helper()
	c, err := network.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	c.Name = "there"
	c.OnSnoop = func(network.Heard) {}
	for _, f := range change {
		f(&c)
	}
	n, err := network.NewNode(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), deadline)
		defer cancel()
		if err := n.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return n
}

const (
	outer hsm.State = iota + 1
	inner           // in outer
)

var (
	toInner = hsm.NewSignal("to_inner")
	toOuter = hsm.NewSignal("to_outer")
	word    = hsm.NewSignal("word")
	number8 = hsm.MustBind[int8](hsm.NewSignal("number8"))
)

// ear is an object that moves between two states, and hands on what it hears else.
type ear struct {
	*network.ActiveObject
	heard chan hsm.Event
}

var ears = hsm.MustCompile([]hsm.Spec[*ear]{
	outer: {Name: "outer", Handle: (*ear).outer},
	inner: {Name: "inner", Parent: outer, Handle: (*ear).inner},
})

func (e *ear) outer(event hsm.Event) hsm.Status {
	switch {
	case event.Signal.IsInner():
		return hsm.Super
	case event.Signal == toInner:
		return hsm.Tran(inner)
	}
	e.heard <- event
	return hsm.Handled
}

func (e *ear) inner(event hsm.Event) hsm.Status {
	if event.Signal == toOuter {
		return hsm.Tran(outer)
	}
	return hsm.Super
}

// newEar makes an object, not started, that hears #.man.
func newEar(t *testing.T, n *network.Node, name string) *ear {
	t.Helper()
	e := &ear{heard: make(chan hsm.Event, 64)}
	var err error
	e.ActiveObject, err = n.NewActiveObject(name, hsm.NewMachine(ears, e), network.ObjectConfig{ReceiveKey: "#.man"})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func (e *ear) start(t *testing.T) {
	t.Helper()
	if err := e.Start(t.Context(), outer); err != nil {
		t.Fatal(err)
	}
}

// hears waits for an event.
func (e *ear) hears(t *testing.T) hsm.Event {
	t.Helper()
	select {
	case event := <-e.heard:
		return event
	case <-time.After(deadline):
		t.Fatalf("%s has heard nothing", e.Name())
		return hsm.Event{}
	}
}

// contains returns what says whether a text contains all parts.
func contains(parts ...string) func(string) bool {
	return func(s string) bool {
		for _, part := range parts {
			if !strings.Contains(s, part) {
				return false
			}
		}
		return true
	}
}
