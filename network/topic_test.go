package network

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// naiveMatch is section 3.1.3.3 of AMQP 0-9-1 word by word.
func naiveMatch(pattern, key []string) bool {
	switch {
	case len(pattern) == 0:
		return len(key) == 0
	case pattern[0] == "#":
		return naiveMatch(pattern[1:], key) || len(key) > 0 && naiveMatch(pattern, key[1:])
	}
	return len(key) > 0 && (pattern[0] == "*" || pattern[0] == key[0]) && naiveMatch(pattern[1:], key[1:])
}

func naiveWords(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ".")
}

func TestMatchTopic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringMatching(`([ab*#.]{0,3}\.){0,6}[ab*#]{0,2}`).Draw(t, "pattern")
		key := rapid.StringMatching(`([ab]?\.){0,8}[ab]?`).Draw(t, "key")
		want := naiveMatch(naiveWords(pattern), naiveWords(key))
		if got := matchTopic(pattern, key); got != want {
			t.Fatalf("matchTopic(%q, %q) is %v", pattern, key, got)
		}
	})
}

func TestMatchTopicAllocates(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { matchTopic("#.a.*.b.#", "x.y.a.z.b.c") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkMatchTopic(b *testing.B) {
	for b.Loop() {
		matchTopic("#.man", "heya.man")
	}
}
