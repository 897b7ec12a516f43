package seal

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// KeySize is the number of secret bytes in a Key.
const KeySize = 32

// Key is a secret of 32 bytes. Make one with NewKey, ParseKey or Derive. The zero
// Key is no key: nothing seals or opens with it.
//
// Printing, logging or marshalling a Key, in whatever way and inside whatever
// struct, shows its id and never the secret; Encode alone gives that away. Keys
// are compared with Equal; == does not compile. A Key is immutable and may be
// copied and used from any goroutine.
type Key struct {
	// In a function, because fmt and its like read unexported fields of other people's
	// structs without asking Format, through pointers too, but cannot look into a
	// closure. It also makes == an error, which would have to take constant time.
	secret func() *[KeySize]byte // nil in the zero Key; what it points to is never changed
	id     KeyID
}

// KeyID tells keys apart. It is derived from the key one way and is no secret.
// Two keys have the same id once in 2^32; a Ring copes with that.
type KeyID [4]byte

// String returns 8 hexadecimal digits.
func (id KeyID) String() string { return hex.EncodeToString(id[:]) }

// What HKDF-SHA256 (RFC 5869) is told a key is expanded for. Neither can be made
// from the other with any label.
const (
	infoID     = "statemesh/seal/1 key id"
	infoDerive = "statemesh/seal/1 derive "
)

// NewKey returns a random key.
func NewKey() Key {
	var secret [KeySize]byte
	rand.Read(secret[:]) // never fails, says its documentation
	return newKey(secret)
}

func newKey(secret [KeySize]byte) Key {
	k := Key{secret: func() *[KeySize]byte { return &secret }}
	copy(k.id[:], k.expand(infoID, len(k.id)))
	return k
}

// ParseKey reads a key from its text form: 32 bytes in URL-safe base64, 44
// characters with padding or 43 without. Python's Fernet keys look like that.
// White space around it is ignored, and so are the two spare bits of the last
// digit, as Python does. A key of nothing but zero bits is refused.
//
// The error wraps ErrBadKey, says what is wrong, and contains no part of the text.
func ParseKey(text string) (Key, error) {
	const padded, bare = 44, 43
	digits := strings.TrimSpace(text)
	length := len(digits)
	if length == padded {
		digits = strings.TrimSuffix(digits, "=")
	}
	if len(digits) != bare {
		return Key{}, fmt.Errorf("%w: %d characters long, want %d and a final =: %d bytes in URL-safe base64",
			ErrBadKey, length, bare, KeySize)
	}
	for i := range bare {
		if !isDigit(digits[i]) {
			return Key{}, fmt.Errorf("%w: character %d is not one of URL-safe base64 (A-Z, a-z, 0-9, - and _)",
				ErrBadKey, i+1)
		}
	}
	var secret [KeySize]byte
	if n, err := base64.RawURLEncoding.Decode(secret[:], []byte(digits)); err != nil || n != KeySize {
		return Key{}, ErrBadKey // the checks above leave nothing that gets here
	}
	if secret == [KeySize]byte{} {
		return Key{}, fmt.Errorf("%w: all its bits are zero", ErrBadKey)
	}
	return newKey(secret), nil
}

func isDigit(c byte) bool {
	return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}

// Encode returns the secret in its text form, 44 characters, which ParseKey reads.
// It is "" for the zero Key. Keep it out of logs and errors.
func (k Key) Encode() string {
	if k.IsZero() {
		return ""
	}
	return base64.URLEncoding.EncodeToString(k.secret()[:])
}

// Derive returns the key that belongs to a label. It is the same everywhere for the
// same key and label, tells nothing about the key it comes from, and keys of
// different labels have nothing in common. So the keys of trace and spy can come
// from the mesh's, and what is sealed for one channel never opens on another. The
// zero Key derives only itself.
func (k Key) Derive(label string) Key {
	if k.IsZero() {
		return Key{}
	}
	derived := k.expand(infoDerive+label, KeySize)
	if len(derived) != KeySize {
		return Key{}
	}
	return newKey([KeySize]byte(derived))
}

// expand returns nil if HKDF refuses, which it does for lengths that nobody here
// asks for; a nil becomes a zero Key, never a guessable one.
func (k Key) expand(info string, size int) []byte {
	out, err := hkdf.Key(sha256.New, k.secret()[:], nil, info, size)
	if err != nil {
		return nil
	}
	return out
}

// ID returns the key's id, the zero KeyID for the zero Key.
func (k Key) ID() KeyID { return k.id }

// IsZero says whether k is the zero Key, that is, none.
func (k Key) IsZero() bool { return k.secret == nil }

// Equal says whether both are the same secret. It takes the same time for any two
// keys.
func (k Key) Equal(other Key) bool {
	if k.IsZero() || other.IsZero() {
		return k.IsZero() && other.IsZero()
	}
	return subtle.ConstantTimeCompare(k.secret()[:], other.secret()[:]) == 1
}

// String returns "seal.Key(id 1a2b3c4d)", or "seal.Key(none)" for the zero Key.
func (k Key) String() string {
	if k.IsZero() {
		return "seal.Key(none)"
	}
	return "seal.Key(id " + k.id.String() + ")"
}

// GoString returns what String does.
func (k Key) GoString() string { return k.String() }

// Format writes what String returns, whatever the verb and its flags.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// MarshalText returns what String does, so that a configuration written as JSON
// shows which key it has. There is no way back; that is Encode and ParseKey.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// LogValue returns what String does.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }
