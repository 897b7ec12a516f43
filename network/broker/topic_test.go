package broker

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// matchReference is the definition of a match, word by word.
func matchReference(pattern, key []string) bool {
	switch {
	case len(pattern) == 0:
		return len(key) == 0
	case pattern[0] == "#":
		return matchReference(pattern[1:], key) || len(key) > 0 && matchReference(pattern, key[1:])
	case len(key) == 0:
		return false
	}
	return (pattern[0] == "*" || pattern[0] == key[0]) && matchReference(pattern[1:], key[1:])
}

func TestTopicMatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "", "*", "#", "#", "ab"}), 0, 8).Draw(t, "pattern")
		key := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "", "ab"}), 0, 10).Draw(t, "key")
		if got, want := topicMatch(pattern, key), matchReference(pattern, key); got != want {
			t.Fatalf("topicMatch(%q, %q) is %v, want %v", pattern, key, got, want)
		}
	})
}

// A binding key made to be slow must not be.
func TestTopicMatchWorstCase(t *testing.T) {
	pattern := strings.Split(strings.TrimSuffix(strings.Repeat("#.a.", 63), ".")+".b", ".")
	key := strings.Split(strings.TrimSuffix(strings.Repeat("a.", 128), "."), ".")
	if topicMatch(pattern, key) {
		t.Fatal("matches")
	}
}

func TestSplitKey(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOf(rapid.SampledFrom([]string{"a", "", "long word", "*"})).Draw(t, "words")
		if len(words) == 1 && words[0] == "" {
			t.Skip("the empty key has no word")
		}
		key := strings.Join(words, ".")
		if got := splitKey(key, nil); strings.Join(got, "|") != strings.Join(words, "|") || len(got) != len(words) {
			t.Fatalf("splitKey(%q) is %q", key, got)
		}
	})
}

func TestMatchTopic(t *testing.T) {
	for _, tt := range []struct {
		pattern, key string
		want         bool
	}{
		{"#.man", "heya.man", true},
		{"#.man", "man", true},
		{"#.man", "heya.woman", false},
		{"*.man", "man", false},
		{"a.#", "ab", false},
		{"#", "", true},
		{"*", "", false},
		{"", "", true},
	} {
		if got := MatchTopic(tt.pattern, tt.key); got != tt.want {
			t.Errorf("MatchTopic(%q, %q) is %v", tt.pattern, tt.key, got)
		}
	}
}

func TestMatchTopicAllocates(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { MatchTopic("#.a.*.b.#", "x.y.a.z.b.c") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkMatchTopic(b *testing.B) {
	for b.Loop() {
		MatchTopic("#.man", "heya.man")
	}
}
