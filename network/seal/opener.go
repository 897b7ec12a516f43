package seal

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

// Defaults of OpenerConfig.
const (
	DefaultMaxAge     = 2 * time.Minute
	DefaultMaxAhead   = 2 * time.Minute
	DefaultMaxSenders = 4096
)

// OpenerConfig says what an Opener refuses. In every field, zero or less means the
// default.
type OpenerConfig struct {
	// MaxSize is the longest envelope to look at, in bytes: DefaultMaxSize, and never
	// more than 1 GiB.
	MaxSize int

	// MaxAge is how old a time stamp may be: DefaultMaxAge. A longer one tolerates
	// slower queues and worse clocks, and gives a replay to a receiver without memory
	// as much more time.
	MaxAge time.Duration

	// MaxAhead is how far in the future a time stamp may be, for clocks that differ:
	// DefaultMaxAhead.
	MaxAhead time.Duration

	// NotBefore refuses what was sealed before, by the sender's clock, as expired: a
	// receiver that has just started sets it to the present, since what it heard in an earlier
	// life, which it does not remember, could be replayed to it. Clocks that differ shift this
	// by their difference. The zero time is no limit.
	NotBefore time.Time

	// MaxSenders is how many senders are remembered, at about 300 bytes each:
	// DefaultMaxSenders.
	MaxSenders int

	// AllowRepeats makes the Opener remember nothing: every authentic envelope of the right
	// age opens, as often as it comes, in any order, and ErrOldEpoch, ErrReplay and ErrBehind
	// do not occur. It is for messages that are delivered again on purpose until they are
	// acknowledged. The caller has to drop what it has handled already, by Sender, Epoch and
	// Sequence, for as long as MaxAge lets an envelope open.
	AllowRepeats bool

	// Now is the clock that time stamps are compared with; nil means time.Now.
	Now func() time.Time
}

// Opener opens the envelopes of one channel and refuses replays. Each channel needs
// its own. All methods may be called from any goroutine; of one envelope opened in
// several at once, one succeeds. None blocks for longer than it takes another
// goroutine to look up a sender.
type Opener struct {
	ring     *Ring
	max      int
	maxAge   time.Duration
	maxAhead time.Duration
	from     time.Time // NotBefore
	now      func() time.Time
	repeats  bool
	heard    memory
}

// Message is what was in an envelope. All of it is authentic, in the sense that
// somebody who has the key wrote it.
type Message struct {
	Sender   SenderID
	Epoch    uint64    // when the sender started, unix nanoseconds
	Sequence uint64    // 1, 2, 3 ... within Sender and Epoch; messages may be lost or change order
	Time     time.Time // when it was sealed, by the sender's clock
	KeyID    KeyID     // of the key it was sealed with
	Body     []byte
}

// NewOpener returns an Opener that uses the keys which are in ring at each moment.
func NewOpener(ring *Ring, config OpenerConfig) *Opener {
	o := &Opener{
		ring:     ring,
		max:      sizeLimit(config.MaxSize),
		maxAge:   config.MaxAge,
		maxAhead: config.MaxAhead,
		from:     config.NotBefore,
		now:      clock(config.Now),
		repeats:  config.AllowRepeats,
	}
	if o.maxAge <= 0 {
		o.maxAge = DefaultMaxAge
	}
	if o.maxAhead <= 0 {
		o.maxAhead = DefaultMaxAhead
	}
	senders := config.MaxSenders
	if senders <= 0 {
		senders = DefaultMaxSenders
	}
	o.heard.init(senders)
	return o
}

// Open opens an envelope that came by this exchange with this routing key. The
// message's Body is placed behind the end of dst, in its storage if there is room
// for 8 bytes more than the Body, and does not include what dst holds. With that
// room Open does not allocate. The envelope is not changed; it must not share memory
// with dst's storage, or the cipher panics.
//
// It returns the zero Message and the first of these that applies:
//
//  1. ErrTooLarge, ErrTooShort
//  2. ErrVersion, ErrAlgorithm
//  3. ErrUnknownKey, as a KeyError with the key's id
//  4. ErrForged
//  5. ErrExpired, ErrFuture
//  6. ErrOldEpoch, ErrReplay, ErrBehind
//
// Only an envelope that opens changes the Opener's state. After a refusal, the
// unused storage of dst may have been overwritten, but not with a message.
func (o *Opener) Open(dst, envelope []byte, exchange, routingKey string) (Message, error) {
	if err := o.inspect(envelope); err != nil {
		return Message{}, err
	}
	header := envelope[:headerSize]
	id := KeyID(header[atKeyID:])
	keys := o.ring.load()
	if !keys.opens(id) {
		return Message{}, keys.unknown(id)
	}
	size := len(envelope) - headerSize - tagSize
	inside := dst[len(dst):cap(dst)]
	if len(inside) < size {
		inside = make([]byte, size)
	}
	inside = inside[:size]
	if !keys.decrypt(inside, envelope, exchange, routingKey) {
		return Message{}, ErrForged
	}
	m := Message{
		KeyID:    id,
		Epoch:    binary.BigEndian.Uint64(header[atEpoch:]),
		Sequence: binary.BigEndian.Uint64(header[atSequence:]),
	}
	copy(m.Sender[:], header[atSender:])
	stamp := binary.BigEndian.Uint64(inside)
	err := o.checkStamp(stamp)
	if err == nil && !o.repeats {
		err = o.heard.accept(m.Sender, m.Epoch, m.Sequence)
	}
	if err != nil {
		clear(inside)
		return Message{}, err
	}
	m.Time = time.Unix(0, int64(stamp))
	// Moved to the front, so that a caller who hands Body[:0] in again as dst does not
	// lose 8 bytes of it each time.
	m.Body = inside[:copy(inside, inside[stampSize:])]
	return m, nil
}

// inspect checks what can be without a key.
func (o *Opener) inspect(envelope []byte) error {
	switch n := len(envelope); {
	case n > o.max:
		return fmt.Errorf("%w: %d bytes, limit %d", ErrTooLarge, n, o.max)
	case n < Overhead:
		return fmt.Errorf("%w: %d bytes, the shortest has %d", ErrTooShort, n, Overhead)
	case envelope[atVersion] != version:
		return fmt.Errorf("%w %d, ours is %d", ErrVersion, envelope[atVersion], version)
	case envelope[atAlgorithm] != xchacha20poly1305:
		return fmt.Errorf("%w %d, ours is %d", ErrAlgorithm, envelope[atAlgorithm], xchacha20poly1305)
	}
	return nil
}

// checkStamp holds a time stamp against the clock. Neither time is negative, so no
// difference overflows.
func (o *Opener) checkStamp(stamp uint64) error {
	if stamp > math.MaxInt64 {
		return ErrFuture
	}
	age := time.Duration(max(o.now().UnixNano(), 0) - int64(stamp))
	switch {
	case age > o.maxAge:
		return fmt.Errorf("%w: sealed %v ago, limit %v", ErrExpired, age, o.maxAge)
	case !o.from.IsZero() && int64(stamp) < o.from.UnixNano():
		return fmt.Errorf("%w: sealed %v before this receiver started", ErrExpired, time.Duration(o.from.UnixNano()-int64(stamp)))
	case age < -o.maxAhead:
		return fmt.Errorf("%w: sealed in %v, limit %v", ErrFuture, -age, o.maxAhead)
	}
	return nil
}
