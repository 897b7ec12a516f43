package seal

import (
	"errors"
	"testing"
	"time"
)

func TestReseal(t *testing.T) {
	now := testNow
	clock := func() time.Time { return now }
	oldKey, newKey := NewKey(), NewKey()
	ring, err := NewRing(oldKey)
	if err != nil {
		t.Fatal(err)
	}
	sealer := NewSealer(ring, SealerConfig{Now: clock})
	message := []byte("message")
	first := mustSeal(t, sealer, "message")
	now = now.Add(time.Hour)
	if err := ring.Use(newKey); err != nil {
		t.Fatal(err)
	}
	again, err := sealer.Reseal(nil, first, message, exchange, routingKey)
	if err != nil {
		t.Fatal(err)
	}

	// A receiver that started after the first was sealed takes the second, and then neither.
	newer, err := NewRing(newKey)
	if err != nil {
		t.Fatal(err)
	}
	o := NewOpener(newer, OpenerConfig{Now: clock, NotBefore: now.Add(-time.Minute)})
	if _, err := o.Open(nil, first, exchange, routingKey); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("the first, with a key that is not known: %v", err)
	}
	m, err := o.Open(nil, again, exchange, routingKey)
	if err != nil || string(m.Body) != "message" || m.Sequence != 1 || !m.Time.Equal(now) {
		t.Errorf("the second: %+v, %v", m, err)
	}
	if _, err := o.Open(nil, again, exchange, routingKey); !errors.Is(err, ErrReplay) {
		t.Errorf("the second again: %v", err)
	}
	// One who has taken the first refuses the second.
	old := NewOpener(ring, OpenerConfig{Now: clock, MaxAge: 2 * time.Hour})
	if _, err := old.Open(nil, first, exchange, routingKey); err != nil {
		t.Error(err)
	}
	if _, err := old.Open(nil, again, exchange, routingKey); !errors.Is(err, ErrReplay) {
		t.Errorf("the second after the first: %v", err)
	}

	other := NewSealer(ring, SealerConfig{Now: clock})
	for name, older := range map[string][]byte{"of another": mustSeal(t, other, "message"), "nothing": nil, "short": first[:40]} {
		if got, err := sealer.Reseal([]byte("dst"), older, message, exchange, routingKey); !errors.Is(err, ErrForged) || string(got) != "dst" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// A receiver refuses what was sealed before it started.
func TestNotBefore(t *testing.T) {
	now := testNow
	clock := func() time.Time { return now }
	ring, err := NewRing(NewKey())
	if err != nil {
		t.Fatal(err)
	}
	sealer := NewSealer(ring, SealerConfig{Now: clock})
	before := mustSeal(t, sealer, "before")
	now = now.Add(time.Millisecond)
	o := NewOpener(ring, OpenerConfig{Now: clock, NotBefore: now})
	after := mustSeal(t, sealer, "after")
	if _, err := o.Open(nil, before, exchange, routingKey); !errors.Is(err, ErrExpired) {
		t.Errorf("sealed before: %v, want ErrExpired", err)
	}
	if _, err := o.Open(nil, after, exchange, routingKey); err != nil {
		t.Errorf("sealed at that moment: %v", err)
	}
}
