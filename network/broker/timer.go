package broker

import "time"

// rest arms the timer for what happens next if nobody comes: the first message expires, or the queue does.
func (q *queue) rest() {
	if q.deleted {
		return
	}
	if q.ready.n > 0 && q.ready.front().expires != 0 {
		q.timer.arm(q, q.ready.front().expires)
	}
	if q.expires.set && len(q.consumers) == 0 {
		q.timer.arm(q, q.usedAt+q.expires.nanoseconds())
	}
}

// tick is what the timer calls.
func (q *queue) tick() {
	defer q.server.timers.Done()
	var w wakes
	q.mu.Lock()
	q.timer.armed = false
	now := q.expire(q.server.now())
	over := q.expires.set && len(q.consumers) == 0 && now >= q.usedAt+q.expires.nanoseconds()
	if !over {
		q.rest()
	}
	q.unlock(&w)
	if over {
		q.server.vhost.deleteQueue(q, true, false, &w)
		q.mu.Lock()
		q.rest() // somebody may have come in time
		q.unlock(&w)
	}
	w.flush()
}

// queueTimer is the one timer of a queue. It may ring early, but never misses what it was armed for: who has armed it
// for a message that has been taken meanwhile does not stop it, so a busy queue arms it once in a while only.
type queueTimer struct {
	timer *time.Timer
	armed bool
	at    int64
}

// arm makes the timer ring at that time, or earlier. Server.timers counts it while it is armed.
func (t *queueTimer) arm(q *queue, at int64) {
	if t.armed {
		if t.at <= at {
			return
		}
		if !t.timer.Stop() {
			return // it rings just now, and arms itself again
		}
	} else {
		q.server.timers.Add(1)
	}
	t.armed, t.at = true, at
	wait := time.Duration(at-q.server.now()) + 1
	if t.timer == nil {
		t.timer = time.AfterFunc(wait, q.tick)
	} else {
		t.timer.Reset(wait)
	}
}

// stop keeps the timer from ringing, if it is not too late.
func (t *queueTimer) stop(server *Server) {
	if t.armed && t.timer.Stop() {
		t.armed = false
		server.timers.Done()
	}
}
