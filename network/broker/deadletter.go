package broker

import (
	"bytes"
	"time"
)

// reason is why a message died.
type reason string

const (
	reasonNone          reason = "" // no dead letter
	reasonRejected      reason = "rejected"
	reasonExpired       reason = "expired"
	reasonLength        reason = "maxlen"
	reasonDeliveryLimit reason = "delivery_limit"
)

// deadLetter is a message that has died.
type deadLetter struct {
	message *message
	why     reason
}

// deadLetters says what becomes of the messages of a queue that die.
type deadLetters struct {
	exchange optionalText // x-dead-letter-exchange; not set: they are lost
	key      optionalText // x-dead-letter-routing-key; not set: they keep their own
}

// optionalText is a text that may be missing.
type optionalText struct {
	value string
	set   bool
}

// String returns what reply texts say.
func (o optionalText) String() string {
	if !o.set {
		return "none"
	}
	return o.value
}

// parse reads the arguments of a queue.
func (l *deadLetters) parse(t table) *exception {
	for _, c := range []struct {
		name string
		into *optionalText
	}{
		{"x-dead-letter-exchange", &l.exchange},
		{"x-dead-letter-routing-key", &l.key},
	} {
		f, found := t.find(c.name)
		if !found {
			continue
		}
		if f.kind != 'S' || len(f.value) > 255 {
			return refuse(preconditionFailed, "invalid arg '%s': not a text of at most 255 octets", c.name)
		}
		*c.into = optionalText{string(f.value), true}
	}
	if l.key.set && !l.exchange.set {
		return refuse(preconditionFailed, "invalid arg 'x-dead-letter-routing-key': there is no x-dead-letter-exchange")
	}
	return nil
}

func (s *queueSettings) queueType() string {
	if s.quorum {
		return "quorum"
	}
	return "classic"
}

// Bounds of what a message may go through: so many deaths, and so many dead letters that come of others while one
// operation is done.
const (
	maxDeaths  = 64
	maxBurials = 1024
)

// burial is a letter on its way from the queue it died in.
type burial struct {
	from *queue
	deadLetter
}

// bury publishes dead letters where their queue says. What dies on arrival is buried too, one after the other, not each
// inside of the one before. No lock may be held.
func (s *Server) bury(from *queue, died []deadLetter, w *wakes) {
	var work []burial
	for _, l := range died {
		work = append(work, burial{from, l})
	}
	for left := len(work) + maxBurials; len(work) > 0; left-- {
		b := work[0]
		work = work[1:]
		m, deaths := b.letter(time.Now(), s.config.Limits.FrameBytes)
		if left <= 0 || m == nil || s.full() && !s.makeRoom() {
			s.dropped.Add(1)
			continue
		}
		r, e := s.vhost.find(m.exchange, m.key, true)
		if e != nil || len(r.queues) == 0 {
			s.dropped.Add(1) // nobody is there to tell
			continue
		}
		for _, to := range r.queues {
			if circles(deaths, to.name) {
				s.dropped.Add(1)
				continue
			}
			to.mu.Lock()
			if !to.add(m, w) {
				s.dropped.Add(1)
			}
			more := to.died
			to.died = nil
			to.mu.Unlock()
			for _, l := range more {
				work = append(work, burial{to, l})
			}
		}
	}
}

// death is an entry of the header x-death.
type death struct {
	queue, why string
	count      int64
	raw        []byte // the fields
}

// letter makes the message that is published for one that died, and returns its deaths, the newest first. It returns no
// message if that would become too large.
func (b *burial) letter(now time.Time, frameMax int) (*message, []death) {
	m := b.message
	dead := b.from.dead
	key := m.key
	if dead.key.set {
		key = dead.key.value
	}
	header := m.data[:m.header]
	headers, expiration := headersOf(header)
	newest := death{queue: b.from.name, why: string(b.why), count: 1}
	deaths := []death{newest}
	for _, d := range deathsOf(headers) {
		if d.queue == newest.queue && d.why == newest.why {
			deaths[0].count += d.count
			continue
		}
		deaths = append(deaths, d)
	}
	if len(deaths) > maxDeaths {
		return nil, nil
	}
	fields := args{}.integer("count", deaths[0].count).text("reason", newest.why).text("queue", newest.queue)
	fields = append(fields.shortstr("time").octet('T'), args{}.longlong(uint64(now.Unix()))...)
	fields = fields.text("exchange", m.exchange)
	fields = fields.shortstr("routing-keys").octet('A').longstr(string(args{}.octet('S').longstr(m.key)))
	if expiration != nil {
		fields = fields.text("original-expiration", string(expiration))
	}
	deaths[0].raw = fields
	var list args
	for _, d := range deaths {
		list = list.octet('F').longstr(string(d.raw))
	}
	fresh := args(headers.without("x-death", deliveryCount)).shortstr("x-death").octet('A').longstr(string(list))
	if _, known := headers.find("x-first-death-reason"); !known {
		fresh = fresh.text("x-first-death-reason", newest.why).text("x-first-death-queue", newest.queue).text("x-first-death-exchange", m.exchange)
	}
	content := withHeaders(header, table(fresh), false)
	if len(content) > frameMax-frameOverhead {
		return nil, nil
	}
	letter := &message{exchange: dead.exchange.value, key: key, header: len(content)}
	letter.data = append(append(make([]byte, 0, len(content)+int(m.body())), content...), m.data[m.header:]...)
	return letter, deaths
}

// deathsOf reads the header x-death, as far as it is what a broker has written there.
func deathsOf(headers table) []death {
	f, found := headers.find("x-death")
	if !found || f.kind != 'A' {
		return nil
	}
	var deaths []death
	for d := (decoder{b: f.value}); !d.bad && len(d.b) > 0; {
		kind, value := d.value(0)
		if kind != 'F' {
			continue
		}
		fields := table(value)
		text := func(name string) string {
			f, _ := fields.find(name)
			if f.kind != 'S' {
				return ""
			}
			return string(f.value)
		}
		count, _ := fields.find("count")
		n, _ := count.integer()
		deaths = append(deaths, death{queue: text("queue"), why: text("reason"), count: max(n, 1), raw: bytes.Clone(value)})
	}
	return deaths
}

// circles tells whether a message that has died so would come back to the queue by itself: it died there before, and
// nobody has rejected it since.
func circles(deaths []death, queue string) bool {
	for _, d := range deaths {
		if d.why == string(reasonRejected) {
			return false
		}
		if d.queue == queue {
			return true
		}
	}
	return false
}

// reject buries what a client rejected, as far as its queues have a place for that.
func (c *conn) reject(deliveries []delivery) {
	for i := range deliveries {
		if d := &deliveries[i]; d.queue.dead.exchange.set {
			c.server.bury(d.queue, []deadLetter{{d.message, reasonRejected}}, &c.wakes)
		}
	}
}
