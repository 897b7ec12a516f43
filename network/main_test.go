package network

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience is how long tests wait for what has to happen.
const patience = 20 * time.Second

// eventually waits until it is so.
func eventually(t testing.TB, what string, isSo func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for late := time.After(patience); !isSo(); {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
