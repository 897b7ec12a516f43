package network

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Anybody with the mesh key may ask for a node's health, and it takes much work to say.
// So it is said at most that often, and is not looked at more often than it is of use.
const (
	healthsInASecond = 10
	healthLasts      = time.Second
)

// askedHealth has an answer made to a question after the node's health, on another goroutine,
// and reports whether there will be one.
func (n *Node) askedHealth(reply string) bool {
	if !n.healthLimit.allow(time.Now(), healthsInASecond) {
		return false
	}
	select {
	case n.healthAsked <- reply:
		return true
	default:
		return false
	}
}

// answerHealth says how the node is doing to who asks, until the node ends.
func (n *Node) answerHealth() {
	var (
		encoded []byte
		at      time.Time
	)
	for {
		select {
		case <-n.ending:
			return
		case reply := <-n.healthAsked:
			if encoded == nil || time.Since(at) >= healthLasts {
				encoded, at = encodeHealth(n.Health()), time.Now()
			}
			n.say(reply, nodeMessage{Node: n.config.Name, Health: encoded})
		}
	}
}

// What of a Health travels: enough for a table, whatever the node has.
const (
	maxHealthPeers   = 128
	maxHealthNodes   = 32 // of a peer
	maxHealthObjects = 256
	maxHealthSenders = 256
	maxHealthReasons = 64
	maxHealth        = 512 << 10 // bytes
)

// encodeHealth returns nil for a Health that is too large even so.
func encodeHealth(h Health) []byte {
	h.Peers = slices.Clone(h.Peers[:min(len(h.Peers), maxHealthPeers)])
	for i := range h.Peers {
		h.Peers[i].Nodes = h.Peers[i].Nodes[:min(len(h.Peers[i].Nodes), maxHealthNodes)]
	}
	h.Objects = h.Objects[:min(len(h.Objects), maxHealthObjects)]
	h.Stats.Senders = h.Stats.Senders[:min(len(h.Stats.Senders), maxHealthSenders)]
	h.Stats.Problems = mostFrequent(h.Stats.Problems, maxHealthReasons)
	b, err := encoder.Marshal(h)
	if err != nil || len(b) > maxHealth {
		return nil
	}
	return b
}

// mostFrequent returns the most frequent reasons.
func mostFrequent(counts map[string]uint64, most int) map[string]uint64 {
	if len(counts) <= most {
		return counts
	}
	reasons := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	frequent := make(map[string]uint64, most)
	for _, why := range reasons[:most] {
		frequent[why] = counts[why]
	}
	return frequent
}

// decodeHealth reads what another node says; all its texts can be printed.
func decodeHealth(b []byte) (Health, error) {
	var h Health
	if err := decoder.Unmarshal(b, &h); err != nil {
		return Health{}, fmt.Errorf("%w: %s", errMalformed, fault(err))
	}
	texts := []string{h.Node}
	for _, p := range h.Peers {
		texts = append(append(texts, p.Address, p.Via, string(p.State), p.Error), p.Nodes...)
	}
	for _, o := range h.Objects {
		texts = append(texts, o.Name, o.Failure)
	}
	for _, s := range h.Stats.Senders {
		texts = append(texts, s.Node)
	}
	texts = slices.AppendSeq(texts, maps.Keys(h.Stats.Problems))
	for _, text := range texts {
		if !printable(text, maxLine) {
			return Health{}, errMalformed
		}
	}
	return h, nil
}
