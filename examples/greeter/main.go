// Greeter says hello to every other greeter on the mesh.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/network"
)

type greeter struct{ *network.ActiveObject }

var hello = hsm.MustBind[string](hsm.NewSignal("hello")) // events with this signal carry a string

func (g *greeter) waiting(e hsm.Event) hsm.Status {
	switch e.Signal {
	case hsm.Entry:
		g.Transmit(hsm.Event{Signal: hello, Payload: g.Name()})
		return hsm.Handled
	case hello:
		who, _ := hsm.Payload[string](e)
		fmt.Println(g.Name(), "hears", who)
		return hsm.Handled
	}
	return hsm.Super
}

const waiting hsm.State = 1

var chart = hsm.MustCompile([]hsm.Spec[*greeter]{
	waiting: {Name: "waiting", Handle: (*greeter).waiting},
})

func run(ctx context.Context, name string) error {
	node, err := network.NewNode(ctx, network.Config{})
	if err != nil {
		return err
	}
	defer node.Close(context.Background())

	g := &greeter{}
	g.ActiveObject, err = node.NewActiveObject(name, hsm.NewMachine(chart, g), network.ObjectConfig{})
	if err != nil {
		return err
	}
	if err := g.Start(ctx, waiting); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: greeter NAME")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1]); err != nil {
		log.Fatal(err)
	}
}
