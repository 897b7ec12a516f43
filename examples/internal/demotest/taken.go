package demotest

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/statemesh/statemesh/examples/internal/demo"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/network"
)

// ear hears what charts say to each other.
type ear struct {
	*network.ActiveObject

	mu    sync.Mutex // guards heard, which the test reads
	heard []string
}

func (e *ear) all() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.heard)
}

const listening hsm.State = 1

var ears = hsm.MustCompile([]hsm.Spec[*ear]{listening: {Name: "listening", Handle: (*ear).listening}})

func (e *ear) listening(event hsm.Event) hsm.Status {
	if event.Signal == hsm.Init || event.Signal == hsm.Entry {
		return hsm.Handled
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard = append(e.heard, event.Signal.String())
	return hsm.Handled
}

// taken: a chart that another one takes along does not answer; when it moves on
// its own, it takes the others along.
func taken(t *testing.T, p demo.Program) {
	synctest.Test(t, func(t *testing.T) {
		t.Chdir(t.TempDir())
		memory := network.NewMemory()
		p.Transport = memory
		node, err := network.NewNode(t.Context(), network.Config{Transport: memory})
		if err != nil {
			t.Fatal(err)
		}
		e := &ear{}
		if e.ActiveObject, err = node.NewActiveObject("ear", hsm.NewMachine(ears, e), network.ObjectConfig{TransmitKey: "ear.man"}); err != nil {
			t.Fatal(err)
		}
		if err := e.Start(t.Context(), listening); err != nil {
			t.Fatal(err)
		}
		var out, errs bytes.Buffer
		code := make(chan int, 1)
		go func() { code <- p.Run(t.Context(), []string{"-for", "10s"}, &out, &errs) }()

		time.Sleep(time.Second) // it moves on its own after two at the earliest
		if err := e.Transmit(hsm.Event{Signal: hsm.NewSignal("other_to_inner"), Payload: "ear"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(500 * time.Millisecond)
		synctest.Wait()
		if want, heard := []string{"other_to_outer"}, e.all(); !slices.Equal(heard, want) {
			t.Errorf("after it was taken along the ear heard %q, want %q: what it said at its start", heard, want)
		}
		if c := <-code; c != 0 {
			t.Fatalf("ends with %d: %s", c, &errs)
		}
		synctest.Wait()
		if !bytes.Contains(out.Bytes(), []byte("e->other_to_inner() outer->inner")) || len(e.all()) < 2 {
			t.Errorf("the ear heard %q, and the trace is\n%s", e.all(), &out)
		}
		if err := node.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	})
}
