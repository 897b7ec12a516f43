package broker

import "slices"

// exchangeKind is a type of exchange.
type exchangeKind string

const (
	direct exchangeKind = "direct"
	fanout exchangeKind = "fanout"
	topic  exchangeKind = "topic"
)

// exchange routes messages to queues. The fields above bindings never change.
type exchange struct {
	name       string
	kind       exchangeKind
	durable    bool
	autoDelete bool
	internal   bool

	// Guarded by vhost.mu. The slices are replaced, never written to, so that who has got one may go on reading it.
	bindings []*binding
	byKey    map[string][]*binding // of a direct exchange
}

// binding binds a queue to an exchange. It never changes.
type binding struct {
	exchange *exchange
	queue    *queue
	key      string
	args     string   // canonical
	words    []string // of the key, for a topic exchange
}

// same tells whether both are one binding.
func (b *binding) same(o *binding) bool {
	return b.queue == o.queue && b.key == o.key && b.args == o.args
}

// find returns the binding that is the same as b, or nil.
func (e *exchange) find(b *binding) *binding {
	bindings := e.bindings
	if e.kind == direct {
		bindings = e.byKey[b.key]
	}
	if i := slices.IndexFunc(bindings, b.same); i >= 0 {
		return bindings[i]
	}
	return nil
}

// add adds a binding that is not there yet.
func (e *exchange) add(b *binding) {
	if e.kind == topic {
		b.words = splitKey(b.key, nil)
	}
	e.bindings = with(e.bindings, b)
	if e.kind == direct {
		if e.byKey == nil {
			e.byKey = map[string][]*binding{}
		}
		e.byKey[b.key] = with(e.byKey[b.key], b)
	}
}

// remove removes the bindings that are gone and returns how many.
func (e *exchange) remove(gone func(*binding) bool) int {
	if e.kind == direct {
		for _, b := range e.bindings {
			if !gone(b) {
				continue
			}
			if left := without(e.byKey[b.key], gone); len(left) > 0 {
				e.byKey[b.key] = left
			} else {
				delete(e.byKey, b.key)
			}
		}
	}
	before := len(e.bindings)
	e.bindings = without(e.bindings, gone)
	return before - len(e.bindings)
}

// candidates returns the bindings among which those for the key are.
func (e *exchange) candidates(key string) []*binding {
	if e.kind == direct {
		return e.byKey[key]
	}
	return e.bindings
}

// with returns a copy that ends with b.
func with(bindings []*binding, b *binding) []*binding {
	return append(slices.Clip(slices.Clone(bindings)), b)
}

// without returns a copy that leaves out what is gone.
func without(bindings []*binding, gone func(*binding) bool) []*binding {
	return slices.DeleteFunc(slices.Clone(bindings), gone)
}

// targets returns the queues of those bindings that match the key, each once.
func targets(kind exchangeKind, bindings []*binding, key string) []*queue {
	var queues []*queue
	var seen map[*queue]struct{}
	var buf [16]string
	words := buf[:0]
	if kind == topic {
		words = splitKey(key, words)
	}
	for _, b := range bindings {
		if kind == topic && !topicMatch(b.words, words) {
			continue
		}
		// A few are found by looking, many need a set.
		switch {
		case seen != nil:
			if _, twice := seen[b.queue]; twice {
				continue
			}
			seen[b.queue] = struct{}{}
		case slices.Contains(queues, b.queue):
			continue
		case len(queues) == 16:
			seen = map[*queue]struct{}{b.queue: {}}
			for _, q := range queues {
				seen[q] = struct{}{}
			}
		}
		queues = append(queues, b.queue)
	}
	return queues
}

// route is where an exchange sends a routing key, as long as the generation of the virtual host is the same.
type route struct {
	exchange, key string
	queues        []*queue
	generation    uint64
}
