package network_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/network"
	"github.com/statemesh/statemesh/network/seal"
)

// A Config says nothing of its secrets, however it is printed. Its mistakes come all
// at once, when a node is made of it.
func ExampleConfig() {
	c := network.Config{
		Name:      "hall",
		Transport: network.NewMemory(),
		Password:  network.NewSecret("from the environment"),
		MeshKey:   seal.NewKey(),
		Outbox:    -1,
		TTL:       time.Millisecond,
	}
	fmt.Println("shows the password:", strings.Contains(fmt.Sprintf("%+v", c), "environment"))
	_, err := network.NewNode(context.Background(), c)
	fmt.Println(errors.Is(err, network.ErrConfig))
	fmt.Println(err)
	// Output:
	// shows the password: false
	// true
	// network: bad configuration: Outbox: it has to be a number from 1 to 1048576
	// network: bad configuration: TTL: it has to be from 10ms to 24h0m0s
}

// What the environment and .env say, for a program that wants to change it.
func ExampleLoad() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(dir+"/.env", []byte("RABBIT_PORT=5673\nRABBIT_PASSWORD=from-the-file\n"), 0o600); err != nil {
		fmt.Println(err)
	}
	os.Setenv(network.EnvPort, "5674") // goes before the file
	defer os.Unsetenv(network.EnvPort)

	c, err := network.Load(dir)
	fmt.Println(c.Port, c.Password, c.Outbox, err) // what both leave out is zero: the default
	// Output: 5674 (secret) 0 <nil>
}

