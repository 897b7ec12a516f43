package network

import (
	"encoding/binary"
	"errors"
)

// Events that wait for one broker under one routing key, one directly behind the other,
// travel in one message: a bundle. Nothing waits for company, so a bundle is what has
// gathered while the broker had enough to do. Each event in it is sealed by itself, and
// to whoever receives it the bundle is nothing but the events, one after the other.
//
// A bundle is the byte bundleMark, where an envelope has its version, and then each
// envelope with its length before it, in 4 bytes, big-endian.
const (
	bundleMark  = 0xb0
	bundleHead  = 1
	partHead    = 4
	bundleBytes = 64 << 10 // of a bundle; a message that is longer travels alone
	bundleParts = 128
)

var (
	errBundleLength = errors.New("a bundle is longer than any may be")
	errBundleParts  = errors.New("a bundle has more parts than any may have")
	errBundleCut    = errors.New("a bundle ends within a part")
	errBundleEmpty  = errors.New("a bundle has no parts")
)

// bundled says whether there are bundles on the exchange: of events, trace and spy. What is
// kept is acknowledged one by one, and what nodes say to each other is rare.
func bundled(exchange string) bool { return exchange != ExchangeKept && exchange != ExchangeNode }

// isBundle says whether a message is one, or at least no envelope.
func isBundle(b []byte) bool { return len(b) > 0 && b[0] == bundleMark }

// bundle makes one of the messages' bodies, in buffer's storage if that is enough.
func bundle(buffer []byte, batch []outMessage) []byte {
	b := append(buffer[:0], bundleMark)
	for i := range batch {
		b = binary.BigEndian.AppendUint32(b, uint32(len(batch[i].body)))
		b = append(b, batch[i].body...)
	}
	return b
}

// unbundle calls part with each part of a bundle, which shares the bundle's memory. The
// error says why there are no more; the parts before that were good as far as can be seen
// here.
func unbundle(b []byte, part func([]byte)) error {
	switch {
	case len(b) > bundleBytes:
		return errBundleLength
	case len(b) == bundleHead:
		return errBundleEmpty
	}
	b = b[bundleHead:]
	for n := 0; len(b) > 0; n++ {
		if n == bundleParts {
			return errBundleParts
		}
		if len(b) < partHead {
			return errBundleCut
		}
		size := binary.BigEndian.Uint32(b)
		b = b[partHead:]
		if uint64(size) > uint64(len(b)) {
			return errBundleCut
		}
		part(b[:size:size])
		b = b[size:]
	}
	return nil
}
