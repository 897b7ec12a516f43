package actor

import (
	"io"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/statemesh/statemesh/internal/faults/ledger"
)

func TestArgsAreParsed(t *testing.T) {
	want := Options{
		Life: "h1a-3", Charts: []string{"most_h1_0", "least_h1_1"}, Broker: "amqp://10.77.0.1:5672",
		Every: 150 * time.Millisecond, Settle: 2 * time.Second,
	}
	got, err := Parse(want.Args(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := Parse([]string{"-life"}, io.Discard); err == nil {
		t.Error("a flag without its value, and no error")
	}
}

func TestUsage(t *testing.T) {
	before := usage()
	f, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	end := make(chan struct{})
	defer close(end)
	go func() { <-end }()
	after := usage()
	if diff := cmp.Diff(ledger.Usage{Goroutines: before.Goroutines + 1, Files: before.Files + 1}, after); diff != "" {
		t.Errorf("with a goroutine and a file more (-want +got):\n%s", diff)
	}
}

func TestExtreme(t *testing.T) {
	all := []ledger.Usage{{Goroutines: 3, Files: 9}, {Goroutines: 5, Files: 8}, {Goroutines: 4, Files: 7}}
	for _, c := range []struct {
		name              string
		of                func(a, b int) int
		goroutines, files int
	}{{"least", least, 3, 7}, {"most", most, 5, 9}} {
		got := extreme(all, c.of)
		if got.Goroutines != c.goroutines || got.Files != c.files || got.Heap <= 0 {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}