// A node is one process on the mesh. It returns from NewNode with its connections to
// the own host's broker, and waits for nobody else.
func ExampleNewNode() {
	ctx := context.Background()
	n, err := network.NewNode(ctx, network.Config{
		Name:      "hall",
		Transport: network.NewMemory(), // without it: RabbitMQ, or a broker in this process
		MeshKey:   seal.NewKey(),       // without it: the one in .env
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	own := n.Peers()[0]
	fmt.Println(n.Name(), own.Own, own.Via, own.Address)
	fmt.Println(n.Close(ctx))
	fmt.Println(len(n.Stats().Problems), "problems")
	// Output:
	// hall true own amqp://guest@127.0.0.1:5672/
	// <nil>
	// 0 problems
}

// exampleObject is a state that does with an event whatever hear says.
func exampleObject(n *network.Node, name string, c network.ObjectConfig, hear func(hsm.Event)) *network.ActiveObject {
	const listening hsm.State = 1
	chart := hsm.MustCompile([]hsm.Spec[func(hsm.Event)]{
		listening: {Name: "listening", Handle: func(hear func(hsm.Event), e hsm.Event) hsm.Status {
			if !e.Signal.IsInner() {
				hear(e)
			}
			return hsm.Handled
		}},
	})
	o, err := n.NewActiveObject(name, hsm.NewMachine(chart, hear), c)
	if err == nil {
		err = o.Start(context.Background(), listening)
	}
	if err != nil {
		panic(err)
	}
	return o
}

// exampleNode is a node of a mesh that is in this process.
func exampleNode(c network.Config) *network.Node {
	n, err := network.NewNode(context.Background(), c)
	if err != nil {
		panic(err)
	}
	return n
}

// Who hears whom is decided by keys: words with dots, and patterns of them.
func ExampleObjectConfig() {
	n := exampleNode(network.Config{Transport: network.NewMemory(), MeshKey: seal.NewKey()})
	report := hsm.NewSignal("report")
	heard := make(chan string, 10)
	listen := func(name, pattern string) {
		exampleObject(n, name, network.ObjectConfig{ReceiveKey: pattern}, func(e hsm.Event) { heard <- name + " hears " + e.String() })
	}
	listen("attic", "house.attic.*") // one more word
	listen("house", "house.#")       // any number of words
	sensor := exampleObject(n, "sensor", network.ObjectConfig{TransmitKey: "house.cellar.water"}, func(hsm.Event) {})

	fmt.Println(sensor.Transmit(hsm.Event{Signal: report, Payload: 12}))
	fmt.Println(<-heard)
	fmt.Println(n.Close(context.Background()), len(heard))
	// Output:
	// <nil>
	// house hears report(12)
	// <nil> 0
}

// An event goes to other nodes with its payload, which arrives as the type that is
// bound to the signal.
func ExampleActiveObject_Transmit() {
	type reading struct{ Celsius float64 }
	measured := hsm.MustBind[reading](hsm.NewSignal("example_measured"))
	c := network.Config{Transport: network.NewMemory(), MeshKey: seal.NewKey()}
	here, there := exampleNode(c), exampleNode(c) // usually two processes
	heard := make(chan float64, 1)
	exampleObject(there, "display", network.ObjectConfig{}, func(e hsm.Event) {
		r, _ := hsm.Payload[reading](e)
		heard <- r.Celsius
	})
	sensor := exampleObject(here, "sensor", network.ObjectConfig{}, func(hsm.Event) {})
	fmt.Println(sensor.Transmit(hsm.Event{Signal: measured, Payload: reading{21.5}}))
	fmt.Println(<-heard)

	err := sensor.Transmit(hsm.Event{Signal: measured, Payload: make(chan int)})
	fmt.Println(errors.Is(err, network.ErrPayload))
	fmt.Println(here.Close(context.Background()), there.Close(context.Background()))
	// Output:
	// <nil>
	// 21.5
	// true
	// <nil> <nil>
}

// What cannot be kept for a broker is lost there and told; the others get it.
func ExampleOutboxError() {
	memory := network.NewMemory()
	memory.Down("10.0.0.9")
	n := exampleNode(network.Config{
		Transport: memory, MeshKey: seal.NewKey(),
		Peers:  []string{"amqp://10.0.0.9"},
		Outbox: 1, // messages for each broker
	})
	lamp := exampleObject(n, "lamp", network.ObjectConfig{}, func(hsm.Event) {})
	flash := hsm.Event{Signal: hsm.NewSignal("flash")}
	err := lamp.Transmit(flash)
	for err == nil { // until the outbox is full
		err = lamp.Transmit(flash)
	}
	var full *network.OutboxError
	fmt.Println(errors.As(err, &full), strings.Contains(strings.Join(full.Brokers, " "), "10.0.0.9"))
	fmt.Println(n.Close(context.Background()))
	// Output:
	// true true
	// <nil>
}

// A Memory is a mesh without sockets, whose brokers go down at a word.
func ExampleMemory() {
	ctx, memory := context.Background(), network.NewMemory()
	address, err := network.ParseAddress("10.0.0.9", network.Address{})
	if err != nil {
		fmt.Println(err)
	}
	link, err := memory.Dial(ctx, address)
	fmt.Println(memory.Links("10.0.0.9"), err)

	memory.Down("10.0.0.9")
	<-link.Done()
	fmt.Println(errors.Is(link.Err(), network.ErrLost))
	_, err = memory.Dial(ctx, address)
	fmt.Println(errors.Is(err, network.ErrRefused))
	memory.Up("10.0.0.9")
	memory.Refuse("10.0.0.9", network.ErrCredentials)
	_, err = memory.Dial(ctx, address)
	fmt.Println(errors.Is(err, network.ErrCredentials))
	// Output:
	// 1 <nil>
	// true
	// true
	// true
}

// A link is what a node has to each broker: it publishes and consumes.
func ExampleLink() {
	address, err := network.ParseAddress("10.0.0.9", network.Address{})
	if err != nil {
		fmt.Println(err)
	}
	var way network.Transport = network.NewMemory() // or &network.AMQP{}
	link, err := way.Dial(context.Background(), address)
	if err != nil {
		fmt.Println(err)
		return
	}
	deliveries, err := link.Consume([]network.Binding{{Exchange: network.ExchangeMesh, Key: "house.#"}})
	fmt.Println(err, link.Publish(network.ExchangeMesh, "house.door", []byte("open")))
	d := <-deliveries
	fmt.Printf("%s %s\n", d.Key, d.Body)
	fmt.Println("confirmed:", (<-link.Confirmed()).Number)
	fmt.Println(link.Close())
	// Output:
	// <nil> <nil>
	// house.door open
	// confirmed: 1
	// <nil>
}

// Addresses are URLs, or less; what is missing comes from the defaults.
func ExampleParseAddress() {
	defaults := network.Address{User: "mesh", Password: network.NewSecret("from the environment")}
	for _, text := range []string{"laptop.local", "[::1]:5673", "amqps://ann:pass@10.0.0.9/house", "amqp://10.0.0.9?heartbeat=5"} {
		a, err := network.ParseAddress(text, defaults)
		fmt.Println(a, a.HostPort(), err)
	}
	_, err := network.ParseAddress("http://10.0.0.9", defaults)
	fmt.Println(errors.Is(err, network.ErrConfig))
	// Output:
	// amqp://mesh@laptop.local:5672/ laptop.local:5672 <nil>
	// amqp://mesh@[::1]:5673/ [::1]:5673 <nil>
	// amqps://ann@10.0.0.9:5671/house 10.0.0.9:5671 <nil>
	// amqp://mesh@10.0.0.9:5672/?heartbeat=5 10.0.0.9:5672 <nil>
	// true
}

// What hosts have to share before they leave loopback. A second time changes nothing.
func ExampleKeygen() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	for range 2 {
		report, err := network.Keygen{LAN: true}.Write(dir)
		fmt.Println("written:", report.Written, "kept:", report.Kept, err)
	}
	_, err = network.Keygen{User: "no blanks"}.Lines()
	fmt.Println(errors.Is(err, network.ErrUserName))
	// Output:
	// written: [RABBIT_USER RABBIT_PASSWORD MESH_ENCRYPTION_KEY STATEMESH_LAN] kept: [] <nil>
	// written: [] kept: [RABBIT_USER RABBIT_PASSWORD MESH_ENCRYPTION_KEY STATEMESH_LAN] <nil>
	// true
}

// A secret is shown by Reveal and by nothing else.
func ExampleSecret() {
	login := struct {
		User     string
		Password network.Secret
	}{"mesh", network.NewSecret("open sesame")}
	fmt.Println(login)
	fmt.Printf("%+v %x\n", login, login.Password)
	fmt.Println(login.Password.Reveal(), login.Password == network.NewSecret("open sesame"))
	fmt.Println(network.Secret{}, network.Secret{}.IsZero())
	// Output:
	// {mesh (secret)}
	// {User:mesh Password:(secret)} (secret)
	// open sesame true
	// (none) true
}

// A program that watches the mesh gets what would be printed, in place of the output.
func ExampleHeard() {
	transitions, scribbles := make(chan network.Heard, 10), make(chan network.Heard, 10)
	n := exampleNode(network.Config{
		Transport: network.NewMemory(), MeshKey: seal.NewKey(),
		OnSnoop: func(h network.Heard) { // on a goroutine of its own
			switch {
			case h.Scribble != "":
				scribbles <- h
			case h.Trace.Signal != "":
				transitions <- h
			}
		},
	})
	lamp := &lamp{lit: make(chan struct{})}
	var err error
	if lamp.ActiveObject, err = n.NewActiveObject("hall", hsm.NewMachine(lamps, lamp), network.ObjectConfig{}); err != nil {
		fmt.Println(err)
	}
	fmt.Println(lamp.EnableSnoopTrace(), lamp.Start(context.Background(), off))
	lamp.SnoopScribble("it is getting dark")
	t, s := <-transitions, <-scribbles
	fmt.Println(t.Name, "of this node:", t.Own, "-", t.Trace.Signal, t.Trace.From, t.Trace.To)
	fmt.Println(s.Name, "of this node:", s.Own, "-", s.Scribble)
	fmt.Println(n.Close(context.Background()))
	// Output:
	// <nil> <nil>
	// hall of this node: true - start_at top off
	// hall of this node: true - it is getting dark
	// <nil>
}

// A program hears of each change of a peer's state. Peers tells how it stands at any time.
func ExamplePeerStatus() {
	memory, changes := network.NewMemory(), make(chan network.PeerStatus, 100)
	n := exampleNode(network.Config{
		Transport: memory, MeshKey: seal.NewKey(), Peers: []string{"amqp://10.0.0.9"},
		OnPeer: func(p network.PeerStatus) { // on a goroutine of its own
			if !p.Own {
				changes <- p
			}
		},
	})
	p := <-changes
	for p.State != network.PeerUp {
		p = <-changes
	}
	fmt.Println(p.State, p.Address)
	memory.Down("10.0.0.9")
	for p.State != network.PeerDown {
		p = <-changes
	}
	fmt.Println(p.State, p.Via, p.Connects, p.Err != nil)
	fmt.Println(n.Close(context.Background()))
	// Output:
	// up amqp://guest@10.0.0.9:5672/
	// down config 1 true
	// <nil>
}
