package works

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/statemesh/statemesh/bench/measure"
	"github.com/statemesh/statemesh/hsm"
)

// What the works of scale are measured by.
var (
	startAll   = measure.Metric{Name: "start of all", Unit: "ms"}
	megabytes  = measure.Metric{Name: "memory", Unit: "MB"}
	goroutines = measure.Metric{Name: "goroutines"}
	late50     = measure.Metric{Name: "lateness p50", Unit: "us"}
	late99     = measure.Metric{Name: "lateness p99", Unit: "us"}
	core       = measure.Metric{Name: "of a core", Unit: "%"}
)

const (
	// tenth is ours with a tenth of the work.
	tenth = "a tenth of it"
	// exact is ours without a wheel: each object has a timer of the runtime.
	exact = "no wheel"
	// wheelTick is the resolution of the wheel that objects with many timers share: what it
	// rounds up and a millisecond, by which the runtime may wake late, are less than two.
	wheelTick = 800 * time.Microsecond
)

// scales are the works that ask how far it goes. Each round has a process of its own.
func scales(env Env) []measure.Work {
	trips, window, rounds := 300, 10*time.Second, 3
	if env.Quick {
		trips, window, rounds = 100, time.Second, 1
	}
	fivePercent := measure.Target{Kind: measure.AtMost, Value: 5}
	twoMilliseconds := measure.Target{Kind: measure.Under, Value: 2000} // us
	growth := func(metrics ...measure.Metric) (goals []measure.Goal) {
		for _, m := range metrics {
			goals = append(goals, measure.Goal{Metric: m, Rival: tenth, Tenth: true})
		}
		return goals
	}
	of := func(name, about string, n int, begin func(context.Context) (*measure.Session, error)) measure.Work {
		return measure.Work{
			Name: name, About: about, N: n, Rounds: rounds, Fresh: true,
			Contestants: []measure.Contestant{{Name: Ours, Begin: begin}, {Name: tenth, Begin: begin, N: n / 10}},
			Goals:       growth(startAll, megabytes, goroutines, late50, late99),
		}
	}
	nodes := of("scale/50 nodes", "nodes with an object each on an embedded broker; one transmits and all hear", 50,
		func(ctx context.Context) (*measure.Session, error) {
			return meshOf(ctx, trips, func(n int) (int, int) { return n, 1 }), nil
		})
	charts := of("scale/1000 charts", "charts on one node, with an embedded broker; another node transmits and all hear", 1000,
		func(ctx context.Context) (*measure.Session, error) {
			return meshOf(ctx, trips, func(n int) (int, int) { return 1, n }), nil
		})
	objects := of("scale/100000 objects", "active objects with a timer of 1 s each, evenly spread over the second", 100_000, periodic(objectTickers(1, wheelTick), window))
	objects.Contestants = append(objects.Contestants,
		measure.Contestant{Name: exact, Begin: periodic(objectTickers(1, 0), window)},
		measure.Contestant{Name: tickers, Begin: periodic(goroutineTickers, window)})
	objects.Goals = append(objects.Goals,
		measure.Goal{Metric: core, Rival: tenth, Tenth: true},
		measure.Goal{Metric: core, Label: "100,000 timers", Target: fivePercent},
		measure.Goal{Metric: late99, Label: "100,000 timers", Target: twoMilliseconds},
		measure.Goal{Metric: core, Rival: exact},
		measure.Goal{Metric: late99, Rival: exact},
		measure.Goal{Metric: core, Rival: tickers},
		measure.Goal{Metric: late99, Rival: tickers},
		measure.Goal{Metric: megabytes, Rival: tickers},
	)
	few := measure.Work{
		Name: "timer/100000 periodic", About: "100 active objects with 1000 timers of 1 s each, evenly spread over the second",
		N: 100_000, Rounds: rounds, Fresh: true,
		Contestants: []measure.Contestant{
			{Name: Ours, Begin: periodic(objectTickers(1000, wheelTick), window)},
			{Name: exact, Begin: periodic(objectTickers(1000, 0), window)},
		},
		Goals: []measure.Goal{
			{Metric: core, Target: fivePercent},
			{Metric: late99, Target: twoMilliseconds},
			{Metric: core, Rival: exact},
			{Metric: late99, Rival: exact},
		},
	}
	return []measure.Work{few, charts, nodes, objects}
}

// meshOf starts as many nodes, with as many charts each, as shape says, and one node
// more that transmits. Lateness is from Transmit to the handling, for each chart; an
// event is transmitted when all have heard the last one.
func meshOf(ctx context.Context, trips int, shape func(n int) (nodes, charts int)) *measure.Session {
	var m *mesh
	return &measure.Session{
		Do: func(n int) (sample measure.Sample, err error) {
			nodes, charts := shape(n)
			memory, others := inUse(), runtime.NumGoroutine()
			if m, err = newMesh(""); err != nil {
				return nil, err
			}
			late := make([]float64, trips*n)
			var begun, heard atomic.Int64
			all := make(chan struct{}, 1)
			hear := func(e hsm.Event) {
				at, _ := hsm.Payload[int64](e)
				after := int64(time.Since(processBegan)) - at
				if i := int(begun.Add(1)); i <= len(late) {
					late[i-1] = float64(after) / 1000
				}
				if heard.Add(1)%int64(n) == 0 {
					all <- struct{}{}
				}
			}
			began := time.Now()
			for i := range nodes {
				node, err := m.node(ctx, fmt.Sprintf("n%d", i))
				if err != nil {
					return nil, err
				}
				for j := range charts {
					if _, err := join(ctx, node, fmt.Sprintf("c%d_%d", i, j), everybody, hear); err != nil {
						return nil, err
					}
				}
			}
			sender, err := m.node(ctx, "sender")
			if err != nil {
				return nil, err
			}
			one, err := join(ctx, sender, "sender", everybody, func(hsm.Event) {})
			if err != nil {
				return nil, err
			}
			took := time.Since(began)
			for range trips {
				e := hsm.Event{Signal: stamp, Payload: int64(time.Since(processBegan))}
				if err := one.Transmit(e); err != nil {
					return nil, err
				}
				if err := wait(all, "all charts to hear an event"); err != nil {
					return nil, errors.Join(err, counted("events", int(heard.Load()), trips*n))
				}
			}
			return measure.Sample{
				startAll.Name:   took.Seconds() * 1000,
				megabytes.Name:  (inUse() - memory) / 1e6,
				goroutines.Name: float64(runtime.NumGoroutine() - others),
				late50.Name:     measure.Quantile(late, 0.5),
				late99.Name:     measure.Quantile(late, 0.99),
			}, counted("events", int(heard.Load()), trips*n)
		},
		End: func() {
			if m != nil {
				m.close()
			}
		},
	}
}
