package network

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/statemesh/statemesh/network/seal"
)

func testID(n uint64) eventID { return eventID{seal.SenderID{1}, 2, n} }

func openTest(t testing.TB, path string, keep time.Duration, most int) *journal {
	t.Helper()
	j, err := openJournal(path, keep, most)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(j.close)
	return j
}

func knows(t testing.TB, j *journal, id eventID, look, want bool) {
	t.Helper()
	if got, err := j.has(id, look); err != nil || got != want {
		t.Errorf("event %d: known is %v, want %v; %v", id.sequence, got, want, err)
	}
}

func TestJournalOutlivesItsProcess(t *testing.T) {
	path := journalPath(t.TempDir(), "a/b")
	if filepath.Base(path) != ".statemesh_handled_a%2Fb" {
		t.Fatal(path)
	}
	j := openTest(t, path, time.Hour, 100)
	for n := range uint64(10) {
		if err := j.add(testID(n)); err != nil { // 0 is a sender
			t.Fatal(err)
		}
	}
	again := openTest(t, path, time.Hour, 100) // j has not been closed
	for n := range uint64(10) {
		knows(t, again, testID(n), false, true)
	}
	knows(t, again, testID(10), false, false)
	knows(t, again, eventID{seal.SenderID{2}, 2, 1}, false, false)
	knows(t, again, eventID{seal.SenderID{1}, 3, 1}, false, false)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 && hasModes {
		t.Errorf("%v, %v", info, err)
	}
}

func TestJournalNames(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range []string{"a", "..", "a/b", "a%2Fb", strings.Repeat("x", 200), strings.Repeat("x", 201), strings.Repeat("/", 60)} {
		path := journalPath("dir", name)
		if filepath.Dir(path) != "dir" || len(filepath.Base(path)) > 200 || seen[path] {
			t.Errorf("%q: %s", name, path)
		}
		seen[path] = true
	}
}

