package seal_test

import (
	"errors"
	"testing"
	"time"

	"github.com/statemesh/statemesh/network/seal"
)

func TestAllowRepeats(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	clock := func() time.Time { return now }
	ring, err := seal.NewRing(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	id := seal.NewSenderID()
	older := seal.NewSealer(ring, seal.SealerConfig{Sender: id, Epoch: 1, Now: clock})
	newer := seal.NewSealer(ring, seal.SealerConfig{Sender: id, Epoch: 2, Now: clock})
	make := func(s *seal.Sealer) []byte {
		b, err := s.Seal(nil, []byte("m"), "x", "k")
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	first, second := make(older), make(newer)
	for range seal.WindowSize + 1 {
		make(newer)
	}
	last := make(newer)
	strict := seal.NewOpener(ring, seal.OpenerConfig{Now: clock, MaxAge: time.Hour})
	lax := seal.NewOpener(ring, seal.OpenerConfig{Now: clock, MaxAge: time.Hour, AllowRepeats: true})
	for i, c := range []struct {
		envelope []byte
		strict   error
	}{{last, nil}, {last, seal.ErrReplay}, {second, seal.ErrBehind}, {first, seal.ErrOldEpoch}} {
		if _, err := strict.Open(nil, c.envelope, "x", "k"); !errors.Is(err, c.strict) {
			t.Errorf("%d: without AllowRepeats: %v, want %v", i, err, c.strict)
		}
		m, err := lax.Open(nil, c.envelope, "x", "k")
		if err != nil || m.Sender != id || string(m.Body) != "m" {
			t.Errorf("%d: with AllowRepeats: %v, %v", i, m, err)
		}
	}
	forged := append([]byte(nil), last...)
	forged[len(forged)-1]++
	if _, err := lax.Open(nil, forged, "x", "k"); !errors.Is(err, seal.ErrForged) {
		t.Errorf("forged: %v", err)
	}
	now = now.Add(time.Hour + 1)
	if _, err := lax.Open(nil, last, "x", "k"); !errors.Is(err, seal.ErrExpired) {
		t.Errorf("too old: %v", err)
	}
}
