package activeobject_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/hsm"
)

// Each event has its step when it has been handled, with the origin that Deliver was
// given; a deferred one has two.
func TestAfterStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		var p *probe
		p = newProbe("probe", activeobject.Config{AfterStep: func(s activeobject.Step) {
			text := fmt.Sprintf("%v %d", s.Event.Signal, s.Origin.ID)
			if s.Event.Signal == (hsm.Signal{}) {
				text = "start"
			}
			if s.Deferred {
				text += " deferred"
			}
			if s.Failure != nil {
				text += " failed"
				// Stop from here does not wait for itself.
				if err := p.Stop(context.Background()); err != nil {
					t.Error(err)
				}
			}
			got = append(got, text)
		}})
		aside := true
		p.react = func(_ hsm.State, e hsm.Event) hsm.Status {
			switch e.Signal {
			case sigA:
				if aside {
					aside = false
					p.Defer(e)
				}
				return hsm.Handled
			case sigB:
				p.Recall()
				return hsm.Handled
			case sigC:
				panic("broken")
			}
			return hsm.Super
		}
		if err := p.Start(t.Context(), left); err != nil {
			t.Fatal(err)
		}
		for i, signal := range []hsm.Signal{sigA, sigB, sigC, sigA} {
			if err := p.Deliver(hsm.Event{Signal: signal}, hsm.Origin{ID: uint64(i + 1)}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if signal == sigC {
				break
			}
		}
		<-p.Done()
		if diff := cmp.Diff([]string{"start", "A 1 deferred", "B 2", "A 1", "C 3 failed"}, got); diff != "" {
			t.Errorf("steps (-want +got):\n%s", diff)
		}
		if !errors.Is(p.Err(), activeobject.ErrPanic) {
			t.Errorf("Err: %v", p.Err())
		}
	})
}
