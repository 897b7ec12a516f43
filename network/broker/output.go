package broker

import "time"

// writeChunk is how much is written under one deadline.
const writeChunk = 128 << 10

// wakeEarly is how much output is worth waking the writer for while more is being made.
const wakeEarly = 16 << 10

// bufferKeep is the size of output buffers that are always kept; larger ones go after so many writes that did not need
// them, and those that a single large message made go at once, as there may be no other write for long.
const (
	bufferKeep     = 64 << 10
	bufferPatience = 100
)

// wakes are connections that have got output and whose writers still have to be woken. A goroutine that makes output
// collects them, and wakes them all when it has nothing more to do at once and before it waits for anything: so one system
// call writes many frames. A nil *wakes stands for output nobody will write any more.
type wakes []*conn

func (w *wakes) add(c *conn) {
	if w != nil {
		*w = append(*w, c)
	}
}

func (w *wakes) flush() {
	for i, c := range *w {
		c.kick()
		(*w)[i] = nil
	}
	*w = (*w)[:0]
}

// output is what waits for the socket of a connection. All of it is guarded by conn.mu.
type output struct {
	pending   []byte
	replies   int         // how much of pending is not deliveries, which are bounded by themselves
	signalled bool        // somebody has promised to wake the writer
	last      bool        // the writer ends after this
	dead      bool        // the writer has ended; nothing is taken any more
	waiting   []*consumer // could not be served because too much was pending, or too many bytes unacknowledged
	closeBy   time.Time   // when set, the deadline of all that is still to be read and written
}

// kick wakes the writer.
func (c *conn) kick() {
	select {
	case c.wake <- struct{}{}:
	default: // it is being woken already
	}
}

// grown is called with conn.mu held after something was appended to what was so long before. It promises to wake the
// writer.
func (c *conn) grown(before int, w *wakes) {
	if c.out.dead {
		c.out.pending = nil
		return
	}
	if !c.out.signalled {
		c.out.signalled = true
		w.add(c)
	}
	if before < wakeEarly && len(c.out.pending) >= wakeEarly {
		c.kick()
	}
}

// reply sends a method. Only the reader calls it.
func (c *conn) reply(channel uint16, id methodID, a args) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.replyLocked(channel, id, a)
}

func (c *conn) replyLocked(channel uint16, id methodID, a args) {
	before := len(c.out.pending)
	c.out.pending = appendMethod(c.out.pending, channel, id, a)
	c.replied(before)
}

// replied is grown for what the reader makes, which must not read on while that piles up. Deliveries do not count here,
// because a client that is busy publishing may not be reading them. The caller holds mu.
func (c *conn) replied(before int) {
	c.out.replies += len(c.out.pending) - before
	c.choked = c.out.replies > c.server.config.Limits.OutputBytes
	c.grown(before, &c.wakes)
}

// waitDrained blocks the reader while too many replies wait, so that a client that asks and does not read is no longer
// heard.
func (c *conn) waitDrained() {
	c.settle()
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.out.replies > c.server.config.Limits.OutputBytes && !c.out.dead && !c.stopping {
		c.drained.Wait()
	}
	c.choked = false
}

// write is the goroutine that writes the output and the heartbeats of an open connection. It ends with the output marked
// last, or when the socket fails; then it makes the reader end too.
func (c *conn) write() {
	defer close(c.written)
	var tick <-chan time.Time
	if c.heartbeat > 0 {
		ticker := time.NewTicker(c.heartbeat / 2)
		defer ticker.Stop()
		tick = ticker.C
	}
	var buf []byte
	var w wakes
	quiet, small := true, 0
	for {
		beat := false
		select {
		case <-c.wake:
		case <-tick:
			beat, quiet = quiet, true
		}

		c.mu.Lock()
		buf, c.out.pending = c.out.pending, buf[:0]
		c.out.signalled, c.out.replies = false, 0
		last, waiting := c.out.last, c.out.waiting
		c.out.waiting = nil
		c.mu.Unlock()
		c.drained.Broadcast()

		// What waited for room fills the other buffer while this one is written.
		for _, k := range waiting {
			k.queue.resume(k, &w)
		}
		w.flush()

		if len(buf) > 0 {
			quiet = false
		} else if beat {
			buf = appendFrame(buf, frameHeartbeat, 0, nil)
		}
		if err := c.writeAll(buf); err != nil {
			c.broken()
			return
		}
		if last {
			return
		}
		if cap(buf) > 4*c.server.config.Limits.OutputBytes {
			buf = nil
		} else if len(buf) > bufferKeep/2 {
			small = 0
		} else if small++; small > bufferPatience && cap(buf) > bufferKeep {
			buf = nil
		}
	}
}

// writeAll writes in chunks, each with its own deadline.
func (c *conn) writeAll(b []byte) error {
	for len(b) > 0 {
		n := min(len(b), writeChunk)
		c.mu.Lock()
		if c.out.closeBy.IsZero() {
			c.nc.SetWriteDeadline(time.Now().Add(c.server.config.WriteTimeout))
		}
		c.mu.Unlock()
		if _, err := c.nc.Write(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// broken ends output for good and makes the reader end.
func (c *conn) broken() {
	c.mu.Lock()
	c.out.dead = true
	c.out.pending, c.out.waiting = nil, nil
	c.mu.Unlock()
	c.drained.Broadcast()
	c.nc.Close()
}
