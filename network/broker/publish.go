package broker

// contentState is what a channel waits for.
type contentState int

const (
	awaitMethod contentState = iota
	awaitHeader              // basic.publish has come
	awaitBody                // the header has come, and the body not wholly
)

// content is a message on its way in.
type content struct {
	state     contentState
	route     *route
	mandatory bool
	message   *message
	remaining int   // octets of the body still to come
	held      int64 // what it counts for in conn.bodies
	refused   bool  // there was no room; what comes of the body is thrown away
}

// bodyAtOnce is how much memory the announced length of a body gets before any of it has come. More is given as it comes.
const bodyAtOnce = 4096

// routeKey is what a connection remembers routes by.
type routeKey struct{ exchange, key string }

// A connection remembers the routes of this many keys, each of so many queues at most.
const (
	routesKept      = 128
	routeQueuesKept = 64
)

// route returns where the message goes. Publishers use few keys, so it remembers.
func (c *conn) route(exchange, key []byte) (*route, *exception) {
	if r := c.routes[routeKey{string(exchange), string(key)}]; r != nil && r.generation == c.server.vhost.generation.Load() {
		return r, nil
	}
	r, e := c.server.vhost.route(string(exchange), string(key))
	if e != nil {
		return nil, e
	}
	if c.routes == nil || len(c.routes) >= routesKept {
		c.routes = make(map[routeKey]*route)
	}
	if len(r.queues) <= routeQueuesKept {
		c.routes[routeKey{r.exchange, r.key}] = r
	}
	return r, nil
}

// publish handles basic.publish. The content follows.
func (ch *channel) publish(m *method) *exception {
	if m.has(publishImmediate) {
		return refuse(notImplemented, "immediate=true")
	}
	r, e := ch.c.route(m.exchange, m.key)
	if e != nil {
		return e
	}
	ch.content = content{state: awaitHeader, route: r, mandatory: m.has(publishMandatory)}
	return nil
}

// header handles a content header frame.
func (ch *channel) header(payload []byte) *exception {
	c := ch.c
	c.m.id = basicPublish
	if ch.content.state != awaitHeader {
		return refuse(unexpectedFrame, "unexpected content header")
	}
	h := &c.h
	if !h.decode(payload) {
		return refuse(frameError, "cannot decode content header")
	}
	if h.class != basicPublish.class() {
		return refuse(unexpectedFrame, "expected content header for class 60, got one for class %d instead", h.class)
	}
	if most := c.server.config.Limits.MessageBytes; h.size > uint64(most) {
		return refuse(preconditionFailed, "message size %d is larger than configured max size %d", h.size, most)
	}
	if h.userID != nil && string(h.userID) != c.user {
		return refuse(preconditionFailed, "user_id property set to '%s' but authenticated user was '%s'", h.userID, c.user)
	}
	size := int(h.size)
	r := ch.content.route
	msg := &message{exchange: r.exchange, key: r.key, header: len(payload)}
	if h.expiration != nil {
		ttl, e := parseExpiration(h.expiration)
		if e != nil {
			return e
		}
		msg.ttl, msg.hasTTL = ttl, true
	}
	msg.data = append(make([]byte, 0, len(payload)+min(size, bodyAtOnce)), payload...)
	ch.content.message, ch.content.remaining, ch.content.state = msg, size, awaitBody
	if size == 0 {
		return ch.complete()
	}
	ch.hold()
	return nil
}

// body handles a content body frame.
func (ch *channel) body(payload []byte) *exception {
	c := ch.c
	c.m.id = basicPublish
	if ch.content.state != awaitBody {
		return refuse(unexpectedFrame, "unexpected content body")
	}
	if len(payload) > ch.content.remaining {
		return refuse(frameError, "content body is longer than its header says")
	}
	ch.content.remaining -= len(payload)
	if ch.content.refused {
		if ch.content.remaining == 0 {
			return ch.complete()
		}
		return nil
	}
	msg := ch.content.message
	if need := len(msg.data) + len(payload); need > cap(msg.data) {
		// Twice as much as came so far, but no more than will come.
		data := make([]byte, len(msg.data), min(need+ch.content.remaining, max(need, 2*cap(msg.data))))
		copy(data, msg.data)
		msg.data = data
	}
	msg.data = append(msg.data, payload...)
	if ch.content.remaining == 0 {
		return ch.complete()
	}
	ch.hold()
	return nil
}

