package discovery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"sync"
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

// Defaults of Options.
const (
	DefaultHostsFile = ".statemesh_hosts.json"
	DefaultCacheFile = ".statemesh_lan_cache.json"
	DefaultEvery     = time.Minute
)

// Options are what a user may want otherwise. The zero value is good.
type Options struct {
	// Interfaces are the ones whose networks are searched. Default: all that are up and
	// can broadcast, without virtual ones; see Networks.
	Interfaces []string

	// Prefixes are what may be contacted, and so be sent the user's name and password.
	// Default: the networks that are searched. Hosts of the hosts file are allowed
	// anyway, for they were named. The networks are searched as far as this allows.
	Prefixes []netip.Prefix

	// HostsFile and CacheFile are the paths of the two files; see ReadHosts and ReadCache.
	// Relative ones are meant from Dir, which is the current directory by default. Default:
	// .statemesh_hosts.json and .statemesh_lan_cache.json.
	Dir       string
	HostsFile string
	CacheFile string

	// Every is the time between two rounds, of which a tenth is random. Shorter finds hosts
	// sooner that cannot find us; hosts that find us need no round. At least a second.
	// Default: a minute.
	Every time.Duration

	// Sweeps replaces the ways to search a network. Default: Sweeps(port).
	Sweeps []Sweep

	// Networks replaces the way to know which networks there are, and Own that to know the
	// addresses of this host. Default: Networks(Interfaces) and OwnAddresses.
	Networks func() ([]Network, error)
	Own      func() ([]netip.Addr, error)
}

// ErrOptions is wrapped by all errors that say what is wrong with Options.
var ErrOptions = errors.New("discovery: bad options")

// Check says what is wrong with the options, all at once.
func (o Options) Check() error {
	var errs []error
	if o.Every != 0 && o.Every < time.Second {
		errs = append(errs, fmt.Errorf("%w: Every is %v; it has to be a second at least", ErrOptions, o.Every))
	}
	for _, p := range o.Prefixes {
		if !p.IsValid() {
			errs = append(errs, fmt.Errorf("%w: Prefixes holds one that is not valid", ErrOptions))
		}
	}
	return errors.Join(errs...)
}

// complete fills in the defaults.
func (o Options) complete(port int) Options {
	set := func(path *string, name string) {
		if *path == "" {
			*path = name
		}
		if !filepath.IsAbs(*path) {
			*path = filepath.Join(o.Dir, *path)
		}
	}
	set(&o.HostsFile, DefaultHostsFile)
	set(&o.CacheFile, DefaultCacheFile)
	if o.Every == 0 {
		o.Every = DefaultEvery
	}
	if o.Sweeps == nil {
		o.Sweeps = Sweeps(port)
	}
	if o.Networks == nil {
		interfaces := o.Interfaces
		o.Networks = func() ([]Network, error) { return Networks(interfaces) }
	}
	if o.Own == nil {
		o.Own = OwnAddresses
	}
	return o
}

// Local returns the networks that are searched.
func (o Options) Local() ([]Network, error) { return o.complete(0).Networks() }

// OwnAddresses returns the addresses of this host.
func (o Options) OwnAddresses() ([]netip.Addr, error) { return o.complete(0).Own() }

// Allowed reports whether the address may be contacted without having been named.
// The networks are asked anew each time, since addresses come and go.
func (o Options) Allowed(address netip.Addr) bool {
	return o.complete(0).allows(address)
}

func (o Options) allows(address netip.Addr) bool {
	address = address.Unmap()
	prefixes := o.Prefixes
	if len(prefixes) == 0 {
		networks, err := o.Networks()
		if err != nil {
			return false
		}
		for _, n := range networks {
			prefixes = append(prefixes, n.Prefix)
		}
	}
	for _, p := range prefixes {
		if p.Contains(address) {
			return true
		}
	}
	return false
}

// ErrGone: a broker that had let us in could not be asked.
var ErrGone = errors.New("discovery: the broker went away")

// Prober looks closer at an address. Its methods are called from several goroutines
// at once, and block as long as ctx allows.
type Prober interface {
	// Knock logs in at the broker and leaves again. It returns LetIn, or why not: NotOurs,
	// WrongCredentials, NotAMQP, Refused or Dead, with an error that says it in words.
	Knock(ctx context.Context, address netip.AddrPort) (Verdict, error)

	// Greet asks, by way of the broker, who is there. It returns as soon as somebody
	// answered, and a little later for the others; an error if nobody did, which wraps
	// ErrGone if the question could not even be asked.
	Greet(ctx context.Context, address netip.AddrPort) (Greeting, error)
}

