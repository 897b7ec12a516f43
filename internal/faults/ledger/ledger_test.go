package ledger

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWhatIsWrittenIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	at := time.UnixMicro(1_525_507_240_594_301)
	own := func(n uint64) Event { return Event{Life: "h1a-0", Chart: "most_h1_0", Number: n} }
	want := []Line{
		{Kind: Made, At: at, Event: own(0)},
		{Kind: Try, At: at, Event: own(1)},
		{Kind: Sent, At: at, Event: own(1), Took: 12 * time.Microsecond},
		{Kind: Failed, At: at, Event: own(2), Took: time.Second, Err: "network: outbox full; twice"},
		{Kind: Confirmed, At: at, Event: own(3)},
		{Kind: Unconfirmed, At: at, Event: own(4), Err: "no"},
		{Kind: Got, At: at, Event: Event{Life: "h2b-1", Chart: "most_h2_3", Number: 4711}, By: "most_h1_0"},
		{Kind: Peering, At: at, Err: "amqp://10.77.0.2:5672/ up"},
		{Kind: Base, At: at, Report: &Report{Node: "h1a-0", Hosting: true, Now: Usage{Goroutines: 40, Files: 12}}},
		{Kind: End, At: at, Report: &Report{Node: "h1a-0", Aside: map[string]int{"least_h1_1": 3}, Peers: []Peer{{Err: "gone"}}}},
	}
	w, err := Create(path, "h1a-0")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range want {
		l.Err = strings.ReplaceAll(l.Err, "; ", "\n")
		if err := w.Write(l); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var got []Line
	if err := ReadFile(path, "h1a-0", 0, func(l Line) { got = append(got, l) }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestALineWithoutAnEndIsLeftOut(t *testing.T) {
	n := 0
	err := Read(strings.NewReader("try 1 c 1 0 \ntry 1 c 2"), "l", func(Line) { n++ })
	if n != 1 || err != nil {
		t.Errorf("%d lines, %v", n, err)
	}
}

func TestReadFileOfNothing(t *testing.T) {
	if err := ReadFile(filepath.Join(t.TempDir(), "none"), "l", 0, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func FuzzRead(f *testing.F) {
	for _, line := range []string{
		"try 1 c 1 0 \n", "got 1 c 1 l by\n", "failed 1 c 1 3 an error of words\n", "peering 1 a up\n", "base 1 {}\n", "end 1 {\"Node\":3}\n",
		"try\n", "try 1\n", "got 1 c 1\n", "sent x c 1 0 \n", "sent 1 c -1 0 \n", "other 1 c 1 0 \n", "\n", "",
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		lines := 0
		err := Read(bytes.NewReader(text), "l", func(l Line) {
			lines++
			if (l.Kind == Base || l.Kind == End) == (l.Report == nil) {
				t.Errorf("%s with report %v", l.Kind, l.Report)
			}
		})
		switch whole := bytes.Count(text, []byte("\n")); {
		case err != nil && !errors.Is(err, ErrLine):
			t.Errorf("the error %v", err)
		case err == nil && lines != whole, lines > whole:
			t.Errorf("%d lines of %d", lines, whole)
		}
	})
}
