package seal

import (
	"encoding/binary"
	"fmt"
)

// Reseal appends to dst an envelope with the same sequence number as an older one of this
// Sealer, whose message, exchange and routing key have to be the same, with the present
// time, another nonce and the key that seals now. Who has opened either of the two
// refuses the other as a replay. It is for an envelope that had to wait so long that
// receivers would take it for old, or whose key has been retired.
//
// On an error dst comes back as it was: as from Seal, or ErrForged if the older one is not
// of this Sealer.
func (s *Sealer) Reseal(dst, older, message []byte, exchange, routingKey string) ([]byte, error) {
	if len(older) < Overhead || SenderID(older[atSender:atEpoch]) != s.sender || binary.BigEndian.Uint64(older[atEpoch:]) != s.epoch {
		return dst, fmt.Errorf("%w: not an envelope of this sender", ErrForged)
	}
	return s.seal(dst, message, exchange, routingKey, binary.BigEndian.Uint64(older[atSequence:]))
}
