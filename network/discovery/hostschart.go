package discovery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/factory"
	"github.com/statemesh/statemesh/hsm"
)

// The hosts chart reads the hosts file and looks its names up:
//
//	waiting      entry: recall
//	busy         read_hosts is deferred
//	  reading    a goroutine reads the file
//	  resolving  a goroutine looks the names up
const (
	hostsWaiting hsm.State = iota + 1
	hostsBusy
	hostsReading
	hostsResolving
)

var (
	readHosts = hsm.NewSignal("read_hosts")
	hostsRead = hsm.NewSignal("hosts_read")
	resolved  = hsm.NewSignal("resolved")
)

// How names are looked up.
const (
	lookupTimeout = 2 * time.Second
	lookupsAtOnce = 32
)

// namedHost is an entry of the hosts file with one of its addresses.
type namedHost struct {
	name    string
	address netip.AddrPort
}

// hosts is the data of the chart.
type hosts struct {
	*activeobject.ActiveObject
	config Config
	ctx    context.Context // ended by Discovery.Close
	work   *sync.WaitGroup
	report func([]namedHost, RungReport)

	began time.Time
	names []string
	rung  RungReport
}

var hostsChart = factory.New[*hosts]().
	Create(hostsWaiting, "waiting").
	Catch(hsm.Entry, (*hosts).recall).
	Catch(readHosts, func(*hosts, hsm.Event) hsm.Status { return hsm.Tran(hostsReading) }).
	Create(hostsBusy, "busy").
	Catch(readHosts, (*hosts).later).
	Create(hostsReading, "reading").
	Catch(hsm.Entry, (*hosts).read).
	Catch(hostsRead, (*hosts).take).
	Create(hostsResolving, "resolving").
	Catch(hsm.Entry, (*hosts).resolve).
	Catch(resolved, (*hosts).tell).
	Nest(hostsReading, hostsBusy).
	Nest(hostsResolving, hostsBusy).
	MustCompile()

func newHosts(ctx context.Context, c Config, work *sync.WaitGroup, report func([]namedHost, RungReport)) *hosts {
	h := &hosts{config: c, ctx: ctx, work: work, report: report}
	h.ActiveObject = activeobject.New("hosts", hsm.NewMachine(hostsChart, h), activeobject.Config{
		Fabric: activeobject.NewFabric(), Instrument: c.Instrument,
	})
	return h
}

func (h *hosts) recall(hsm.Event) hsm.Status {
	_, _ = h.Recall()
	return hsm.Handled
}

func (h *hosts) later(e hsm.Event) hsm.Status {
	if h.Deferred() == 0 { // one more reading answers all who asked
		_ = h.Defer(e)
	}
	return hsm.Handled
}

// contents is what a goroutine found in a file.
type contents struct {
	names []string
	hosts []namedHost
	err   error
}

func (h *hosts) read(hsm.Event) hsm.Status {
	h.began = time.Now()
	h.work.Go(func() {
		names, err := ReadHosts(h.config.HostsFile)
		h.PostFIFO(hsm.Event{Signal: hostsRead, Payload: contents{names: names, err: err}})
	})
	return hsm.Handled
}

func (h *hosts) take(e hsm.Event) hsm.Status {
	c, _ := hsm.Payload[contents](e)
	h.names = c.names
	h.rung = RungReport{Rung: RungHosts, Asked: len(c.names), Err: c.err}
	return hsm.Tran(hostsResolving)
}

func (h *hosts) resolve(hsm.Event) hsm.Status {
	names := h.names
	h.work.Go(func() {
		found, err := lookUp(h.ctx, names, h.config.Port)
		h.PostFIFO(hsm.Event{Signal: resolved, Payload: contents{hosts: found, err: err}})
	})
	return hsm.Handled
}

func (h *hosts) tell(e hsm.Event) hsm.Status {
	c, _ := hsm.Payload[contents](e)
	h.rung.Found = len(c.hosts)
	h.rung.Err = errors.Join(h.rung.Err, c.err)
	h.rung.Elapsed = time.Since(h.began)
	h.report(c.hosts, h.rung)
	return hsm.Tran(hostsWaiting)
}

// lookUp finds the addresses of hosts, which are addresses or names, with a port or
// without. The error joins what could not be found.
func lookUp(ctx context.Context, names []string, port int) ([]namedHost, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	found := make([][]namedHost, len(names))
	errs := make([]error, len(names))
	gate := make(chan struct{}, lookupsAtOnce)
	var all sync.WaitGroup
	for i, name := range names {
		gate <- struct{}{}
		all.Go(func() {
			defer func() { <-gate }()
			found[i], errs[i] = lookUpOne(ctx, name, port)
		})
	}
	all.Wait()
	var hosts []namedHost
	for _, f := range found {
		hosts = append(hosts, f...)
	}
	return hosts, errors.Join(errs...)
}

func lookUpOne(ctx context.Context, name string, port int) ([]namedHost, error) {
	host := name
	if address, err := netip.ParseAddrPort(name); err == nil {
		return []namedHost{{name, netip.AddrPortFrom(address.Addr().Unmap(), address.Port())}}, nil
	}
	if address, err := netip.ParseAddr(name); err == nil {
		return []namedHost{{name, netip.AddrPortFrom(address.Unmap(), uint16(port))}}, nil
	}
	if h, p, err := net.SplitHostPort(name); err == nil {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("hosts: %q has no port", name)
		}
		host, port = h, int(n)
	}
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", host)
	if err != nil {
		return nil, fmt.Errorf("hosts: the name %q is not known: %w", host, err)
	}
	var all []namedHost
	for _, a := range addresses {
		all = append(all, namedHost{name, netip.AddrPortFrom(a.Unmap(), uint16(port))})
	}
	return all, nil
}
