package seal

import (
	"errors"
	"fmt"
)

// Errors of keys and rings.
var (
	// ErrBadKey is wrapped by ParseKey's errors. They never contain the text given.
	ErrBadKey = errors.New("seal: bad key")

	// ErrNoKey is returned for a zero Key, and by Seal while the ring has no
	// sealing key.
	ErrNoKey = errors.New("seal: no key")

	// ErrKeyInUse is returned by Retire for the key that seals.
	ErrKeyInUse = errors.New("seal: key is in use for sealing")
)

// Reasons to refuse an envelope. Errors may wrap them: compare with errors.Is.
var (
	// ErrTooShort: fewer bytes than an envelope with an empty message has.
	ErrTooShort = errors.New("seal: envelope too short")

	// ErrTooLarge: more bytes than the limit. Seal refuses to make such an envelope.
	ErrTooLarge = errors.New("seal: envelope too large")

	// ErrVersion: an envelope of another version, or no envelope at all.
	ErrVersion = errors.New("seal: unknown version")

	// ErrAlgorithm: sealed with another algorithm.
	ErrAlgorithm = errors.New("seal: unknown algorithm")

	// ErrUnknownKey: sealed with a key that is not in the ring. The error is a
	// KeyError, which knows the key's id.
	ErrUnknownKey = errors.New("seal: unknown key")

	// ErrForged: it does not authenticate. Something in it was changed, it was
	// sealed for another exchange or routing key, or another key has the same id.
	ErrForged = errors.New("seal: envelope does not authenticate")

	// ErrExpired: authentic, but its time stamp is older than MaxAge. It waited too
	// long, or the clocks of the two hosts differ, or it is an old one replayed.
	ErrExpired = errors.New("seal: envelope expired")

	// ErrFuture: authentic, but its time stamp is ahead by more than MaxAhead. The
	// clocks of the two hosts differ.
	ErrFuture = errors.New("seal: envelope is from the future")

	// ErrOldEpoch: authentic, but the sender has been heard in a later epoch.
	ErrOldEpoch = errors.New("seal: envelope of an older epoch")

	// ErrReplay: authentic, but it was taken before. The same envelope reaching us
	// by two ways ends here too, and is harmless.
	ErrReplay = errors.New("seal: envelope seen before")

	// ErrBehind: authentic, but WindowSize or more below the sender's highest
	// sequence number, so that nobody knows any more whether it was taken before.
	// It is an ErrReplay too.
	ErrBehind = fmt.Errorf("seal: envelope too far behind, perhaps %w", ErrReplay)
)

// KeyError says which key an envelope was sealed with when the ring does not
// have it. It is an ErrUnknownKey.
type KeyError struct {
	ID   KeyID // of the key that is missing; not authenticated
	Ours KeyID // of the key we seal with; zero if there is none
}

// Error says "sealed with key id x, ours is y".
func (e KeyError) Error() string {
	if e.Ours == (KeyID{}) {
		return fmt.Sprintf("%v: sealed with key id %v, we have none", ErrUnknownKey, e.ID)
	}
	return fmt.Sprintf("%v: sealed with key id %v, ours is %v", ErrUnknownKey, e.ID, e.Ours)
}

// Unwrap returns ErrUnknownKey.
func (e KeyError) Unwrap() error { return ErrUnknownKey }

// reasons are in the order they are looked for: ErrBehind is an ErrReplay too.
var reasons = []struct {
	err  error
	word string
}{
	{ErrTooShort, "too_short"},
	{ErrTooLarge, "too_large"},
	{ErrVersion, "version"},
	{ErrAlgorithm, "algorithm"},
	{ErrUnknownKey, "unknown_key"},
	{ErrForged, "forged"},
	{ErrExpired, "expired"},
	{ErrFuture, "future"},
	{ErrOldEpoch, "old_epoch"},
	{ErrBehind, "behind"},
	{ErrReplay, "replay"},
	{ErrNoKey, "no_key"},
	{ErrBadKey, "bad_key"},
	{ErrKeyInUse, "key_in_use"},
}

// Reason returns one short word for an error of this package, for counters and
// logs. The words do not change. It is "" for nil and "other" for a foreign error.
func Reason(err error) string {
	if err == nil {
		return ""
	}
	for _, r := range reasons {
		if errors.Is(err, r.err) {
			return r.word
		}
	}
	return "other"
}
