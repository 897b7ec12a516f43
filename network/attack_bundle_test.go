package network_test

import (
	"bytes"
	"encoding/binary"

	"github.com/statemesh/statemesh/network"
)

// envelopes returns what is in a message as a node sends it.
func envelopes(body []byte) (all [][]byte) {
	if len(body) == 0 || body[0] != network.BundleMark {
		return [][]byte{body}
	}
	_ = network.Unbundle(body, func(part []byte) { all = append(all, part) })
	return all
}

// bundles hold recorded envelopes and what others make of these: too many of them, none,
// each other; some end early, are longer than they may be, say of a part that it is longer
// than they are, or are where there are none.
func (a *arena) bundles(i int) unit {
	r := a.record()
	body := []byte{network.BundleMark}
	add := func(b []byte) { body = append(binary.BigEndian.AppendUint32(body, uint32(len(b))), b...) }
	parts := 1 + a.random.IntN(8)
	switch i % 8 {
	case 0: // more than there may be
		for range network.BundleParts + 1 + a.random.IntN(10) {
			add(r.body[:a.random.IntN(len(r.body))])
		}
		return a.like(r, body)
	case 1:
		return a.like(r, body)
	case 2: // in each other
		for range parts {
			add(body)
		}
		return a.like(r, body)
	case 3: // longer than it may be
		add(r.body)
		return a.like(r, append(body, make([]byte, network.BundleBytes)...))
	}
	for range parts {
		part := bytes.Clone(r.body)
		if a.random.IntN(2) == 0 {
			part[a.random.IntN(len(part))] ^= 1 << a.random.IntN(8)
		}
		add(part)
	}
	switch i % 8 {
	case 4:
		body = body[:1+a.random.IntN(len(body)-1)]
	case 5: // the length of the first part, by which the rest is out of step
		binary.BigEndian.PutUint32(body[1:], a.random.Uint32()>>a.random.IntN(32))
	case 6:
		r.exchange = a.exchange()
		r.key = keyOf[r.exchange]
	}
	return a.like(r, body)
}