// hold counts an unfinished body, and refuses its message if there is no room: not for this connection, which may hold
// one message at least, or not for anybody.
func (ch *channel) hold() {
	c := ch.c
	n := ch.content.message.size() - ch.content.held
	ch.content.held += n
	c.bodyBytes += n
	c.bodies.add(n)
	limits := &c.server.config.Limits
	if c.bodyBytes > int64(max(limits.MessageBytes+limits.FrameBytes, limits.TotalBytes/4)) || n > 0 && c.server.full() && !c.server.makeRoom() {
		ch.unhold()
		ch.content.refused, ch.content.message = true, nil
	}
}

// unhold takes an unfinished body out of the sums.
func (ch *channel) unhold() {
	ch.c.bodyBytes -= ch.content.held
	ch.c.bodies.add(-ch.content.held)
	ch.content.held = 0
}

// dropContent forgets what has come of a message.
func (ch *channel) dropContent() {
	ch.unhold()
	ch.content = content{}
}

// complete publishes the message, which has come wholly.
func (ch *channel) complete() *exception {
	c := ch.c
	msg, r, mandatory, refused := ch.content.message, ch.content.route, ch.content.mandatory, ch.content.refused
	ch.dropContent()
	if r.generation != c.server.vhost.generation.Load() {
		var e *exception
		if r, e = c.server.vhost.route(r.exchange, r.key); e != nil {
			return e
		}
	}
	c.published.Add(1)
	switch {
	case refused:
		c.server.dropped.Add(1)
	case len(r.queues) == 0:
		if mandatory {
			ch.sendReturn(msg)
		}
	case c.server.full() && !c.server.makeRoom():
		refused = true
		c.server.dropped.Add(1)
	default:
		for _, q := range r.queues {
			if !q.publish(msg, &c.wakes) {
				refused = true
			}
		}
	}
	if ch.confirms {
		ch.confirm(refused)
	}
	return nil
}

// sendReturn gives a message that goes nowhere back to its publisher.
func (ch *channel) sendReturn(msg *message) {
	c := ch.c
	c.mu.Lock()
	defer c.mu.Unlock()
	before := len(c.out.pending)
	b := appendMethod(c.out.pending, ch.id, basicReturn,
		args{}.short(uint16(noRoute)).shortstr("NO_ROUTE").shortstr(msg.exchange).shortstr(msg.key))
	c.out.pending = appendContent(b, ch.id, msg, msg.data[:msg.header], c.frameMax)
	c.replied(before)
}

// confirm answers a message published in confirm mode. Positive answers wait for others, to be sent as one.
func (ch *channel) confirm(refused bool) {
	if ch.confirmed == ch.sequence {
		ch.c.confirming = append(ch.c.confirming, ch)
	}
	ch.sequence++
	if !refused {
		return
	}
	ch.sequence--
	ch.sendConfirms()
	ch.sequence++
	ch.confirmed = ch.sequence
	ch.c.reply(ch.id, basicNack, args{}.longlong(ch.sequence).octet(0))
}

// sendConfirms sends the positive answers that wait.
func (ch *channel) sendConfirms() {
	n := ch.sequence - ch.confirmed
	if n == 0 || ch.closing {
		return
	}
	var flags byte
	if n > 1 {
		flags = ackMultiple
	}
	ch.confirmed = ch.sequence
	ch.c.reply(ch.id, basicAck, args{}.longlong(ch.sequence).octet(flags))
}
