package seal

import (
	"errors"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// naiveWindow is the definition: a number is taken once, and only while it is less
// than WindowSize below the highest.
type naiveWindow struct {
	top  uint64
	seen map[uint64]bool
}

func (w *naiveWindow) take(n uint64) error {
	switch {
	case n <= w.top && w.top-n >= WindowSize:
		return ErrBehind
	case w.seen[n]:
		return ErrReplay
	}
	w.seen[n] = true
	w.top = max(w.top, n)
	return nil
}

// near draws numbers that are close to the edges of the window around top, so that
// few draws are wasted on what is far away.
func near(t *rapid.T, top uint64) uint64 {
	step := rapid.OneOf(
		rapid.Uint64Range(0, 3),
		rapid.Uint64Range(60, 70),
		rapid.Uint64Range(WindowSize-3, WindowSize+3),
		rapid.Uint64Range(0, 3*WindowSize),
		rapid.Uint64(),
	).Draw(t, "step")
	if rapid.Bool().Draw(t, "up") {
		return top + min(step, math.MaxUint64-top)
	}
	return top - min(step, top)
}

func TestWindowIsTheNaiveOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w window
		naive := naiveWindow{seen: map[uint64]bool{}}
		var taken []uint64
		for range rapid.IntRange(1, 400).Draw(t, "steps") {
			n := near(t, naive.top)
			if len(taken) > 0 && rapid.IntRange(0, 3).Draw(t, "again") == 0 {
				n = rapid.SampledFrom(taken).Draw(t, "taken")
			}
			want, got := naive.take(n), w.take(n)
			if got != want {
				t.Fatalf("%d with top %d: %v, want %v", n, naive.top, got, want)
			}
			if want == nil {
				taken = append(taken, n)
			}
		}
	})
}

func TestWindowEdges(t *testing.T) {
	const last = math.MaxUint64
	for _, tc := range []struct {
		name  string
		taken []uint64
		n     uint64
		want  error
	}{
		{"zero", nil, 0, nil},
		{"zero again", []uint64{0}, 0, ErrReplay},
		{"one", nil, 1, nil},
		{"oldest of the window", []uint64{5000}, 5000 - WindowSize + 1, nil},
		{"one too old", []uint64{5000}, 5000 - WindowSize, ErrBehind},
		{"one too old, taken", []uint64{5000 - WindowSize, 5000}, 5000 - WindowSize, ErrBehind},
		{"oldest, taken", []uint64{5000 - WindowSize + 1, 5000}, 5000 - WindowSize + 1, ErrReplay},
		{"the place is reused", []uint64{1, 2}, 1 + WindowSize, nil},
		{"a gap is filled", []uint64{1, 3}, 2, nil},
		{"same place, far above", []uint64{7}, 7 + 10*WindowSize, nil},
		{"same place, below a jump", []uint64{7, 7 + 10*WindowSize + 1}, 7 + 10*WindowSize, nil},
		{"last", nil, last, nil},
		{"last again", []uint64{last}, last, ErrReplay},
		{"below the last", []uint64{last}, last - WindowSize + 1, nil},
		{"zero after the last", []uint64{last}, 0, ErrBehind},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var w window
			for _, n := range tc.taken {
				if err := w.take(n); err != nil {
					t.Fatalf("%d: %v", n, err)
				}
			}
			before := w
			if err := w.take(tc.n); err != tc.want {
				t.Errorf("%d: %v, want %v", tc.n, err, tc.want)
			}
			if tc.want != nil && w != before {
				t.Error("a refusal changed the window")
			}
		})
	}
}

// naiveMemory is the definition of what is remembered of several senders.
type naiveMemory struct {
	max     int
	recent  []SenderID // heard longest ago first
	epochs  map[SenderID]uint64
	windows map[SenderID]*naiveWindow
}

func (m *naiveMemory) accept(sender SenderID, epoch, sequence uint64) error {
	known, ok := m.epochs[sender]
	if ok && epoch < known {
		return ErrOldEpoch
	}
	if !ok || epoch > known {
		m.epochs[sender] = epoch
		m.windows[sender] = &naiveWindow{seen: map[uint64]bool{}}
	}
	if err := m.windows[sender].take(sequence); err != nil {
		return err
	}
	m.recent = slices.DeleteFunc(m.recent, func(s SenderID) bool { return s == sender })
	m.recent = append(m.recent, sender)
	if len(m.recent) > m.max {
		delete(m.epochs, m.recent[0])
		delete(m.windows, m.recent[0])
		m.recent = m.recent[1:]
	}
	return nil
}

func (m *memory) order() []SenderID {
	var order []SenderID
	for h := m.recent.previous; h != &m.recent; h = h.previous {
		order = append(order, h.sender)
	}
	return order
}

func TestMemoryIsTheNaiveOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.IntRange(1, 4).Draw(t, "max")
		var m memory
		m.init(most)
		naive := naiveMemory{max: most, epochs: map[SenderID]uint64{}, windows: map[SenderID]*naiveWindow{}}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			sender := SenderID{rapid.Byte().Draw(t, "sender") % 6}
			epoch := rapid.Uint64Range(0, 3).Draw(t, "epoch")
			var top uint64
			if w := naive.windows[sender]; w != nil {
				top = w.top
			}
			sequence := near(t, top)
			want, got := naive.accept(sender, epoch, sequence), m.accept(sender, epoch, sequence)
			if got != want {
				t.Fatalf("%v %d %d: %v, want %v", sender, epoch, sequence, got, want)
			}
			if order := m.order(); !slices.Equal(order, naive.recent) || len(m.senders) != len(order) {
				t.Fatalf("remembers %v (%d), want %v", order, len(m.senders), naive.recent)
			}
		}
	})
}

func TestBehindIsAReplay(t *testing.T) {
	if !errors.Is(ErrBehind, ErrReplay) {
		t.Error("ErrBehind is no ErrReplay")
	}
}
