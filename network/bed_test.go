package network_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/internal/brokertest"
	"github.com/statemesh/statemesh/network"
	"github.com/statemesh/statemesh/network/seal"
)

// deadline is how long a test waits for what has to happen. In virtual time it
// costs nothing.
const deadline = 20 * time.Second

// own is the address of the broker of every node that is not told another.
const own = "127.0.0.1:5672"

// bed is what the nodes of one test have in common.
type bed struct {
	t      *testing.T
	config network.Config
	memory *network.Memory // nil on a real broker
	log    *text           // what the nodes logged
}

// onEveryBroker runs a test in virtual time, against the embedded broker and
// against RabbitMQ.
func onEveryBroker(t *testing.T, test func(b *bed)) {
	inMemory(t, test)
	t.Run("embedded", func(t *testing.T) {
		b := newBed(t)
		b.config.Listen, b.config.Password = freeAddress(t), network.NewSecret("secret-of-the-broker")
		test(b)
	})
	t.Run("RabbitMQ", func(t *testing.T) {
		b := newBed(t)
		b.config.Broker = brokertest.RabbitMQ(t)
		test(b)
	})
}

// inMemory runs a test on a Memory, in virtual time.
func inMemory(t *testing.T, test func(b *bed)) {
	t.Run("memory", func(t *testing.T) { virtually(t, test) })
}

// virtually is inMemory without a name of its own.
func virtually(t *testing.T, test func(b *bed)) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		b.memory = network.NewMemory()
		b.config.Transport = b.memory
		test(b)
	})
}

func newBed(t *testing.T) *bed {
	b := &bed{t: t, log: &text{}}
	b.config = network.Config{
		Dir:         t.TempDir(),
		MeshKey:     seal.NewKey(),
		SnoopOutput: io.Discard,
		Logger:      slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	return b
}

// freeAddress returns an address of this host where nobody listens.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// node makes a node that lives until the test ends.
func (b *bed) node(name string, change ...func(*network.Config)) *network.Node {
	b.t.Helper()
	c := b.config
	c.Name = name
	for _, f := range change {
		f(&c)
	}
	n, err := network.NewNode(b.t.Context(), c)
	if err != nil {
		b.t.Fatalf("NewNode(%s): %v", name, err)
	}
	b.t.Cleanup(func() { closeNode(b.t, n) })
	return n
}

func closeNode(t testing.TB, n *network.Node) {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	if err := n.Close(ctx); err != nil {
		t.Errorf("Close(%s): %v", n.Name(), err)
	}
}

// settle lets everything happen that does not need time to pass.
func (b *bed) settle() {
	if b.memory == nil {
		b.t.Fatal("only virtual time can settle")
	}
	synctest.Wait()
}

// pass lets time pass.
func (b *bed) pass(d time.Duration) {
	b.settle()
	time.Sleep(d)
	b.settle()
}

const (
	outer hsm.State = iota + 1
	inner           // in outer
)

var (
	toInner = hsm.NewSignal("to_inner")
	toOuter = hsm.NewSignal("to_outer")
	word    = hsm.NewSignal("word")
	more    = hsm.NewSignal("more")
	do      = hsm.NewSignal("do") // carries a func() for the handler to run
)

// ear is an object that notes what it hears, but for the signals of transitions.
type ear struct {
	*network.ActiveObject
	mu   sync.Mutex // guards got
	got  []hsm.Event
	news chan struct{} // gets a value when got grows
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
	case event.Signal == do:
		event.Payload.(func())()
		return hsm.Handled
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.got = append(e.got, event)
	select {
	case e.news <- struct{}{}:
	default:
	}
	return hsm.Handled
}

func (e *ear) inner(event hsm.Event) hsm.Status {
	if event.Signal == toOuter {
		return hsm.Tran(outer)
	}
	return hsm.Super
}

// object makes an object that has not been started.
func (b *bed) object(n *network.Node, name string, c network.ObjectConfig) *ear {
	b.t.Helper()
	e := &ear{news: make(chan struct{}, 1)}
	var err error
	if c.QueueSize == 0 {
		c.QueueSize = 1 << 16 // a burst is not to be lost at an ear that is slow
	}
	if e.ActiveObject, err = n.NewActiveObject(name, hsm.NewMachine(ears, e), c); err != nil {
		b.t.Fatalf("NewActiveObject(%s): %v", name, err)
	}
	return e
}

// ear makes an object and starts it.
func (b *bed) ear(n *network.Node, name string, c network.ObjectConfig) *ear {
	b.t.Helper()
	e := b.object(n, name, c)
	b.start(e)
	return e
}

func (b *bed) start(e *ear) {
	b.t.Helper()
	if err := e.Start(b.t.Context(), outer); err != nil {
		b.t.Fatalf("Start(%s): %v", e.Name(), err)
	}
}

// send transmits events that must not be refused.
func (e *ear) send(t testing.TB, events ...hsm.Event) {
	t.Helper()
	for _, event := range events {
		if err := e.Transmit(event); err != nil {
			t.Fatalf("%s.Transmit(%v): %v", e.Name(), event.Signal, err)
		}
	}
}

// say transmits words.
func (e *ear) say(t testing.TB, words ...any) {
	t.Helper()
	for _, w := range words {
		e.send(t, hsm.Event{Signal: word, Payload: w})
	}
}

// heard is what the object has heard so far.
func (e *ear) heard() []hsm.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]hsm.Event(nil), e.got...)
}

