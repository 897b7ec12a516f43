package broker

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// closeGrace is how long a peer may take to hear and answer that its connection closes.
const closeGrace = time.Second

var (
	errStopping = refuse(connectionForced, "broker forced connection closure with reason 'shutdown'")
	errGoodbye  = errors.New("broker: closed by the client")
)

// conn is one connection. Two goroutines serve it: the reader (run), which does all a client asks for, and the writer
// (write). The reader owns the fields above mu.
type conn struct {
	server *Server
	nc     net.Conn
	remote string
	open   bool                // the handshake is over; guarded by Server.mu
	owns   map[*queue]struct{} // its exclusive queues; guarded by vhost.mu

	in           *frameReader
	user         string
	notifyCancel bool          // the client wants to hear of consumers that end
	heartbeat    time.Duration // as negotiated; 0 is none
	idle         time.Duration // how long the client may be silent once the connection is open; 0 is for ever
	frameMax     int
	channelMax   int
	channels     map[uint16]*channel
	routes       map[routeKey]*route
	m            method
	h            contentHeader
	choked       bool        // too much output waits
	wakes        wakes       // see wakes
	confirming   []*channel  // have confirms to send
	resumed      []*consumer // have got credit
	scratch      []delivery
	settled      ledger // bytes of messages acknowledged
	bodies       ledger // bytes of unfinished bodies
	bodyBytes    int64  // the same, exactly
	published    atomic.Uint64

	wake    chan struct{} // of length 1, wakes the writer; never closed
	written chan struct{} // closed by the writer when it ends

	// mu guards all that follows, and the fields of channels and consumers that say so. It is taken after the lock of a
	// queue.
	mu           sync.Mutex
	drained      *sync.Cond // output was written, or never will be
	stopping     bool       // the server closes
	ending       bool       // takes no more messages
	out          output
	unackedBytes int64
	delivered    uint64
}

func newConn(server *Server, nc net.Conn) *conn {
	c := &conn{
		server:   server,
		nc:       nc,
		channels: map[uint16]*channel{},
		settled:  ledger{total: &server.bytes},
		bodies:   ledger{total: &server.bytes},
		wake:     make(chan struct{}, 1),
		written:  make(chan struct{}),
	}
	if a := nc.RemoteAddr(); a != nil {
		c.remote = a.String()
	}
	c.drained = sync.NewCond(&c.mu)
	nc.SetDeadline(time.Now().Add(server.config.HandshakeTimeout))
	return c
}

// traffic returns how many messages came and went.
func (c *conn) traffic() (in, out uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.published.Load(), c.delivered
}

// stop makes the reader say goodbye because the server closes. During the handshake it just ends.
func (c *conn) stop() {
	c.mu.Lock()
	c.stopping = true
	if c.out.closeBy.IsZero() {
		c.nc.SetReadDeadline(time.Unix(1, 0))
	}
	c.mu.Unlock()
	c.drained.Broadcast()
}

// interrupt ends a handshake.
func (c *conn) interrupt() { c.nc.SetDeadline(time.Unix(1, 0)) }

// run serves the connection to its end.
func (c *conn) run() {
	defer c.server.gone(c)
	defer c.nc.Close()
	log := c.server.log.With("remote", c.remote)

	c.in = newFrameReader(c)
	if err := c.handshake(); err != nil {
		log.Debug("handshake failed", "error", err)
		return
	}
	log.Debug("connection opened", "user", c.user)
	err := c.serve()
	c.release()
	c.goodbye(err)
	var e *exception
	if errors.As(err, &e) && e != errStopping {
		c.server.complaints.say(slog.LevelInfo, "connection closed for a mistake of the client", "remote", c.remote, "error", e)
	} else {
		log.Debug("connection closed", "error", err)
	}
}

// Read reads from the socket, for at most as long as the client may be silent. It is for the frameReader only.
func (c *conn) Read(p []byte) (int, error) {
	c.mu.Lock()
	if c.out.closeBy.IsZero() {
		if c.stopping {
			c.mu.Unlock()
			return 0, errStopping
		}
		if c.idle > 0 {
			c.nc.SetReadDeadline(time.Now().Add(c.idle))
		}
	}
	c.mu.Unlock()
	n, err := c.nc.Read(p)
	if err != nil {
		c.mu.Lock()
		if c.stopping && c.out.closeBy.IsZero() {
			err = errStopping
		}
		c.mu.Unlock()
	}
	return n, err
}

