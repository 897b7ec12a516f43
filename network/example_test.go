package network_test

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
	"github.com/statemesh/statemesh/network"
	"github.com/statemesh/statemesh/network/seal"
)

// A lamp that another one switches on, wherever on the mesh that is.
type lamp struct {
	*network.ActiveObject
	lit chan struct{} // closed when the lamp is on
}

const (
	off hsm.State = iota + 1
	on
)

var (
	push    = hsm.NewSignal("push")
	lightUp = hsm.MustBind[string](hsm.NewSignal("light_up")) // carries the name of who asks for it
)

var lamps = hsm.MustCompile([]hsm.Spec[*lamp]{
	off: {Name: "off", Handle: (*lamp).off},
	on:  {Name: "on", Handle: (*lamp).on},
})

func (l *lamp) off(e hsm.Event) hsm.Status {
	switch e.Signal {
	case push:
		if err := l.Transmit(hsm.Event{Signal: lightUp, Payload: l.Name()}); err != nil {
			fmt.Println(err)
		}
		return hsm.Tran(on)
	case lightUp:
		return hsm.Tran(on)
	}
	return hsm.Super
}

func (l *lamp) on(e hsm.Event) hsm.Status {
	if e.Signal == hsm.Entry {
		close(l.lit)
		return hsm.Handled
	}
	return hsm.Super
}

// newLamp puts a lamp on the mesh that c leads to.
func newLamp(ctx context.Context, name string, c network.Config) (*lamp, error) {
	n, err := network.NewNode(ctx, c)
	if err != nil {
		return nil, err
	}
	l := &lamp{lit: make(chan struct{})}
	if l.ActiveObject, err = n.NewActiveObject(name, hsm.NewMachine(lamps, l), network.ObjectConfig{}); err != nil {
		return nil, err
	}
	if err := l.EnableSnoopTrace(); err != nil {
		return nil, err
	}
	return l, l.Start(ctx, off)
}

// Two lamps in two nodes. Without the Transport, which keeps this example in one
// process, and the key, which .env has otherwise, the nodes are two processes on
// one host or on two.
func Example() {
	ctx := context.Background()
	c := network.Config{Transport: network.NewMemory(), MeshKey: seal.NewKey(), SnoopOutput: io.Discard}
	hall, err := newLamp(ctx, "hall", c)
	if err != nil {
		fmt.Println(err)
		return
	}
	stairs, err := newLamp(ctx, "stairs", c)
	if err != nil {
		fmt.Println(err)
		return
	}
	hall.PostFIFO(hsm.Event{Signal: push})
	<-stairs.lit // it heard the other one

	for _, l := range []*lamp{hall, stairs} {
		if err := l.Node().Close(ctx); err != nil {
			fmt.Println(err)
		}
		fmt.Println(strings.Join(instrument.Stripped(l.Recorder().TraceText()), "\n"))
	}
	// Output:
	// [hall] e->start_at() top->off
	// [hall] e->push() off->on
	// [stairs] e->start_at() top->off
	// [stairs] e->light_up() off->on
}

// A node prints what its snooped objects do and say.
func ExampleActiveObject_SnoopScribble() {
	ctx := context.Background()
	var out strings.Builder
	hall, err := newLamp(ctx, "hall", network.Config{Transport: network.NewMemory(), MeshKey: seal.NewKey(), SnoopOutput: &out})
	if err != nil {
		fmt.Println(err)
		return
	}
	hall.SnoopScribble("it is getting dark")
	if err := hall.Node().Close(ctx); err != nil { // prints what waits
		fmt.Println(err)
	}
	for _, line := range instrument.Stripped(out.String()) {
		if !strings.HasPrefix(line, "[+t]") { // a line of the trace
			fmt.Println(line)
		}
	}
	// Output:
	// [hall] # it is getting dark
}

// What one owes to a peer that does not answer is bounded, and told.
func ExampleNode_Peers() {
	ctx := context.Background()
	memory := network.NewMemory()
	memory.Down("10.0.0.9")
	hall, err := newLamp(ctx, "hall", network.Config{
		Transport: memory, MeshKey: seal.NewKey(), SnoopOutput: io.Discard, Peers: []string{"10.0.0.9"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	hall.PostFIFO(hsm.Event{Signal: push})
	<-hall.lit
	if err := hall.Node().Close(ctx); err != nil {
		fmt.Println(err)
	}
	for _, p := range hall.Node().Peers() {
		fmt.Println(p.Address, "sent:", p.Sent, "dropped:", p.Dropped)
	}
	// Output:
	// amqp://guest@127.0.0.1:5672/ sent: 3 dropped: 0
	// amqp://guest@10.0.0.9:5672/ sent: 0 dropped: 3
}