func TestJournalIsShared(t *testing.T) {
	path := journalPath(t.TempDir(), "o")
	one, two := openTest(t, path, time.Hour, 10), openTest(t, path, time.Hour, 10)
	n := uint64(1)
	for range 700 { // each makes it anew more than once
		for _, pair := range [][2]*journal{{one, two}, {two, one}} {
			if err := pair[0].add(testID(n)); err != nil {
				t.Fatal(err)
			}
			knows(t, pair[1], testID(n), true, true)
			n++
		}
	}
	if info, err := os.Stat(path); err != nil || info.Size() > (2*(10+maxSelves)+1)*recordSize {
		t.Errorf("the file is %v, %v", info.Size(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".statemesh_tmp_*")); left != nil {
		t.Errorf("left behind: %v", left)
	}
}

func TestJournalForgets(t *testing.T) {
	path := journalPath(t.TempDir(), "o")
	j := openTest(t, path, time.Hour, 5)
	self := testID(0)
	if err := j.add(self); err != nil {
		t.Fatal(err)
	}
	for n := uint64(1); n <= 2000; n++ {
		if err := j.add(testID(n)); err != nil {
			t.Fatal(err)
		}
	}
	for _, j := range []*journal{j, openTest(t, path, time.Hour, 5)} {
		knows(t, j, testID(1995), false, false)
		knows(t, j, testID(1996), false, true)
		knows(t, j, self, false, true)
		if len(j.known) != 6 || j.handled.Len() != 5 || j.selves.Len() != 1 {
			t.Errorf("%d known, %d handled, %d selves", len(j.known), j.handled.Len(), j.selves.Len())
		}
	}
	old := openTest(t, path, time.Nanosecond, 5)
	knows(t, old, testID(2000), false, false)
}

// What stands in the file beside good records does no harm to them.
func TestJournalSurvivesDamage(t *testing.T) {
	now := time.Now()
	good := appendRecord(appendRecord(nil, testID(1), now), testID(2), now)
	flipped := bytes.Clone(good)
	flipped[10] ^= 1
	for name, content := range map[string][]byte{
		"empty":        nil,
		"torn":         good[:recordSize+7],
		"one is bad":   append(bytes.Clone(flipped[:recordSize]), good...),
		"garbage":      bytes.Repeat([]byte("garbage!"), 6*50),
		"far future":   appendRecord(bytes.Clone(good), testID(9), now.Add(1000*time.Hour)),
		"long ago":     appendRecord(bytes.Clone(good), testID(9), now.Add(-1000*time.Hour)),
		"very long":    append(make([]byte, 100*1000*recordSize), good...),
		"twice":        append(bytes.Clone(good), good...),
		"garbage, and": append(bytes.Repeat([]byte("garbage!"), 6*50), good...),
	} {
		t.Run(name, func(t *testing.T) {
			path := journalPath(t.TempDir(), "o")
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			j := openTest(t, path, time.Hour, 100)
			knows(t, j, testID(1), false, bytes.Contains(content, good[:recordSize]))
			knows(t, j, testID(2), false, bytes.Contains(content, good[recordSize:]))
			knows(t, j, testID(9), false, false)
			if err := j.add(testID(3)); err != nil {
				t.Fatal(err)
			}
			again := openTest(t, path, time.Hour, 100)
			knows(t, again, testID(3), false, true)
			if info, _ := os.Stat(path); info.Size() > (2*(100+maxSelves)+1)*recordSize {
				t.Errorf("it is still %d bytes", info.Size())
			}
		})
	}
}

func TestJournalWithoutAFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(journalPath(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{journalPath(dir, "folder"), journalPath(filepath.Join(dir, "none"), "o")} {
		if _, err := openJournal(path, time.Hour, 10); err == nil {
			t.Errorf("%s: no error", path)
		}
	}
	// One that goes while it is used is made again; one that cannot be is told once.
	path := journalPath(dir, "o")
	j := openTest(t, path, time.Hour, 10)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := j.add(testID(1)); err != nil {
		t.Fatal(err)
	}
	knows(t, openTest(t, path, time.Hour, 10), testID(1), false, true)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := j.add(testID(2)); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("the error is %v", err)
	}
	if err := j.add(testID(3)); err != nil {
		t.Errorf("it says so again: %v", err)
	}
	for n := uint64(1); n <= 3; n++ {
		knows(t, j, testID(n), true, true)
	}
}

// Against a set: whoever adds, restarts or tears the end of the file.
func TestJournalModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "journal")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		path := journalPath(dir, "o")
		var open [2]*journal
		for i := range open {
			if open[i], err = openJournal(path, time.Hour, 50); err != nil {
				t.Fatal(err)
			}
			defer func() { open[i].close() }()
		}
		var added []eventID
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			i := rapid.IntRange(0, 1).Draw(t, "who")
			switch rapid.IntRange(0, 4).Draw(t, "what") {
			case 0:
				open[i].close()
				if open[i], err = openJournal(path, time.Hour, 50); err != nil {
					t.Fatal(err)
				}
			case 1: // a write that was killed half-way
				f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
				if err != nil {
					t.Fatal(err)
				}
				_, _ = f.Write(make([]byte, rapid.IntRange(1, recordSize-1).Draw(t, "torn")))
				_ = f.Close()
			default:
				id := testID(uint64(len(added) + 1))
				if err := open[i].add(id); err != nil {
					t.Fatal(err)
				}
				added = append(added, id)
			}
			for n, id := range added[max(0, len(added)-50):] {
				if known, err := open[1-i].has(id, true); err != nil || !known {
					t.Fatalf("event %d of %d is not known: %v", n, len(added), err)
				}
			}
		}
	})
}

func FuzzJournal(f *testing.F) {
	now := time.Now()
	f.Add([]byte(nil))
	f.Add(appendRecord(appendRecord(nil, testID(0), now), testID(1), now))
	f.Add(make([]byte, 3*recordSize+1))
	f.Fuzz(func(t *testing.T, b []byte) {
		j := &journal{keep: time.Hour, most: 10, known: map[eventID]struct{}{}}
		j.take(b, now)
		if len(j.known) != j.handled.Len()+j.selves.Len() || j.handled.Len() > 10 {
			t.Fatalf("%d known, %d handled", len(j.known), j.handled.Len())
		}
		for len(b) >= recordSize {
			if id, at, ok := parseRecord(b[:recordSize]); ok && !bytes.Equal(appendRecord(nil, id, at), b[:recordSize]) {
				t.Fatal("a record means something and is not written so")
			}
			b = b[recordSize:]
		}
	})
}

func BenchmarkJournal(b *testing.B) {
	j := openTest(b, journalPath(b.TempDir(), "o"), time.Hour, maxHandled)
	n := uint64(0)
	for b.Loop() {
		n++
		if err := j.add(testID(n)); err != nil {
			b.Fatal(err)
		}
	}
}
