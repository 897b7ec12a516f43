// Package seal makes the envelopes that travel over the mesh, and opens them.
//
// A [Key] is 32 secret bytes. A [Ring] holds one key that seals and any number
// that open, so that keys can be changed while everything runs. A [Sealer]
// turns a message into an envelope; an [Opener] turns it back, and says by
// name why it refuses one.
//
// # The envelope
//
// Numbers are big-endian, sizes are in bytes.
//
//	version      1   1
//	algorithm    1   1: XChaCha20-Poly1305
//	key id       4   which key sealed it; see Key.ID
//	sender      16   random identity of the sending process
//	epoch        8   when the sender started, unix nanoseconds
//	sequence     8   1, 2, 3 ... within (sender, epoch)
//	nonce       24   random
//	ciphertext   n   an 8-byte time stamp in unix nanoseconds, then the message
//	tag         16
//
// Associated data, authenticated but not sent: the 62 bytes before the
// ciphertext, the length of the exchange's name in 8 bytes, that name, the
// length of the routing key in 8 bytes, the routing key. An envelope therefore
// opens only on the exchange and under the routing key it was sealed for. It is
// the same for every peer: seal once, send the same bytes to all.
//
// # What is refused
//
// An Opener checks in this order and stops at the first that fails; see
// [Opener.Open] for the errors. Nothing that is not authentic changes its state.
//
//  1. the size
//  2. version and algorithm
//  3. the key id is that of a key in the ring
//  4. the tag: header, exchange, routing key and ciphertext are what was sealed
//  5. the time stamp: not older than MaxAge, not further ahead than MaxAhead
//  6. the sender's epoch is the newest one heard, and within it the sequence
//     number is new and less than [WindowSize] below the highest one
//
// # Replays
//
// An Opener remembers the last [WindowSize] sequence numbers of up to MaxSenders
// senders. What it does not remember, the time stamp alone guards:
//
//   - A receiver that restarts has no memory. With NotBefore it refuses what was
//     sealed before it started, and a replay gets through only if the sender's clock
//     is ahead, for as long as it is; without, what is not older than MaxAge can be
//     replayed once.
//   - When one sender too many is heard, the one not heard for the longest time
//     is forgotten, its epoch too. Envelopes of it that are not older than MaxAge
//     can be replayed. That takes more than MaxSenders senders within MaxAge,
//     and only who has the key can make up a sender.
//   - With AllowRepeats nothing is remembered at all: that is left to the caller.
//
// A stamp may be up to MaxAhead in the future, so an envelope lives for at most
// MaxAge + MaxAhead. MaxAge has to cover the clock difference between two hosts and
// the longest time an envelope may wait in a queue.
//
// A process that restarts takes a new random sender identity. If the clock went
// backwards meanwhile, its epoch is smaller than before, which does not matter:
// epochs are compared within one sender only. Keeping an identity over a restart
// is possible as long as the clock does not go backwards; until it has passed
// the old epoch, everything is refused with [ErrOldEpoch].
//
// # What it does not do
//
// Everybody who has the key can seal, as any sender: the mesh is authenticated
// as a whole, not its single hosts. Sizes, times and routing keys are visible to
// whoever carries the envelopes. There is no forward secrecy: who learns a key
// reads all that was recorded under it.
package seal
