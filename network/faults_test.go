package network_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/network"
)

// faulty is a mesh of three hosts, the brokers of which fail at random. The first
// one's node talks to all of them, and listeners are on the others.
type faulty struct {
	*bed
	hosts   []string
	speaker *ear
	ears    []*ear
	said    int
}

func TestRandomFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(struct{ rapid.TB }{t}, func(r *rapid.T) {
			f := newFaulty(t, rapid.IntRange(1, 60).Draw(r, "outbox"))
			defer f.close(r)
			r.Repeat(map[string]func(*rapid.T){
				"": func(r *rapid.T) {
					f.settle()
					f.check(r)
				},
				"say": func(r *rapid.T) {
					for range rapid.IntRange(1, 40).Draw(r, "events") {
						f.say(r)
					}
				},
				"pass": func(r *rapid.T) {
					time.Sleep(time.Duration(rapid.Int64Range(1, int64(80*time.Second)).Draw(r, "time")))
				},
				"down": func(r *rapid.T) {
					host := rapid.SampledFrom(f.hosts).Draw(r, "host")
					f.memory.Down(host)
				},
				"up": func(r *rapid.T) {
					host := rapid.SampledFrom(f.hosts).Draw(r, "host")
					f.memory.Up(host)
				},
				"block": func(r *rapid.T) {
					f.memory.Block(rapid.SampledFrom(f.hosts).Draw(r, "host"), rapid.Bool().Draw(r, "blocked"))
				},
				"refuse": func(r *rapid.T) {
					f.memory.Refuse(rapid.SampledFrom(f.hosts).Draw(r, "host"), rapid.SampledFrom([]error{nil, network.ErrUnreachable, network.ErrCredentials}).Draw(r, "error"))
				},
			})
			if rapid.Bool().Draw(r, "heal") {
				f.heal(r)
			}
		})
	})
}

func newFaulty(t *testing.T, outbox int) *faulty {
	f := &faulty{bed: newBed(t), hosts: []string{"127.0.0.1", "10.0.0.8", "10.0.0.9"}}
	f.memory = network.NewMemory()
	f.config.Transport, f.config.Outbox = f.memory, outbox
	for _, host := range f.hosts {
		c := f.config
		c.Name, c.Broker = "at "+host, host
		if f.speaker == nil {
			c.Peers = f.hosts[1:]
		}
		n, err := network.NewNode(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		name := "ear"
		if f.speaker == nil {
			name = "speaker"
		}
		e := &ear{news: make(chan struct{}, 1)}
		if e.ActiveObject, err = n.NewActiveObject(name, hsm.NewMachine(ears, e), network.ObjectConfig{}); err != nil {
			t.Fatal(err)
		}
		if err := e.Start(context.Background(), outer); err != nil {
			t.Fatal(err)
		}
		if f.speaker == nil {
			f.speaker = e
		} else {
			f.ears = append(f.ears, e)
		}
	}
	return f
}

func (f *faulty) say(r *rapid.T) {
	f.said++
	began := time.Now()
	err := f.speaker.Transmit(hsm.Event{Signal: word, Payload: f.said})
	if err != nil && !errors.As(err, new(*network.OutboxError)) {
		r.Fatalf("Transmit: %v", err)
	}
	if took := time.Since(began); took != 0 {
		r.Fatalf("Transmit blocked for %v", took)
	}
}

// check holds the counts against each other, and what was heard against what was
// said: in order, and nothing twice.
func (f *faulty) check(r *rapid.T) {
	for _, p := range f.speaker.Node().Peers() {
		if p.Sent+p.Dropped+uint64(p.Queued) != uint64(f.said) {
			r.Fatalf("%d said, but %+v", f.said, p)
		}
	}
	for _, e := range f.ears {
		before := int64(0)
		for _, event := range e.heard() {
			n, ok := hsm.Payload[int64](event)
			if !ok || n <= before || n > int64(f.said) {
				r.Fatalf("%v came after %d", event, before)
			}
			before = n
		}
	}
}

// heal mends everything, after which everything has to flow.
func (f *faulty) heal(r *rapid.T) {
	for _, host := range f.hosts {
		f.memory.Up(host)
		f.memory.Refuse(host, nil)
		f.memory.Block(host, false)
	}
	f.pass(time.Minute)
	f.say(r)
	f.pass(time.Second)
	f.check(r)
	for _, p := range f.speaker.Node().Peers() {
		if p.State != "up" || p.Queued != 0 || p.Err != nil {
			r.Fatalf("all is well, but %+v", p)
		}
	}
	for _, e := range f.ears {
		if last := fmt.Sprintf("word(%d)", f.said); !slices.Contains(e.words(), last) {
			r.Fatalf("%s has not heard %s", e.Node().Name(), last)
		}
	}
}

// close checks that what is left is counted, in time.
func (f *faulty) close(r *rapid.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	began := time.Now()
	for _, e := range append(f.ears, f.speaker) {
		if err := e.Node().Close(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			r.Errorf("Close(%s): %v", e.Node().Name(), err)
		}
	}
	if took := time.Since(began); took > time.Second+network.DefaultWriteTimeout {
		r.Errorf("Close took %v", took)
	}
	for _, p := range f.speaker.Node().Peers() {
		if p.Queued != 0 || p.State != "down" {
			r.Errorf("after Close %+v", p)
		}
	}
	f.check(r)
	for _, host := range f.hosts {
		if n := f.memory.Links(host); n != 0 {
			r.Errorf("%d links to %s left", n, host)
		}
	}
}
