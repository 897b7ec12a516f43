package seal

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// SealerConfig says how a Sealer works. Its zero value does.
type SealerConfig struct {
	// Sender is the identity of this process, a new random one if zero. Several
	// Sealers may share it only if they seal for different channels: within one
	// channel, the second one's envelopes would be taken for replays.
	Sender SenderID

	// Epoch is when this sender started, in unix nanoseconds; the present if zero.
	// It matters only for a Sender that is kept over a restart, and must grow then.
	Epoch uint64

	// MaxSize is the longest envelope to make, in bytes: DefaultMaxSize if zero or
	// less, never more than 1 GiB. The receivers have such a limit too.
	MaxSize int

	// Now is the clock of the time stamps; nil means time.Now.
	Now func() time.Time
}

// Sealer makes envelopes of one sender. All methods may be called from any
// goroutine; none blocks.
type Sealer struct {
	ring     *Ring
	sender   SenderID
	epoch    uint64
	max      int
	now      func() time.Time
	nonce    func([]byte) (int, error) // rand.Read but in the golden test
	sequence atomic.Uint64             // the last one given out
}

// NewSealer returns a Sealer that uses the key which seals in ring at each moment.
func NewSealer(ring *Ring, config SealerConfig) *Sealer {
	s := &Sealer{
		ring:   ring,
		sender: config.Sender,
		epoch:  config.Epoch,
		max:    sizeLimit(config.MaxSize),
		now:    clock(config.Now),
		nonce:  rand.Read,
	}
	if s.sender == (SenderID{}) {
		s.sender = NewSenderID()
	}
	if s.epoch == 0 {
		s.epoch = uint64(s.now().UnixNano())
	}
	return s
}

// Sender returns the identity in every envelope of this Sealer.
func (s *Sealer) Sender() SenderID { return s.sender }

// Epoch returns when the sender started, in unix nanoseconds.
func (s *Sealer) Epoch() uint64 { return s.epoch }

// Seal appends to dst an envelope with the message, for this exchange and routing
// key, and returns the extended slice. With room for Overhead more bytes than the
// message in dst, it does not allocate. The message is not changed unless it lies
// in that room.
//
// On an error dst comes back as it was: ErrNoKey if nothing seals in the ring,
// ErrTooLarge if the envelope would be longer than MaxSize.
func (s *Sealer) Seal(dst, message []byte, exchange, routingKey string) ([]byte, error) {
	return s.seal(dst, message, exchange, routingKey, 0)
}

// seal is Seal with the sequence number, 0 for the next.
func (s *Sealer) seal(dst, message []byte, exchange, routingKey string, sequence uint64) ([]byte, error) {
	key := s.ring.load().sealing
	if key == nil {
		return dst, ErrNoKey
	}
	if len(message) > s.max-Overhead {
		return dst, fmt.Errorf("%w: a message of %d bytes, limit %d", ErrTooLarge, len(message), s.max-Overhead)
	}
	size := len(message) + Overhead
	out := slices.Grow(dst, size)[:len(dst)+size]
	envelope := out[len(dst):]
	header, inside := envelope[:headerSize], envelope[headerSize:size-tagSize]

	copy(inside[stampSize:], message) // first, for it may lie where the header goes
	binary.BigEndian.PutUint64(inside, uint64(s.now().UnixNano()))
	header[atVersion] = version
	header[atAlgorithm] = xchacha20poly1305
	copy(header[atKeyID:], key.id[:])
	copy(header[atSender:], s.sender[:])
	binary.BigEndian.PutUint64(header[atEpoch:], s.epoch)
	if sequence == 0 {
		sequence = s.sequence.Add(1)
	}
	binary.BigEndian.PutUint64(header[atSequence:], sequence)
	nonce := header[atNonce:]
	if _, err := s.nonce(nonce); err != nil {
		return dst, fmt.Errorf("seal: nonce: %w", err)
	}

	with := associate(header, exchange, routingKey)
	key.aead.Seal(inside[:0], nonce, inside, with.data)
	with.release()
	return out, nil
}
