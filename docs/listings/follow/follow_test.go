package follow

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/activeobject/charttest"
	"github.com/statemesh/statemesh/network"
	"github.com/statemesh/statemesh/network/seal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMesh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := network.Config{Transport: network.NewMemory(), MeshKey: seal.NewKey()}
		hall := join(t, c, "hall")
		stairs := join(t, c, "stairs")
		hall.Post(press)
		stairs.WantState(on)
		if stairs.Data.asked != "hall" {
			t.Errorf("%q asked for it", stairs.Data.asked)
		}
		stairs.WantTrace(`
			e->start_at() top->off
			e->light_up() off->on
		`)
	})
}

// join puts a light on the mesh that c leads to, with a node of its own.
func join(t *testing.T, c network.Config, name string) *charttest.Chart[*light] {
	t.Helper()
	node, err := network.NewNode(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { node.Close(context.Background()) })
	return charttest.Start(t, func(c activeobject.Config) *light {
		l, err := newLight(node, name, c)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}, off)
}

func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := network.NewMemory()
		c := network.Config{Transport: memory, MeshKey: seal.NewKey()}
		hall, stairs := join(t, c, "hall"), join(t, c, "stairs")
		memory.Down(network.DefaultListen)
		hall.After(time.Second)
		hall.Post(press) // waits in the outbox
		stairs.WantState(off)
		memory.Up(network.DefaultListen)
		stairs.After(time.Minute)
		stairs.WantState(on)
	})
}