// serve reads and does what the client asks for, until the connection has to end.
func (c *conn) serve() error {
	for {
		if !c.in.ready() {
			c.settle()
		}
		f, err := c.in.next()
		switch {
		case err == errFrame:
			c.m.id = 0
			return refuse(frameError, "malformed frame")
		case err != nil:
			return err
		case f.kind == frameHeartbeat:
			continue
		case f.channel == 0:
			err = c.control(f)
		default:
			err = c.dispatch(f)
		}
		if err != nil {
			return err
		}
		if c.choked {
			c.waitDrained()
		}
	}
}

// settle does what was put off to be done for many frames at once. It is called before the reader waits for anything.
func (c *conn) settle() {
	for i, ch := range c.confirming {
		ch.sendConfirms()
		c.confirming[i] = nil
	}
	c.confirming = c.confirming[:0]
	for i, k := range c.resumed {
		k.queue.resume(k, &c.wakes)
		c.resumed[i] = nil
	}
	c.resumed = c.resumed[:0]
	c.wakes.flush()
}

// control handles frames on channel 0.
func (c *conn) control(f frame) error {
	if f.kind != frameMethod {
		return refuse(unexpectedFrame, "content on channel 0")
	}
	if e := c.decode(f.payload); e != nil {
		return e
	}
	switch c.m.id {
	case connectionClose:
		return errGoodbye
	case connectionCloseOk:
		return io.EOF
	}
	return refuse(channelError, "unexpected method in connection state running")
}

// decode reads a method into c.m.
func (c *conn) decode(payload []byte) *exception {
	switch c.m.decode(payload) {
	case methodMalformed:
		return refuse(frameError, "cannot decode method %d.%d", c.m.id.class(), c.m.id.method())
	case methodUnknown:
		return refuse(commandInvalid, "unknown method %d.%d", c.m.id.class(), c.m.id.method())
	case methodUnfinished:
		return refuse(notImplemented, "method %d.%d", c.m.id.class(), c.m.id.method())
	}
	return nil
}

// release gives back all the connection holds.
func (c *conn) release() {
	c.settle()
	c.mu.Lock()
	c.ending = true
	c.mu.Unlock()
	for _, ch := range c.channels {
		ch.end()
	}
	c.server.channels.Add(-int64(len(c.channels)))
	for _, q := range c.server.vhost.ownedBy(c) {
		c.server.vhost.deleteQueue(q, false, false, &c.wakes)
	}
	c.settle()
	c.settled.flush()
	c.bodies.flush()
}

// goodbye ends the connection after serve has returned err: it tells the client, and gives it a moment to hear it.
func (c *conn) goodbye(err error) {
	var last []byte
	var e *exception
	told := errors.As(err, &e)
	if e == errStopping {
		c.m.id = 0
	}
	switch {
	case told:
		last = appendMethod(nil, 0, connectionClose, e.closeArgs(c.m.id))
	case err == errGoodbye:
		last = appendMethod(nil, 0, connectionCloseOk, nil)
	}

	c.mu.Lock()
	c.out.closeBy = time.Now().Add(closeGrace)
	c.nc.SetDeadline(c.out.closeBy)
	c.out.last = true
	if len(last) > 0 {
		c.out.pending = append(c.out.pending, last...)
	} else {
		c.out.pending = nil
	}
	c.mu.Unlock()
	if len(last) == 0 {
		c.nc.Close() // nobody is there to hear anything
	}
	c.kick()
	<-c.written
	if len(last) > 0 {
		c.linger(told && e.code != frameError)
	}
}

// linger waits for the client to close the socket, so that what it was told last is not lost to a reset. With answer, it
// waits for the answer to a close before.
func (c *conn) linger(answer bool) {
	for answer {
		f, err := c.in.next()
		if err != nil {
			break
		}
		answer = f.kind != frameMethod || c.decode(f.payload) != nil || c.m.id != connectionCloseOk
	}
	half, ok := c.nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	for {
		if _, err := c.nc.Read(c.in.buf); err != nil {
			return
		}
	}
}
