package seal

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"sync"
	"time"
)

// Overhead is how many bytes an envelope is longer than its message.
const Overhead = headerSize + stampSize + tagSize

// DefaultMaxSize is the longest envelope by default, in bytes.
const DefaultMaxSize = 1 << 20

// Where the fields of an envelope begin; doc.go draws it.
const (
	atVersion   = 0
	atAlgorithm = 1
	atKeyID     = 2
	atSender    = 6
	atEpoch     = 22
	atSequence  = 30
	atNonce     = 38
	headerSize  = 62 // the ciphertext begins here
	stampSize   = 8
	tagSize     = 16
)

const (
	version           = 1
	xchacha20poly1305 = 1       // the algorithm
	largestMaxSize    = 1 << 30 // far below what the cipher can do
	largestPooled     = 1 << 12
)

// SenderID is the random identity of a sending process.
type SenderID [16]byte

// NewSenderID returns a random one.
func NewSenderID() SenderID {
	var id SenderID
	rand.Read(id[:]) // never fails, says its documentation
	return id
}

// String returns 32 hexadecimal digits.
func (id SenderID) String() string { return hex.EncodeToString(id[:]) }

// ClaimedSender returns the sender that an envelope names, and whether it is long
// enough to name one. Anybody can write any sender there until Open has opened the
// envelope: the claim is good for leaving out one's own messages, which gains a
// forger nothing.
func ClaimedSender(envelope []byte) (SenderID, bool) {
	if len(envelope) < Overhead {
		return SenderID{}, false
	}
	return SenderID(envelope[atSender:atEpoch]), true
}

// associated is a buffer of associated data. It comes from a pool because the cipher
// is called through an interface: one on the stack would move to the heap each time.
type associated struct{ data []byte }

var associatedPool = sync.Pool{New: func() any { return new(associated) }}

// associate returns the associated data of an envelope, see doc.go; release it after
// use. The lengths keep "ab"+"c" and "a"+"bc" apart.
func associate(header []byte, exchange, routingKey string) *associated {
	a := associatedPool.Get().(*associated)
	b := append(a.data[:0], header...)
	b = binary.BigEndian.AppendUint64(b, uint64(len(exchange)))
	b = append(b, exchange...)
	b = binary.BigEndian.AppendUint64(b, uint64(len(routingKey)))
	a.data = append(b, routingKey...)
	return a
}

func (a *associated) release() {
	if cap(a.data) <= largestPooled { // one huge routing key is not kept for ever
		associatedPool.Put(a)
	}
}

// sizeLimit applies the default and the cap to a MaxSize.
func sizeLimit(size int) int {
	if size <= 0 {
		return DefaultMaxSize
	}
	return min(size, largestMaxSize)
}

func clock(now func() time.Time) func() time.Time {
	if now == nil {
		return time.Now
	}
	return now
}
