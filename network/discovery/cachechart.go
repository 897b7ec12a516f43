package discovery

import (
	"net/netip"
	"sync"
	"time"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/factory"
	"github.com/statemesh/statemesh/hsm"
)

// The cache chart reads and writes the cache file, one thing at a time:
//
//	waiting      entry: recall
//	accessing    read_cache and write_cache are deferred
//	  reading    a goroutine reads the file
//	  writing    a goroutine writes it
const (
	cacheWaiting hsm.State = iota + 1
	cacheAccessing
	cacheReading
	cacheWriting
)

var (
	readCache    = hsm.NewSignal("read_cache")
	writeCache   = hsm.NewSignal("write_cache")
	cacheRead    = hsm.NewSignal("cache_read")
	cacheWritten = hsm.NewSignal("cache_written")
)

// cache is the data of the chart.
type cache struct {
	*activeobject.ActiveObject
	config Config
	work   *sync.WaitGroup
	report func(Cache, RungReport)

	began time.Time
	write []netip.AddrPort // to be written
}

var cacheChart = factory.New[*cache]().
	Create(cacheWaiting, "waiting").
	Catch(hsm.Entry, (*cache).recall).
	Catch(readCache, func(*cache, hsm.Event) hsm.Status { return hsm.Tran(cacheReading) }).
	Catch(writeCache, (*cache).begin).
	Create(cacheAccessing, "accessing").
	Catch(readCache, (*cache).later).
	Catch(writeCache, (*cache).later).
	Create(cacheReading, "reading").
	Catch(hsm.Entry, (*cache).readFile).
	Catch(cacheRead, (*cache).tell).
	Create(cacheWriting, "writing").
	Catch(hsm.Entry, (*cache).writeFile).
	Catch(cacheWritten, (*cache).written).
	Nest(cacheReading, cacheAccessing).
	Nest(cacheWriting, cacheAccessing).
	MustCompile()

func newCache(c Config, work *sync.WaitGroup, report func(Cache, RungReport)) *cache {
	f := &cache{config: c, work: work, report: report}
	f.ActiveObject = activeobject.New("cache", hsm.NewMachine(cacheChart, f), activeobject.Config{
		Fabric: activeobject.NewFabric(), Instrument: c.Instrument,
	})
	return f
}

func (f *cache) recall(hsm.Event) hsm.Status {
	_, _ = f.Recall()
	return hsm.Handled
}

func (f *cache) later(e hsm.Event) hsm.Status {
	_ = f.Defer(e)
	return hsm.Handled
}

// accessed is what became of an access.
type accessed struct {
	cache Cache
	err   error
}

func (f *cache) readFile(hsm.Event) hsm.Status {
	f.began = time.Now()
	f.work.Go(func() {
		c, err := ReadCache(f.config.CacheFile)
		f.PostFIFO(hsm.Event{Signal: cacheRead, Payload: accessed{c, err}})
	})
	return hsm.Handled
}

func (f *cache) tell(e hsm.Event) hsm.Status {
	a, _ := hsm.Payload[accessed](e)
	rung := RungReport{Rung: RungCache, Asked: len(a.cache.Addresses), Err: a.err}
	switch {
	case a.err != nil || len(a.cache.Addresses) == 0:
		a.cache = Cache{}
	case a.cache.Expired(time.Now()):
		rung.Skipped = "expired"
		a.cache = Cache{}
	}
	rung.Found = len(a.cache.Addresses)
	rung.Elapsed = time.Since(f.began)
	f.report(a.cache, rung)
	return hsm.Tran(cacheWaiting)
}

func (f *cache) begin(e hsm.Event) hsm.Status {
	f.write, _ = hsm.Payload[[]netip.AddrPort](e)
	return hsm.Tran(cacheWriting)
}

func (f *cache) writeFile(hsm.Event) hsm.Status {
	addresses := f.write
	f.work.Go(func() {
		err := WriteCache(f.config.CacheFile, Cache{Addresses: addresses})
		f.PostFIFO(hsm.Event{Signal: cacheWritten, Payload: accessed{err: err}})
	})
	return hsm.Handled
}

func (f *cache) written(e hsm.Event) hsm.Status {
	if a, _ := hsm.Payload[accessed](e); a.err != nil {
		f.config.Logger.Warn("could not remember the peers; the next start has to search", "error", a.err)
	}
	return hsm.Tran(cacheWaiting)
}
