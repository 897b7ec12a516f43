package network

import "sync"

// relay passes on what a broker says about published messages to a reader that may be
// slow. Who reports never waits: confirms pile up as runs, of which successive messages
// make one, and of the broker's being blocked only the newest word counts.
type relay struct {
	confirmed chan Confirm // closed by run
	blocked   chan bool    // closed by run
	wake      chan struct{}

	mu      sync.Mutex    // guards what follows
	tell    func(Confirm) // in place of confirmed, if set
	pending []Confirm     // runs nobody has read yet, oldest first
	stopped bool          // the broker's newest word
}

func newRelay() relay {
	return relay{
		confirmed: make(chan Confirm),
		blocked:   make(chan bool),
		wake:      make(chan struct{}, 1),
	}
}

// Confirmed implements Link.
func (r *relay) Confirmed() <-chan Confirm { return r.confirmed }

// Blocked implements Link.
func (r *relay) Blocked() <-chan bool { return r.blocked }

// telling is a Link that can tell a function of confirms as they come, where a reader of
// Confirmed has to be woken. The function must not wait, nor call the link.
type telling interface {
	tellConfirms(tell func(Confirm))
}

// tellConfirms implements telling. It is called before the first message is published.
func (r *relay) tellConfirms(tell func(Confirm)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tell = tell
}

// confirm reports one message. Messages are reported in the order of their numbers,
// without a gap.
func (r *relay) confirm(number uint64, refused bool) {
	r.mu.Lock()
	if tell := r.tell; tell != nil {
		r.mu.Unlock()
		tell(Confirm{Number: number, Refused: refused})
		return
	}
	if n := len(r.pending); n > 0 && r.pending[n-1].Refused == refused {
		r.pending[n-1].Number, r.pending[n-1].Several = number, true
	} else {
		r.pending = append(r.pending, Confirm{Number: number, Refused: refused})
	}
	r.mu.Unlock()
	r.signal()
}

// block reports whether the broker takes messages.
func (r *relay) block(stopped bool) {
	r.mu.Lock()
	r.stopped = stopped
	r.mu.Unlock()
	r.signal()
}

func (r *relay) signal() {
	select {
	case r.wake <- struct{}{}:
	default: // woken already
	}
}

// run serves the reader until done is closed. What is not read by then is lost, as it is
// when a connection dies a little earlier.
func (r *relay) run(done <-chan struct{}) {
	defer close(r.confirmed)
	defer close(r.blocked)
	var next Confirm // taken from pending; Number 0 is none
	told := false    // the reader's newest word
	for {
		r.mu.Lock()
		if next.Number == 0 && len(r.pending) > 0 {
			next = r.pending[0]
			r.pending = append(r.pending[:0], r.pending[1:]...)
		}
		stopped := r.stopped
		r.mu.Unlock()

		confirmed, blocked := r.confirmed, r.blocked
		if next.Number == 0 {
			confirmed = nil
		}
		if stopped == told {
			blocked = nil
		}
		select {
		case confirmed <- next:
			next = Confirm{}
		case blocked <- stopped:
			told = stopped
		case <-r.wake:
		case <-done:
			return
		}
	}
}
