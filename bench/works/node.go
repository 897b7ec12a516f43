package works

import (
	"context"
	"io"
	"net"
	"os"
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/bench/measure"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/network"
	"github.com/statemesh/statemesh/network/seal"
)

var (
	// word is an event of 256 bytes.
	word = hsm.MustBind[[]byte](hsm.NewSignal("bench_word"))
	// stamp is an event that carries when it was transmitted, in nanoseconds since
	// the process began.
	stamp = hsm.MustBind[int64](hsm.NewSignal("bench_stamp"))
)

var processBegan = time.Now()

// party is a networked object that passes on to a function what it hears.
type party struct {
	*network.ActiveObject
	hear func(hsm.Event)
}

const hearing hsm.State = 1

var partyChart = hsm.MustCompile([]hsm.Spec[*party]{
	hearing: {Name: "hearing", Handle: func(p *party, e hsm.Event) hsm.Status {
		switch e.Signal {
		case word, stamp:
			p.hear(e)
			return hsm.Handled
		}
		return hsm.Super
	}},
})

// meshQueue is how many events may wait, in outboxes and in queues of objects.
const meshQueue = 1 << 14

// mesh is nodes of one process that hear each other.
type mesh struct {
	config network.Config
	dir    string
	nodes  []*network.Node
}

// newMesh is a mesh on the broker of that URL, or, without one, on a broker that its
// first node hosts.
func newMesh(url string) (*mesh, error) {
	dir, err := os.MkdirTemp("", "statemesh-bench-")
	if err != nil {
		return nil, err
	}
	m := &mesh{dir: dir, config: network.Config{
		Broker: url, Dir: dir, MeshKey: seal.NewKey(), SnoopOutput: io.Discard, Outbox: meshQueue,
	}}
	if url == "" {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		m.config.Listen = listener.Addr().String()
		listener.Close()
		m.config.User, m.config.Password = "guest", network.NewSecret("guest")
	}
	return m, nil
}

// node adds a node.
func (m *mesh) node(ctx context.Context, name string) (*network.Node, error) {
	c := m.config
	c.Name = name
	n, err := network.NewNode(ctx, c)
	if err != nil {
		return nil, err
	}
	m.nodes = append(m.nodes, n)
	return n, nil
}

// join adds an object to the node that hears whoever has the key, and starts it.
func join(ctx context.Context, n *network.Node, name, from string, hear func(hsm.Event)) (*party, error) {
	p := &party{hear: hear}
	var err error
	p.ActiveObject, err = n.NewActiveObject(name, hsm.NewMachine(partyChart, p), network.ObjectConfig{
		TransmitKey: "bench." + name, ReceiveKey: from,
		Config: activeobject.Config{QueueSize: meshQueue},
	})
	if err != nil {
		return nil, err
	}
	return p, p.Start(ctx, hearing)
}

// everybody is the pattern of all keys here.
const everybody = "bench.*"

// pair adds two nodes with an object each; the second passes on what it hears. The broker
// does not give the first one back what it says, for the raw loop gets it once, too.
func (m *mesh) pair(ctx context.Context, hear func(hsm.Event)) (*party, error) {
	var one *party
	for i, name := range []string{"one", "two"} {
		n, err := m.node(ctx, name)
		if err != nil {
			return nil, err
		}
		if i == 1 {
			_, err = join(ctx, n, name, everybody, hear)
			return one, err
		}
		if one, err = join(ctx, n, name, "bench.two", func(hsm.Event) {}); err != nil {
			return nil, err
		}
	}
	return one, nil
}

// close ends the nodes, the one that hosts the broker last.
func (m *mesh) close() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for i := len(m.nodes) - 1; i >= 0; i-- {
		_ = m.nodes[i].Close(ctx)
	}
	os.RemoveAll(m.dir)
}

// startTime is from nothing to the first event.
var startTime = measure.Metric{Name: "start", Unit: "ms"}

// nodeStart is the start of a node that hosts the broker and of one that joins it,
// until an event of the second has come to the first.
func nodeStart() measure.Work {
	return measure.Work{
		Name: "node start", About: "a node hosts a broker, another joins it and transmits, the first hears it", N: 1,
		Contestants: []measure.Contestant{{Name: Ours, Begin: func(ctx context.Context) (*measure.Session, error) {
			return &measure.Session{Do: func(n int) (measure.Sample, error) {
				var sum time.Duration
				for range n {
					took, err := startOnce(ctx)
					if err != nil {
						return nil, err
					}
					sum += took
				}
				return measure.Sample{startTime.Name: sum.Seconds() * 1000 / float64(n)}, nil
			}}, nil
		}}},
		Goals: []measure.Goal{{Metric: startTime, Target: measure.Target{Kind: measure.Under, Value: 50}}},
	}
}

func startOnce(ctx context.Context) (time.Duration, error) {
	m, err := newMesh("")
	if err != nil {
		return 0, err
	}
	defer m.close()
	heard := make(chan struct{}, 1)
	began := time.Now()
	host, err := m.node(ctx, "host")
	if err != nil {
		return 0, err
	}
	if _, err := join(ctx, host, "host", everybody, func(hsm.Event) { heard <- struct{}{} }); err != nil {
		return 0, err
	}
	guest, err := m.node(ctx, "guest")
	if err != nil {
		return 0, err
	}
	p, err := join(ctx, guest, "guest", everybody, func(hsm.Event) {})
	if err != nil {
		return 0, err
	}
	if err := p.Transmit(hsm.Event{Signal: word, Payload: body}); err != nil {
		return 0, err
	}
	err = wait(heard, "the first event")
	return time.Since(began), err
}
