package works

import (
	"context"
	"fmt"
	"time"

	"github.com/statemesh/statemesh/bench/measure"
	"github.com/statemesh/statemesh/hsm"
)

const (
	raw = "raw amqp091-go"
	// meshWindow is how many events may be on their way from one node to the other.
	meshWindow = 1024
)

// The time from a Transmit to the handling of the event.
var (
	p50 = measure.Metric{Name: "p50", Unit: "us"}
	p99 = measure.Metric{Name: "p99", Unit: "us"}
)

// meshes are events of 256 bytes from a node to another, beside a loop of
// amqp091-go with the same guarantees: a topic exchange, confirms, and
// acknowledgement, on two connections.
func meshes(env Env) []measure.Work {
	none := measure.Target{}
	rate := func(label string, target measure.Target, note string) measure.Goal {
		return measure.Goal{Metric: measure.Rate, Rival: raw, Label: label, Target: target, Note: note}
	}
	const ordinary = "as it comes: what waits for the broker travels together"
	const alone = "one event a message: two objects with a key each take turns"
	events := func(name, kind string, url func() (string, func(), error), host bool, speakers int, goal measure.Goal) measure.Work {
		return measure.Work{
			Name: "mesh/" + name + "/" + kind, About: "an event of 256 bytes from node to node, at most 1024 on their way",
			Step: meshWindow, Longer: longer,
			Contestants: []measure.Contestant{
				{Name: Ours, Begin: meshEvents(url, host, speakers)},
				{Name: raw, Begin: rawSession(url, (*rawPair).events)},
			},
			Goals: []measure.Goal{goal},
		}
	}
	latency := func(name string, url func() (string, func(), error), host bool, goals ...measure.Goal) measure.Work {
		return measure.Work{
			Name: "mesh/" + name + "/latency", About: "from Transmit to the handling in the other node, one event at a time",
			Step: 200, Longer: longer,
			Contestants: []measure.Contestant{
				{Name: Ours, Begin: meshLatency(url, host)},
				{Name: raw, Begin: rawSession(url, (*rawPair).latency)},
			},
			Goals: goals,
		}
	}
	return []measure.Work{
		{
			Name: "mesh/RabbitMQ/unsealed", About: "events without sealing",
			Contestants: []measure.Contestant{
				{Name: Ours, Begin: func(context.Context) (*measure.Session, error) {
					return nil, &measure.Absent{Why: "not applicable: there is no unsealed mode"}
				}},
				{Name: raw, Begin: func(context.Context) (*measure.Session, error) {
					return nil, &measure.Absent{Why: "nothing to compare with"}
				}},
			},
			Goals: []measure.Goal{{Metric: measure.Rate, Rival: raw, Target: measure.Target{Kind: measure.AtLeast, Value: 0.9}}},
		},
		events("RabbitMQ", "events", env.rabbitMQ, false, 1, rate("coalesced", measure.Target{Kind: measure.AtLeast, Value: 5}, ordinary)),
		events("RabbitMQ", "single events", env.rabbitMQ, false, 2, rate("sealed", measure.Target{Kind: measure.AtLeast, Value: 0.8}, alone)),
		latency("RabbitMQ", env.rabbitMQ, false,
			measure.Goal{Metric: p50, Rival: raw, Target: measure.Target{Kind: measure.AtMost, Value: 1.3}},
			measure.Goal{Metric: p99, Rival: raw, Target: measure.Target{Kind: measure.AtMost, Value: 1.5}}),
		events("embedded", "events", embedded, true, 1, rate("coalesced", none, ordinary)),
		events("embedded", "single events", embedded, true, 2, rate("sealed", none, alone)),
		latency("embedded", embedded, true, measure.Goal{Metric: p50, Rival: raw}, measure.Goal{Metric: p99, Rival: raw}),
	}
}

// meshEvents is two nodes on a broker, or on one that the first of them hosts. The events
// are of so many speakers in turn: only those of one, which have the same routing key, can
// travel together.
func meshEvents(url func() (string, func(), error), host bool, speakers int) func(context.Context) (*measure.Session, error) {
	return func(ctx context.Context) (*measure.Session, error) {
		heard := make(chan struct{}, meshWindow)
		wrong := 0 // events with another payload; read when all have been heard
		m, one, err := meshPair(ctx, url, host, func(e hsm.Event) {
			if payload, _ := hsm.Payload[[]byte](e); len(payload) != bodySize {
				wrong++
			}
			<-heard
		})
		if err != nil {
			return nil, err
		}
		all := []*party{one}
		for i := 1; i < speakers; i++ {
			p, err := join(ctx, one.Node(), fmt.Sprint("one", i), "bench.two", func(hsm.Event) {})
			if err != nil {
				m.close()
				return nil, err
			}
			all = append(all, p)
		}
		e := hsm.Event{Signal: word, Payload: body}
		return &measure.Session{
			Do: func(n int) (measure.Sample, error) {
				for i := range n {
					if err := put(heard); err != nil {
						return nil, err
					}
					if err := all[i%speakers].Transmit(e); err != nil {
						return nil, err
					}
				}
				// When there is room for a whole window, all have been heard.
				for range meshWindow {
					if err := put(heard); err != nil {
						return nil, err
					}
				}
				for range meshWindow {
					<-heard
				}
				return nil, counted("wrong payloads", wrong, 0)
			},
			End: m.close,
		}, nil
	}
}

// put sends into a channel that somebody empties, for as long as patience.
func put(window chan<- struct{}) error {
	select {
	case window <- struct{}{}:
		return nil
	default:
	}
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case window <- struct{}{}:
		return nil
	case <-timeout.C:
		return fmt.Errorf("works: events are lost: %d are on their way and none has come for %v", cap(window), patience)
	}
}

// meshPair is a pair of nodes.
func meshPair(ctx context.Context, url func() (string, func(), error), host bool, hear func(hsm.Event)) (*mesh, *party, error) {
	address := ""
	if !host {
		var err error
		if address, _, err = url(); err != nil {
			return nil, nil, err
		}
	}
	m, err := newMesh(address)
	if err != nil {
		return nil, nil, err
	}
	one, err := m.pair(ctx, hear)
	if err != nil {
		m.close()
		return nil, nil, err
	}
	return m, one, nil
}

func meshLatency(url func() (string, func(), error), host bool) func(context.Context) (*measure.Session, error) {
	return func(ctx context.Context) (*measure.Session, error) {
		heard := make(chan struct{}, 1)
		m, one, err := meshPair(ctx, url, host, func(hsm.Event) { heard <- struct{}{} })
		if err != nil {
			return nil, err
		}
		e := hsm.Event{Signal: word, Payload: body}
		return &measure.Session{
			Do: func(n int) (measure.Sample, error) {
				return latencies(n, func() error {
					if err := one.Transmit(e); err != nil {
						return err
					}
					return wait(heard, "an event")
				})
			},
			End: m.close,
		}, nil
	}
}

// latencies does a trip n times, and samples how long they took.
func latencies(n int, trip func() error) (measure.Sample, error) {
	took := make([]float64, 0, n)
	for range n {
		began := time.Now()
		if err := trip(); err != nil {
			return nil, err
		}
		took = append(took, float64(time.Since(began))/1000)
	}
	return measure.Sample{p50.Name: measure.Quantile(took, 0.5), p99.Name: measure.Quantile(took, 0.99)}, nil
}
