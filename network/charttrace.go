package network

import (
	"io"

	"github.com/statemesh/statemesh/instrument"
)

// chartTrace writes the trace of the network's own charts.
type chartTrace struct {
	live *instrument.Live // nil if nobody wants it
}

func newChartTrace(w io.Writer) chartTrace {
	if w == nil {
		return chartTrace{}
	}
	printer := instrument.NewPrinter(w, false)
	return chartTrace{instrument.NewLive(instrument.LiveConfig{Trace: printer.Trace})}
}

// config is what an object of the network records.
func (t chartTrace) config() instrument.Config {
	if t.live == nil {
		return instrument.Config{}
	}
	return instrument.Config{Trace: true, Live: []*instrument.Live{t.live}}
}

// close writes what waits.
func (t chartTrace) close() {
	if t.live != nil {
		t.live.Close()
	}
}
