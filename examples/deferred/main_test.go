package main

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/statemesh/statemesh/examples/internal/local"
	"github.com/statemesh/statemesh/examples/internal/local/localtest"
	"github.com/statemesh/statemesh/hsm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestDeferred: requests are served in the order in which they came, and the one
// that found no place is refused.
func TestDeferred(t *testing.T) {
	localtest.Prints(t, program, `
		[server] e->start_at() top->idle
		[server] e->request() idle->receiving
		# request 2 has to wait, 1 wait now
		[server] e->received() receiving->authorizing
		# request 3 has to wait, 2 wait now
		# request 4 has to wait, 3 wait now
		# request 5 is refused
		[server] e->authorized() authorizing->idle
		# request 1 is done
		[server] e->request() idle->receiving
		# request 6 has to wait, 3 wait now
		[server] e->received() receiving->authorizing
		[server] e->authorized() authorizing->idle
		# request 2 is done
		[server] e->request() idle->receiving
		[server] e->received() receiving->authorizing
		[server] e->authorized() authorizing->idle
		# request 3 is done
		[server] e->request() idle->receiving
		[server] e->received() receiving->authorizing
		[server] e->authorized() authorizing->idle
		# request 4 is done
		[server] e->request() idle->receiving
		[server] e->received() receiving->authorizing
		[server] e->authorized() authorizing->idle
		# request 6 is done
		# served [1 2 3 4 6], refused [5]
	`)
}

// TestSpy: what a request that waits does to the queues.
func TestSpy(t *testing.T) {
	out := localtest.Output(t, program, "-trace=false", "-spy", "-for", "400ms")
	want := []string{
		"server request:receiving", "server request:busy", "server POST_DEFERRED:request", "# request 2 has to wait, 1 wait now",
		"server request:busy:HOOK", "server <- Queued:(0) Deferred:(1)",
	}
	at := slices.Index(out, want[0])
	if at < 0 {
		t.Fatalf("no %s in %q", want[0], out)
	}
	if diff := cmp.Diff(want, out[at:min(at+len(want), len(out))]); diff != "" {
		t.Errorf("the second request (-want +got):\n%s", diff)
	}
	at = slices.Index(out, "server ENTRY_SIGNAL:idle")
	at += 1 + slices.Index(out[at+1:], "server ENTRY_SIGNAL:idle") // the first is that of the start
	want = []string{
		"server ENTRY_SIGNAL:idle", "server RECALL:request", "server POST_FIFO:request", "server INIT_SIGNAL:idle",
		"server <- Queued:(1) Deferred:(2)", "server request:idle",
	}
	if diff := cmp.Diff(want, out[at:min(at+len(want), len(out))]); diff != "" {
		t.Errorf("idle again (-want +got):\n%s", diff)
	}
}

// TestAllAtOnce: of requests that come at once, one is served, as many wait as
// may, and the rest are refused, each named.
func TestAllAtOnce(t *testing.T) {
	p := program
	p.For = time.Minute
	_, err := localtest.Play(t, p, func(ctx context.Context, t *testing.T, stage *local.Stage) error {
		s := newServer(stage, 5)
		if err := s.Start(ctx, idle); err != nil {
			return err
		}
		for number := 1; number <= 10; number++ {
			synctest.Wait() // the queue, too, takes no more than five
			if _, err := s.PostFIFO(hsm.Event{Signal: request, Payload: number}); err != nil {
				return err
			}
		}
		err := stage.Until(ctx, s.ActiveObject)
		if diff := cmp.Diff([][]int{{1, 2, 3, 4, 5, 6}, {7, 8, 9, 10}}, [][]int{s.served, s.refused}); diff != "" {
			t.Errorf("served and refused (-want +got):\n%s", diff)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
