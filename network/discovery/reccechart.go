package discovery

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/factory"
	"github.com/statemesh/statemesh/hsm"
)

// The reconnaissance chart searches the networks for hosts, one rung after the other:
//
//	waiting      entry: recall
//	searching    recce_lan is deferred
//	  table      the kernel's neighbours, as they stand
//	  arp        one state for each Sweep, of its name: a goroutine a network
//	  udp        ...
//	  tcp        ...
//	  listening  the rungs are done; answers to those that run beside them may come
//
// A network in which a rung found somebody is done, and later rungs leave it out. A
// Sweep that is Partial runs beside the others, and never makes a network done.
const (
	recceWaiting hsm.State = iota + 1
	recceSearching
	recceTable
	recceListening
	recceSweep // the first of them
)

var (
	recceLAN    = hsm.NewSignal("recce_lan")
	tableRead   = hsm.NewSignal("table_read")
	swept       = hsm.NewSignal("swept")
	partlySwept = hsm.NewSignal("partly_swept")
	allSwept    = hsm.NewSignal("all_swept")
)

// recce is the data of the chart.
type recce struct {
	*activeobject.ActiveObject
	config Config
	ctx    context.Context // ended by Discovery.Close
	work   *sync.WaitGroup
	found  func(rung string, address netip.Addr) // from any goroutine
	report func([]RungReport)

	networks []*searched
	rungs    []RungReport
	next     int // index of the next sweep
	aside    int // partial sweeps under way
}

// searched is a network with what is needed while it is searched.
type searched struct {
	Network
	targets []netip.Addr
	by      string // the rung that found somebody, "" for none yet
}

// newRecce returns the object with a chart that has a state for each sweep.
func newRecce(ctx context.Context, c Config, work *sync.WaitGroup, found func(string, netip.Addr), report func([]RungReport)) *recce {
	r := &recce{config: c, ctx: ctx, work: work, found: found, report: report}
	r.ActiveObject = activeobject.New("recce", hsm.NewMachine(recceChart(c.Sweeps), r), activeobject.Config{
		Fabric: activeobject.NewFabric(), Instrument: c.Instrument,
	})
	return r
}

func recceChart(sweeps []Sweep) *hsm.Chart[*recce] {
	f := factory.New[*recce]()
	f.Create(recceWaiting, "waiting").
		Catch(hsm.Entry, (*recce).recall).
		Catch(recceLAN, func(*recce, hsm.Event) hsm.Status { return hsm.Tran(recceTable) })
	f.Create(recceSearching, "searching").
		Catch(recceLAN, (*recce).later).
		Catch(partlySwept, (*recce).noteAside)
	f.Create(recceTable, "table").
		Catch(hsm.Entry, (*recce).readTable).
		Catch(tableRead, (*recce).takeTable)
	f.Create(recceListening, "listening").
		Catch(hsm.Entry, (*recce).listen).
		Catch(allSwept, (*recce).tell)
	f.Nest(recceTable, recceSearching)
	f.Nest(recceListening, recceSearching)
	for i, sweep := range sweeps {
		state := recceSweep + hsm.State(i)
		f.Create(state, sweep.Name()).
			Catch(hsm.Entry, func(r *recce, _ hsm.Event) hsm.Status { return r.sweep(i, sweep) }).
			Catch(swept, (*recce).takeSweep)
		f.Nest(state, recceSearching)
	}
	return f.MustCompile()
}

// checkSweeps says what would be wrong with the chart.
func checkSweeps(sweeps []Sweep) error {
	names := []string{"waiting", "searching", "table", "listening"}
	for _, s := range sweeps {
		if s == nil || s.Name() == "" || slices.Contains(names, s.Name()) {
			return fmt.Errorf("%w: each of the Sweeps needs a name of its own", ErrOptions)
		}
		names = append(names, s.Name())
	}
	return nil
}

func (r *recce) recall(hsm.Event) hsm.Status {
	_, _ = r.Recall()
	return hsm.Handled
}

func (r *recce) later(e hsm.Event) hsm.Status {
	_ = r.Defer(e)
	return hsm.Handled
}

// sweepResult is what the goroutines of a rung report, a RungReport a network.
type sweepResult struct {
	networks []*searched
	rungs    []RungReport
}

// readTable finds out which networks there are, and whom the kernel knows there.
func (r *recce) readTable(hsm.Event) hsm.Status {
	r.networks, r.rungs, r.next, r.aside = nil, nil, 0, 0
	r.work.Go(func() {
		r.PostFIFO(hsm.Event{Signal: tableRead, Payload: r.tables()})
	})
	return hsm.Handled
}

