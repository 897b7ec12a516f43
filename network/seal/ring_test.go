package seal

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func ids(keys ...Key) []KeyID {
	list := make([]KeyID, len(keys))
	for i, k := range keys {
		list[i] = k.ID()
	}
	return list
}

func TestRing(t *testing.T) {
	a, b, c := NewKey(), NewKey(), NewKey()
	for _, tc := range []struct {
		name    string
		do      func(r *Ring) error // on a ring that seals with a and opens b
		err     error
		sealing Key
		opening []Key
	}{
		{"new", func(*Ring) error { return nil }, nil, a, []Key{a, b}},
		{"add", func(r *Ring) error { return r.Add(c) }, nil, a, []Key{a, b, c}},
		{"add again", func(r *Ring) error { return r.Add(b) }, nil, a, []Key{a, b}},
		{"add none", func(r *Ring) error { return r.Add(Key{}) }, ErrNoKey, a, []Key{a, b}},
		{"use one that opens", func(r *Ring) error { return r.Use(b) }, nil, b, []Key{a, b}},
		{"use a new one", func(r *Ring) error { return r.Use(c) }, nil, c, []Key{a, b, c}},
		{"use none", func(r *Ring) error { return r.Use(Key{}) }, ErrNoKey, a, []Key{a, b}},
		{"retire", func(r *Ring) error { return r.Retire(b.ID()) }, nil, a, []Key{a}},
		{"retire the sealing one", func(r *Ring) error { return r.Retire(a.ID()) }, ErrKeyInUse, a, []Key{a, b}},
		{"retire an unknown one", func(r *Ring) error { return r.Retire(c.ID()) }, ErrUnknownKey, a, []Key{a, b}},
		{"rotate", func(r *Ring) error { return errors.Join(r.Add(c), r.Use(c), r.Retire(a.ID())) }, nil, c, []Key{b, c}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, err := NewRing(a, b)
			if err != nil {
				t.Fatal(err)
			}
			if err := tc.do(r); !errors.Is(err, tc.err) {
				t.Errorf("error %v, want %v", err, tc.err)
			}
			if id, ok := r.Sealing(); !ok || id != tc.sealing.ID() {
				t.Errorf("seals with %v, %v; want %v", id, ok, tc.sealing.ID())
			}
			if diff := cmp.Diff(ids(tc.opening...), r.Opening()); diff != "" {
				t.Errorf("opens (-want +got):\n%s", diff)
			}
		})
	}
}

// Whoever is in the middle of opening goes on with the keys there were.
func TestChangesLeaveReadersAlone(t *testing.T) {
	a, b, c := NewKey(), NewKey(), NewKey()
	r, err := NewRing(a, b, c)
	if err != nil {
		t.Fatal(err)
	}
	reader := r.load()
	if err := errors.Join(r.Retire(b.ID()), r.Use(NewKey()), r.Add(NewKey()), r.Retire(a.ID())); err != nil {
		t.Fatal(err)
	}
	for i, k := range []Key{a, b, c} {
		if got := reader.opening[i]; got == nil || !got.key.Equal(k) {
			t.Errorf("key %d became %v", i, got)
		}
	}
	if reader.sealing.id != a.ID() {
		t.Error("another key seals")
	}
}

func TestNewRingRefusesZeroKeys(t *testing.T) {
	for name, build := range map[string]func() (*Ring, error){
		"sealing": func() (*Ring, error) { return NewRing(Key{}) },
		"opening": func() (*Ring, error) { return NewRing(NewKey(), NewKey(), Key{}) },
	} {
		if r, err := build(); !errors.Is(err, ErrNoKey) || r != nil {
			t.Errorf("%s: %v, %v; want no ring and ErrNoKey", name, r, err)
		}
	}
}

func TestEmptyRing(t *testing.T) {
	ring, err := NewRing(NewKey())
	if err != nil {
		t.Fatal(err)
	}
	envelope := mustSeal(t, NewSealer(ring, SealerConfig{}), "message")
	for name, empty := range map[string]*Ring{"zero": {}, "nil": nil} {
		if id, ok := empty.Sealing(); ok || id != (KeyID{}) || len(empty.Opening()) != 0 {
			t.Errorf("%s: seals with %v, opens %v", name, id, empty.Opening())
		}
		if out, err := NewSealer(empty, SealerConfig{}).Seal([]byte("x"), nil, "", ""); !errors.Is(err, ErrNoKey) || string(out) != "x" {
			t.Errorf("%s: Seal returned %q, %v", name, out, err)
		}
		if _, err := NewOpener(empty, OpenerConfig{}).Open(nil, envelope, exchange, routingKey); !errors.Is(err, ErrUnknownKey) {
			t.Errorf("%s: Open returned %v", name, err)
		}
	}
	late := new(Ring)
	if err := late.Use(NewKey()); err != nil {
		t.Fatal(err)
	}
	if _, ok := late.Sealing(); !ok {
		t.Error("a zero ring that got a key does not seal")
	}
}

// Messages sealed before, during and after a change of keys all open.
func TestRotation(t *testing.T) {
	before, after := NewKey(), NewKey()
	sending, err := NewRing(before)
	if err != nil {
		t.Fatal(err)
	}
	receiving, err := NewRing(before)
	if err != nil {
		t.Fatal(err)
	}
	s, o := NewSealer(sending, SealerConfig{}), NewOpener(receiving, OpenerConfig{})
	open := func(envelope []byte, want Key) {
		t.Helper()
		m, err := o.Open(nil, envelope, exchange, routingKey)
		if err != nil {
			t.Fatal(err)
		}
		if m.KeyID != want.ID() {
			t.Errorf("opened with key id %v, want %v", m.KeyID, want.ID())
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	early := mustSeal(t, s, "early")
	open(mustSeal(t, s, "first"), before)
	must(receiving.Add(after))
	must(sending.Use(after))
	open(mustSeal(t, s, "second"), after)
	open(early, before)
	late := mustSealWith(t, before, "late")
	must(receiving.Use(after))
	must(receiving.Retire(before.ID()))
	open(mustSeal(t, s, "third"), after)

	_, err = o.Open(nil, late, exchange, routingKey)
	var unknown KeyError
	if !errors.As(err, &unknown) {
		t.Fatalf("error %v, want a KeyError", err)
	}
	if diff := cmp.Diff(KeyError{ID: before.ID(), Ours: after.ID()}, unknown); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Two keys with one id happen once in 2^32; both open, and retiring the id of the
// one that seals is refused.
func TestKeysWithTheSameID(t *testing.T) {
	a, b := NewKey(), NewKey()
	b.id = a.id
	ring, err := NewRing(a, b)
	if err != nil {
		t.Fatal(err)
	}
	o := NewOpener(ring, OpenerConfig{})
	for _, k := range []Key{a, b} {
		if _, err := o.Open(nil, mustSealWith(t, k, "message"), exchange, routingKey); err != nil {
			t.Errorf("%v", err)
		}
	}
	if err := ring.Retire(b.ID()); !errors.Is(err, ErrKeyInUse) {
		t.Errorf("Retire returned %v, want %v", err, ErrKeyInUse)
	}
}
