package turnstile

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/statemesh/statemesh/activeobject/charttest"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

func TestByHand(t *testing.T) {
	queue := hsm.NewQueue(0, hsm.Reject)
	r := hsm.NewRunner(newTurnstile(queue), queue, hsm.LogConfig{Spy: 100})
	if err := r.Start(locked); err != nil {
		t.Fatal(err)
	}
	for _, signal := range []hsm.Signal{push, coin} {
		if err := r.PostFIFO(hsm.Event{Signal: signal}); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Run(); err != nil { // until no event waits
		t.Fatal(err)
	}
	if !r.In(unlocked) {
		t.Errorf("it is in %s", r.Tree().Name(r.State()))
	}
	source := instrument.Source{Tree: r.Tree(), NoSearch: true}
	want := []string{
		"START", "ENTRY_SIGNAL:locked", "INIT_SIGNAL:locked", "<- Queued:(0) Deferred:(0)",
		"push:locked", "<- Queued:(1) Deferred:(0)", // nobody wants it
		"coin:locked", "EXIT_SIGNAL:locked", "ENTRY_SIGNAL:unlocked", "INIT_SIGNAL:unlocked", "<- Queued:(0) Deferred:(0)",
	}
	if diff := cmp.Diff(want, source.Spy(r.Log().Records(100))); diff != "" {
		t.Errorf("spy (-want +got):\n%s", diff)
	}
}

func TestScript(t *testing.T) {
	charttest.RunMachine(t, newTurnstile, locked, func(c *charttest.Chart[*turnstile]) {
		c.Post(push, coin)
		c.WantState(unlocked)
		c.Post(coin, push)
		c.WantTrace(`
			e->start_at() top->locked
			e->coin() locked->unlocked
			e->push() unlocked->locked
		`)
		if c.Data.coins != 2 || c.Data.people != 1 {
			t.Errorf("%d coins, %d people; want 2 and 1", c.Data.coins, c.Data.people)
		}
	})
}

// TestReference: whatever comes, the chart does what a few plain variables say.
func TestReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newTurnstile(nil)
		if err := m.Start(locked); err != nil {
			t.Fatal(err)
		}
		var want turnstile
		open := false
		events := rapid.SliceOf(rapid.SampledFrom([]hsm.Signal{coin, push})).Draw(t, "events")
		for _, signal := range events {
			switch {
			case signal == coin:
				want.coins++
				open = true
			case open:
				want.people++
				open = false
			}
			if err := m.Dispatch(hsm.Event{Signal: signal}); err != nil {
				t.Fatal(err)
			}
			if got := *m.Data(); got != want || m.In(unlocked) != open {
				t.Fatalf("%+v, in %s; want %+v, open: %v", got, m.Tree().Name(m.State()), want, open)
			}
		}
	})
}