func (r *recce) tables() sweepResult {
	began := time.Now()
	networks, err := r.config.Networks()
	own, ownErr := r.config.Own()
	if err == nil {
		err = ownErr
	}
	if err != nil {
		return sweepResult{rungs: []RungReport{{Rung: RungTable, Elapsed: time.Since(began), Err: err}}}
	}
	var result sweepResult
	for _, n := range networks {
		began := time.Now()
		s := &searched{Network: n}
		s.targets, _ = n.Targets(own)
		s.targets = slices.DeleteFunc(s.targets, func(a netip.Addr) bool { return !r.config.allows(a) })
		known, err := Neighbours(n)
		rung := RungReport{Rung: RungTable, Interface: n.Interface, Network: n.Prefix, Err: err}
		for _, a := range known {
			if r.config.allows(a) && !slices.Contains(own, a) {
				r.found(RungTable, a)
				rung.Found++
			}
		}
		rung.Asked = len(known)
		rung.Elapsed = time.Since(began)
		result.networks = append(result.networks, s)
		result.rungs = append(result.rungs, rung)
	}
	return result
}

func (r *recce) takeTable(e hsm.Event) hsm.Status {
	result, _ := hsm.Payload[sweepResult](e)
	r.networks, r.rungs = result.networks, result.rungs
	return r.goOn()
}

// goOn leads to the next rung.
func (r *recce) goOn() hsm.Status {
	if len(r.networks) == 0 || r.next >= len(r.config.Sweeps) {
		return hsm.Tran(recceListening)
	}
	r.next++
	return hsm.Tran(recceSweep + hsm.State(r.next-1))
}

// sweep searches the networks that are not done, each in a goroutine.
func (r *recce) sweep(i int, sweep Sweep) hsm.Status {
	p, ok := sweep.(partial)
	isPartial := ok && p.Partial()
	var networks []*searched
	for _, n := range r.networks {
		if n.by == "" {
			networks = append(networks, n)
			continue
		}
		r.rungs = append(r.rungs, RungReport{
			Rung: sweep.Name(), Interface: n.Interface, Network: n.Prefix, Skipped: n.by + " has answered",
		})
	}
	work := func() sweepResult { return r.run(sweep, networks) }
	switch {
	case len(networks) == 0:
		r.PostFIFO(hsm.Event{Signal: swept, Payload: sweepResult{}})
	case isPartial:
		r.aside++
		r.work.Go(func() { r.PostFIFO(hsm.Event{Signal: partlySwept, Payload: work()}) })
		r.PostFIFO(hsm.Event{Signal: swept, Payload: sweepResult{}})
	default:
		r.work.Go(func() { r.PostFIFO(hsm.Event{Signal: swept, Payload: work()}) })
	}
	return hsm.Handled
}

// run searches all the networks at once.
func (r *recce) run(sweep Sweep, networks []*searched) sweepResult {
	result := sweepResult{networks, make([]RungReport, len(networks))}
	var all sync.WaitGroup
	for i, n := range networks {
		all.Go(func() {
			began := time.Now()
			rung := RungReport{Rung: sweep.Name(), Interface: n.Interface, Network: n.Prefix, Asked: len(n.targets)}
			if len(n.targets) > 0 {
				rung.Err = sweep.Sweep(r.ctx, n.Network, n.targets, func(a netip.Addr) {
					rung.Found++
					r.found(sweep.Name(), a)
				})
			}
			rung.Elapsed = time.Since(began)
			result.rungs[i] = rung
		})
	}
	all.Wait()
	return result
}

func (r *recce) takeSweep(e hsm.Event) hsm.Status {
	result, _ := hsm.Payload[sweepResult](e)
	r.rungs = append(r.rungs, result.rungs...)
	for i, rung := range result.rungs {
		if rung.Found > 0 && rung.Err == nil {
			result.networks[i].by = rung.Rung
		}
	}
	return r.goOn()
}

func (r *recce) noteAside(e hsm.Event) hsm.Status {
	result, _ := hsm.Payload[sweepResult](e)
	r.rungs = append(r.rungs, result.rungs...)
	if r.aside--; r.aside == 0 && r.In(recceListening) {
		r.PostFIFO(hsm.Event{Signal: allSwept})
	}
	return hsm.Handled
}

func (r *recce) listen(hsm.Event) hsm.Status {
	if r.aside == 0 {
		r.PostFIFO(hsm.Event{Signal: allSwept})
	}
	return hsm.Handled
}

func (r *recce) tell(hsm.Event) hsm.Status {
	place := func(rung RungReport) int {
		return slices.IndexFunc(r.config.Sweeps, func(s Sweep) bool { return s.Name() == rung.Rung })
	}
	slices.SortStableFunc(r.rungs, func(a, b RungReport) int { return place(a) - place(b) })
	r.report(r.rungs)
	return hsm.Tran(recceWaiting)
}
