package network

import "strings"

// matchTopic says whether a routing key matches an AMQP topic pattern: words parted by
// dots, in the pattern * for one word and # for any number, none included (AMQP 0-9-1,
// section 3.1.3.3). The empty text has no words, as in RabbitMQ.
func matchTopic(pattern, key string) bool {
	var room [2][16]string // on the stack, for keys as they mostly are
	want, got := words(pattern, room[0][:0]), words(key, room[1][:0])
	// A # takes no word at first, and one more each time the rest does not match. Only
	// the last # need be asked for more.
	w, g, hash, hashed := 0, 0, -1, 0
	for g < len(got) {
		switch {
		case w < len(want) && want[w] == "#":
			w++
			hash, hashed = w, g
		case w < len(want) && (want[w] == "*" || want[w] == got[g]):
			w++
			g++
		case hash >= 0:
			hashed++
			w, g = hash, hashed
		default:
			return false
		}
	}
	for w < len(want) && want[w] == "#" {
		w++
	}
	return w == len(want)
}

func words(key string, out []string) []string {
	for more := key != ""; more; {
		var word string
		word, key, more = strings.Cut(key, ".")
		out = append(out, word)
	}
	return out
}
