package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/statemesh/statemesh/examples/internal/demo"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
	"github.com/statemesh/statemesh/network"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// field is where archers meet in virtual time, one node each.
type field struct {
	t       *testing.T
	dir     string // of the key
	memory  *network.Memory
	seed    uint64
	archers []*archer // those on it, by their arrival
}

// onField runs f in a bubble, and afterwards ends whoever is left.
func onField(t *testing.T, seed uint64, f func(*field)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		field := &field{t: t, dir: dir, memory: network.NewMemory(), seed: seed}
		defer func() {
			for len(field.archers) > 0 {
				field.kill(field.archers[0])
			}
		}()
		f(field)
	})
}

// ride brings an archer onto the field.
func (f *field) ride(name string) *archer {
	f.t.Helper()
	a := f.camp(name)
	if err := a.Start(f.t.Context(), battle); err != nil {
		f.t.Fatal(err)
	}
	f.archers = append(f.archers, a)
	f.pass(37 * time.Millisecond) // no two count the same seconds
	return a
}

// camp makes an archer and its node.
func (f *field) camp(name string) *archer {
	f.t.Helper()
	node, err := network.NewNode(f.t.Context(), network.Config{Dir: f.dir, Transport: f.memory, SnoopOutput: io.Discard})
	if err != nil {
		f.t.Fatal(err)
	}
	a, err := newArcher(&demo.Member{
		Options: &demo.Options{Fast: 1, Seed: f.seed, Trace: true, TransmitKey: "heya.man", ReceiveKey: "#.man"},
		Node:    node,
		Name:    name,
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return a
}

// rideUp brings so many archers onto the field.
func (f *field) rideUp(n int) {
	f.t.Helper()
	for i := range n {
		f.ride(fmt.Sprintf("archer_%d", i+1))
	}
}

// kill ends an archer and its node.
func (f *field) kill(a *archer) {
	f.t.Helper()
	for i, other := range f.archers {
		if other == a {
			f.archers = append(f.archers[:i:i], f.archers[i+1:]...)
			break
		}
	}
	if err := a.Node().Close(context.Background()); err != nil {
		f.t.Error(err)
	}
}

// pass lets time go by, second after second, and checks the archers at each.
func (f *field) pass(d time.Duration) {
	f.t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); {
		f.release()
		time.Sleep(min(time.Second, time.Until(end)))
		f.check()
	}
}

// release ends the time in which the archers may be looked at: whatever they do
// next begins with the lock that Stats takes.
func (f *field) release() {
	for _, a := range f.archers {
		a.Stats()
	}
}

// until lets time go by until everybody is in the state, and fails after an hour.
func (f *field) until(s hsm.State) {
	f.t.Helper()
	for range 3600 {
		if f.all(s) {
			return
		}
		f.pass(time.Second)
	}
	f.t.Fatalf("not everybody comes to %s", tactic.Name(s))
}

func (f *field) all(s hsm.State) bool {
	for _, a := range f.archers {
		if !a.In(s) {
			return false
		}
	}
	return true
}

// check waits until nothing moves, so that the archers may be looked at.
func (f *field) check() {
	f.t.Helper()
	synctest.Wait()
	for _, a := range f.archers {
		if a.arrows < 0 || a.arrows > quiver {
			f.t.Fatalf("%s has %d arrows", a.Name(), a.arrows)
		}
		if err := a.Err(); err != nil {
			f.t.Fatal(err)
		}
	}
}

// post gives an archer a signal.
func (f *field) post(a *archer, s hsm.Signal) {
	f.t.Helper()
	if _, err := a.PostFIFO(hsm.Event{Signal: s}); err != nil {
		f.t.Fatal(err)
	}
}

// transmitted is how many events the archers on the field have sent so far.
func (f *field) transmitted() (n int) {
	synctest.Wait()
	for _, a := range f.archers {
		n += int(a.Node().Stats().Transmitted)
	}
	return n
}

// believes is what an archer believes of another one, "" if it never heard it.
func believes(a *archer, name string) string {
	y := a.others[name]
	if y == nil {
		return ""
	}
	return empathies.Name(y.machine.State())
}

// trace is what an archer did, without times, and without its name.
func trace(a *archer) []string {
	lines := instrument.Stripped(a.Recorder().TraceText())
	for i, line := range lines {
		lines[i] = strings.TrimPrefix(line, "["+a.Name()+"] ")
	}
	return lines
}