// Greeting is what a Prober heard.
type Greeting struct {
	Nodes     []Node        // at least one
	RoundTrip time.Duration // until the first answer
	Self      bool          // we answered ourselves
}

// Config says how discovery works.
type Config struct {
	Options

	// Port is that of the brokers, where nothing else is said.
	Port int

	// Prober scouts. Required.
	Prober Prober

	// Known, if set, says whether there is a working connection to an address; such are not
	// scouted. Found, if set, is told every verdict. Both are called on one goroutine, that
	// of the LAN chart, and must not block.
	Known func(netip.AddrPort) bool
	Found func(Candidate)

	// Random returns a random time from 0 up to its argument, for the random part of
	// Options.Every. It is called on the goroutine of the LAN chart. Default: of math/rand.
	Random func(time.Duration) time.Duration

	// Logger hears what is wrong with the files and the networks. nil is silence.
	Logger *slog.Logger

	// Instrument is for the charts.
	Instrument instrument.Config
}

// Discovery looks for peers until it is closed: once when it starts, then every
// Options.Every, and whenever somebody unknown was heard. Create it with New. Any
// goroutine may call its methods.
type Discovery struct {
	lan     *lan
	charts  []*activeobject.ActiveObject // in the order in which they start
	settled chan struct{}                // closed by the LAN chart after the first round

	once sync.Once // ends everything
}

// New returns a Discovery that does nothing before Start, holds nothing that has to be
// closed until then, and sends nothing. The error wraps ErrOptions.
func New(c Config) (*Discovery, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	if c.Prober == nil {
		return nil, fmt.Errorf("%w: no Prober", ErrOptions)
	}
	c.Options = c.complete(c.Port)
	if err := checkSweeps(c.Sweeps); err != nil {
		return nil, err
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Random == nil {
		c.Random = func(most time.Duration) time.Duration { return rand.N(most + 1) }
	}
	if c.Known == nil {
		c.Known = func(netip.AddrPort) bool { return false }
	}
	if c.Found == nil {
		c.Found = func(Candidate) {}
	}
	d := &Discovery{settled: make(chan struct{})}
	d.lan = newLAN(c, func() { close(d.settled) })
	d.charts = []*activeobject.ActiveObject{
		d.lan.hosts.ActiveObject, d.lan.cache.ActiveObject, d.lan.recce.ActiveObject, d.lan.ActiveObject,
	}
	return d, nil
}

// Start begins with the first round, and does not wait for it. It may be called once; ctx
// bounds the start itself, and Close ends what was started.
func (d *Discovery) Start(ctx context.Context) error {
	for _, s := range []struct {
		chart *activeobject.ActiveObject
		state hsm.State
	}{
		{d.lan.hosts.ActiveObject, hostsWaiting},
		{d.lan.cache.ActiveObject, cacheWaiting},
		{d.lan.recce.ActiveObject, recceWaiting},
		{d.lan.ActiveObject, discovering},
	} {
		if err := s.chart.Start(ctx, s.state); err != nil {
			d.Close()
			return err
		}
	}
	return nil
}

// Look begins another round, if none is under way.
func (d *Discovery) Look() { d.lan.PostFIFO(hsm.Event{Signal: look}) }

// Alien has an address scouted, because somebody there has spoken to us.
func (d *Discovery) Alien(address netip.AddrPort) {
	d.lan.PostFIFO(hsm.Event{Signal: alien, Payload: address})
}

// Settled is closed when the first round is over.
func (d *Discovery) Settled() <-chan struct{} { return d.settled }

// Report returns what the newest complete round did, the zero Report before that.
func (d *Discovery) Report() Report {
	d.lan.mu.Lock()
	defer d.lan.mu.Unlock()
	return d.lan.report
}

// Close ends everything and returns when all goroutines have ended. Sweeps and scouts
// are cut short.
func (d *Discovery) Close() {
	d.once.Do(func() {
		d.lan.cancel()
		for i := range d.charts {
			_ = d.charts[len(d.charts)-1-i].Stop(context.Background())
		}
		for s := range d.lan.live {
			_ = s.Stop(context.Background())
		}
		d.lan.work.Wait()
	})
}

// Round makes one round and returns what it did. It blocks until it is over, or until
// ctx ends, and returns what is known by then.
func Round(ctx context.Context, c Config) (Report, error) {
	d, err := New(c)
	if err != nil {
		return Report{}, err
	}
	defer d.Close()
	if err := d.Start(ctx); err != nil {
		return Report{}, err
	}
	select {
	case <-d.Settled():
		return d.Report(), nil
	case <-ctx.Done():
		return d.Report(), ctx.Err()
	}
}
