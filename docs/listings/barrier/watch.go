package barrier

import (
	"io"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/instrument"
)

// watch prints what objects do while they do it.
func watch(w io.Writer, run func(activeobject.Config)) (stop func()) {
	p := instrument.NewPrinter(w, instrument.Colours(w))
	live := instrument.NewLive(instrument.LiveConfig{Trace: p.Trace, Spy: p.Spy})
	run(activeobject.Config{
		Instrument: instrument.Config{Trace: true, Spy: true, NoSearch: true, Live: []*instrument.Live{live}},
	})
	return live.Close // prints what waits
}
