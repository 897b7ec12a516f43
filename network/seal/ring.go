package seal

import (
	"crypto/cipher"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/crypto/chacha20poly1305"
)

// Ring holds the keys of one channel: at most one that seals, and all that open.
// The sealing key is always one that opens.
//
// To change the key of a running mesh without losing a message: Add the new key on
// every node, then Use it on every node, then, when what was sealed with the old
// one has arrived or expired (Message.KeyID tells who still uses it), Retire the
// old one on every node.
//
// The zero Ring is empty and ready to use. All methods may be called from any
// goroutine, also while Sealers and Openers use the ring; those see each change
// at once and whole. A Ring must not be copied.
type Ring struct {
	mu   sync.Mutex // serializes changes; who only reads goes by keys
	keys atomic.Pointer[keyset]
}

// keyset is what a ring holds at one moment. It is never changed, only replaced.
type keyset struct {
	sealing *ringKey   // nil: none
	opening []*ringKey // in the order added; few, so a search is a walk
}

// ringKey is one key made ready for work.
type ringKey struct {
	key  Key
	id   KeyID
	aead cipher.AEAD
}

// NewRing returns a ring that seals with the first key and opens with all of them.
// It fails as Add does.
func NewRing(sealing Key, opening ...Key) (*Ring, error) {
	r := new(Ring)
	if err := r.Use(sealing); err != nil {
		return nil, err
	}
	for _, k := range opening {
		if err := r.Add(k); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// Add lets k open. It does nothing if it already does. It returns ErrNoKey if k is
// zero, and another error in a process that Go's FIPS 140-only mode forbids to use
// XChaCha20-Poly1305.
func (r *Ring) Add(k Key) error { return r.add(k, false) }

// Use makes k the key that seals; it opens as well. The one that sealed before goes
// on opening until it is retired. It fails as Add does.
func (r *Ring) Use(k Key) error { return r.add(k, true) }

func (r *Ring) add(k Key, seals bool) error {
	if k.IsZero() {
		return ErrNoKey
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	next := *r.load()
	i := slices.IndexFunc(next.opening, func(o *ringKey) bool { return o.key.Equal(k) })
	if i < 0 {
		aead, err := chacha20poly1305.NewX(k.secret()[:])
		if err != nil {
			return fmt.Errorf("seal: add key: %w", err)
		}
		i = len(next.opening)
		next.opening = append(slices.Clone(next.opening), &ringKey{key: k, id: k.ID(), aead: aead})
	}
	if seals {
		next.sealing = next.opening[i]
	}
	r.keys.Store(&next)
	return nil
}

// Retire takes away the key with this id: it opens no more. It returns ErrKeyInUse
// for the key that seals and a KeyError if there is none with this id.
func (r *Ring) Retire(id KeyID) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := *r.load()
	if next.sealing != nil && next.sealing.id == id {
		return ErrKeyInUse
	}
	left := slices.DeleteFunc(slices.Clone(next.opening), func(o *ringKey) bool { return o.id == id })
	if len(left) == len(next.opening) {
		return next.unknown(id)
	}
	next.opening = left
	r.keys.Store(&next)
	return nil
}

// Sealing returns the id of the key that seals, and false if there is none.
func (r *Ring) Sealing() (KeyID, bool) {
	if s := r.load().sealing; s != nil {
		return s.id, true
	}
	return KeyID{}, false
}

// Opening returns the ids of all keys that open, in the order they were added.
func (r *Ring) Opening() []KeyID {
	keys := r.load()
	ids := make([]KeyID, len(keys.opening))
	for i, o := range keys.opening {
		ids[i] = o.id
	}
	return ids
}

// load never returns nil: the zero Ring is an empty one, and so is a nil one.
func (r *Ring) load() *keyset {
	if r == nil {
		return &emptyRing
	}
	if keys := r.keys.Load(); keys != nil {
		return keys
	}
	return &emptyRing
}

var emptyRing keyset

func (s *keyset) unknown(id KeyID) error {
	e := KeyError{ID: id}
	if s.sealing != nil {
		e.Ours = s.sealing.id
	}
	return e
}

func (s *keyset) opens(id KeyID) bool {
	return slices.ContainsFunc(s.opening, func(k *ringKey) bool { return k.id == id })
}

// decrypt writes what is in the envelope's ciphertext to inside, which is exactly
// long enough, and says whether it is authentic. It tries each key of that id.
func (s *keyset) decrypt(inside, envelope []byte, exchange, routingKey string) bool {
	header, ciphertext := envelope[:headerSize], envelope[headerSize:]
	with := associate(header, exchange, routingKey)
	defer with.release()
	for _, k := range s.opening {
		if k.id != KeyID(header[atKeyID:]) {
			continue
		}
		if _, err := k.aead.Open(inside[:0], header[atNonce:], ciphertext, with.data); err == nil {
			return true
		}
	}
	return false
}