// words is heard as text.
func (e *ear) words() []string {
	words := []string{}
	for _, event := range e.heard() {
		words = append(words, event.String())
	}
	return words
}

// expect waits until the object has heard that much, and compares.
func (e *ear) expect(t testing.TB, want ...string) {
	t.Helper()
	e.await(t, len(want))
	got := e.words()
	// Of many, what they have in common would hide the difference.
	for len(want) > 50 && len(got) > 0 && want[0] == got[0] {
		want, got = want[1:], got[1:]
	}
	if diff := cmp.Diff(append([]string{}, want...), got); diff != "" {
		t.Fatalf("%s in %s heard (-want +got):\n%s", e.Name(), e.Node().Name(), diff)
	}
}

// await waits until the object has heard n events.
func (e *ear) await(t testing.TB, n int) {
	t.Helper()
	late := time.After(deadline)
	for len(e.heard()) < n {
		select {
		case <-e.news:
		case <-late:
			got := e.words()
			t.Fatalf("%s heard %d of %d, the last ones: %v", e.Name(), len(got), n, got[max(0, len(got)-50):])
		}
	}
}

// nothing checks that the object has heard nothing.
func (e *ear) nothing(t testing.TB) {
	t.Helper()
	if got := e.words(); len(got) > 0 {
		t.Errorf("%s heard %v, want nothing", e.Name(), got)
	}
}

// words returns word(1) to word(n).
func words(from, to int) []string {
	var list []string
	for i := from; i <= to; i++ {
		list = append(list, fmt.Sprintf("word(%d)", i))
	}
	return list
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

// await waits until what was written satisfies f, and returns it.
func (w *text) await(t testing.TB, f func(string) bool) string {
	t.Helper()
	w.mu.Lock()
	if w.news == nil {
		w.news = make(chan struct{}, 1)
	}
	w.mu.Unlock()
	late := time.After(deadline)
	for !f(w.String()) {
		select {
		case <-w.news:
		case <-late:
			t.Fatalf("waited in vain; so far:\n%s", w)
		}
	}
	return w.String()
}

// lines returns the lines that contain all of the parts.
func (w *text) lines(parts ...string) []string {
	var found []string
	for line := range strings.Lines(w.String()) {
		all := true
		for _, part := range parts {
			all = all && strings.Contains(line, part)
		}
		if all {
			found = append(found, strings.TrimSuffix(line, "\n"))
		}
	}
	return found
}
