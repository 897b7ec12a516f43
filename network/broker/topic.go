package broker

import "strings"

// MatchTopic tells whether a topic exchange gives a message with the routing key to a binding with the pattern. Both are
// words between dots; in the pattern, * stands for one word and # for any number, none included (AMQP 0-9-1, 3.1.3.3).
func MatchTopic(pattern, key string) bool {
	var room [2][16]string // on the stack, for keys as they mostly are
	return topicMatch(splitKey(pattern, room[0][:0]), splitKey(key, room[1][:0]))
}

// splitKey splits a routing or binding key into its words, which lie between dots and may be empty; the empty key has no
// word. The words are appended to buf.
func splitKey(key string, buf []string) []string {
	if key == "" {
		return buf
	}
	for {
		word, rest, more := strings.Cut(key, ".")
		buf = append(buf, word)
		if !more {
			return buf
		}
		key = rest
	}
}

// topicMatch tells whether the words of a routing key match those of a binding key, in which "*" stands for one word and
// "#" for any number of words, none included (AMQP 0-9-1, 3.1.3.3).
//
// A "#" first takes no word, and one more whenever what follows it does not match; only the last "#" need ever be asked
// for more, so the work is at most the product of the lengths.
func topicMatch(pattern, key []string) bool {
	p, k := 0, 0
	retryPattern, retryKey := -1, 0
	for k < len(key) {
		switch {
		case p < len(pattern) && pattern[p] == "#":
			p++
			retryPattern, retryKey = p, k
		case p < len(pattern) && (pattern[p] == "*" || pattern[p] == key[k]):
			p++
			k++
		case retryPattern >= 0:
			retryKey++
			p, k = retryPattern, retryKey
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == "#" {
		p++
	}
	return p == len(pattern)
}
