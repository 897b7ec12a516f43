package broker

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// complainEvery is how often one thing that peers do wrong is logged at most.
const complainEvery = time.Minute

// complaints logs what anybody who reaches the port, or may log in, can make happen as often as they like: the first time
// and then once a minute, with the number of those that were not logged. Any goroutine may call its method.
type complaints struct {
	log *slog.Logger

	mu    sync.Mutex // guards kinds
	kinds map[string]*complaint
}

type complaint struct {
	last   time.Time
	unsaid int
}

// say logs a message, which is one of a few constants.
func (c *complaints) say(level slog.Level, message string, attrs ...any) {
	c.mu.Lock()
	it := c.kinds[message]
	if it == nil {
		it = &complaint{}
		if c.kinds == nil {
			c.kinds = map[string]*complaint{}
		}
		c.kinds[message] = it
	}
	now := time.Now()
	if !it.last.IsZero() && now.Sub(it.last) < complainEvery {
		it.unsaid++
		c.mu.Unlock()
		return
	}
	unsaid := it.unsaid
	it.last, it.unsaid = now, 0
	c.mu.Unlock()
	if unsaid > 0 {
		attrs = append(attrs, "unreported", unsaid)
	}
	c.log.Log(context.Background(), level, message, attrs...)
}
