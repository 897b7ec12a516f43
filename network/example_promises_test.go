package network_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/network"
	"github.com/statemesh/statemesh/network/seal"
)

// What is kept waits at the broker while the object it is for is not there.
func ExampleGuarantee() {
	order := hsm.NewSignal("order")
	dir, err := os.MkdirTemp("", "") // for what the kitchen has handled, by number
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	n := exampleNode(network.Config{Dir: dir, Transport: network.NewMemory(), MeshKey: seal.NewKey()})
	handled := make(chan string, 1)
	kept := func(name string) network.ObjectConfig {
		return network.ObjectConfig{Delivery: network.AtLeastOnce, TransmitKey: "orders." + name, ReceiveKey: "orders.#"}
	}
	kitchen := exampleObject(n, "kitchen", kept("kitchen"), func(e hsm.Event) { handled <- e.String() })
	bar := exampleObject(n, "bar", kept("bar"), func(hsm.Event) {})

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	fmt.Println(kitchen.Stop(ctx))
	fmt.Println(bar.TransmitConfirmed(ctx, hsm.Event{Signal: order, Payload: "soup"}))
	fmt.Println(kitchen.Start(ctx, 1))
	fmt.Println(<-handled)
	fmt.Println(n.Close(ctx))
	// Output:
	// <nil>
	// <nil>
	// <nil>
	// order(soup)
	// <nil>
}

// The key of a mesh that runs is changed in three steps, each on every node before the
// next one. statemesh keygen -rotate does this to .env, which nodes watch.
func ExampleNode_ChangeKeys() {
	word := hsm.NewSignal("word")
	was, next := seal.NewKey(), seal.NewKey()
	c := network.Config{Transport: network.NewMemory(), MeshKey: was}
	here, there := exampleNode(c), exampleNode(c)
	heard := make(chan string, 1)
	exampleObject(there, "ear", network.ObjectConfig{}, func(e hsm.Event) { heard <- e.String() })
	mouth := exampleObject(here, "mouth", network.ObjectConfig{}, func(hsm.Event) {})

	for i, step := range []network.Config{
		{MeshKey: was, OpenMeshKeys: []seal.Key{next}}, // all can open with the new one
		{MeshKey: next, OpenMeshKeys: []seal.Key{was}}, // all seal with it
		{MeshKey: next}, // nobody opens with the old one any more
	} {
		if err := here.ChangeKeys(step); err != nil {
			fmt.Println(err)
		}
		mouth.Transmit(hsm.Event{Signal: word, Payload: i + 1}) // between the two
		fmt.Println(<-heard)
		if err := there.ChangeKeys(step); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println(here.Close(context.Background()), there.Close(context.Background()))
	// Output:
	// word(1)
	// word(2)
	// word(3)
	// <nil> <nil>
}

// Who has the mesh key can ask all nodes how they are, without a node of its own.
func ExampleAskHealth() {
	c := network.Config{Name: "hall", Transport: network.NewMemory(), MeshKey: seal.NewKey()}
	n := exampleNode(c)
	exampleObject(n, "door", network.ObjectConfig{}, func(hsm.Event) {})

	ctx, cancel := context.WithTimeout(context.Background(), time.Second) // how long to wait for answers
	defer cancel()
	all, err := network.AskHealth(ctx, c)
	for _, h := range all {
		fmt.Println(h.Node, h.Objects[0].Name, h.Stats.Missed, "missed")
		fmt.Println(h.Peers[0].Address, h.Peers[0].State)
	}
	fmt.Println(err, n.Close(context.Background()))
	// Output:
	// hall door 0 missed
	// amqp://guest@127.0.0.1:5672/ up
	// <nil> <nil>
}

// Certificates for two hosts: those of the other one are written to a directory, to be
// carried there.
func ExampleTLSKeygen() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	if _, err := (network.TLSKeygen{Hosts: []string{"hall"}}).Write(dir); err != nil {
		fmt.Println(err)
	}
	other := network.TLSKeygen{Hosts: []string{"attic", "192.168.0.7"}, Out: filepath.Join(dir, "for-attic")}
	if _, err := other.Write(dir); err != nil {
		fmt.Println(err)
	}
	c, err := network.Load(dir) // .env names the files now
	fmt.Println(c.Certificates.CA != "", c.Certificates.Cert != "", c.Certificates.Key != "", err)
	files, err := os.ReadDir(filepath.Join(dir, "for-attic"))
	fmt.Println(len(files), "files for the attic,", err)
	env, err := os.ReadFile(filepath.Join(dir, ".env"))
	fmt.Println(strings.Contains(string(env), "PRIVATE KEY"), err)
	// Output:
	// true true true <nil>
	// 3 files for the attic, <nil>
	// false <nil>
}
