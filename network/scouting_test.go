package network

import (
	"context"
	"io"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/statemesh/statemesh/network/seal"
)

// A scout that is let in by a broker before the node there hears it asks again, and counts the
// node once.
func TestScoutAsksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, key := NewMemory(), seal.NewKey()
		node := func(name, broker string) *Node {
			n, err := NewNode(t.Context(), Config{
				Name: name, Dir: t.TempDir(), Transport: memory, Broker: broker, MeshKey: key, SnoopOutput: io.Discard,
			})
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		here := node("here", "10.0.0.1")
		defer here.Close(context.Background())
		const late = 300 * time.Millisecond
		arrived := make(chan *Node)
		go func() {
			<-time.After(late)
			arrived <- node("there", "10.0.0.2")
		}()
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		done := make(chan struct{})
		go func() {
			defer close(done)
			heard, err := here.prober().Greet(ctx, netip.MustParseAddrPort("10.0.0.2:5672"))
			if err != nil || len(heard.Nodes) != 1 || heard.Nodes[0].Name != "there" || heard.Self {
				t.Errorf("%+v, %v", heard, err)
			}
			if took := time.Since(began); took < late || took > late+askAgain+otherAnswers {
				t.Errorf("it took %v", took)
			}
		}()
		defer (<-arrived).Close(context.Background())
		<-done
	})
}
