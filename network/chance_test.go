package network

import (
	"slices"
	"testing"
	"time"
)

// With a Seed, the waits of a part follow from it, from the node's name and the part's, and
// are in their range; without one, they are others each time.
func TestChance(t *testing.T) {
	waits := func(c Config, part string) (all []time.Duration) {
		random := c.chance(part)
		for range 100 {
			wait := random(time.Second)
			if wait < 0 || wait > time.Second {
				t.Fatalf("%v is not from 0 to 1 s", wait)
			}
			all = append(all, wait)
		}
		return all
	}
	for _, tc := range []struct {
		name       string
		one, other Config
		part       string // of the other; one's is "broker"
		same       bool
	}{
		{"the same", Config{Seed: 1, Name: "a"}, Config{Seed: 1, Name: "a"}, "broker", true},
		{"another part", Config{Seed: 1, Name: "a"}, Config{Seed: 1, Name: "a"}, "receiver", false},
		{"another node", Config{Seed: 1, Name: "a"}, Config{Seed: 1, Name: "b"}, "broker", false},
		{"another seed", Config{Seed: 1, Name: "a"}, Config{Seed: 2, Name: "a"}, "broker", false},
		{"no seed", Config{Name: "a"}, Config{Name: "a"}, "broker", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if same := slices.Equal(waits(tc.one, "broker"), waits(tc.other, tc.part)); same != tc.same {
				t.Errorf("the same waits: %v, want %v", same, tc.same)
			}
		})
	}
}
