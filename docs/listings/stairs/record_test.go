package stairs

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/statemesh/statemesh/activeobject"
	"github.com/statemesh/statemesh/activeobject/charttest/generate"
	"github.com/statemesh/statemesh/hsm"
	"github.com/statemesh/statemesh/instrument"
)

var update = flag.Bool("update", false, "write the recording and the test that is made of it")

func generateTest(recording string) (string, error) {
	var source bytes.Buffer
	err := generate.Test(&source, strings.NewReader(recording), generate.Options{
		Package: "stairs",
		New:     "newLight",
	})
	return source.String(), err
}

// TestGenerated: generated_test.go is what the recording makes.
func TestGenerated(t *testing.T) {
	recording := record(t)
	same(t, filepath.Join("testdata", "recorded.json"), recording)
	source, err := generateTest(recording)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "generated_test.go", source)
}

// record returns the trace of a light, as JSON and with causes.
func record(t *testing.T) string {
	var out bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		l := newLight(activeobject.Config{Causes: true, Instrument: instrument.Config{Trace: true}})
		if err := l.Start(t.Context(), off); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			time.Sleep(20 * time.Second)
			if _, err := l.PostFIFO(hsm.Event{Signal: press}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Hour)
		if err := l.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		p := instrument.NewPrinter(&out, false)
		ids := map[uint64]uint64{0: 0}
		small := func(id uint64) uint64 { // ids are large and begin anywhere
			if _, known := ids[id]; !known {
				ids[id] = uint64(len(ids))
			}
			return ids[id]
		}
		for _, line := range l.Recorder().Trace() {
			line.Time = line.Time.UTC()
			line.Event, line.Cause = small(line.Event), small(line.Cause)
			if err := p.JSON(line); err != nil {
				t.Fatal(err)
			}
		}
	})
	return out.String()
}

// same compares with a file, or writes it.
func same(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
