package ask

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/activeobject/charttest"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/network"
	"github.com/statemesh/statemesh/network/seal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestAsk: the shop answers the customer who asked, and no other; a question that
// nobody answers is over after five seconds.
func TestAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := network.Config{Transport: network.NewMemory(), MeshKey: seal.NewKey()}
		node := func() *network.Node {
			n, err := network.NewNode(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { n.Close(context.Background()) })
			return n
		}
		newCustomer := func(name string) *charttest.Chart[*customer] {
			n := node()
			return charttest.Start(t, func(c activeobject.Config) *customer {
				b := &customer{price: -1}
				var err error
				if b.ActiveObject, err = n.NewActiveObject(name, hsm.NewMachine(customers, b), network.ObjectConfig{Config: c}); err != nil {
					t.Fatal(err)
				}
				return b
			}, idle)
		}
		ann, bob := newCustomer("ann"), newCustomer("bob")
		n := node()
		charttest.Start(t, func(c activeobject.Config) *shop {
			s := &shop{prices: map[string]int{"apple": 2, "pear": 3}}
			var err error
			if s.ActiveObject, err = n.NewActiveObject("shop", hsm.NewMachine(shops, s), network.ObjectConfig{Config: c}); err != nil {
				t.Fatal(err)
			}
			return s
		}, open)
		ask := func(c *charttest.Chart[*customer], item string) {
			c.PostEvent(hsm.Event{Signal: want, Payload: item})
		}
		ask(bob, "plum") // nobody has plums
		bob.WantState(waiting)
		ask(ann, "apple")
		ann.WantState(idle)
		bob.WantState(waiting) // not his answer
		if ann.Data.price != 2 || bob.Data.price != -1 {
			t.Errorf("ann hears %d, bob %d", ann.Data.price, bob.Data.price)
		}
		bob.After(5 * time.Second)
		bob.WantState(idle)
		ask(bob, "pear")
		if bob.Data.price != 3 {
			t.Errorf("bob hears %d", bob.Data.price)
		}
		ask(ann, "apple")
		ann.After(4 * time.Second)
		ask(ann, "plum")
		ann.After(2 * time.Second) // the time of an answered question does not count
		ann.WantState(waiting)
		ann.PostEvent(hsm.Event{Signal: answered, Payload: answer{"ann", 1, 99}}) // much too late
		ann.WantState(waiting)
		bob.WantTrace(`
			e->start_at() top->idle
			e->want() idle->waiting
			e->too_late() waiting->idle
			e->want() idle->waiting
			e->answered() waiting->idle
		`)
	})
}
