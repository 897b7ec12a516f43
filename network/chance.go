package network

import (
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// chance returns a random time from 0 up to its argument.
type chance func(time.Duration) time.Duration

func anyTime(most time.Duration) time.Duration { return rand.N(most + 1) }

// chance returns what one part of the node waits by, for use on one goroutine. Each part
// has its own, so that with Config.Seed its waits do not depend on who else draws, or when.
func (c *Config) chance(part string) chance {
	if c.Seed == 0 {
		return anyTime
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(c.Name + "\x00" + part)) // never fails
	r := rand.New(rand.NewPCG(c.Seed, h.Sum64()))
	return func(most time.Duration) time.Duration { return time.Duration(r.Int64N(int64(most) + 1)) }
}
